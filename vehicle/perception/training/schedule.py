"""What all trainings share: the learning rate, averaged weights and checkpoints."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from scheduler.errors import ConfigError


def cosine_rate(
    greatest: float, share: float, step: int, warm_up_steps: int, least_share: float
) -> float:
    """Learning rate: a short linear rise, then half a cosine (Loshchilov and Hutter, SGDR, 2017).

    Args:
        greatest: The rate after the rise.
        share: Of the training that is done, 0..1.
        step: Number of the next step, from 0.
        warm_up_steps: Of the rise.
        least_share: Of the greatest rate, what the cosine ends at.
    """
    cosine = least_share + (1 - least_share) * 0.5 * (1 + math.cos(math.pi * min(1.0, share)))
    return greatest * min(1.0, (step + 1) / warm_up_steps) * cosine


@torch.no_grad()
def follow(average: nn.Module, newest: nn.Module, steps: int, decay: float) -> None:
    """Moves averaged weights towards the newest; faster in the first steps.

    Args:
        average: Changed in place.
        newest: After the last step.
        steps: Done so far.
        decay: Share of the average that stays, in the long run.
    """
    decay = min(decay, (1 + steps) / (20 + steps))
    state: dict[str, Tensor] = newest.state_dict()
    for name, value in average.state_dict().items():
        if value.dtype.is_floating_point:
            value.lerp_(state[name], 1 - decay)
        else:
            value.copy_(state[name])


def write_checkpoint(path: Path, state: Mapping[str, object]) -> None:
    """Writes all that a later run needs to go on; a torn file never takes the name."""
    part = path.with_suffix(".part")
    torch.save(dict(state), part)
    part.rename(path)


def read_checkpoint(path: Path, options: Mapping[str, object]) -> dict[str, Any]:
    """What `write_checkpoint` wrote.

    Args:
        path: The file.
        options: Of this run; the state's "options" must be the same.

    Raises:
        ConfigError: It was written with other options.
    """
    state: dict[str, Any] = torch.load(path, weights_only=True)
    if state["options"] != options:
        raise ConfigError(
            f"{path} was written with other options ({state['options']}); "
            "give the same ones or another --out"
        )
    return state
