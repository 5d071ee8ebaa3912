"""Average precision of parts of a validation set: by class, by height of the object, by weather."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from vehicle.perception.classes import CLASSES
from vehicle.perception.detections import Detections
from vehicle.perception.scores.average_precision import average_precision, precision_of
from vehicle.perception.scores.matching import MIN_HEIGHT_PX, Truth
from vehicle.perception.scores.sweep import sweep

Pairs = Sequence[tuple[Detections, Truth]]

HEIGHTS_PX = ((25.0, 50.0), (50.0, 100.0), (100.0, math.inf))  # from, and below


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the set: its name, how many true boxes count in it, and the AP50 on it."""

    name: str
    boxes: int
    ap50: float


def by_class(pairs: Pairs) -> list[Part]:
    """Each class that has truth."""
    scored = average_precision(pairs, (0.5,), MIN_HEIGHT_PX).ap50_by_class
    return [Part(CLASSES[c], _counted(pairs, c), value) for c, value in scored.items()]


def by_height(pairs: Pairs) -> list[Part]:
    """Each range of `HEIGHTS_PX`, mean over the classes that occur in it."""
    parts = []
    for low, high in HEIGHTS_PX:
        part = [(found, _of_height(truth, low, high)) for found, truth in pairs]
        name = f"{low:.0f}-{high:.0f} px" if high < math.inf else f"over {low:.0f} px"
        matches = sweep(part, (0.5,), low, high)
        parts.append(Part(name, _counted(part), precision_of(matches).ap50))
    return parts


def by_weather(pairs: Pairs, weathers: Sequence[str]) -> list[Part]:
    """Each weather of the set, mean over the classes; `weathers` has one for each pair."""
    parts = []
    for weather in sorted({name for name in weathers if name}):
        part = [pair for pair, name in zip(pairs, weathers, strict=True) if name == weather]
        scored = average_precision(part, (0.5,), MIN_HEIGHT_PX)
        parts.append(Part(weather, _counted(part), scored.ap50))
    return parts


def _counted(pairs: Pairs, class_id: int | None = None) -> int:
    total = 0
    for _, truth in pairs:
        is_counted = ~truth.is_ignored
        if class_id is not None:
            is_counted &= truth.class_id == class_id
        total += int(is_counted.sum())
    return total


def _of_height(truth: Truth, low: float, high: float) -> Truth:
    """Boxes of other heights are ignored."""
    height = truth.xyxy[:, 3] - truth.xyxy[:, 1]
    is_other = (height < low) | (height >= high)
    return Truth(truth.xyxy, truth.class_id, truth.is_ignored | is_other)
