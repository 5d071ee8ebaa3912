"""The figures of one detector on one set: in all, by class, size, visibility, weather and town."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from sim.evaluation.perception.labels import Labelled
from vehicle.perception.classes import CLASSES
from vehicle.perception.detections import Detections
from vehicle.perception.scores.average_precision import precision_of
from vehicle.perception.scores.matching import MIN_HEIGHT_PX, Truth
from vehicle.perception.scores.sweep import IOUS, Sweep, sweep

# From, and below. The first of the sizes is told for information: no other figure holds it.
SIZES = {
    "< 25 px": (0.0, 25.0),
    "25-50 px": (25.0, 50.0),
    "50-100 px": (50.0, 100.0),
    "> 100 px": (100.0, np.inf),
}
VISIBILITIES = {"0.3-0.5": (0.3, 0.5), "0.5-0.8": (0.5, 0.8), "0.8-1": (0.8, np.inf)}
HEIGHT_EDGES = (12.0, 18.0, 25.0, 35.0, 50.0, 70.0, 100.0, 150.0, 250.0)  # px, of the curve
LEAST = 10  # objects that a class must have to count in the mean of a slice

Pairs = Sequence[tuple[Detections, Truth]]


class Figures(msgspec.Struct, frozen=True):
    """Scores of one part of a set; None where it has no truth.

    Attributes:
        boxes: True boxes that count: what the scores rest on.
        ap50: Average precision at IoU 0.5, mean over the classes with 10 boxes or more.
        recall: Share found at the score in use.
        f1: At the score in use.
        precision: At the score in use; None for slices by size or visibility of the truth alone.
    """

    boxes: int
    ap50: float | None = None
    recall: float | None = None
    f1: float | None = None
    precision: float | None = None


class Result(msgspec.Struct, frozen=True):
    """All figures of one detector on one set.

    Attributes:
        detector: Its label.
        pictures: Of the set.
        boxes: True boxes that count.
        ap50: At IoU 0.5, mean over all classes that have truth.
        ap: Mean over IoU 0.5 to 0.95.
        f1: At the score in use.
        score: In use, as shipped.
        best_f1: The highest that any score gives.
        best_score: Where that is.
        by_height: AP50 of each range of HEIGHT_EDGES.
        curve: Recall and precision at IoU 0.5, all classes, thinned for drawing.
    """

    detector: str
    pictures: int
    boxes: int
    ap50: float | None
    ap: float | None
    f1: float | None
    precision: float | None
    recall: float | None
    score: float
    best_f1: float
    best_score: float
    by_class: dict[str, Figures]
    by_size: dict[str, Figures]
    by_visibility: dict[str, Figures]
    by_weather: dict[str, Figures]
    by_town: dict[str, Figures]
    by_height: dict[str, Figures]
    curve: list[tuple[float, float]]
    rung: str = ""
    size: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Scored:
    """The set's truth beside one detector's answers."""

    labels: Sequence[Labelled]
    found: Sequence[Detections]

    def pairs(
        self,
        height_px: tuple[float, float] = (MIN_HEIGHT_PX, np.inf),
        visibility: tuple[float, float] | None = None,
    ) -> list[tuple[Detections, Truth]]:
        """Answers and truth of each picture, objects of another kind ignored."""
        if visibility is None:
            truths = [label.truth(height_px) for label in self.labels]
        else:
            truths = [label.truth(height_px, visibility) for label in self.labels]
        return list(zip(self.found, truths, strict=True))


def result(
    label: str,
    scored: Scored,
    score: float,
    rung: str = "",
    size: tuple[int, int] | None = None,
) -> Result:
    """Every figure of one detector.

    Args:
        label: How tables call it.
        scored: Truth and answers.
        score: The least score in use.
    """
    whole = sweep(scored.pairs(), IOUS, MIN_HEIGHT_PX)
    precision = precision_of(whole)
    counts = whole.counts(score)
    best_f1, best_score = whole.best_f1()
    return Result(
        label,
        len(scored.labels),
        counts.hits + counts.missed,
        _round(precision.ap50),
        _round(precision.ap),
        _round(counts.f1),
        _round(counts.precision),
        _round(counts.recall),
        round(score, 3),
        round(best_f1, 4),
        round(best_score, 3),
        _by_class(whole, score, precision.ap50_by_class),
        {name: _of_sizes(scored, px, score) for name, px in SIZES.items()},
        _by_visibility(scored, score),
        _by_words(whole, [label.weather for label in scored.labels], score),
        _by_words(whole, [label.town for label in scored.labels], score),
        by_height(scored, score),
        _thinned(whole),
        rung,
        size,
    )


def by_height(scored: Scored, score: float) -> dict[str, Figures]:
    """AP50 and recall of each range of HEIGHT_EDGES, by its bounds."""
    ranges = itertools.pairwise(HEIGHT_EDGES)
    return {f"{low:.0f}-{high:.0f}": _of_sizes(scored, (low, high), score) for low, high in ranges}


def _figures(matches: Sweep, score: float, *, has_false: bool = True) -> Figures:
    counts = matches.counts(score)
    boxes = counts.hits + counts.missed
    if not boxes:
        return Figures(0)
    return Figures(
        boxes,
        _round(precision_of(matches, LEAST).ap50),
        _round(counts.recall),
        _round(counts.f1) if has_false else None,
        _round(counts.precision) if has_false else None,
    )


def _of_sizes(scored: Scored, height_px: tuple[float, float], score: float) -> Figures:
    return _figures(sweep(scored.pairs(height_px), IOUS[:1], *height_px), score)


def _by_class(whole: Sweep, score: float, ap50: dict[int, float]) -> dict[str, Figures]:
    made = {}
    for class_id, value in ap50.items():
        counts = whole.of_class(class_id).counts(score)
        made[CLASSES[class_id]] = Figures(
            counts.hits + counts.missed,
            _round(value),
            _round(counts.recall),
            _round(counts.f1),
            _round(counts.precision),
        )
    return made


def _by_visibility(scored: Scored, score: float) -> dict[str, Figures]:
    """A false box has no visibility: it counts in each slice, so F1 of a slice says little."""
    if all((label.visibility == 1.0).all() for label in scored.labels):
        return {}
    made = {}
    for name, seen in VISIBILITIES.items():
        matches = sweep(scored.pairs((MIN_HEIGHT_PX, np.inf), seen), IOUS[:1], MIN_HEIGHT_PX)
        made[name] = _figures(matches, score, has_false=False)
    return made


def _by_words(whole: Sweep, words: Sequence[str], score: float) -> dict[str, Figures]:
    made = {}
    for word in sorted({word for word in words if word}):
        chosen = np.array([own == word for own in words], np.bool_)
        made[word] = _figures(whole.of_pictures(chosen), score)
    return made


def _thinned(whole: Sweep, points: int = 120) -> list[tuple[float, float]]:
    curve = whole.curve()
    if not len(curve.score):
        return []
    at = np.unique(np.linspace(0, len(curve.score) - 1, points).astype(int))
    rows: NDArray[np.float64] = np.stack([curve.recall[at], curve.precision[at]], axis=1)
    return [(round(float(r), 4), round(float(p), 4)) for r, p in rows]


def _round(value: float | None) -> float | None:
    return None if value is None or np.isnan(value) else round(value, 4)
