"""Trains heads on a frozen stem: `vdap train DATASET --head NAME ... --stem RUNG.safetensors`."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from vehicle.perception.heads.model import (
    Head,
    Trunk,
    save_head,
    stem_mark,
)
from vehicle.perception.heads.results import SOURCES
from vehicle.perception.model import load_weights
from vehicle.perception.training.head_data import HeadPictures, HeadSample, cut
from vehicle.perception.training.head_export import export_multi
from vehicle.perception.training.head_loss import head_loss
from vehicle.perception.training.head_scores import score_heads
from vehicle.perception.training.schedule import (
    cosine_rate,
    follow,
    read_checkpoint,
    write_checkpoint,
)

AVERAGE_DECAY = 0.995  # of the weights that are shipped
WARM_UP_STEPS = 50
LEAST_RATE = 0.02  # share of the learning rate that the cosine ends at
FULL_EVERY = 8  # steps; one of them in full size, the others in half, which costs a quarter
HALF_SCALES = (0.48, 1.6)  # sample pixels per picture pixel; the least shows all of a picture
FULL_SCALES = (0.95, 1.7)
LIGHT_SCALES = (0.8, 1.8)  # of quarter cuts, where nothing but lights is learnt
CHECKPOINT = "heads.pt"


@dataclass(frozen=True, slots=True)
class HeadOptions:
    """What `vdap train --head` was told.

    Attributes:
        heads: Names; they learn beside each other from the same features.
        max_images: Training pictures shown, repeats counted.
        seed: Of weights, order and augmentation.
        batch: Pictures in one step of half size; a step of full size has half as many.
        rate: Greatest learning rate of AdamW.
        evaluations: During the training, on `evaluation_images`.
        evaluation_images: Of the validation set, for those; the last evaluation takes all.
        width: Of a picture in full size, pixels, as is `height`.
    """

    heads: tuple[str, ...]
    max_images: int = 12_000
    seed: int = 1
    batch: int = 8
    rate: float = 4e-3
    decay: float = 0.02
    evaluations: int = 4
    evaluation_images: int = 100
    width: int = 640
    height: int = 384


@dataclass(frozen=True, slots=True)
class HeadProgress:
    """One line of the log: mean loss of each head since the last, and the scores."""

    images: int
    losses: Mapping[str, float]
    scores: Mapping[str, float]


Report = Callable[[HeadProgress], None]


class HeadTrainer:
    """Heads, their averages and one optimiser, at a count of pictures shown."""

    def __init__(self, options: HeadOptions, stem: Path) -> None:
        """Makes untrained heads on the rung of `stem`.

        Raises:
            ConfigError: The stem is no rung's weights, or an unknown head.
        """
        torch.manual_seed(options.seed)
        self.options = options
        self.mark = stem_mark(stem) if stem.is_file() else ""
        self.trunk = Trunk(load_weights(stem)).eval()
        for weight in self.trunk.parameters():
            if weight.ndim == 4:  # faster on CPUs
                weight.data = weight.data.contiguous(memory_format=torch.channels_last)
        self.heads = nn.ModuleDict(
            {name: Head(name, self.trunk.channels[SOURCES[name]]) for name in options.heads}
        )
        self.average = copy.deepcopy(self.heads).eval()
        self.optimiser = torch.optim.AdamW(
            self.heads.parameters(), lr=options.rate, weight_decay=options.decay
        )
        self.images = 0
        self.steps = 0

    @property
    def rate(self) -> float:
        """Learning rate of the next step: a short rise, then half a cosine."""
        options = self.options
        share = self.images / options.max_images
        return cosine_rate(options.rate, share, self.steps, WARM_UP_STEPS, LEAST_RATE)

    def next_samples(self, pictures: HeadPictures) -> list[HeadSample]:
        """The next batch: shuffled anew in each round, the same whenever a run is resumed."""
        options = self.options
        is_full = self.steps % FULL_EVERY == FULL_EVERY - 1
        part, scales = (1, FULL_SCALES) if is_full else (2, HALF_SCALES)
        if options.heads == ("light_state",):  # which need little around them
            part, scales = 4, LIGHT_SCALES
        size = (options.width // part, options.height // part)
        count = (options.batch + 1) // 2 if part == 1 else options.batch
        samples = []
        for number in range(self.images, self.images + count):
            turn, place = divmod(number, len(pictures.telling))
            random = np.random.default_rng((options.seed, turn))
            index = pictures.telling[int(random.permutation(len(pictures.telling))[place])]
            random = np.random.default_rng((options.seed, turn, place))
            samples.append(cut(pictures, index, options.heads, size, scales, random))
        return samples

    def step(self, samples: list[HeadSample]) -> dict[str, float]:
        """Learns from one batch; returns the loss of each head."""
        pixels = torch.from_numpy(np.stack([sample.pixels for sample in samples]))
        with torch.no_grad():
            features = self.trunk.look(pixels)[1]
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate
        self.heads.train()
        losses = {
            name: head_loss(name, head(features[SOURCES[name]]), samples)
            for name, head in self._named()
        }
        self.optimiser.zero_grad()
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        self.images += len(samples)
        self.steps += 1
        follow(self.average, self.heads, self.steps, AVERAGE_DECAY)
        return {name: float(loss.detach()) for name, loss in losses.items()}

    def _named(self) -> list[tuple[str, nn.Module]]:
        return list(self.heads.items())

    def averaged(self) -> dict[str, Head]:
        """The heads as they are shipped."""
        heads = dict(self.average.items())
        return {name: head for name, head in heads.items() if isinstance(head, Head)}

    def save(self, path: Path) -> None:
        """Writes all that a later run needs to go on as if it had not stopped."""
        write_checkpoint(
            path,
            {
                "options": self._told(),
                "heads": self.heads.state_dict(),
                "average": self.average.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "images": self.images,
                "steps": self.steps,
            },
        )

    def resume(self, path: Path) -> None:
        """Takes up a checkpoint.

        Raises:
            ConfigError: It was written with other options or another stem.
        """
        state = read_checkpoint(path, self._told())
        self.heads.load_state_dict(state["heads"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.images, self.steps = state["images"], state["steps"]

    def _told(self) -> dict[str, object]:
        return {**asdict(self.options), "heads": list(self.options.heads), "stem": self.mark}


def train_heads(
    options: HeadOptions,
    stem: Path,
    learn: HeadPictures,
    validate: HeadPictures,
    out: Path,
    report: Report,
) -> dict[str, float]:
    """Trains heads and writes them into `out`; goes on where an earlier run stopped.

    Args:
        options: Which heads, how long, from which seed.
        stem: A rung's .safetensors.
        learn: Training pictures.
        validate: Validation pictures, of places and assets that `learn` does not hold.
        out: Receives the checkpoint, and HEAD.safetensors, heads.json and the .onnx files at every
            evaluation.
        report: Called with each evaluation.

    Returns:
        The last scores by name.
    """
    out.mkdir(parents=True, exist_ok=True)
    trainer = HeadTrainer(options, stem)
    if (out / CHECKPOINT).exists():
        trainer.resume(out / CHECKPOINT)
    marks = [
        options.max_images * (index + 1) // options.evaluations
        for index in range(options.evaluations)
    ]
    rows: list[dict[str, float]] = []
    while trainer.images < options.max_images:
        before = trainer.images
        rows.append(trainer.step(trainer.next_samples(learn)))
        if any(before < mark <= trainer.images for mark in marks[:-1]):
            scores = _evaluated(trainer, stem, validate, options.evaluation_images, out)
            report(HeadProgress(trainer.images, _means(rows), scores))
            rows = []
    scores = _evaluated(trainer, stem, validate, len(validate), out)
    report(HeadProgress(trainer.images, _means(rows), scores))
    return scores


def _means(rows: list[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([row[name] for row in rows])) for name in (rows or [{}])[0]}


def _evaluated(
    trainer: HeadTrainer, stem: Path, validate: HeadPictures, limit: int, out: Path
) -> dict[str, float]:
    """Scores the averaged heads, and writes them and a checkpoint."""
    heads = trainer.averaged()
    known = validate.telling
    spread = [known[round(i)] for i in np.linspace(0, len(known) - 1, min(limit, len(known)))]
    size = (trainer.options.width, trainer.options.height)
    scores = score_heads(trainer.trunk, heads, validate, spread, size)
    paths = []
    for name, head in heads.items():
        paths.append(out / f"{name}.safetensors")
        save_head(head, name, trainer.mark, paths[-1])
    export_multi(stem, paths, out)
    (out / "heads.json").write_text(json.dumps(scores, indent=2) + "\n", encoding="utf-8")
    trainer.save(out / CHECKPOINT)
    return scores
