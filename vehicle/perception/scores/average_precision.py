"""Average precision as COCO defines it (Lin et al., ECCV 2014; pycocotools is the reference)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vehicle.perception.boxes import iou
from vehicle.perception.scores.matching import MISSED, Boxes, Truth, matched

THRESHOLDS = tuple(0.5 + 0.05 * step for step in range(10))
RECALLS = np.linspace(0.0, 1.0, 101)
MAX_BOXES = 100  # of one class in one picture


@dataclass(frozen=True, slots=True)
class AveragePrecision:
    """Means over the classes that have truth; NaN where none has.

    Attributes:
        ap50: At IoU 0.5.
        ap: Mean over IoU 0.5 to 0.95.
        ap50_by_class: Class id -> AP at IoU 0.5, for each class that has truth.
    """

    ap50: float
    ap: float
    ap50_by_class: dict[int, float]


def average_precision(
    pictures: Sequence[tuple[Boxes, Truth]],
    thresholds: Sequence[float] = THRESHOLDS,
    min_height_px: float = 0.0,
) -> AveragePrecision:
    """Scores the answers to a set of pictures.

    Args:
        pictures: What was found and what was there, for each picture.
        thresholds: Of IoU; the first is reported as `ap50`.
        min_height_px: A found box that is lower and matches nothing does not count.
    """
    classes = sorted({int(c) for _, truth in pictures for c in truth.class_id[~truth.is_ignored]})
    by_class = {c: _of_class(pictures, c, thresholds, min_height_px) for c in classes}
    if not by_class:
        return AveragePrecision(float("nan"), float("nan"), {})
    table = np.array(list(by_class.values()))
    return AveragePrecision(
        float(table[:, 0].mean()),
        float(table.mean()),
        {c: float(values[0]) for c, values in by_class.items()},
    )


def _of_class(
    pictures: Sequence[tuple[Boxes, Truth]],
    class_id: int,
    thresholds: Sequence[float],
    min_height_px: float,
) -> NDArray[np.float64]:
    """(T,) average precision of one class at each threshold."""
    scores: list[NDArray[np.float32]] = []
    hits: list[NDArray[np.bool_]] = []
    counts: list[NDArray[np.bool_]] = []
    total = 0
    for found, truth in pictures:
        score, hit, count = _of_picture(found, truth, class_id, thresholds, min_height_px)
        scores.append(score)
        hits.append(hit)
        counts.append(count)
        total += int(np.sum((truth.class_id == class_id) & ~truth.is_ignored))
    order = np.argsort(-np.concatenate(scores), kind="stable")
    hit, count = np.concatenate(hits)[order], np.concatenate(counts)[order]
    return np.array([_area(hit[:, t], count[:, t], total) for t in range(len(thresholds))])


def _of_picture(
    found: Boxes,
    truth: Truth,
    class_id: int,
    thresholds: Sequence[float],
    min_height_px: float,
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]]:
    """Scores (N,), whether each found box is a hit (N, T), and whether it counts (N, T)."""
    mine = np.flatnonzero(found.class_id == class_id)
    mine = mine[np.argsort(-found.score[mine], kind="stable")][:MAX_BOXES]
    there = truth.class_id == class_id
    boxes = found.xyxy[mine].astype(np.float64)
    overlap = iou(boxes, truth.xyxy[there].astype(np.float64))
    is_ignored = truth.is_ignored[there]
    is_low = boxes[:, 3] - boxes[:, 1] < min_height_px
    hit = np.zeros((len(mine), len(thresholds)), np.bool_)
    count = np.ones_like(hit)
    for column, threshold in enumerate(thresholds):
        taken = matched(overlap, is_ignored, threshold)
        is_pair = taken != MISSED
        hit[:, column] = is_pair
        count[is_pair, column] = ~is_ignored[taken[is_pair]]
        count[~is_pair & is_low, column] = False
    return found.score[mine], hit & count, count


def _area(hit: NDArray[np.bool_], count: NDArray[np.bool_], total: int) -> float:
    """Mean precision at COCO's 101 recalls, of boxes by falling score."""
    true_positives = np.cumsum(hit & count)
    false_positives = np.cumsum(~hit & count)
    if not len(hit):
        return 0.0
    recall = true_positives / total
    precision = true_positives / np.maximum(true_positives + false_positives, 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(recall, RECALLS, side="left")
    reached = at < len(envelope)
    return float(np.sum(envelope[at[reached]]) / len(RECALLS))
