"""Every found box of a set of pictures, matched once: what any score at any threshold counts.

Boxes take true ones in the order of their scores, so the pairs of all boxes above a threshold are
the first of the pairs of all: one matching holds average precision, F1 at every score, and both
for any part of the pictures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vehicle.perception.boxes import iou
from vehicle.perception.scores.matching import MISSED, Boxes, Truth, matched
from vehicle.perception.scores.streaming import HIT_IOU, Counts

IOUS = tuple(0.5 + 0.05 * step for step in range(10))
MAX_BOXES = 100  # of one class in one picture


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Precision and recall as the least score falls; (K,) each, one entry for each score."""

    score: NDArray[np.float32]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]

    @property
    def f1(self) -> NDArray[np.float64]:
        """(K,) harmonic mean of both."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / np.maximum(total, 1e-12)


@dataclass(frozen=True, slots=True, eq=False)
class Sweep:
    """K found boxes of P pictures, matched at T overlaps.

    Attributes:
        picture: (K,) index of the picture, rising.
        class_id: (K,) index into CLASSES.
        score: (K,) 0..1, falling within a picture and class.
        is_hit: (K, T) whether the box took a true one that counts.
        is_counted: (K, T) hits and false boxes; others took an ignored one or are out of range.
        objects: (P, C) true boxes that count, of each picture and class.
    """

    picture: NDArray[np.intp]
    class_id: NDArray[np.int16]
    score: NDArray[np.float32]
    is_hit: NDArray[np.bool_]
    is_counted: NDArray[np.bool_]
    objects: NDArray[np.int64]

    def of_pictures(self, chosen: NDArray[np.bool_]) -> Sweep:
        """The same of a part of the pictures; chosen (P,)."""
        mine = chosen[self.picture]
        return self._taken(mine, np.where(chosen[:, None], self.objects, 0))

    def of_class(self, class_id: int) -> Sweep:
        """The same of one class."""
        objects = np.zeros_like(self.objects)
        if class_id < objects.shape[1]:
            objects[:, class_id] = self.objects[:, class_id]
        return self._taken(self.class_id == class_id, objects)

    def _taken(self, mine: NDArray[np.bool_], objects: NDArray[np.int64]) -> Sweep:
        return replace(
            self,
            picture=self.picture[mine],
            class_id=self.class_id[mine],
            score=self.score[mine],
            is_hit=self.is_hit[mine],
            is_counted=self.is_counted[mine],
            objects=objects,
        )

    def counts(self, min_score: float) -> Counts:
        """Hits, false boxes and misses at the first overlap, of boxes from `min_score` on."""
        shown = self.score >= min_score
        hits = int(self.is_hit[shown, 0].sum())
        false = int(self.is_counted[shown, 0].sum()) - hits
        return Counts(hits, false, int(self.objects.sum()) - hits)

    def curve(self) -> Curve:
        """Precision and recall at the first overlap, all classes together."""
        order = np.argsort(-self.score, kind="stable")
        order = order[self.is_counted[order, 0]]
        score = self.score[order]
        hits = np.cumsum(self.is_hit[order, 0])
        # A threshold cannot part equal scores: the last of them speaks for all.
        last = np.flatnonzero(np.append(score[1:] != score[:-1], True)) if len(score) else order
        total = max(1, int(self.objects.sum()))
        return Curve(score[last], hits[last] / (last + 1), hits[last] / total)

    def best_f1(self) -> tuple[float, float]:
        """The highest F1 that a least score reaches, and that score; 0 and 1 where none does."""
        curve = self.curve()
        if not len(curve.score):
            return 0.0, 1.0
        best = int(np.argmax(curve.f1))
        return float(curve.f1[best]), float(curve.score[best])

    def score_of_precision(self, wanted: float) -> float | None:
        """The least score from which on this share of the boxes is true; None: never."""
        curve = self.curve()
        reached = np.flatnonzero(curve.precision >= wanted)
        return float(curve.score[reached[-1]]) if len(reached) else None


def sweep(
    pictures: Sequence[tuple[Boxes, Truth]],
    ious: Sequence[float] = (HIT_IOU,),
    min_height_px: float = 0.0,
    max_height_px: float = math.inf,
) -> Sweep:
    """Matches the answers to a set of pictures, one to one and class by class.

    Args:
        pictures: What was found and what was there, for each picture.
        ious: Least overlaps of a pair; F1 and curves take the first.
        min_height_px: A found box that is lower and matches nothing does not count.
        max_height_px: Nor does one that is as high as this or higher.
    """
    rows = [
        _of_picture(index, found, truth, ious, (min_height_px, max_height_px))
        for index, (found, truth) in enumerate(pictures)
    ]
    highest = max(
        (int(t.class_id.max()) for _, t in pictures if len(t.class_id)),
        default=-1,
    )
    objects = np.zeros((len(pictures), highest + 1), np.int64)
    for index, (_, truth) in enumerate(pictures):
        np.add.at(objects[index], truth.class_id[~truth.is_ignored], 1)
    parts = [part for row in rows for part in row]
    if not parts:
        none = np.zeros((0, len(ious)), np.bool_)
        return Sweep(
            np.zeros(0, np.intp), np.zeros(0, np.int16), np.zeros(0, np.float32),
            none, none, objects,
        )  # fmt: skip
    return Sweep(
        np.concatenate([np.full(len(part.score), part.picture, np.intp) for part in parts]),
        np.concatenate([np.full(len(part.score), part.class_id, np.int16) for part in parts]),
        np.concatenate([part.score for part in parts]),
        np.concatenate([part.is_hit for part in parts]),
        np.concatenate([part.is_counted for part in parts]),
        objects,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """The found boxes of one class in one picture, best first."""

    picture: int
    class_id: int
    score: NDArray[np.float32]
    is_hit: NDArray[np.bool_]
    is_counted: NDArray[np.bool_]


def _of_picture(
    picture: int,
    found: Boxes,
    truth: Truth,
    ious: Sequence[float],
    height_px: tuple[float, float],
) -> list[_Part]:
    parts = []
    for class_id in np.unique(found.class_id):
        mine = np.flatnonzero(found.class_id == class_id)
        mine = mine[np.argsort(-found.score[mine], kind="stable")][:MAX_BOXES]
        there = truth.class_id == class_id
        boxes = found.xyxy[mine].astype(np.float64)
        overlap = iou(boxes, truth.xyxy[there].astype(np.float64))
        is_ignored = truth.is_ignored[there]
        height = boxes[:, 3] - boxes[:, 1]
        is_inside = (height >= height_px[0]) & (height < height_px[1])
        is_hit = np.zeros((len(mine), len(ious)), np.bool_)
        is_counted = np.repeat(is_inside[:, None], len(ious), axis=1)
        for column, least in enumerate(ious):
            taken = matched(overlap, is_ignored, least)
            pair = np.flatnonzero(taken != MISSED)
            is_hit[pair, column] = is_counted[pair, column] = ~is_ignored[taken[pair]]
        parts.append(_Part(picture, int(class_id), found.score[mine], is_hit, is_counted))
    return parts
