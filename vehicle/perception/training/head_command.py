"""`vdap train DATASET --head NAME ... --stem RUNG.safetensors`: heads on a trained rung, frozen."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import torch

from scheduler.errors import ConfigError
from vehicle.perception.heads.results import HEADS
from vehicle.perception.training.head_data import HeadPictures
from vehicle.perception.training.head_loop import HeadOptions, HeadProgress, train_heads


def train_command(arguments: argparse.Namespace) -> int:
    """Runs it; the defaults of a rung's training that do not suit heads are replaced.

    Raises:
        ConfigError: Unknown head, or no stem.
        SourceError: The data set lacks the truth of a head.
    """
    heads = tuple(dict.fromkeys(arguments.head))
    unknown = [name for name in heads if name not in HEADS]
    if unknown:
        raise ConfigError(f"--head {unknown[0]!r}: expected some of {', '.join(HEADS)}")
    if arguments.stem is None:
        raise ConfigError(
            "--head needs --stem RUNG.safetensors, a trained rung that stays as it is"
        )
    torch.set_num_threads(arguments.threads)
    cv2.setNumThreads(arguments.threads)
    told = {
        name: value
        for name in ("max_images", "batch", "rate", "evaluations")
        if (value := getattr(arguments, name)) is not None
    }
    options = HeadOptions(heads, seed=arguments.seed, **told)
    dataset: Path = arguments.dataset
    learn = HeadPictures(dataset / "train", heads)
    validate = HeadPictures(dataset / "val", heads)
    sys.stdout.write(
        f"heads {', '.join(heads)} on {arguments.stem.name}: {len(learn)} training pictures, "
        f"{len(validate)} for validation, {options.max_images} to be shown, seed {options.seed}\n"
    )
    sys.stdout.flush()
    scores = train_heads(options, arguments.stem, learn, validate, arguments.out, _report)
    for name, value in scores.items():
        sys.stdout.write(f"  {name:<20} {value:g}\n")
    sys.stdout.write(
        f"wrote {', '.join(f'{name}.safetensors' for name in heads)} and "
        f"{arguments.stem.stem}.multi.onnx in {arguments.out}\n"
    )
    return 0


def _report(progress: HeadProgress) -> None:
    losses = "  ".join(f"{name} {value:.3f}" for name, value in progress.losses.items())
    scores = "  ".join(f"{name} {value:g}" for name, value in progress.scores.items())
    sys.stdout.write(f"{progress.images:>8} pictures  loss: {losses}  score: {scores}\n")
    sys.stdout.flush()
