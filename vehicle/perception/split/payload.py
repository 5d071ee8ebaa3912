"""What travels between the halves of a split detector: a checked header, then words of codes."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scheduler.errors import WireError
from vehicle.perception.jpeg import MAX_HEIGHT, MAX_WIDTH, MIN_SIDE
from vehicle.perception.split.code_table import CodeTable

MAGIC = b"vs"
VERSION = 1
CODE_STRIDE = 16  # input pixels per cell of codes
CELL_STEP = 2  # inputs are multiples of 32 pixels
MAX_ROWS, MAX_COLUMNS = 64, 128  # an input of 2048 x 1024
_HEADER = struct.Struct("<2sBIHHBBB")  # little-endian, unpadded, in the order of `Header`
HEADER_BYTES = _HEADER.size


@dataclass(frozen=True, slots=True)
class Header:
    """What the decoder must know before it decodes; 14 bytes with magic and version.

    Attributes:
        pair: Which trained pair of halves made it; another decoder would see nonsense.
        frame_width: Of the frame that was encoded, pixels.
        frame_height: The same.
        channels: Of the codes.
        rows: Cells from top to bottom.
        columns: Cells from left to right.
    """

    pair: int
    frame_width: int
    frame_height: int
    channels: int
    rows: int
    columns: int

    @property
    def input_size(self) -> tuple[int, int]:
        """Width and height of the encoder's input, pixels."""
        return self.columns * CODE_STRIDE, self.rows * CODE_STRIDE


def pack(header: Header, codes: NDArray[np.uint8], table: CodeTable) -> bytes:
    """Header and codes (rows, columns, channels) to bytes."""
    assert codes.shape == (header.rows, header.columns, header.channels)
    head = _HEADER.pack(
        MAGIC,
        VERSION,
        header.pair,
        header.frame_width,
        header.frame_height,
        header.channels,
        header.rows,
        header.columns,
    )
    return head + table.encoded(codes)


def read_header(payload: bytes | memoryview) -> Header:
    """The header alone, checked against bounds.

    Raises:
        WireError: Not such a payload, or a field out of bounds.
    """
    if len(payload) < HEADER_BYTES:
        raise WireError(f"features: expected at least {HEADER_BYTES} bytes, got {len(payload)}")
    magic, version, pair, width, height, channels, rows, columns = _HEADER.unpack_from(payload)
    if magic != MAGIC or version != VERSION:
        raise WireError(f"features: expected version {VERSION} of a split's payload")
    if not (MIN_SIDE <= width <= MAX_WIDTH and MIN_SIDE <= height <= MAX_HEIGHT):
        raise WireError(
            f"features: expected a frame of {MIN_SIDE}..{MAX_WIDTH} x {MIN_SIDE}..{MAX_HEIGHT}, "
            f"got {width} x {height}"
        )
    for what, cells, most in (("rows", rows, MAX_ROWS), ("columns", columns, MAX_COLUMNS)):
        if not CELL_STEP <= cells <= most or cells % CELL_STEP:
            raise WireError(f"features: expected {CELL_STEP}..{most} {what}, even, got {cells}")
    return Header(pair, width, height, channels, rows, columns)


def unpack(
    payload: bytes | memoryview, pair: int, table: CodeTable
) -> tuple[Header, NDArray[np.uint8]]:
    """Header and codes (rows, columns, channels) of a stranger's bytes.

    Args:
        payload: As received.
        pair: Of the decoder.
        table: Of the decoder.

    Raises:
        WireError: A field out of bounds, another encoder, or not exactly the codes promised.
    """
    header = read_header(payload)
    if (header.pair, header.channels) != (pair, table.channels):
        raise WireError(
            f"features: made by encoder {header.pair:08x} with {header.channels} channels, "
            f"expected {pair:08x} with {table.channels}"
        )
    return header, table.decoded(payload[HEADER_BYTES:], header.rows, header.columns)
