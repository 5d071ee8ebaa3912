"""How boxes moved in a recorded drive: the deployed flow over corners that were traced back then.

A drive stores no pixels, but, of each frame, corners and where each was in the frame before. A
box's motion is made of those within it by the very code that makes it of a picture's own corners.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from vehicle.perception.flow import (
    LONGEST_NS,
    MIN_CORNERS,
    FlowOptions,
    each_of,
    inner_part,
    of_corners,
)
from vehicle.perception.motion import Motion, MotionRequest

CORNERS = "corners"  # (K, 4) int16: x, y in 1/4 px, how far it came in 1/16 px; frame by frame
COUNTS = "corner_counts"  # (F,) uint16 of each frame
PLACE, WAY = 4.0, 16.0  # steps a pixel

Floats = NDArray[np.float32]


class RecordedMotion:
    """What flow measures between frames of a drive, in the order of the file.

    Args:
        corners: As `CORNERS`.
        counts: As `COUNTS`.
    """

    def __init__(self, corners: NDArray[np.int16], counts: NDArray[np.uint16]) -> None:
        ends = np.cumsum(counts.astype(np.int64))
        self._span = list(zip([0, *ends.tolist()], ends.tolist(), strict=False))
        self._here = corners[:, :2].astype(np.float32) / np.float32(PLACE)
        self._way = corners[:, 2:].astype(np.float32) / np.float32(WAY)

    def step(self, number: int, xyxy: Floats, size: tuple[int, int]) -> _Moved:
        """Of boxes (N, 4) px in the frame of this number since the one before it.

        Args:
            number: Of the frame in the file.
            xyxy: Where the boxes are believed to be.
            size: Width and height of the frame.
        """
        first, last = self._span[number]
        here, there = self._here[first:last], self._here[first:last] - self._way[first:last]
        inner = inner_part(xyxy, (size[1], size[0]))
        each = each_of(len(xyxy), FlowOptions())
        moved = _Moved.unknown(len(xyxy))
        for box, (x1, y1, x2, y2) in enumerate(inner.tolist()):
            x, y = here.T
            mine = np.flatnonzero((x >= x1) & (x < x2) & (y >= y1) & (y < y2))[:each]
            if len(mine) >= MIN_CORNERS:
                moved.shift[box], moved.scale[box], moved.sigma[box] = of_corners(
                    here[mine], there[mine], xyxy[box], FlowOptions().most_spread
                )
        return moved


class _Moved:
    """Shift (N, 2) px, scale (N,) and sigma (N,) px of boxes between two frames."""

    def __init__(self, shift: Floats, scale: Floats, sigma: Floats) -> None:
        self.shift, self.scale, self.sigma = shift, scale, sigma

    @staticmethod
    def unknown(count: int) -> _Moved:
        """Nothing measured."""
        inf = np.full(count, np.inf, np.float32)
        return _Moved(np.zeros((count, 2), np.float32), np.ones(count, np.float32), inf)

    def before(self, xyxy: Floats) -> Floats:
        """Where boxes (N, 4) were."""
        middle = (xyxy[:, :2] + xyxy[:, 2:]) / 2 - self.shift
        half = (xyxy[:, 2:] - xyxy[:, :2]) / 2 / self.scale[:, None]
        return np.concatenate([middle - half, middle + half], axis=1).astype(np.float32)


class RecordedFlow:
    """Stands for `BoxFlow` of one camera: keeps the number of the previous picture it was given.

    Where pictures were left out in between, the ways from each to the next are joined.
    """

    def __init__(self, motion: RecordedMotion, size: tuple[int, int]) -> None:
        self._motion = motion
        self._size = size
        self._previous: tuple[int, int] | None = None  # number in the camera's order, stamp

    def answer(self, index: int, numbers: list[int], request: bytes) -> bytes:
        """As `BoxFlow.answer`, of the camera's frame `index`; `numbers` are those in the file."""
        wanted = MotionRequest.from_bytes(request)
        stamp_ns, xyxy = wanted.stamp_ns, wanted.xyxy
        before, self._previous = self._previous, (index, stamp_ns)
        if before is None or not 0 < stamp_ns - before[1] <= LONGEST_NS or not len(xyxy):
            return Motion.unknown(stamp_ns, xyxy).to_bytes()
        at = xyxy
        variance = np.zeros(len(xyxy), np.float32)
        scale = np.ones(len(xyxy), np.float32)
        for each in range(index, before[0], -1):
            moved = self._motion.step(numbers[each], at, self._size)
            at = moved.before(at)
            variance += moved.sigma**2
            scale *= moved.scale
        shift = ((xyxy[:, :2] + xyxy[:, 2:] - at[:, :2] - at[:, 2:]) / 2).astype(np.float32)
        whole = Motion(before[1], stamp_ns, xyxy, shift, scale, np.sqrt(variance, dtype=np.float32))
        return whole.to_bytes()


@lru_cache(maxsize=4)
def motion_of(path: str) -> RecordedMotion | None:
    """The motion that a drive's file holds; None where it holds none."""
    with np.load(path, allow_pickle=False) as file:
        if CORNERS not in file.files:
            return None
        return RecordedMotion(np.asarray(file[CORNERS]), np.asarray(file[COUNTS]))
