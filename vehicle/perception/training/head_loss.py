"""The losses of the heads: of each, how wrong its raw numbers are for a batch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from vehicle.perception.heads.model import STRIDE, fine_cells, plate_rows, surface_logits
from vehicle.perception.heads.results import LIGHT_STATES, SURFACES
from vehicle.perception.training.head_data import IGNORED, HeadSample
from vehicle.perception.training.loss import Target, detection_loss

# Lines are a hundredth of the ground: weighted so, they are neither lost nor painted too wide.
SURFACE_WEIGHTS = (1.0, 1.0, 5.0)
STATE_WEIGHTS = (1.0, 2.0, 1.0, 1.0)  # yellow is shown a quarter as often


def head_loss(name: str, raw: Tensor, samples: list[HeadSample]) -> Tensor:
    """Loss of one head for a batch; 0 where the batch holds nothing for it.

    Args:
        name: Of the head.
        raw: (B, outputs, H / 8, W / 8), its numbers.
        samples: B of them.
    """
    if name == "light_state":
        return _light_loss(raw, samples)
    if name == "drivable":
        return _surface_loss(raw, samples)
    return _plate_loss(raw, samples)


def _light_loss(raw: Tensor, samples: list[HeadSample]) -> Tensor:
    """Cross-entropy of the cells that answer for each light, each light counted once."""
    chosen, states, weights = [], [], []
    per_state = torch.tensor(STATE_WEIGHTS)
    for index, sample in enumerate(samples):
        for box, state in zip(sample.lights, sample.states.tolist(), strict=True):
            picked = light_cells(torch.from_numpy(box), raw.shape[2], raw.shape[3])
            chosen.append(raw[index].flatten(1)[:, picked].T)
            states += [state] * len(picked)
            weights += [float(per_state[state]) / len(picked)] * len(picked)
    if not chosen:
        return raw.sum() * 0.0
    assert raw.shape[1] == len(LIGHT_STATES)
    entropy = functional.cross_entropy(torch.cat(chosen), torch.tensor(states), reduction="none")
    weight = torch.tensor(weights)
    return (entropy * weight).sum() / weight.sum()


def light_cells(box: Tensor, rows: int, columns: int) -> Tensor:
    """Indices (P,) of cells whose middles a box (4,) holds, or of the one nearest to its own."""
    low, high = box[:2] / STRIDE - 0.5, box[2:] / STRIDE - 0.5
    first, last = low.ceil(), high.floor()
    middle = ((low + high) / 2).round()
    is_empty = first > last
    first, last = torch.where(is_empty, middle, first), torch.where(is_empty, middle, last)
    limit = torch.tensor([columns - 1.0, rows - 1.0])
    left, top = first.clamp(min=0).minimum(limit).long().tolist()
    right, bottom = last.clamp(min=0).minimum(limit).long().tolist()
    v, u = torch.meshgrid(
        torch.arange(top, bottom + 1), torch.arange(left, right + 1), indexing="ij"
    )
    return (v * columns + u).flatten()


def _surface_loss(raw: Tensor, samples: list[HeadSample]) -> Tensor:
    wanted = torch.stack([torch.from_numpy(sample.surface) for sample in samples]).long()
    weight = torch.tensor(SURFACE_WEIGHTS)
    assert len(weight) == len(SURFACES)
    return functional.cross_entropy(surface_logits(raw), wanted, weight, ignore_index=IGNORED)


def _plate_loss(raw: Tensor, samples: list[HeadSample]) -> Tensor:
    centres, strides = fine_cells(raw.shape[3], raw.shape[2])
    targets = [
        Target(
            torch.from_numpy(sample.plates),
            torch.zeros(len(sample.plates), dtype=torch.long),
            torch.from_numpy(sample.ignored),
        )
        for sample in samples
    ]
    return detection_loss(plate_rows(raw), targets, centres, strides).total
