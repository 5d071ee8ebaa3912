"""Pairs found boxes with true ones, as COCO's evaluation does; every score counts from these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

MIN_HEIGHT_PX = 25.0  # KITTI's least height of an object of the "moderate" benchmark
MIN_VISIBILITY = 0.3  # share of the object's outline that is not hidden

MISSED = -1


class Boxes(Protocol):
    """What a score needs of detections or tracks."""

    @property
    def xyxy(self) -> NDArray[np.float32]:
        """(N, 4) pixels."""
        ...

    @property
    def score(self) -> NDArray[np.float32]:
        """(N,) in 0..1."""
        ...

    @property
    def class_id(self) -> NDArray[np.int16]:
        """(N,) index into CLASSES."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """The true boxes of one picture or instant.

    Attributes:
        xyxy: (M, 4) float32 pixels.
        class_id: (M,) int16.
        is_ignored: (M,) bool; to find such a box is no hit, to miss it no miss.
        visibility: (M,) float32, share of the outline that is not hidden; None: not known.
    """

    xyxy: NDArray[np.float32]
    class_id: NDArray[np.int16]
    is_ignored: NDArray[np.bool_]
    visibility: NDArray[np.float32] | None = None

    @staticmethod
    def seen(
        xyxy: NDArray[np.float32],
        class_id: NDArray[np.int16],
        visibility: NDArray[np.float32],
    ) -> Truth:
        """Truth in which boxes too low or too hidden are ignored; visibility (M,) in 0..1."""
        height = xyxy[:, 3] - xyxy[:, 1]
        is_ignored = (height < MIN_HEIGHT_PX) | (visibility < MIN_VISIBILITY)
        return Truth(xyxy, class_id, is_ignored, visibility)


def matched(
    overlap: NDArray[np.float32] | NDArray[np.float64],
    is_ignored: NDArray[np.bool_],
    threshold: float,
) -> NDArray[np.intp]:
    """One-to-one pairs within one class of one picture, greedily in the order of the found boxes.

    Args:
        overlap: (N, M) IoU, found boxes by falling score.
        is_ignored: (M,) a true box that counts is preferred to any that does not.
        threshold: Least IoU of a pair.

    Returns:
        (N,) index of the true box that each found one took, or MISSED.
    """
    taken = np.full(len(overlap), MISSED, np.intp)
    if not overlap.size:
        return taken
    free = np.ones(overlap.shape[1], np.bool_)
    for row in np.flatnonzero(overlap.max(axis=1) >= threshold):
        for wanted in (free & ~is_ignored, free & is_ignored):
            candidates = np.where(wanted, overlap[row], -1.0)
            # The last of equals, as COCO's loop keeps it.
            best = len(candidates) - 1 - int(np.argmax(candidates[::-1]))
            if candidates[best] >= threshold:
                taken[row] = best
                free[best] = False
                break
    return taken
