"""Average precision as COCO defines it (Lin et al., ECCV 2014; pycocotools is the reference)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vehicle.perception.scores.matching import Boxes, Truth
from vehicle.perception.scores.sweep import IOUS, Sweep, sweep

RECALLS = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True, slots=True)
class AveragePrecision:
    """Means over the classes that have truth; NaN where none has.

    Attributes:
        ap50: At the first IoU, 0.5.
        ap: Mean over all of them, 0.5 to 0.95.
        ap50_by_class: Class id -> AP at the first IoU, for each class that has truth.
    """

    ap50: float
    ap: float
    ap50_by_class: dict[int, float]


def average_precision(
    pictures: Sequence[tuple[Boxes, Truth]],
    thresholds: Sequence[float] = IOUS,
    min_height_px: float = 0.0,
) -> AveragePrecision:
    """Scores the answers to a set of pictures.

    Args:
        pictures: What was found and what was there, for each picture.
        thresholds: Of IoU; the first is reported as `ap50`.
        min_height_px: A found box that is lower and matches nothing does not count.
    """
    return precision_of(sweep(pictures, thresholds, min_height_px))


def precision_of(matches: Sweep, least: int = 1) -> AveragePrecision:
    """Average precision of pictures that are matched already.

    Args:
        matches: All of them, or those that `Sweep.of_pictures` took out.
        least: Objects that a class must have to count in the means. More than one keeps a class
            of which a slice holds a single object from deciding it.
    """
    classes = [int(c) for c in np.flatnonzero(matches.objects.sum(axis=0) >= max(1, least))]
    if not classes:
        return AveragePrecision(float("nan"), float("nan"), {})
    table = np.array([_of_class(matches, class_id) for class_id in classes])
    by_class = {class_id: float(row[0]) for class_id, row in zip(classes, table, strict=True)}
    return AveragePrecision(float(table[:, 0].mean()), float(table.mean()), by_class)


def _of_class(matches: Sweep, class_id: int) -> NDArray[np.float64]:
    """(T,) average precision of one class at each IoU."""
    mine = np.flatnonzero(matches.class_id == class_id)
    mine = mine[np.argsort(-matches.score[mine], kind="stable")]
    total = int(matches.objects[:, class_id].sum())
    hit, counts = matches.is_hit[mine], matches.is_counted[mine]
    return np.array([_area(hit[:, t], counts[:, t], total) for t in range(hit.shape[1])])


def _area(hit: NDArray[np.bool_], counted: NDArray[np.bool_], total: int) -> float:
    """Mean precision at COCO's 101 recalls, of boxes by falling score."""
    if not len(hit):
        return 0.0
    true_positives = np.cumsum(hit)
    found = np.cumsum(counted)
    recall = true_positives / total
    precision = true_positives / np.maximum(found, 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(recall, RECALLS, side="left")
    reached = at < len(envelope)
    return float(np.sum(envelope[at[reached]]) / len(RECALLS))
