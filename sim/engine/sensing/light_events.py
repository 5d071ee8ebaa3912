"""An event camera: pixels that tell when their brightness has changed by a threshold.

The model is CARLA's, after Rebecq and others, ESIM: an Open Event Camera Simulator, 2018:
brightness changes linearly between two pictures, and each crossing of a threshold is an event.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.engine.sensing.attributes import Attributes, flag, number, whole

LEAST_THRESHOLD: Final = 0.01  # to which the noise of thresholds is cut
MOST_EVENTS: Final = 8_000_000  # of one message; thresholds near nothing make no more
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
        from sim.engine.sensing import event_kernels as kernels  # numba, which starts slowly

        span = max(1, time_ns - begin)
        count = min(kernels.count_events(level, self._reference, up, down), MOST_EVENTS)
        column, row = np.empty(count, np.uint16), np.empty(count, np.uint16)
        since, polarity = np.empty(count, np.int64), np.empty(count, np.bool_)
        count = kernels.write_events(
            last, level, self._reference, up, down, begin, span, own.rest_ns, self._told,
            column, row, since, polarity,
        )  # fmt: skip
        order = kernels.by_time(since[:count], span)
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
    from sim.engine.sensing.event_kernels import write_brightness

    level = np.empty(bgr.shape[:2], np.float32)
    write_brightness(bgr, settings.is_log, settings.log_floor, level)
    return level
