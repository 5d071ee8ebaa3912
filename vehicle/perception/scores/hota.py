"""HOTA, DetA and AssA: how well objects are found, and how well they are told apart over time.

After Luiten et al., HOTA, IJCV 2021; TrackEval's `hota.py` is the reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vehicle.perception.scores.assignment import assigned
from vehicle.perception.scores.tracks import Instant, Numbered, numbered

ALPHAS = np.arange(0.05, 0.99, 0.05)  # least overlaps of a pair, as in the paper
EPSILON = float(np.finfo(np.float64).eps)  # TrackEval's: an overlap of exactly alpha is a pair

Floats = NDArray[np.float64]


def _nothing() -> Floats:
    return np.zeros(len(ALPHAS))


@dataclass(frozen=True, slots=True, eq=False)
class Hota:
    """Sums at each of ALPHAS, (A,) each; they add up over classes and sequences.

    Attributes:
        hits: Pairs.
        missed: True boxes without one.
        false: Found boxes without one.
        association: Sum over the pairs of how well their two tracks agree, 0..1 each.
        overlap: Sum of the overlaps of the pairs.
    """

    hits: Floats
    missed: Floats
    false: Floats
    association: Floats
    overlap: Floats

    @staticmethod
    def zero() -> Hota:
        """Of no sequence."""
        return Hota(_nothing(), _nothing(), _nothing(), _nothing(), _nothing())

    def __add__(self, other: Hota) -> Hota:
        return Hota(
            self.hits + other.hits,
            self.missed + other.missed,
            self.false + other.false,
            self.association + other.association,
            self.overlap + other.overlap,
        )

    def detection_at(self) -> Floats:
        """(A,) share of pairs among all boxes, true and found."""
        return self.hits / np.maximum(1.0, self.hits + self.missed + self.false)

    def association_at(self) -> Floats:
        """(A,) mean agreement of the tracks of the pairs."""
        return self.association / np.maximum(1.0, self.hits)

    @property
    def hota(self) -> float:
        """Geometric mean of detection and association, mean over ALPHAS."""
        return float(np.sqrt(self.detection_at() * self.association_at()).mean())

    @property
    def det_a(self) -> float:
        """Detection accuracy, mean over ALPHAS."""
        return float(self.detection_at().mean())

    @property
    def ass_a(self) -> float:
        """Association accuracy, mean over ALPHAS."""
        return float(self.association_at().mean())

    @property
    def loc_a(self) -> float:
        """Mean overlap of the pairs, mean over ALPHAS; 1 where there is no pair, as TrackEval."""
        tiny = 1e-10
        return float((np.maximum(tiny, self.overlap) / np.maximum(tiny, self.hits)).mean())


def hota(instants: Sequence[Instant]) -> Hota:
    """Scores one class of one sequence."""
    sequence = numbered(instants)
    alignment = _alignment(sequence)
    tracks = len(sequence.track_seen)
    pairs: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
    overlaps: list[Floats] = [np.zeros(0)]
    for instant in sequence.instants:
        at = np.ix_(instant.true_id, instant.track_id)
        row, column = assigned(alignment[at] * instant.overlap)
        pairs.append(instant.true_id[row] * tracks + instant.track_id[column])
        overlaps.append(instant.overlap[row, column])
    overlap = np.concatenate(overlaps)
    is_pair = overlap[None, :] >= ALPHAS[:, None] - EPSILON
    hits = is_pair.sum(axis=1).astype(np.float64)
    pair, place = np.unique(np.concatenate(pairs), return_inverse=True)
    seen = sequence.true_seen[pair // max(1, tracks)] + sequence.track_seen[pair % max(1, tracks)]
    association = _nothing()
    for index, mask in enumerate(is_pair):
        together = np.bincount(place[mask], minlength=len(pair))
        association[index] = np.sum(together * (together / np.maximum(1, seen - together)))
    return Hota(
        hits,
        int(sequence.true_seen.sum()) - hits,
        int(sequence.track_seen.sum()) - hits,
        association,
        (is_pair * overlap).sum(axis=1),
    )


def _alignment(sequence: Numbered) -> Floats:
    """(T, R) how much each true object and each track go together over the whole sequence."""
    shared = np.zeros((len(sequence.true_seen), len(sequence.track_seen)))
    for instant in sequence.instants:
        sums = instant.overlap.sum(axis=0)[None, :] + instant.overlap.sum(axis=1)[:, None]
        rest = sums - instant.overlap
        share = np.divide(
            instant.overlap, rest, out=np.zeros_like(instant.overlap), where=rest > EPSILON
        )
        shared[np.ix_(instant.true_id, instant.track_id)] += share
    seen = sequence.true_seen[:, None] + sequence.track_seen[None, :]
    # An object and a track that fill all their instants together leave nothing else: never 0 / 0.
    aligned: Floats = shared / np.maximum(seen - shared, EPSILON)
    return aligned
