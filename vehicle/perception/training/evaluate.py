"""Scores a network on a validation set: average precision, and F1 at its best threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from vehicle.perception.boxes import letterbox
from vehicle.perception.classes import CLASSES
from vehicle.perception.detections import Detections
from vehicle.perception.detector import Detector
from vehicle.perception.family import select_boxes
from vehicle.perception.model import Deployed, RowNetwork
from vehicle.perception.scores.average_precision import AveragePrecision, average_precision
from vehicle.perception.scores.matching import MIN_HEIGHT_PX, Truth
from vehicle.perception.scores.streaming import Counts, count
from vehicle.perception.training.pictures import Pictures

LEAST_SCORE = 0.02  # of a box that average precision is told of
THRESHOLDS = np.round(np.arange(0.1, 0.81, 0.05), 2)


@dataclass(frozen=True, slots=True)
class Scores:
    """What a network reaches: average precision, and the score at which its F1 is best."""

    precision: AveragePrecision
    f1: float
    threshold: float

    def by_class(self) -> dict[str, float]:
        """AP50 of each class that has truth, by name."""
        return {
            CLASSES[class_id]: round(value, 4)
            for class_id, value in self.precision.ap50_by_class.items()
        }


def answers(
    network: RowNetwork, pictures: Pictures, limit: int, size: tuple[int, int] | None = None
) -> list[tuple[Detections, Truth]]:
    """What the network finds in `limit` pictures spread over the set, and the truth.

    Args:
        network: Trained or in training.
        pictures: To look at.
        limit: Pictures, at most.
        size: Width and height of the input, pixels; by default those of the pictures.
    """
    width, height = size or (pictures.width, pictures.height)
    deployed = Deployed(network)
    pairs = []
    with torch.inference_mode():
        for index in spread(len(pictures), limit):
            picture, fit = letterbox(np.array(pictures.pixels[index]), width, height)
            scores, boxes = deployed(torch.from_numpy(picture)[None])
            found = select_boxes(scores.numpy(), boxes.numpy(), LEAST_SCORE, 0.5, 100)
            xyxy = fit.to_frame(found.xyxy, pictures.width, pictures.height)
            found = Detections(xyxy, found.score, found.class_id)
            pairs.append((found, pictures.labels[index].truth()))
    return pairs


def spread(count: int, limit: int) -> list[int]:
    """At most `limit` of `count` indices, evenly apart: neighbours are of one drive and sky."""
    return [index * count // limit for index in range(limit)] if limit < count else [*range(count)]


def answers_of(
    detector: Detector, pictures: Pictures, limit: int
) -> list[tuple[Detections, Truth]]:
    """The same of a detector as it runs on a vehicle; its score threshold should be low."""
    return [
        (detector.detect(np.array(pictures.pixels[index])), pictures.labels[index].truth())
        for index in spread(len(pictures), limit)
    ]


def evaluate(pairs: Sequence[tuple[Detections, Truth]]) -> Scores:
    """Scores answers with objects too low or too hidden left out (`Truth.seen`)."""
    precision = average_precision(pairs, min_height_px=MIN_HEIGHT_PX)
    f1, threshold = 0.0, float(THRESHOLDS[0])
    for candidate in THRESHOLDS:
        counts = sum((count(*pair, min_score=float(candidate)) for pair in pairs), Counts())
        if counts.f1 is not None and counts.f1 > f1:
            f1, threshold = counts.f1, float(candidate)
    return Scores(precision, f1, threshold)
