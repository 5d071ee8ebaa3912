"""Trains a bottleneck by a count of pictures; the frozen rung teaches it, and no label is read."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from vehicle.perception.compression.distill import answer_distance
from vehicle.perception.model import Network, folded
from vehicle.perception.split.bottleneck import (
    STAGES_ON_BOARD,
    Bottleneck,
    Shape,
    bits_per_code,
    feature_channels,
    levels_from,
)
from vehicle.perception.training.augment import Cut, augmented
from vehicle.perception.training.pictures import Pictures
from vehicle.perception.training.schedule import (
    cosine_rate,
    read_checkpoint,
    write_checkpoint,
)

CHECKPOINT = "bottleneck.pt"
WARM_UP_STEPS = 50
LEAST_RATE = 0.03  # share of the learning rate that the cosine ends at
WHOLE_SHARE = 0.5  # of the samples: all of a picture in half size, at which a split is used most
ANSWER_WEIGHT = 1.0  # of the rows' distance beside that of the features
RATE_STEP = 0.02  # of the price of a bit, for each step that misses the wished bits
LEAST_PRICE, MOST_PRICE = 1e-3, 1.0


@dataclass(frozen=True, slots=True)
class SplitOptions:
    """How a bottleneck is trained.

    Attributes:
        max_images: Training pictures shown, repeats counted.
        seed: Of weights, order and augmentation.
        batch: Pictures in one step.
        rate: Greatest learning rate of Adam.
        bits: Wished mean entropy of a code; fewer cost average precision.
        shape: Of the bottleneck.
    """

    max_images: int = 24_000
    seed: int = 1
    batch: int = 8
    rate: float = 3e-3
    bits: float = 3.0
    shape: Shape = field(default_factory=Shape)

    def with_channels(self, channels: int) -> SplitOptions:
        """The same with another number of channels."""
        return replace(self, shape=replace(self.shape, channels=channels))


@dataclass(frozen=True, slots=True)
class SplitProgress:
    """One line of the log."""

    images: int
    loss: float
    bits: float


class SplitTrainer:
    """A bottleneck in training between the halves of a frozen rung."""

    def __init__(self, network: Network, options: SplitOptions) -> None:
        torch.manual_seed(options.seed)
        self.options = options
        self.network = folded(network)
        for weight in self.network.parameters():
            weight.requires_grad_(False)
            if weight.ndim == 4:
                weight.data = weight.data.contiguous(memory_format=torch.channels_last)
        self.bottleneck = Bottleneck(feature_channels(network), options.shape)
        self.optimiser = torch.optim.Adam(self.bottleneck.parameters(), lr=options.rate)
        self.images = 0
        self.steps = 0
        self.price = 0.02  # of a bit, in units of the loss; follows the wished bits

    @property
    def rate(self) -> float:
        """Learning rate of the next step: a short rise, then half a cosine."""
        options = self.options
        share = self.images / options.max_images
        return cosine_rate(options.rate, share, self.steps, WARM_UP_STEPS, LEAST_RATE)

    def step(self, pixels: NDArray[np.uint8]) -> tuple[float, float]:
        """Learns from a batch (B, H, W, 3) uint8 BGR; returns the loss and the bits of a code."""
        batch = torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div_(255.0)
        batch = batch.contiguous(memory_format=torch.channels_last)
        with torch.no_grad():
            backbone = self.network.backbone
            features = backbone.stem(batch)
            for stage in backbone.stages[:STAGES_ON_BOARD]:
                features = stage(features)
            wanted = levels_from(self.network, features)
            wanted_rows = self.network.rows(self.network.neck(wanted))
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate
        self.bottleneck.train()
        restored, codes = self.bottleneck(features)
        levels = levels_from(self.network, restored)
        rows = self.network.rows(self.network.neck(levels))
        loss = sum(
            map(_distance, levels, wanted), ANSWER_WEIGHT * answer_distance(rows, wanted_rows)
        )
        bits = bits_per_code(codes, self.options.shape.levels)
        self.optimiser.zero_grad()
        (loss + self.price * bits).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.bottleneck.parameters(), 5.0)
        self.optimiser.step()
        self._follow(float(bits.detach()))
        self.images += len(pixels)
        self.steps += 1
        return float(loss.detach()), float(bits.detach())

    def _follow(self, bits: float) -> None:
        """Moves the price of a bit so that the codes come to need as many as were wished."""
        miss = float(np.clip(bits - self.options.bits, -1.0, 1.0))
        self.price = float(
            np.clip(self.price * math.exp(RATE_STEP * miss), LEAST_PRICE, MOST_PRICE)
        )

    def save(self, path: Path) -> None:
        """Writes all that a later run needs to go on."""
        write_checkpoint(
            path,
            {
                "options": asdict(self.options),
                "bottleneck": self.bottleneck.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "images": self.images,
                "steps": self.steps,
                "price": self.price,
            },
        )

    def resume(self, path: Path) -> None:
        """Takes up a checkpoint.

        Raises:
            ConfigError: It was written with other options.
        """
        state = read_checkpoint(path, asdict(self.options))
        self.bottleneck.load_state_dict(state["bottleneck"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.images, self.steps, self.price = state["images"], state["steps"], state["price"]


def _distance(given: Tensor, wanted: Tensor) -> Tensor:
    """Mean squared error in units of the wanted features' variance."""
    return functional.mse_loss(given, wanted) / (wanted.var() + 1e-6)


def batch_of(trainer: SplitTrainer, pictures: Pictures) -> NDArray[np.uint8]:
    """The next batch (B, H / 2, W / 2, 3), the same whenever a run is resumed."""
    options = trainer.options
    width, height = pictures.width // 2, pictures.height // 2
    samples = []
    for number in range(trainer.images, trainer.images + options.batch):
        turn, place = divmod(number, len(pictures))
        order = np.random.default_rng((options.seed, turn)).permutation(len(pictures))
        random = np.random.default_rng((options.seed, turn, place))
        scales = (0.5, 0.52) if random.random() < WHOLE_SHARE else (0.5, 1.2)
        at = int(order[place])
        cut = Cut(width, height, scales)
        samples.append(augmented(pictures.pixels[at], pictures.labels[at], cut, random).pixels)
    return np.stack(samples)


def train_bottleneck(
    network: Network,
    options: SplitOptions,
    pictures: Pictures,
    out: Path,
    report: Callable[[SplitProgress], None],
    start: Bottleneck | None = None,
    lines: int = 10,
) -> Bottleneck:
    """Trains a bottleneck for `network`; goes on where an earlier run in `out` stopped.

    Args:
        network: The rung, which stays as it is.
        options: Length, seed and bits.
        pictures: Of the training set.
        out: Receives the checkpoint.
        report: Called `lines` times.
        start: One of the same shape to begin with.
        lines: Of the log; at each of them a checkpoint is written.
    """
    out.mkdir(parents=True, exist_ok=True)
    trainer = SplitTrainer(network, options)
    if (out / CHECKPOINT).exists():
        trainer.resume(out / CHECKPOINT)
    elif start is not None:
        trainer.bottleneck.load_state_dict(start.state_dict())
    every = max(1, options.max_images // lines)
    since: list[tuple[float, float]] = []
    while trainer.images < options.max_images:
        before = trainer.images // every
        since.append(trainer.step(batch_of(trainer, pictures)))
        if trainer.images // every > before or trainer.images >= options.max_images:
            loss, bits = np.mean(since, axis=0)
            report(SplitProgress(trainer.images, float(loss), float(bits)))
            trainer.save(out / CHECKPOINT)
            since = []
    return trainer.bottleneck.eval()
