"""IDF1: the share of boxes that carry the right identity, after Ristani et al., ECCVW 2016."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vehicle.perception.scores.assignment import assigned
from vehicle.perception.scores.streaming import HIT_IOU
from vehicle.perception.scores.tracks import Instant, numbered


@dataclass(frozen=True, slots=True)
class Identity:
    """Boxes whose track is the one of their object, and others; they add up."""

    right: int = 0
    missed: int = 0
    false: int = 0

    def __add__(self, other: Identity) -> Identity:
        return Identity(
            self.right + other.right, self.missed + other.missed, self.false + other.false
        )

    @property
    def idf1(self) -> float:
        """2 right / (2 right + missed + false)."""
        return self.right / max(1.0, self.right + 0.5 * (self.missed + self.false))

    @property
    def idp(self) -> float:
        """Share of the found boxes that carry the right identity."""
        return self.right / max(1, self.right + self.false)

    @property
    def idr(self) -> float:
        """Share of the true boxes that carry the right identity."""
        return self.right / max(1, self.right + self.missed)


def identity(instants: Sequence[Instant], min_iou: float = HIT_IOU) -> Identity:
    """Pairs each object with at most one track so that most boxes agree, and counts them."""
    sequence = numbered(instants)
    shared = np.zeros((len(sequence.true_seen), len(sequence.track_seen)))
    for instant in sequence.instants:
        shared[np.ix_(instant.true_id, instant.track_id)] += instant.overlap >= min_iou
    # An object and a track that never meet cost the same paired or not: the rest decides.
    some = shared[shared.any(axis=1)][:, shared.any(axis=0)]
    right = int(some[assigned(some)].sum())
    return Identity(
        right, int(sequence.true_seen.sum()) - right, int(sequence.track_seen.sum()) - right
    )
