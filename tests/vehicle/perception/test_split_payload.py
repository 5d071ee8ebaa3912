import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.errors import ConfigError, WireError
from vehicle.perception.split.code_table import CodeTable, word_lengths
from vehicle.perception.split.payload import HEADER_BYTES, Header, pack, read_header, unpack

LAYOUT = "<2sBIHHBBB"
PAIR = 0xDEADBEEF
HEADER = Header(PAIR, 960, 540, 6, 12, 20)


def smooth(rows: int, columns: int, channels: int, levels: int, seed: int) -> np.ndarray:
    """Codes that change little from left to right, as features do."""
    random = np.random.default_rng(seed)
    steps = random.integers(-1, 2, (rows, columns, channels))
    return (np.abs(steps.cumsum(1) + levels // 2) % levels).astype(np.uint8)


TABLE = CodeTable.counted([smooth(12, 20, 6, 8, seed) for seed in range(20)], 6, 8)
PAYLOAD = pack(HEADER, smooth(12, 20, 6, 8, 99), TABLE)


@given(st.integers(1, 24), st.integers(1, 9), st.integers(1, 9), st.integers(2, 16), st.integers(0))
def test_what_is_packed_is_unpacked(channels, half_rows, half_columns, levels, seed):
    header = Header(7, 640, 384, channels, 2 * half_rows, 2 * half_columns)
    shape = (header.rows, header.columns, channels)
    table = CodeTable.counted([smooth(*shape, levels, seed)], channels, levels)
    other = np.random.default_rng(seed).integers(0, levels, shape).astype(np.uint8)
    for codes in (smooth(*shape, levels, seed), other):
        payload = pack(header, codes, table)
        assert len(payload) <= HEADER_BYTES + codes.size
        read, restored = unpack(payload, 7, table)
        assert read == header
        assert (restored == codes).all()
    assert header.input_size == (32 * half_columns, 32 * half_rows)


def test_what_is_like_its_left_neighbour_costs_fewer_bits():
    bits = 8 * (len(PAYLOAD) - HEADER_BYTES) / (12 * 20 * 6)
    assert np.log2(3) < bits < 2.2  # three steps alike; eight levels alone would be three bits


@pytest.mark.parametrize(
    ("counts", "lengths"),
    [
        ([1, 1], [1, 1]),
        ([8, 4, 2, 1, 1], [1, 2, 3, 4, 4]),
        ([1, 1, 1, 1], [2, 2, 2, 2]),
        ([1, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512], [8, 8, 8, 8, 7, 7, 5, 4, 3, 2, 1]),
    ],
)
def test_word_lengths_are_the_best(counts, lengths):
    assert word_lengths(counts) == lengths


@given(st.binary(max_size=300))
def test_bytes_of_a_stranger_are_refused_or_are_codes_in_bounds(noise):
    for payload in (noise, PAYLOAD[:HEADER_BYTES] + noise):
        try:
            _, codes = unpack(payload, PAIR, TABLE)
        except WireError:
            continue
        assert codes.shape == (12, 20, 6)
        assert int(codes.max()) < 8


@given(st.integers(0, len(PAYLOAD) - 1), st.integers(1, 255))
def test_a_changed_byte_gives_codes_in_bounds_or_a_wire_error(at, change):
    payload = bytearray(PAYLOAD)
    payload[at] ^= change
    try:
        header, codes = unpack(bytes(payload), PAIR, TABLE)
    except WireError:
        return
    assert codes.shape == (header.rows, header.columns, header.channels)
    assert int(codes.max()) < 8


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        (0, b"xx", "version"),
        (1, 2, "version"),
        (2, 5, "made by encoder 00000005"),
        (3, 8, "frame"),
        (4, 9000, "frame"),
        (5, 7, "with 7 channels"),
        (6, 0, "rows"),
        (6, 13, "rows"),
        (6, 66, "rows"),
        (7, 130, "columns"),
    ],
)
def test_every_field_has_bounds(field, value, words):
    values = list(struct.unpack(LAYOUT, PAYLOAD[:HEADER_BYTES]))
    values[field] = value
    with pytest.raises(WireError, match=words):
        unpack(struct.pack(LAYOUT, *values) + PAYLOAD[HEADER_BYTES:], PAIR, TABLE)


def test_too_much_and_too_little_are_refused():
    with pytest.raises(WireError, match="at least 14 bytes"):
        read_header(PAYLOAD[:13])
    with pytest.raises(WireError, match=r"cut off|end in byte"):
        unpack(PAYLOAD[:-40], PAIR, TABLE)
    with pytest.raises(WireError, match="end in byte"):
        unpack(PAYLOAD + b"1", PAIR, TABLE)
    with pytest.raises(WireError, match="at most 1440 bytes"):
        unpack(PAYLOAD + bytes(2000), PAIR, TABLE)


def test_a_table_travels_as_text():
    codes = smooth(12, 20, 6, 8, 3)
    again = CodeTable.from_text(TABLE.to_text())
    assert again.encoded(codes) == TABLE.encoded(codes)


@pytest.mark.parametrize("text", ["", "6x8:", "6x8:!!", "1x2:AQEBAgE=", "0x9:", "1x2:AQECAg=="])
def test_a_broken_table_is_refused(text):
    with pytest.raises(ConfigError, match="split: "):
        CodeTable.from_text(text)
