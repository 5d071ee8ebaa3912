"""Teaches a small rung the answers of a large one.

Every rung answers in the same rows, one for each cell, so the answers themselves are compared
(Hinton et al., Distilling the Knowledge in a Neural Network, 2015). Features would need layers in
between that are thrown away, because the rungs have different widths.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from vehicle.perception.classes import CLASSES
from vehicle.perception.model import RowNetwork, folded
from vehicle.perception.training.loop import FurtherLoss

WEIGHT = 1.0  # beside the loss of the labels


def answer_distance(rows: Tensor, wanted: Tensor) -> Tensor:
    """How far answers are from a teacher's, where either sees an object.

    Cross entropy of the scores above the least possible, and absolute differences of the distances.

    Args:
        rows: (B, N, classes + 4) raw rows.
        wanted: The same of the teacher.
    """
    count = len(CLASSES)
    target = wanted[..., :count].sigmoid()
    given = rows[..., :count].detach().sigmoid()
    weight = torch.maximum(target, given).square() + (target - given).abs()
    entropy = functional.binary_cross_entropy_with_logits(
        rows[..., :count], target, reduction="none"
    )
    floor = -(target * (target + 1e-9).log() + (1 - target) * (1 - target + 1e-9).log())
    seen = target.amax(-1)
    total = seen.sum().clamp(min=1.0)
    sides = (rows[..., count:] - wanted[..., count:]).abs().mean(-1)
    return (((entropy - floor) * weight).sum() + (sides * seen).sum()) / total


def taught_by(teacher: RowNetwork, weight: float = WEIGHT) -> FurtherLoss:
    """A term of the training loss: the distance to what `teacher` answers to the same batch."""
    answering = folded(teacher)
    for parameter in answering.parameters():
        parameter.requires_grad_(False)

    def further(batch: Tensor, rows: Tensor) -> Tensor:
        with torch.no_grad():
            wanted: Tensor = answering(batch)
        return weight * answer_distance(rows.float(), wanted.float())

    return further
