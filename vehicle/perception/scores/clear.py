"""CLEAR MOT: MOTA, MOTP and swapped identities, after Bernardin and Stiefelhagen, 2008.

TrackEval's `clear.py` is the reference, its order of decisions included: a pair of the instant
before is kept before a better overlap is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vehicle.perception.scores.assignment import assigned
from vehicle.perception.scores.hota import EPSILON
from vehicle.perception.scores.streaming import HIT_IOU
from vehicle.perception.scores.tracks import Instant, numbered

KEPT = 1000.0  # what a pair of the instant before is worth, in overlaps
MOSTLY_TRACKED, MOSTLY_LOST = 0.8, 0.2  # share of an object's life in which it is found


@dataclass(frozen=True, slots=True)
class Clear:
    """Counts of one class; they add up over classes and sequences.

    Attributes:
        hits: Pairs at IoU 0.5.
        missed: True boxes without one.
        false: Found boxes without one.
        swaps: An object is taken up by another track than the last one that had it.
        breaks: An object is taken up again after it had been lost.
        mostly_tracked: Objects found in more than 80 % of their instants.
        mostly_lost: Objects found in less than 20 %.
        overlap: Sum of the overlaps of the pairs.
    """

    hits: int = 0
    missed: int = 0
    false: int = 0
    swaps: int = 0
    breaks: int = 0
    mostly_tracked: int = 0
    mostly_lost: int = 0
    overlap: float = 0.0

    def __add__(self, other: Clear) -> Clear:
        return Clear(
            self.hits + other.hits,
            self.missed + other.missed,
            self.false + other.false,
            self.swaps + other.swaps,
            self.breaks + other.breaks,
            self.mostly_tracked + other.mostly_tracked,
            self.mostly_lost + other.mostly_lost,
            self.overlap + other.overlap,
        )

    @property
    def mota(self) -> float:
        """(hits - false - swaps) / true boxes; below 0 where more is wrong than right."""
        return (self.hits - self.false - self.swaps) / max(1, self.hits + self.missed)

    @property
    def motp(self) -> float:
        """Mean overlap of the pairs."""
        return self.overlap / max(1, self.hits)


def clear(instants: Sequence[Instant], min_iou: float = HIT_IOU) -> Clear:
    """Counts one class of one sequence."""
    sequence = numbered(instants)
    objects = len(sequence.true_seen)
    last = np.full(objects, -1, np.int64)  # the last track that had it
    before = np.full(objects, -1, np.int64)  # the same, at the instant before alone
    found_in, taken_up = np.zeros(objects, np.int64), np.zeros(objects, np.int64)
    total = Clear()
    for instant in sequence.instants:
        true, track, overlap = instant.true_id, instant.track_id, instant.overlap
        if not len(true) or not len(track):
            total += Clear(missed=len(true), false=len(track))
            continue
        is_kept = before[true][:, None] == track[None, :]
        gain = np.where(overlap >= min_iou - EPSILON, KEPT * is_kept + overlap, 0.0)
        row, column = assigned(gain)
        is_pair = gain[row, column] > EPSILON
        row, column = row[is_pair], column[is_pair]
        mine, theirs = true[row], track[column]
        swaps = int(np.sum((last[mine] >= 0) & (last[mine] != theirs)))
        found_in[mine] += 1
        was_lost = before < 0
        before[:] = -1
        last[mine] = before[mine] = theirs
        taken_up += was_lost & (before >= 0)
        total += Clear(
            len(mine), len(true) - len(mine), len(track) - len(mine), swaps,
            overlap=float(overlap[row, column].sum()),
        )  # fmt: skip
    share = found_in / np.maximum(1, sequence.true_seen)
    return total + Clear(
        breaks=int(np.sum(np.maximum(taken_up - 1, 0))),
        mostly_tracked=int(np.sum(share > MOSTLY_TRACKED)),
        mostly_lost=int(np.sum(share < MOSTLY_LOST)),
    )
