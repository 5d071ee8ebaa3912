"""Measured stage times and JPEG sizes, as the quantiles that decisions need (sans-IO)."""

import math
from bisect import bisect_left, insort
from collections import deque

WINDOW = 128  # samples kept per stage; more reacts slower to a changed clock rate


class StageTimes:
    """Sliding quantiles of one stage's duration.

    Until five samples are there, the prior stands for them, so that a first frame is not sent on
    a guess of zero.
    """

    def __init__(self, prior_ns: int) -> None:
        self._prior_ns = prior_ns
        self._recent: deque[int] = deque()
        self._sorted: list[int] = []

    def add(self, duration_ns: int) -> None:
        """One more measurement."""
        if len(self._recent) == WINDOW:
            oldest = self._recent.popleft()
            del self._sorted[bisect_left(self._sorted, oldest)]
        self._recent.append(duration_ns)
        insort(self._sorted, duration_ns)

    def quantile_ns(self, share: float) -> int:
        """The smallest duration that `share` of the samples do not exceed."""
        if not self._sorted:
            return self._prior_ns
        index = max(0, math.ceil(share * len(self._sorted)) - 1)
        value = self._sorted[index]
        return max(value, self._prior_ns) if len(self._sorted) < 5 and share > 0.5 else value

    @property
    def count(self) -> int:
        """Samples in the window."""
        return len(self._sorted)


# Bytes per pixel and F1 lost at JPEG qualities, 640x384 street pictures (perception.md 3).
_QUALITY = (15, 30, 50, 70, 80, 90, 95)
_BYTES_PER_PIXEL = (0.040, 0.061, 0.087, 0.122, 0.159, 0.252, 0.35)
_ACCURACY_LOSS = (0.045, 0.025, 0.014, 0.010, 0.008, 0.004, 0.0)


def _between(quality: int, values: tuple[float, ...]) -> float:
    if quality <= _QUALITY[0]:
        return values[0]
    for i in range(1, len(_QUALITY)):
        if quality <= _QUALITY[i]:
            part = (quality - _QUALITY[i - 1]) / (_QUALITY[i] - _QUALITY[i - 1])
            return values[i - 1] + part * (values[i] - values[i - 1])
    return values[-1]


def accuracy_loss(quality: int) -> float:
    """F1 lost by JPEG at this quality, interpolated from the measured table."""
    return _between(quality, _ACCURACY_LOSS)


class JpegSizes:
    """Expected JPEG size of the next frame: the measured table, scaled to what this camera sees."""

    def __init__(self) -> None:
        self._log_scale = 0.0
        self._is_first = True

    def add(self, quality: int, pixels: int, size_bytes: int) -> None:
        """One more encoded frame."""
        error = math.log(max(size_bytes, 1) / self._table_bytes(quality, pixels)) - self._log_scale
        self._log_scale += error if self._is_first else 0.2 * error
        self._is_first = False

    def expected_bytes(self, quality: int, pixels: int) -> int:
        """Size to plan with."""
        return int(self._table_bytes(quality, pixels) * math.exp(self._log_scale))

    def _table_bytes(self, quality: int, pixels: int) -> float:
        return _between(quality, _BYTES_PER_PIXEL) * pixels
