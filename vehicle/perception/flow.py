"""Measures how boxes moved since the previous picture: sparse Lucas-Kanade, DIS where it is plain.

Corners in each box of the new picture are followed back into the previous one (Bouguet's pyramidal
Lucas-Kanade); a box moved by the median of its corners and grew by the median ratio of their
distances, after Kalal et al., Forward-Backward Error (median flow), ICPR 2010. Boxes with too few
corners take the median of dense inverse search flow (Kroeger et al., ECCV 2016) at half size.
Runs in the inference worker; reads no clock.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vehicle.perception.motion import Motion, MotionRequest

Floats = NDArray[np.float32]
Grey = NDArray[np.uint8]

WINDOW = (15, 15)  # pixels; larger ones mix object and background
LEVELS = 3  # of the pyramid: motions up to 60 px between two pictures
MAX_STREAMS = 8  # cameras of one vehicle
LONGEST_NS = 400_000_000  # between two pictures; objects look different after more
MIN_SIDE = 6.0  # pixels; nothing can be followed in less
MIN_CORNERS = 4  # in a box; fewer tell no scale
FLOOR_PX = 0.15  # of sigma: the best that Lucas-Kanade does on pictures with noise
DENSE_PX = 2.0  # the same of dense flow at half size


@dataclass(frozen=True, slots=True)
class FlowOptions:
    """Tunables of the flow.

    Attributes:
        points: Corners over all boxes; their cost is linear. Raising it steadies large boxes.
        most_in_box: Corners of one box at most; below 4 all flow is dense.
        is_dense: Whether boxes with few corners use dense flow. It costs 0.4 ms a picture and
            brought nothing on recorded drives, where such boxes are small and far.
        most_spread: A box whose corners disagree by more than this share of its side (median
            deviation) is not measured. Raising it takes up occluded objects, and their errors.
    """

    points: int = 120
    most_in_box: int = 16
    is_dense: bool = False
    most_spread: float = 0.15


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """A picture that was looked at."""

    stamp_ns: int
    grey: Grey


class BoxFlow:
    """Keeps the previous picture of each camera; used by one thread."""

    def __init__(self, options: FlowOptions | None = None) -> None:
        self._options = options or FlowOptions()
        self._seen: dict[int, _Seen] = {}
        self._dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)

    def answer(self, picture: NDArray[np.uint8], request: bytes) -> bytes:
        """`update` from bytes to bytes, as `motion` lays them out.

        Raises:
            WireError: The request is not one.
        """
        wanted = MotionRequest.from_bytes(request)
        return self.update(picture, wanted.stamp_ns, wanted.xyxy, wanted.stream).to_bytes()

    def update(
        self, picture: NDArray[np.uint8], stamp_ns: int, xyxy: Floats, stream: int = 0
    ) -> Motion:
        """How boxes moved up to this picture; it becomes the previous one.

        Args:
            picture: (H, W, 3) uint8 BGR.
            stamp_ns: When it was taken.
            xyxy: (N, 4) float32 pixels, where the boxes are believed to be in it.
            stream: Number of the camera.

        Returns:
            Sigma is inf for all boxes where there is no earlier picture of that camera and size,
            or it is over 0.4 s old.
        """
        grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
        before, now = self._seen.get(stream), _Seen(stamp_ns, grey)
        if stream not in self._seen and len(self._seen) >= MAX_STREAMS:
            self._seen.clear()
        self._seen[stream] = now
        if (
            before is None
            or before.grey.shape != grey.shape
            or not 0 < stamp_ns - before.stamp_ns <= LONGEST_NS
            or not len(xyxy)
        ):
            return Motion.unknown(stamp_ns, xyxy)
        return self._measured(before, now, xyxy)

    def _measured(self, before: _Seen, now: _Seen, xyxy: Floats) -> Motion:
        count = len(xyxy)
        shift, scale = np.zeros((count, 2), np.float32), np.ones(count, np.float32)
        sigma = np.full(count, np.inf, np.float32)
        inner = inner_part(xyxy, now.grey.shape)
        corners, owner = corners_in(now.grey, inner, each_of(count, self._options))
        if len(corners):
            back, is_found = traced(now.grey, before.grey, corners)
            for box in range(count):
                mine = is_found & (owner == box)
                if mine.sum() >= MIN_CORNERS:
                    shift[box], scale[box], sigma[box] = of_corners(
                        corners[mine], back[mine], xyxy[box], self._options.most_spread
                    )
        plain = np.flatnonzero(~np.isfinite(sigma) & (np.diff(inner[:, ::2])[:, 0] > 0))
        if len(plain) and self._options.is_dense:
            self._of_dense(before, now, inner, plain, shift, scale, sigma)
        return Motion(before.stamp_ns, now.stamp_ns, xyxy, shift, scale, sigma)

    def _of_dense(
        self,
        before: _Seen,
        now: _Seen,
        inner: NDArray[np.int32],
        plain: NDArray[np.intp],
        shift: Floats,
        scale: Floats,
        sigma: Floats,
    ) -> None:
        """Fills in the boxes `plain`: median flow, and growth from how it differs by place."""
        height, width = now.grey.shape
        size = (width // 2, height // 2)
        halves = [
            cv2.resize(each.grey, size, interpolation=cv2.INTER_AREA) for each in (now, before)
        ]
        flow = self._dis.calc(halves[0], halves[1], None)
        for box in plain.tolist():
            x1, y1, x2, y2 = (int(value) // 2 for value in inner[box])
            part = flow[y1:y2, x1:x2]
            if part.shape[0] < 2 or part.shape[1] < 2:
                continue
            middle = np.median(part.reshape(-1, 2), axis=0)
            spread = 1.48 * 2 * float(np.median(np.hypot(*(part.reshape(-1, 2) - middle).T)))
            shift[box] = -2.0 * middle
            scale[box] = 1.0 / min(1.5, max(1 / 1.5, 1.0 + _growth(part)))
            sigma[box] = DENSE_PX + spread / 4


def each_of(boxes: int, options: FlowOptions) -> int:
    """Corners that each of so many boxes gets; under 4 it gets none."""
    return min(options.most_in_box, max(MIN_CORNERS, options.points // max(1, boxes)))


def corners_in(grey: Grey, inner: NDArray[np.int32], each: int) -> tuple[Floats, NDArray[np.intp]]:
    """(K, 2) pixels of the corners in all boxes, best first in each, and whose they are."""
    corners: list[Floats] = []
    owner: list[int] = []
    for box, (x1, y1, x2, y2) in enumerate(inner.tolist()):
        if x2 <= x1 or each < MIN_CORNERS:
            continue
        found = cv2.goodFeaturesToTrack(grey[y1:y2, x1:x2], each, 0.01, 3)
        if found is not None:
            corners.append(found.reshape(-1, 2) + np.array([x1, y1], np.float32))
            owner += [box] * len(found)
    if not corners:
        return np.zeros((0, 2), np.float32), np.zeros(0, np.intp)
    return np.concatenate(corners).astype(np.float32), np.array(owner, np.intp)


def traced(now: Grey, before: Grey, corners: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """(K, 2) where the corners were in the earlier picture, and whether they were found there."""
    back, found, _ = cv2.calcOpticalFlowPyrLK(
        now, before, corners, None, winSize=WINDOW, maxLevel=LEVELS
    )
    return np.asarray(back, np.float32), found[:, 0] == 1


def of_corners(
    here: Floats, there: Floats, box: Floats, most_spread: float
) -> tuple[Floats, float, float]:
    """Shift of the box's middle, scale and sigma from corners and where they came from."""
    first, second = np.triu_indices(len(here), 1)
    now = np.hypot(*(here[first] - here[second]).T)
    then = np.hypot(*(there[first] - there[second]).T)
    is_apart = np.minimum(now, then) > 2.0  # pixels; the ratio of less is noise
    scale = float(np.median(now[is_apart] / then[is_apart])) if is_apart.any() else 1.0
    scale = min(1.5, max(1 / 1.5, scale))
    middle = (box[:2] + box[2:]) / 2
    # Where the middle came from, by each corner: the corner's own way, the arm scaled back.
    came = there + (middle - here) / scale
    shift: Floats = (middle - np.median(came, axis=0)).astype(np.float32)
    spread = 1.48 * float(np.median(np.hypot(*(came - (middle - shift)).T)))
    side = float(np.mean(box[2:] - box[:2]))
    if spread > max(1.0, most_spread * side):
        return shift, 1.0, np.inf
    return shift, scale, max(FLOOR_PX, spread / np.sqrt(len(here) / 2))


def inner_part(xyxy: Floats, shape: tuple[int, ...]) -> NDArray[np.int32]:
    """(N, 4) whole pixels: a tenth inside each box and inside the picture; (0, 0, 0, 0) = none."""
    height, width = shape[:2]
    sides = xyxy[:, 2:] - xyxy[:, :2]
    margin = np.concatenate([sides, -sides], axis=1) * np.float32(0.1)
    limit = np.array([width, height] * 2, np.float32)
    inner = np.clip(np.round(xyxy + margin), 0, limit).astype(np.int32)
    is_small = (inner[:, 2:] - inner[:, :2] < MIN_SIDE).any(axis=1)
    inner[is_small] = 0
    return inner


def _growth(part: Floats) -> float:
    """Relative growth of a patch (h, w, 2) of flow: how much its far halves move apart."""
    rows, columns = part.shape[0] // 2, part.shape[1] // 2
    across = np.median(part[:, -columns:, 0]) - np.median(part[:, :columns, 0])
    down = np.median(part[-rows:, :, 1]) - np.median(part[:rows, :, 1])
    apart = (part.shape[1] - columns) + (part.shape[0] - rows)
    return float((across + down) / apart)
