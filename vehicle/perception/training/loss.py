"""The loss: which cell answers for which object, and how wrong each cell is.

Assignment after Feng et al., TOOD, ICCV 2021; scores weighted as in Zhang et al., VarifocalNet,
CVPR 2021; boxes by generalised IoU, Rezatofighi et al., CVPR 2019.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from vehicle.perception.model import decode

TOP_CELLS = 10  # that may answer for one object
IOU_POWER = 6.0  # of the overlap in the alignment of a cell; TOOD's beta
BOX_WEIGHT = 2.0
NEGATIVE_WEIGHT = 0.75  # VarifocalNet's alpha
LEAST_TARGET = 0.05  # so that an object is learnt before any box overlaps it


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """One picture's objects: xyxy (M, 4), class_id (M,) int64, ignored (K, 4)."""

    xyxy: Tensor
    class_id: Tensor
    ignored: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Loss:
    """The sum to descend, and its parts for the log."""

    total: Tensor
    score: float
    box: float


def _overlap(a: Tensor, b: Tensor) -> Tensor:
    """IoU (N, M) of boxes (N, 4) and (M, 4)."""
    low = torch.maximum(a[:, None, :2], b[None, :, :2])
    high = torch.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    area_a = (a[:, 2:] - a[:, :2]).prod(-1)
    area_b = (b[:, 2:] - b[:, :2]).prod(-1)
    return shared / (area_a[:, None] + area_b[None, :] - shared + 1e-7)


def _generalised_iou(a: Tensor, b: Tensor) -> Tensor:
    """(N,) of pairs of boxes (N, 4)."""
    shared = (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0)
    hull = torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])
    inside, around = shared.prod(-1), hull.clamp(min=0).prod(-1) + 1e-7
    areas = (a[:, 2:] - a[:, :2]).clamp(min=0).prod(-1) + (b[:, 2:] - b[:, :2]).prod(-1)
    union = areas - inside + 1e-7
    return inside / union - (around - union) / around


def _within(centres: Tensor, boxes: Tensor) -> Tensor:
    """(M, N): whether each centre (N, 2) lies in each box (M, 4)."""
    low = centres[None] - boxes[:, None, :2]
    high = boxes[:, None, 2:] - centres[None]
    return torch.cat([low, high], -1).amin(-1) > 0


@torch.no_grad()
def assign(
    scores: Tensor, boxes: Tensor, target: Target, centres: Tensor, strides: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Cells that answer, the object of each, and the score each should give.

    Args:
        scores: (N, classes) current answers of one picture.
        boxes: (N, 4) current boxes.
        target: Its objects, at least one.
        centres: (N, 2) of the cells, pixels.
        strides: (N,) pixels.

    Returns:
        Three tensors (P,): cell index, object index, target score in 0..1.
    """
    middle = (target.xyxy[:, :2] + target.xyxy[:, 2:]) / 2
    offset = (centres[None] - middle[:, None]).abs()
    # An object smaller than a cell may hold no centre: the finest cell nearest to it may answer.
    is_near = (offset.amax(-1) < strides[None] * 0.75) & (strides[None] <= strides.min())
    is_allowed = _within(centres, target.xyxy) | is_near
    overlap = _overlap(target.xyxy, boxes)
    alignment = scores[:, target.class_id].T * overlap.pow(IOU_POWER) * is_allowed
    value, index = alignment.topk(min(TOP_CELLS, alignment.shape[1]), 1)
    chosen = torch.zeros_like(alignment, dtype=torch.bool).scatter_(1, index, value > 1e-12)
    is_orphan = ~chosen.any(1)
    if is_orphan.any():
        far = offset[is_orphan].norm(dim=-1) + (~is_allowed[is_orphan]) * 1e4
        nearest = far.topk(3, 1, largest=False).indices
        chosen[is_orphan] = chosen[is_orphan].scatter(1, nearest, value=True)
    is_shared = chosen.sum(0) > 1
    if is_shared.any():
        best = (overlap * chosen).argmax(0)
        chosen[:, is_shared] = False
        chosen[best[is_shared], is_shared.nonzero()[:, 0]] = True
    cell = chosen.any(0).nonzero()[:, 0]
    owner = chosen[:, cell].float().argmax(0)
    aligned = alignment * chosen
    share = aligned / (aligned.amax(1, keepdim=True) + 1e-9)
    quality = share * (overlap * chosen).amax(1, keepdim=True)
    return cell, owner, quality[owner, cell].clamp(min=LEAST_TARGET)


def detection_loss(rows: Tensor, targets: list[Target], centres: Tensor, strides: Tensor) -> Loss:
    """Loss of a batch.

    Args:
        rows: (B, N, K + 4) raw rows of a network that knows K classes.
        targets: One for each of the B pictures, class ids below K.
        centres: (N, 2) of the cells, pixels.
        strides: (N,) pixels.
    """
    logits = rows[..., :-4].float()
    boxes = decode(rows[..., -4:].float(), centres, strides)
    scores = logits.detach().sigmoid()
    wanted = torch.zeros_like(scores)
    is_counted = torch.ones_like(scores[..., 0])
    box_terms = []
    total = rows.new_zeros((), dtype=torch.float32)
    for index, target in enumerate(targets):
        if len(target.ignored):
            is_counted[index] = (~_within(centres, target.ignored).any(0)).float()
        if not len(target.xyxy):
            continue
        cell, owner, score = assign(scores[index], boxes[index].detach(), target, centres, strides)
        wanted[index, cell, target.class_id[owner]] = score
        is_counted[index, cell] = 1.0
        overlap = _generalised_iou(boxes[index, cell], target.xyxy[owner])
        box_terms.append((1 - overlap) * score)
        total = total + score.sum()
    total = total.clamp(min=1.0)
    weight = torch.where(wanted > 0, wanted, NEGATIVE_WEIGHT * scores.square())
    entropy = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    score_loss = (entropy * weight * is_counted[..., None]).sum() / total
    box_loss = torch.cat(box_terms).sum() / total if box_terms else rows.sum() * 0.0
    return Loss(
        score_loss + BOX_WEIGHT * box_loss, float(score_loss.detach()), float(box_loss.detach())
    )
