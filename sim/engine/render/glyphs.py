"""The signs of number plates, as a texture of 8 x 8 cells: digits, then capital letters.

A sign's cell is its place in `sim.engine.plates.GLYPHS`. The shader looks a cell up by the code
that an instance carries, so that one mesh shows every text.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

CELLS: Final = 8  # a row
CELL_PIXELS: Final = 32
# Rows of 5 pixels from the top, a bit each, the left one highest.
_FONT: Final[dict[str, tuple[int, ...]]] = {
    "0": (14, 17, 17, 17, 17, 17, 14), "1": (4, 12, 20, 4, 4, 4, 4),
    "2": (14, 17, 1, 2, 4, 8, 31), "3": (31, 1, 2, 6, 1, 17, 14),
    "4": (2, 6, 10, 18, 31, 2, 2), "5": (31, 16, 30, 1, 1, 17, 14),
    "6": (6, 8, 16, 30, 17, 17, 14), "7": (31, 1, 2, 2, 4, 4, 4),
    "8": (14, 17, 17, 14, 17, 17, 14), "9": (14, 17, 17, 15, 1, 2, 12),
    "A": (4, 10, 10, 17, 31, 17, 17), "B": (30, 17, 17, 30, 17, 17, 30),
    "C": (14, 17, 16, 16, 16, 17, 14), "D": (28, 18, 17, 17, 17, 18, 28),
    "E": (31, 16, 16, 30, 16, 16, 31), "F": (31, 16, 16, 30, 16, 16, 16),
    "G": (14, 17, 16, 19, 17, 17, 15), "H": (17, 17, 17, 31, 17, 17, 17),
    "I": (14, 4, 4, 4, 4, 4, 14), "J": (7, 2, 2, 2, 2, 18, 12),
    "K": (17, 18, 20, 24, 20, 18, 17), "L": (16, 16, 16, 16, 16, 16, 31),
    "M": (17, 27, 21, 21, 17, 17, 17), "N": (17, 25, 25, 21, 19, 19, 17),
    "O": (14, 17, 17, 17, 17, 17, 14), "P": (30, 17, 17, 30, 16, 16, 16),
    "Q": (14, 17, 17, 17, 21, 18, 13), "R": (30, 17, 17, 30, 20, 18, 17),
    "S": (15, 16, 16, 14, 1, 1, 30), "T": (31, 4, 4, 4, 4, 4, 4),
    "U": (17, 17, 17, 17, 17, 17, 14), "V": (17, 17, 17, 10, 10, 10, 4),
    "W": (17, 17, 17, 21, 21, 27, 17), "X": (17, 17, 10, 4, 10, 17, 17),
    "Y": (17, 17, 10, 4, 4, 4, 4), "Z": (31, 1, 2, 4, 8, 16, 31),
}  # fmt: skip
_STROKE: Final = 4.6  # pixels of a cell that a font pixel is wide
_RISE: Final = 3.9
_INK, _FIELD = 18.0, 236.0


def glyph_sheet() -> NDArray[np.float32]:
    """All signs, (256, 256, 3) rgb 0..255, dark on a pale field."""
    sheet = np.full((CELLS * CELL_PIXELS,) * 2, _FIELD, np.float32)
    for code, sign in enumerate(sorted(_FONT)):
        row, column = divmod(code, CELLS)
        top, left = row * CELL_PIXELS, column * CELL_PIXELS
        sheet[top : top + CELL_PIXELS, left : left + CELL_PIXELS] = _cell(_FONT[sign])
    return np.repeat(sheet[..., None], 3, axis=2)


def _cell(rows: tuple[int, ...]) -> NDArray[np.float32]:
    """One sign, with smooth corners: font pixels interpolated, then cut at half."""
    bits = np.zeros((len(rows) + 2, 7), np.float32)
    for j, row in enumerate(rows):
        bits[j + 1, 1:6] = [(row >> (4 - k)) & 1 for k in range(5)]
    place = np.arange(CELL_PIXELS) + 0.5 - CELL_PIXELS / 2
    u, v = place / _STROKE + 3.0, place / _RISE + (len(rows) + 1) / 2
    ink = _mix(_mix(bits, np.clip(v, 0, len(rows) + 1), 0), np.clip(u, 0, 6), 1)
    share = np.clip((ink - 0.42) * 5.0, 0, 1)
    cell: NDArray[np.float32] = (_FIELD + (_INK - _FIELD) * share).astype(np.float32)
    return cell


def _mix(values: NDArray[np.float32], at: NDArray[np.float64], axis: int) -> NDArray[np.float32]:
    """Linear interpolation of `values` at places along an axis."""
    low = np.minimum(at.astype(int), values.shape[axis] - 2)
    share = (at - low).astype(np.float32)
    shape = (-1, 1) if axis == 0 else (1, -1)
    first, second = np.take(values, low, axis), np.take(values, low + 1, axis)
    mixed: NDArray[np.float32] = first + (second - first) * share.reshape(shape)
    return mixed
