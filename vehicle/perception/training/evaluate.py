"""Scores a network on a validation set: average precision, and F1 at its best threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from vehicle.perception.boxes import letterbox
from vehicle.perception.classes import CLASSES
from vehicle.perception.detections import Detections
from vehicle.perception.family import select_boxes
from vehicle.perception.model import Deployed, Network
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


def answers(network: Network, pictures: Pictures, limit: int) -> list[tuple[Detections, Truth]]:
    """What the network finds in the first `limit` pictures at its shipped size, and the truth."""
    width, height = network.size.shipped
    deployed = Deployed(network, width, height)
    pairs = []
    with torch.inference_mode():
        for index in range(min(limit, len(pictures))):
            picture, fit = letterbox(np.array(pictures.pixels[index]), width, height)
            scores, boxes = deployed(torch.from_numpy(picture)[None])
            found = select_boxes(scores.numpy(), boxes.numpy(), LEAST_SCORE, 0.6, 100)
            xyxy = fit.to_frame(found.xyxy, pictures.width, pictures.height)
            found = Detections(xyxy, found.score, found.class_id)
            pairs.append((found, pictures.labels[index].truth()))
    return pairs


def evaluate(pairs: Sequence[tuple[Detections, Truth]]) -> Scores:
    """Scores answers with objects too low or too hidden left out (`Truth.seen`)."""
    precision = average_precision(pairs, min_height_px=MIN_HEIGHT_PX)
    f1, threshold = 0.0, float(THRESHOLDS[0])
    for candidate in THRESHOLDS:
        counts = sum((count(*pair, min_score=float(candidate)) for pair in pairs), Counts())
        if counts.f1 is not None and counts.f1 > f1:
            f1, threshold = counts.f1, float(candidate)
    return Scores(precision, f1, threshold)
