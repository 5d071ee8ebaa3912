"""The radio map in worlds where breaks are spatial and where they are not."""

import contextlib
import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.errors import ConfigError
from scheduler.link import REPLIES_TO_TRUST, LinkEstimator
from scheduler.place import Place
from scheduler.radio_map import (
    LEAST_AUC,
    MOST_CELLS,
    VERSION,
    Onsets,
    Pose,
    RadioMap,
    RadioMaps,
)
from scheduler.rate import LogRate

MS = 1_000_000
SPEED = 12.0  # m/s
FRAME_MS = 100
STREET_M = 1000.0
DARK = (400.0, 480.0)  # behind a building, metres along the street

Fate = Callable[[float, random.Random], bool]


def behind_a_building(x: float, generator: random.Random) -> bool:
    """Nine of ten get lost there; one of five hundred elsewhere."""
    return generator.random() < (0.9 if DARK[0] <= x <= DARK[1] else 0.002)


class AnyTime:
    """Breaks of half a second, wherever the vehicle is."""

    def __init__(self) -> None:
        self._left = 0

    def __call__(self, x: float, generator: random.Random) -> bool:
        if self._left == 0 and generator.random() < 0.015:
            self._left = 5
        is_bad = self._left > 0
        self._left -= is_bad
        return is_bad


def drive(radio_map: RadioMap, fate: Fate, passes: int, seed: int) -> None:
    """Along the street and back, a frame each 100 ms; what the estimator would tell the map."""
    generator = random.Random(seed)
    was_fine = True
    for number in range(passes):
        for step in range(int(STREET_M / SPEED * 1000 / FRAME_MS)):
            way = step * SPEED * FRAME_MS / 1000 + generator.gauss(0.0, 2.0)  # of the receiver
            x = way if number % 2 == 0 else STREET_M - way
            pose = Pose(x, generator.gauss(0.0, 1.0), 0.0 if number % 2 == 0 else math.pi, SPEED)
            is_bad = fate(x, generator)
            radio_map.learn_fate(pose, is_bad, was_fine)
            was_fine = not is_bad


def test_breaks_behind_a_building_are_foreseen() -> None:
    """Onsets alone, each predicted before it was learned, the first passes included."""
    radio_map = RadioMap()
    drive(radio_map, behind_a_building, passes=12, seed=1)
    assert radio_map.onsets.auc >= 0.8
    assert radio_map.is_trusted
    assert radio_map.at(Pose(440.0, 0.0, 0.0, SPEED)).p_bad > 0.6
    assert radio_map.at(Pose(200.0, 0.0, 0.0, SPEED)).p_bad < 0.1


def test_a_break_is_seen_before_it_is_reached() -> None:
    radio_map = RadioMap()
    drive(radio_map, behind_a_building, passes=12, seed=2)
    before = Pose(DARK[0] - 1.5 * SPEED - 10.0, 0.0, 0.0, SPEED)
    assert radio_map.within(before, 0.25) < 0.2
    assert radio_map.within(before, 3.0) > 0.6
    leaving = Pose(DARK[1] + 30.0, 0.0, 0.0, SPEED)
    assert radio_map.within(leaving, 3.0) < 0.2


def test_where_breaks_are_not_spatial_nobody_listens() -> None:
    radio_map = RadioMap()
    drive(radio_map, AnyTime(), passes=12, seed=3)
    assert radio_map.onsets.auc < LEAST_AUC
    assert not radio_map.is_trusted


def test_a_map_that_stops_predicting_loses_its_trust() -> None:
    """The building is gone, breaks come at any place: the score follows."""
    radio_map = RadioMap()
    drive(radio_map, behind_a_building, passes=12, seed=4)
    assert radio_map.is_trusted
    drive(radio_map, AnyTime(), passes=30, seed=5)
    assert not radio_map.is_trusted


