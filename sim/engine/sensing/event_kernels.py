"""The compiled loops of event cameras."""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

SLOTS: Final = 1024  # of the counting sort by time


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def write_brightness(
    bgr: NDArray[np.uint8], is_log: bool, floor: float, level: NDArray[np.float32]
) -> None:
    """Write the grey level (ITU BT.601), 0..255, or the logarithm of its share plus `floor`."""
    height, width = level.shape
    for row in range(height):
        for column in range(width):
            blue, green, red = bgr[row, column, 0], bgr[row, column, 1], bgr[row, column, 2]
            grey = 0.114 * blue + 0.587 * green + 0.2989 * red
            level[row, column] = np.log(floor + grey / 255.0) if is_log else grey


@njit(cache=True, nogil=True, error_model="numpy")
def count_events(
    level: NDArray[np.float32],
    reference: NDArray[np.float32],
    up: NDArray[np.float32],
    down: NDArray[np.float32],
) -> int:
    """Return an upper bound of the number of events."""
    total = 0
    height, width = level.shape
    for row in range(height):
        for column in range(width):
            change = level[row, column] - reference[row, column]
            table = up if change > 0.0 else down
            step = table[row, column] if len(table) > 1 else table[0, 0]
            total += int(abs(change) / step) + 1
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def write_events(
    last: NDArray[np.float32],
    level: NDArray[np.float32],
    reference: NDArray[np.float32],
    up: NDArray[np.float32],
    down: NDArray[np.float32],
    begin: int,
    span: int,
    rest: int,
    told: NDArray[np.int64],
    column_of: NDArray[np.uint16],
    row_of: NDArray[np.uint16],
    since: NDArray[np.int64],
    polarity: NDArray[np.bool_],
) -> int:
    """Write the events pixel by pixel, `since` in ns after `begin`; return their number."""
    count = 0
    height, width = level.shape
    for row in range(height):
        for column in range(width):
            a, b = np.float64(last[row, column]), np.float64(level[row, column])
            if abs(b - a) < 1e-6:
                continue
            sign = 1.0 if b > a else -1.0
            table = up if b > a else down
            step = sign * np.float64(table[row, column] if len(table) > 1 else table[0, 0])
            crossing = np.float64(reference[row, column]) + step
            while (crossing - a) * sign > 0.0 and (b - crossing) * sign >= 0.0:
                time = int((crossing - a) / (b - a) * span)
                if begin + time - told[row, column] >= rest and count < len(since):
                    column_of[count], row_of[count] = column, row
                    since[count], polarity[count] = time, b > a
                    told[row, column] = begin + time
                    count += 1
                reference[row, column] = crossing
                crossing += step
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def by_time(since: NDArray[np.int64], span: int) -> NDArray[np.int64]:
    """Return the order of rising time: a counting sort in slots, then insertion in each."""
    count = len(since)
    start = np.zeros(SLOTS + 1, np.int64)
    for k in range(count):
        start[min(since[k] * SLOTS // (span + 1), SLOTS - 1) + 1] += 1
    for slot in range(SLOTS):
        start[slot + 1] += start[slot]
    order = np.empty(count, np.int64)
    for k in range(count):
        slot = min(since[k] * SLOTS // (span + 1), SLOTS - 1)
        order[start[slot]] = k
        start[slot] += 1
    for k in range(1, count):
        one = order[k]
        place = k
        while place and since[order[place - 1]] > since[one]:
            order[place] = order[place - 1]
            place -= 1
        order[place] = one
    return order
