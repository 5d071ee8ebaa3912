"""Scores heads on a validation set, each in the unit of its own task."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from vehicle.perception.detections import Detections
from vehicle.perception.heads.model import DeployedHead, Head, Trunk
from vehicle.perception.heads.multi import select_plates, states_of
from vehicle.perception.heads.results import DRIVABLE, LINE, SOURCES
from vehicle.perception.scores.average_precision import average_precision
from vehicle.perception.scores.matching import Truth
from vehicle.perception.training.head_data import IGNORED, HeadPictures, HeadSample, whole

MIN_LIGHT_PX = 10.0  # height of a light that counts
MIN_PLATE_PX = 8.0  # the same of a plate: below, nobody reads it
LEAST_SCORE = 0.02  # of a plate that average precision is told of
IOU = (0.5,)


class HeadScorer:
    """Counts over pictures what becomes of a score.

    Light states are asked for at the true boxes, so that the score is of the head alone.
    """

    def __init__(self) -> None:
        self._states: list[tuple[int, int]] = []  # true and answered
        self._shared = np.zeros(3, np.int64)
        self._union = np.zeros(3, np.int64)
        self._plates: list[tuple[Detections, Truth]] = []

    def lights(self, sample: HeadSample, probability: NDArray[np.float32]) -> None:
        """Adds the lights of one picture."""
        is_high = sample.lights[:, 3] - sample.lights[:, 1] >= MIN_LIGHT_PX
        answered, _ = states_of(sample.lights[is_high], probability)
        true = sample.states[is_high]
        self._states += list(zip(true.tolist(), answered.tolist(), strict=True))

    def surface(self, sample: HeadSample, answered: NDArray[np.uint8]) -> None:
        """Adds the ground of one picture."""
        is_shown = sample.surface != IGNORED
        for kind in (DRIVABLE, LINE):
            true, found = sample.surface == kind, (answered == kind) & is_shown
            self._shared[kind] += int((true & found).sum())
            self._union[kind] += int((true | found).sum())

    def plates(
        self, sample: HeadSample, score: NDArray[np.float32], xyxy: NDArray[np.float32]
    ) -> None:
        """Adds the plates of one picture; lower ones than MIN_PLATE_PX are neither hit nor miss."""
        boxes, scores = select_plates(score, xyxy, LEAST_SCORE)
        found = Detections(boxes, scores, np.zeros(len(scores), np.int16))
        is_low = sample.plates[:, 3] - sample.plates[:, 1] < MIN_PLATE_PX
        truth = Truth(sample.plates, np.zeros(len(sample.plates), np.int16), is_low)
        self._plates.append((found, truth))

    def result(self) -> dict[str, float]:
        """Scores by name, of what was added; one without truth is left out."""
        scores: dict[str, float] = {}
        if self._states:
            right = [true == answered for true, answered in self._states]
            scores["light_state accuracy"] = sum(right) / len(right)
            scores["lights"] = float(len(right))
        for kind, name in ((DRIVABLE, "drivable IoU"), (LINE, "line IoU")):
            if self._union[kind]:
                scores[name] = float(self._shared[kind] / self._union[kind])
        counted = sum(int((~truth.is_ignored).sum()) for _, truth in self._plates)
        if counted:
            found = average_precision(self._plates, thresholds=IOU, min_height_px=MIN_PLATE_PX)
            scores["plates AP50"] = found.ap50
            scores["plates"] = float(counted)
        return {name: round(value, 4) for name, value in scores.items()}


def score_heads(
    trunk: Trunk,
    heads: Mapping[str, Head],
    pictures: HeadPictures,
    indices: Sequence[int],
    size: tuple[int, int],
) -> dict[str, float]:
    """Scores by name on the pictures `indices`, shown whole at `size` (width, height)."""
    scorer = HeadScorer()
    deployed = {name: DeployedHead(name, head).eval() for name, head in heads.items()}
    with torch.inference_mode():
        for index in indices:
            sample = whole(pictures, index, size)
            features = trunk.look(torch.from_numpy(sample.pixels)[None])[1]
            for name, head in deployed.items():
                answers = [each.numpy() for each in head(features[SOURCES[name]])]
                _ADD[name](scorer, sample, *answers)
    return scorer.result()


_ADD: dict[str, Callable[..., None]] = {
    "light_state": HeadScorer.lights,
    "drivable": HeadScorer.surface,
    "plates": HeadScorer.plates,
}