def test_headings_are_kept_apart() -> None:
    radio_map = RadioMap()
    for _ in range(20):
        radio_map.learn_fate(Pose(5.0, 5.0, 0.0, SPEED), True, False)
    assert radio_map.at(Pose(5.0, 5.0, 0.1, SPEED)).p_bad > 0.9
    assert radio_map.at(Pose(5.0, 5.0, math.pi, SPEED)).p_bad == pytest.approx(0.05)


def test_rates_are_learned_by_place() -> None:
    radio_map, generator = RadioMap(), random.Random(1)
    for _ in range(10):
        for x in range(0, 400, 3):
            rate = 12e6 if x < 200 else 2e6
            log_rate = math.log(rate) + generator.gauss(0.0, 0.2)
            radio_map.learn_rate(Pose(float(x), 0.0, 0.0, SPEED), log_rate)
    assert radio_map.at(Pose(100.0, 0.0, 0.0, SPEED)).log_rate == pytest.approx(
        math.log(12e6), abs=0.1
    )
    assert radio_map.rate_errors.is_better


def test_rates_that_do_not_depend_on_the_place_are_not_listened_to() -> None:
    radio_map, generator = RadioMap(), random.Random(1)
    for _ in range(10):
        for x in range(0, 400, 3):
            radio_map.learn_rate(Pose(float(x), 0.0, 0.0, SPEED), generator.gauss(15.0, 0.5))
    assert not radio_map.rate_errors.is_better


def opened(radio_map: RadioMap | None, pose: Pose) -> LinkEstimator:
    """A link that is up, with twenty good frames behind it, at this place."""
    link = LinkEstimator(0, radio_map)
    for number in range(REPLIES_TO_TRUST):
        link.on_ping(number, 0)
        link.on_pong(number, 10 * MS)
    for number in range(20):
        sent_ns = (number + 1) * 100 * MS
        link.on_sent(number, 15_000, sent_ns)
        link.on_answer(number, 20 * MS, 0, sent_ns + 50 * MS)
    link.on_pose(*pose, 2100 * MS)
    return link


def chance(link: LinkEstimator) -> float:
    return link.p_in_time(10_000, 60e6, 2100 * MS)


def test_a_trusted_map_warns_before_the_drop() -> None:
    radio_map = RadioMap()
    drive(radio_map, behind_a_building, passes=12, seed=6)
    far, near = Pose(100.0, 0.0, 0.0, SPEED), Pose(DARK[0] + 20.0, 0.0, 0.0, SPEED)
    without = chance(opened(None, near))
    assert without > 0.9
    assert chance(opened(radio_map, far)) > 0.95 * without
    assert chance(opened(radio_map, near)) < 0.6 * without
    before = opened(radio_map, Pose(DARK[0] - 20.0, 0.0, 0.0, SPEED))
    assert before.bad_within(3.0, 2100 * MS) > 0.3
    assert opened(radio_map, far).bad_within(3.0, 2100 * MS) < 0.1


def test_a_map_without_trust_changes_nothing() -> None:
    radio_map = RadioMap()
    drive(radio_map, AnyTime(), passes=12, seed=7)
    for x in (100.0, 430.0, 700.0):
        pose = Pose(x, 0.0, 0.0, SPEED)
        assert chance(opened(radio_map, pose)) == chance(opened(None, pose))
        assert opened(radio_map, pose).bad_within(3.0, 2100 * MS) == 0.0


