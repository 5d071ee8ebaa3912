import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.errors import WireError
from vehicle.perception.heads.results import (
    LIGHT_RECORD,
    MAP_HEADER,
    MAX_ROWS,
    LightStates,
    PlateRegions,
    SurfaceMap,
)

BOXES = np.array([[1, 2, 3, 4], [5.5, 6, 7, 8]], np.float32)
SCORES = np.array([0.9, 0.25], np.float32)
LIGHTS = LightStates(BOXES, SCORES, np.array([0, 3], np.uint8))
PLATES = PlateRegions(BOXES, SCORES)
CELLS = np.random.default_rng(1).integers(0, 3, (6, 10)).astype(np.uint8)
SURFACE = SurfaceMap(CELLS, 20, 12)
READERS = (LightStates.from_bytes, PlateRegions.from_bytes, SurfaceMap.from_bytes)


def test_lights_and_plates_travel_in_full():
    lights, plates = (
        LightStates.from_bytes(LIGHTS.to_bytes()),
        PlateRegions.from_bytes(PLATES.to_bytes()),
    )
    for got in (lights, plates):
        assert np.array_equal(got.xyxy, BOXES)
        assert np.array_equal(got.score, SCORES)
    assert lights.state.tolist() == [0, 3]
    assert (len(LIGHTS.to_bytes()), len(PLATES.to_bytes())) == (42, 40)
    assert len(LightStates.from_bytes(b"")) == len(PlateRegions.from_bytes(b"")) == 0


def test_a_map_travels_in_full_and_grows_to_the_frame():
    got = SurfaceMap.from_bytes(SURFACE.to_bytes())
    assert np.array_equal(got.cells, CELLS)
    assert np.array_equal(got.full(), np.kron(CELLS, np.ones((2, 2), np.uint8)))
    odd = SurfaceMap(CELLS, 25, 13).full()
    assert odd.shape == (13, 25)
    assert (odd[0, 0], odd[-1, -1]) == (CELLS[0, 0], CELLS[-1, -1])


@pytest.mark.parametrize(
    ("read", "payload", "said"),
    [
        (LightStates.from_bytes, b"\0" * 20, "multiple of 21"),
        (PlateRegions.from_bytes, b"\0" * 21, "multiple of 20"),
        (LightStates.from_bytes, b"\0" * 21 * (MAX_ROWS + 1), "at most 1000"),
        (LightStates.from_bytes, b"\0" * 20 + b"\4", "state 4"),
        (PlateRegions.from_bytes, b"\0\0\xc0\x7f" + b"\0" * 16, "finite"),
        (PlateRegions.from_bytes, b"\0" * 16 + b"\0\0\0\x40", "outside 0..1"),
        (PlateRegions.from_bytes, b"\0" * 16 + b"\0\0\xc0\x7f", "outside 0..1"),
        (SurfaceMap.from_bytes, b"SM", "12 bytes"),
        (SurfaceMap.from_bytes, b"XX" + SURFACE.to_bytes()[2:], "version 1"),
        (SurfaceMap.from_bytes, b"SM\2" + SURFACE.to_bytes()[3:], "version 1"),
        (SurfaceMap.from_bytes, MAP_HEADER.pack(b"SM", 1, 65535, 65535, 9, 9), "at most"),
        (SurfaceMap.from_bytes, MAP_HEADER.pack(b"SM", 1, 4, 4, 0, 9), "at least 1"),
        (SurfaceMap.from_bytes, MAP_HEADER.pack(b"SM", 1, 4, 4, 9, 9), "16 cells"),
        (SurfaceMap.from_bytes, SURFACE.to_bytes()[:-4], "60 cells"),
        (SurfaceMap.from_bytes, SURFACE.to_bytes() + b"\0", "no byte more"),
        (SurfaceMap.from_bytes, SurfaceMap(CELLS + 1, 20, 12).to_bytes(), "surface 3"),
    ],
)
def test_broken_payloads_are_said(read, payload, said):
    with pytest.raises(WireError, match=said):
        read(payload)


def test_a_bomb_is_not_unpacked():
    bomb = SurfaceMap(np.zeros((700, 700), np.uint8), 9, 9).to_bytes()
    small = MAP_HEADER.pack(b"SM", 1, 2, 2, 9, 9) + bomb[MAP_HEADER.size :]
    with pytest.raises(WireError, match="4 cells"):
        SurfaceMap.from_bytes(small)


@given(payload=st.binary(max_size=200), which=st.sampled_from(READERS))
def test_noise_is_read_or_refused_and_nothing_else(payload, which):
    with contextlib.suppress(WireError):
        which(payload)


@given(place=st.integers(0, 200), value=st.integers(0, 255), which=st.integers(0, 2))
def test_one_wrong_byte_is_read_or_refused_and_nothing_else(place, value, which):
    payload = bytearray((LIGHTS, PLATES, SURFACE)[which].to_bytes())
    payload[place % len(payload)] = value
    with contextlib.suppress(WireError):
        READERS[which](bytes(payload))


def test_the_documented_record_is_the_packed_one():
    row = np.frombuffer(LIGHTS.to_bytes(), LIGHT_RECORD)[1]
    assert row["xyxy"].tolist() == [5.5, 6, 7, 8]
    assert (float(row["score"]), int(row["state"])) == (0.25, 3)
