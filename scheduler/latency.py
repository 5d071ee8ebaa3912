"""Measured stage times and JPEG sizes, as the quantiles that decisions need (sans-IO)."""

import math
from bisect import bisect_left, insort
from collections import deque
from functools import lru_cache

WINDOW = 128  # samples kept per stage; more reacts slower to a changed clock rate
WINDOW_NS = 10_000_000_000  # a spike that is older says nothing of the next run
FOREVER_NS = 1 << 62
FEW = 5  # samples that do not prove a tail


class StageTimes:
    """Sliding quantiles of one stage's duration.

    With fewer than five recent samples the upper quantiles do not fall below the prior: a first
    frame is not sent on a guess of zero, and a rung that two slow runs put out of use comes back.
    """

    def __init__(self, prior_ns: int) -> None:
        self._prior_ns = prior_ns
        self._recent: deque[tuple[int, int]] = deque()  # (when, duration)
        self._sorted: list[int] = []
        self._known: dict[float, int] = {}  # quantiles that were asked for since the last change
        self.fresh_until_ns = FOREVER_NS  # quantiles stay as they are until then, or the next `add`

    def add(self, duration_ns: int, now_ns: int) -> None:
        """One more measurement."""
        if len(self._recent) >= WINDOW or now_ns > self.fresh_until_ns:
            self._forget(now_ns, WINDOW - 1)
        self._recent.append((now_ns, duration_ns))
        insort(self._sorted, duration_ns)
        self._known.clear()
        self.fresh_until_ns = self._recent[0][0] + WINDOW_NS

    def quantile_ns(self, share: float, now_ns: int) -> int:
        """The smallest duration that `share` of the recent samples do not exceed."""
        if now_ns > self.fresh_until_ns:
            self._forget(now_ns, WINDOW)
        known = self._known.get(share)
        if known is None:
            known = self._known[share] = self._quantile_ns(share)
        return known

    def _quantile_ns(self, share: float) -> int:
        if not self._sorted:
            return self._prior_ns
        index = max(0, math.ceil(share * len(self._sorted)) - 1)
        value = self._sorted[index]
        return max(value, self._prior_ns) if len(self._sorted) < FEW and share > 0.5 else value

    def _forget(self, now_ns: int, keep: int) -> None:
        recent = self._recent
        while recent and (len(recent) > keep or now_ns - recent[0][0] > WINDOW_NS):
            _, oldest = recent.popleft()
            del self._sorted[bisect_left(self._sorted, oldest)]
        self._known.clear()
        self.fresh_until_ns = recent[0][0] + WINDOW_NS if recent else FOREVER_NS


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


@lru_cache(maxsize=128)
def accuracy_loss(quality: int) -> float:
    """F1 lost by JPEG at this quality, interpolated from the measured table."""
    return _between(quality, _ACCURACY_LOSS)


@lru_cache(maxsize=128)
def bytes_per_pixel(quality: int) -> float:
    """Of a JPEG at this quality, interpolated from the measured table."""
    return _between(quality, _BYTES_PER_PIXEL)


class JpegSizes:
    """Expected JPEG size of the next frame: the measured table, scaled to what this camera sees.

    Attributes:
        scale: Of this camera's pictures to the table's.
    """

    def __init__(self) -> None:
        self._log_scale = 0.0
        self.scale = 1.0
        self._is_first = True

    def add(self, quality: int, pixels: int, size_bytes: int) -> None:
        """One more encoded frame."""
        usual_bytes = bytes_per_pixel(quality) * pixels
        error = math.log(max(size_bytes, 1) / usual_bytes) - self._log_scale
        self._log_scale += error if self._is_first else 0.2 * error
        self._is_first = False
        self.scale = math.exp(self._log_scale)

    def expected_bytes(self, quality: int, pixels: int) -> int:
        """Size to plan with."""
        return int(bytes_per_pixel(quality) * pixels * self.scale)