def test_an_estimator_teaches_the_map() -> None:
    """Answered, lost and expired requests reach the cell that they were sent in."""
    radio_map = RadioMap()
    link = opened(radio_map, Pose(5.0, 5.0, 0.0, SPEED))
    link.on_sent(100, 10_000, 2200 * MS)
    link.on_answer(100, 20 * MS, 0, 2250 * MS)
    here = radio_map.at(Pose(5.0, 5.0, 0.0, SPEED))
    assert here.rate_weight > 0.0 and here.p_bad < 0.05
    link.on_pose(205.0, 5.0, 0.0, SPEED, 3000 * MS)
    link.on_sent(101, 10_000, 3000 * MS)
    link.on_expired(101, 3400 * MS)
    assert radio_map.at(Pose(205.0, 5.0, 0.0, SPEED)).p_bad > 0.8
    link.on_pose(405.0, 5.0, 0.0, SPEED, 4000 * MS)
    link.on_sent(102, 10_000, 4000 * MS)
    link.on_pose(505.0, 5.0, 0.0, SPEED, 4200 * MS)
    link.on_open(4400 * MS)
    assert radio_map.at(Pose(405.0, 5.0, 0.0, SPEED)).p_bad > 0.8
    assert radio_map.at(Pose(505.0, 5.0, 0.0, SPEED)).p_bad < 0.1


def test_the_rate_leans_to_what_the_place_has_carried() -> None:
    radio_map = RadioMap()
    for _ in range(10):
        for x in range(0, 400, 3):
            radio_map.learn_rate(
                Pose(float(x), 0.0, 0.0, SPEED), math.log(12e6 if x < 200 else 1e6)
            )
    rate, place = LogRate(0), Place(radio_map)
    before = rate.mean
    for step in range(1, 20):
        place.move(Pose(300.0, 0.0, 0.0, 0.0), rate, step * 100 * MS)
    assert rate.mean < before - 0.5


def test_maps_come_back_from_their_bytes() -> None:
    maps = RadioMaps()
    drive(maps.of("rsu1"), behind_a_building, passes=6, seed=8)
    maps.of("rsu2/5g").learn_rate(Pose(5.0, 5.0, 0.0, SPEED), 15.0)
    data = maps.to_bytes()
    restored = RadioMaps.from_bytes(data)
    assert restored.to_bytes() == data
    pose = Pose(440.0, 0.0, 0.0, SPEED)
    assert restored.of("rsu1").at(pose) == maps.of("rsu1").at(pose)
    assert restored.of("rsu1").onsets.auc == maps.of("rsu1").onsets.auc


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "expected a radio map"),
        (b"\xc1", "expected a radio map"),
        (b"\x93\x01\x02\x03", "expected a radio map"),
        (RadioMaps().to_bytes().replace(b"\x01", b"\x07", 1), f"expected version {VERSION}"),
    ],
)
def test_a_file_that_is_no_map_is_refused(data: bytes, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        RadioMaps.from_bytes(data, "maps.msgpack")


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    with contextlib.suppress(ConfigError):
        RadioMaps.from_bytes(data)


def test_figures_that_are_none_are_refused() -> None:
    maps = RadioMaps()
    maps.of("rsu1").learn_rate(Pose(5.0, 5.0, 0.0, SPEED), math.nan)
    with pytest.raises(ConfigError, match="whole and finite"):
        RadioMaps.from_bytes(maps.to_bytes())


def test_the_map_is_bounded_and_forgets_the_oldest_place() -> None:
    radio_map = RadioMap()
    for index in range(MOST_CELLS + 10):
        radio_map.learn_rate(Pose(20.0 * index + 5.0, 5.0, 0.0, SPEED), 15.0)
    assert len(radio_map) == MOST_CELLS
    assert radio_map.at(Pose(5.0, 5.0, 0.0, SPEED)).rate_weight == 0.0
    assert radio_map.at(Pose(20.0 * MOST_CELLS + 5.0, 5.0, 0.0, SPEED)).rate_weight > 0.0


def test_the_score_is_the_area_under_the_curve() -> None:
    onsets = Onsets()
    for index in range(100):
        onsets.add(0.9 if index % 5 == 0 else 0.1, index % 5 == 0)
    assert onsets.auc == 1.0
    for index in range(100):
        onsets.add(0.1 if index % 5 == 0 else 0.9, index % 5 == 0)
    assert onsets.auc == pytest.approx(0.5)
    assert Onsets().auc == 0.5
