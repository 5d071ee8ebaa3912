"""An event camera: pixels that tell when their brightness has changed by a threshold.

The model is CARLA's, after Rebecq and others, ESIM: an Open Event Camera Simulator, 2018:
brightness changes linearly between two pictures, and each crossing of a threshold is an event.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sim.engine.sensing.attributes import Attributes, flag, number, whole

LEAST_THRESHOLD: Final = 0.01  # to which the noise of thresholds is cut
MOST_EVENTS: Final = 8_000_000  # of one message; thresholds near nothing make no more
SLOTS: Final = 1024  # of the counting sort by time
EVENT: Final = np.dtype([("x", "<u2"), ("y", "<u2"), ("t", "<i8"), ("pol", "?")])
"""One event as CARLA packs it, 13 bytes: column, row, nanoseconds, brighter or not."""


@dataclass(frozen=True, slots=True)
class EventSettings:
    """Thresholds of (log) brightness for brighter and darker, with their noise.

    Attributes:
        up: change that makes an event, for what gets brighter.
        down: the same for what gets darker.
        up_noise: standard deviation of `up` from pixel to pixel and picture to picture.
        down_noise: of `down`.
        rest_ns: nanoseconds for which a pixel is blind after an event.
        is_log: thresholds are of the logarithm of brightness (0..1), else of grey levels (0..255).
        log_floor: added before the logarithm.
    """

    up: float
    down: float
    up_noise: float
    down_noise: float
    rest_ns: int
    is_log: bool
    log_floor: float

    @classmethod
    def read(cls, attributes: Attributes) -> EventSettings:
        """Return what the attributes say.

        Raises:
            SensorError: one is wrong.
        """
        return cls(
            up=number(attributes, "positive_threshold", LEAST_THRESHOLD),
            down=number(attributes, "negative_threshold", LEAST_THRESHOLD),
            up_noise=number(attributes, "sigma_positive_threshold", 0.0),
            down_noise=number(attributes, "sigma_negative_threshold", 0.0),
            rest_ns=whole(attributes, "refractory_period_ns", 0),
            is_log=flag(attributes, "use_log"),
            log_floor=number(attributes, "log_eps", 1e-9),
        )


class LightEvents:
    """One event camera between two pictures."""

    def __init__(self, settings: EventSettings) -> None:
        self._settings = settings
        self._random = np.random.default_rng(0)
        self._last: NDArray[np.float32] | None = None
        self._reference = np.zeros((0, 0), np.float32)
        self._told = np.zeros((0, 0), np.int64)
        self._time_ns = 0

    def between(self, bgr: NDArray[np.uint8], time_ns: int) -> NDArray[np.void]:
        """Return the events (N,) of dtype `EVENT` since the last call, in the order of time.

        Args:
            bgr: (H, W, 3) the picture now.
            time_ns: simulated nanoseconds now; an event lies between the last call's and these.
        """
        own = self._settings
        level = brightness(bgr, own)
        last, begin, self._last, self._time_ns = self._last, self._time_ns, level, time_ns
        if last is None or last.shape != level.shape:
            self._reference = level.copy()
            self._told = np.full(level.shape, -own.rest_ns - 1, np.int64)
            return np.zeros(0, EVENT)
        up = self._thresholds(level.shape, own.up, own.up_noise)
        down = self._thresholds(level.shape, own.down, own.down_noise)
        span = max(1, time_ns - begin)
        count = min(_count(level, self._reference, up, down), MOST_EVENTS)
        column, row = np.empty(count, np.uint16), np.empty(count, np.uint16)
        since, polarity = np.empty(count, np.int64), np.empty(count, np.bool_)
        count = _events(
            last, level, self._reference, up, down, begin, span, own.rest_ns, self._told,
            column, row, since, polarity,
        )  # fmt: skip
        order = _by_time(since[:count], span)
        events = np.zeros(count, EVENT)
        events["x"], events["y"] = column[order], row[order]
        events["t"], events["pol"] = begin + since[order], polarity[order]
        return events

    def _thresholds(
        self, shape: tuple[int, ...], threshold: float, noise: float
    ) -> NDArray[np.float32]:
        """Return (H, W), or (1, 1) where all are the same."""
        if noise == 0.0:
            return np.full((1, 1), threshold, np.float32)
        drawn = threshold + noise * self._random.standard_normal(shape, np.float32)
        return np.asarray(np.maximum(drawn, np.float32(LEAST_THRESHOLD)))


def brightness(bgr: NDArray[np.uint8], settings: EventSettings) -> NDArray[np.float32]:
    """Return (H, W) the grey level (ITU BT.601), 0..255, or the logarithm of its share."""
    level = np.empty(bgr.shape[:2], np.float32)
    _brightness(bgr, settings.is_log, settings.log_floor, level)
    return level


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _brightness(
    bgr: NDArray[np.uint8], is_log: bool, floor: float, level: NDArray[np.float32]
) -> None:
    height, width = level.shape
    for row in range(height):
        for column in range(width):
            blue, green, red = bgr[row, column, 0], bgr[row, column, 1], bgr[row, column, 2]
            grey = 0.114 * blue + 0.587 * green + 0.2989 * red
            level[row, column] = np.log(floor + grey / 255.0) if is_log else grey


@njit(cache=True, nogil=True, error_model="numpy")
def _count(
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
def _events(
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
def _by_time(since: NDArray[np.int64], span: int) -> NDArray[np.int64]:
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
