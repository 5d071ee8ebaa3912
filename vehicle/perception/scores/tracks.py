"""What scores of tracks compare: ids and overlaps of one class at each instant of a sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vehicle.perception.boxes import iou
from vehicle.perception.scores.matching import MIN_HEIGHT_PX, MISSED, Boxes, Truth, matched
from vehicle.perception.scores.streaming import HIT_IOU


class TrackedBoxes(Boxes, Protocol):
    """Boxes that say which object each is."""

    @property
    def track_id(self) -> NDArray[np.int32] | NDArray[np.int64]:
        """(N,) one number for one object for as long as it is followed."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Instant:
    """Who was there and who was believed to be, of one class at one instant.

    Attributes:
        true_id: (M,) int64, unique within the instant.
        track_id: (N,) int64, unique within the instant.
        overlap: (M, N) float64 IoU.
    """

    true_id: NDArray[np.int64]
    track_id: NDArray[np.int64]
    overlap: NDArray[np.float64]


def by_class(
    instants: Sequence[tuple[TrackedBoxes, Truth, NDArray[np.int64]]],
    min_height_px: float = MIN_HEIGHT_PX,
) -> dict[int, list[Instant]]:
    """Class id -> the instants of that class, for each class that was there or was found.

    Ignored objects are taken out together with the boxes that stand on them, and so are boxes on
    nothing that are too low to count: the rule of F1, and that of MOTChallenge for its
    "distractors".

    Args:
        instants: Tracks, truth and the id (M,) of each true object, in the order of time.
        min_height_px: Of a box on nothing that still counts as false.
    """
    classes = sorted({int(c) for f, t, _ in instants for c in (*f.class_id, *t.class_id)})
    return {
        class_id: [_instant(*instant, class_id, min_height_px) for instant in instants]
        for class_id in classes
    }


def _instant(
    found: TrackedBoxes,
    truth: Truth,
    true_id: NDArray[np.int64],
    class_id: int,
    min_height_px: float,
) -> Instant:
    mine = np.flatnonzero(found.class_id == class_id)
    mine = mine[np.argsort(-found.score[mine], kind="stable")]
    there = np.flatnonzero(truth.class_id == class_id)
    boxes = found.xyxy[mine].astype(np.float64)
    overlap = iou(truth.xyxy[there].astype(np.float64), boxes)
    is_ignored = truth.is_ignored[there]
    taken = matched(overlap.T, is_ignored, HIT_IOU)
    is_alone = taken == MISSED
    keep = is_alone & (boxes[:, 3] - boxes[:, 1] >= min_height_px)
    keep[~is_alone] = ~is_ignored[taken[~is_alone]]
    return Instant(
        true_id[there][~is_ignored].astype(np.int64),
        found.track_id[mine][keep].astype(np.int64),
        overlap[~is_ignored][:, keep].astype(np.float64),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Numbered:
    """A sequence whose ids are places in tables.

    Attributes:
        instants: With ids from 0 up.
        true_seen: (T,) instants in which each true object is there.
        track_seen: (R,) instants in which each track is there.
    """

    instants: list[Instant]
    true_seen: NDArray[np.int64]
    track_seen: NDArray[np.int64]


def numbered(instants: Sequence[Instant]) -> Numbered:
    """Ids of any size to places in tables."""
    none = [np.zeros(0, np.int64)]
    true, true_place = np.unique(
        np.concatenate([i.true_id for i in instants] or none), return_inverse=True
    )
    track, track_place = np.unique(
        np.concatenate([i.track_id for i in instants] or none), return_inverse=True
    )
    made, at, of = [], 0, 0
    for instant in instants:
        end, to = at + len(instant.true_id), of + len(instant.track_id)
        made.append(
            Instant(
                true_place[at:end].astype(np.int64),
                track_place[of:to].astype(np.int64),
                instant.overlap,
            )
        )
        at, of = end, to
    return Numbered(
        made,
        np.bincount(true_place, minlength=len(true)).astype(np.int64),
        np.bincount(track_place, minlength=len(track)).astype(np.int64),
    )
