"""F1 at IoU 0.5: of single frames, and of what a vehicle believed at an instant (streaming F1).

After Li et al., Towards Streaming Perception, ECCV 2020: at each instant the newest published
boxes, moved to that instant, are held against the truth of that instant.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vehicle.perception.boxes import iou
from vehicle.perception.scores.matching import MIN_HEIGHT_PX, MISSED, Boxes, Truth, matched

HIT_IOU = 0.5


@dataclass(frozen=True, slots=True)
class Counts:
    """Hits, false boxes and missed objects; they add up over pictures and instants."""

    hits: int = 0
    false: int = 0
    missed: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.hits + other.hits, self.false + other.false, self.missed + other.missed)

    @property
    def f1(self) -> float | None:
        """2 hits / (2 hits + false + missed); None where there was nothing to find."""
        if self.hits + self.missed == 0:
            return None
        return 2 * self.hits / (2 * self.hits + self.false + self.missed)

    @property
    def precision(self) -> float | None:
        """Share of the found boxes that were true; None where nothing was found."""
        found = self.hits + self.false
        return self.hits / found if found else None

    @property
    def recall(self) -> float | None:
        """Share of the objects that were found; None where there was none."""
        there = self.hits + self.missed
        return self.hits / there if there else None


def count(found: Boxes, truth: Truth, min_score: float = 0.0, min_iou: float = HIT_IOU) -> Counts:
    """Compares boxes with the truth of the same instant, one to one and class by class.

    A box that takes an ignored true box counts neither way, and so does one that takes none and
    is itself too low to count.

    Args:
        found: Detections, or tracks moved to the instant.
        truth: What was there.
        min_score: Boxes below it are not looked at.
        min_iou: Least overlap of a hit.
    """
    total = Counts()
    shown = found.score >= min_score
    for class_id in np.unique(np.concatenate([found.class_id[shown], truth.class_id])):
        mine = np.flatnonzero(shown & (found.class_id == class_id))
        mine = mine[np.argsort(-found.score[mine], kind="stable")]
        there = truth.class_id == class_id
        boxes = found.xyxy[mine]
        is_ignored = truth.is_ignored[there]
        taken = matched(iou(boxes, truth.xyxy[there]), is_ignored, min_iou)
        is_pair = taken != MISSED
        hits = int(np.sum(~is_ignored[taken[is_pair]]))
        is_high = boxes[:, 3] - boxes[:, 1] >= MIN_HEIGHT_PX
        total += Counts(hits, int(np.sum(~is_pair & is_high)), int(np.sum(~is_ignored)) - hits)
    return total
