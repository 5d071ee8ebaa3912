"""The training loop: from scratch to a shipped rung, by a count of pictures, not by the clock."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from scheduler.errors import ConfigError
from vehicle.perception.model import RowNetwork, Size, cells, load_network, network_of
from vehicle.perception.training.augment import Cut, Sample, augmented, mosaic
from vehicle.perception.training.evaluate import Scores, answers, evaluate
from vehicle.perception.training.export import export
from vehicle.perception.training.history import History
from vehicle.perception.training.loss import Target, detection_loss
from vehicle.perception.training.pictures import Pictures
from vehicle.perception.training.schedule import (
    cosine_rate,
    follow,
    read_checkpoint,
    write_checkpoint,
)

AVERAGE_DECAY = 0.998  # of the weights that are shipped; the last 500 steps or so
WARM_UP_STEPS = 100
SAVE_EVERY = 2_000  # pictures; what a stopped run repeats at most
LEAST_RATE = 0.05  # share of the learning rate that the cosine ends at
NEAR_SHARE = 0.35  # of the whole pictures at the end, enlarged round a chosen object
NEAR_FILL = (0.2, 0.95)  # of the picture's height
# Of the samples before whole pictures are shown; the rest are cuts at any size.
MOSAIC_SHARE = 0.3
VIEW_SHARE = 0.25  # all of a picture in half its size
CLOSE_SHARE = 0.25  # cuts that a chosen object fills
CLOSE_FILL = (0.25, 1.1)  # of the sample's height
HALF_EVERY = 4  # batches of the last phase; one of them in half size, at which rungs run too
CLIP_NORM = 10.0
CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """What `vdap train` was told.

    Attributes:
        rung: One of `SIZES`.
        max_images: Training pictures shown, repeats counted.
        seed: Of weights, order and augmentation.
        batch: Pictures in one step.
        rate: Greatest learning rate of AdamW.
        decay: Weight decay of AdamW.
        whole_share: Share of the pictures, the last ones, that are shown whole at full size; the
            ones before are cuts of a quarter of that area, which cost a quarter as much.
        evaluations: During the training, on `evaluation_images`.
        evaluation_images: Of the validation set, for those; the last evaluation takes all.
    """

    rung: str = "small"
    max_images: int = 100_000
    seed: int = 1
    batch: int = 16
    rate: float = 2e-3
    decay: float = 0.03
    whole_share: float = 0.2
    evaluations: int = 8
    evaluation_images: int = 100


@dataclass(frozen=True, slots=True)
class Progress:
    """One line of the log; `halved` are the scores at half the width and height."""

    images: int
    rate: float
    score_loss: float
    box_loss: float
    scores: Scores
    halved: Scores


Report = Callable[[Progress], None]
# Of a batch (B, 3, H, W) in 0..1 and the network's raw rows (B, N, classes + 4): a scalar.
FurtherLoss = Callable[[Tensor, Tensor], Tensor]


class Trainer:
    """Network, averaged network and optimiser, at a count of pictures shown."""

    def __init__(
        self,
        options: TrainingOptions,
        size: Size | None = None,
        network: RowNetwork | None = None,
    ) -> None:
        """Starts at no pictures.

        Args:
            options: Length and seed.
            size: Another than the rung's, for tests.
            network: To go on with, in place of a random one.
        """
        torch.manual_seed(options.seed)
        self.options = options
        self.network = network or network_of(options.rung, size)
        self.size = self.network.size
        for weight in self.network.parameters():
            if weight.ndim == 4:
                weight.data = weight.data.contiguous(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.network).eval()
        weights = list(self.network.parameters())
        self.optimiser = torch.optim.AdamW(
            [
                {"params": [w for w in weights if w.ndim > 1], "weight_decay": options.decay},
                {"params": [w for w in weights if w.ndim <= 1], "weight_decay": 0.0},
            ],
            lr=options.rate,
        )
        self.images = 0
        self.steps = 0
        self.history = History()
        self.started_from = ""

    @property
    def is_whole(self) -> bool:
        """Whether the next batch shows whole pictures."""
        is_last_phase = self.images >= self.options.max_images * (1 - self.options.whole_share)
        return is_last_phase and self.steps % HALF_EVERY != 0

    @property
    def rate(self) -> float:
        """Learning rate of the next step: a short rise, then half a cosine."""
        options = self.options
        share = self.images / options.max_images
        return cosine_rate(options.rate, share, self.steps, WARM_UP_STEPS, LEAST_RATE)

    def sample(self, pictures: Pictures, index: int, random: np.random.Generator) -> Sample:
        """Picture `index` in half size: a mosaic, all of it, or a cut; at the end in full size."""
        width, height = self.size.input_width, self.size.input_height

        def shown(index: int, cut: Cut) -> Sample:
            return augmented(pictures.pixels[index], pictures.labels[index], cut, random)

        chance = random.random()
        if self.is_whole:
            # What is about to be hit fills the picture, and few recorded pictures show that.
            if chance < NEAR_SHARE:
                return shown(index, Cut(width, height, (0.85, 3.5), NEAR_FILL))
            return shown(index, Cut(width, height, (0.85, 1.3)))
        if chance < MOSAIC_SHARE:
            others = random.choice(len(pictures), 3, p=pictures.shares).tolist()
            tile = Cut(width // 4, height // 4, (0.4, 1.1))
            return mosaic([shown(each, tile) for each in (index, *others)])
        # Without the view of all, with its sky and walls, these are taken for large objects.
        if chance < MOSAIC_SHARE + VIEW_SHARE:
            return shown(index, Cut(width // 2, height // 2, (0.48, 0.55)))
        is_close = chance < MOSAIC_SHARE + VIEW_SHARE + CLOSE_SHARE
        fill, scales = (CLOSE_FILL, (0.45, 3.5)) if is_close else (None, (0.5, 1.3))
        return shown(index, Cut(width // 2, height // 2, scales, fill))

    def step(
        self, samples: list[Sample], further: FurtherLoss | None = None
    ) -> tuple[float, float]:
        """Learns from one batch; returns score loss and box loss.

        Args:
            samples: All of one size.
            further: A term to add to the loss, such as the distance to a teacher's answers.
        """
        height, width = samples[0].pixels.shape[:2]
        centres, strides = cells(width, height)
        pixels = torch.from_numpy(np.stack([sample.pixels for sample in samples]))
        batch = pixels.permute(0, 3, 1, 2).float().div_(255.0)
        batch = batch.contiguous(memory_format=torch.channels_last)
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate
        self.network.train()
        # Half precision pays on whole pictures only: on cuts its conversions cost more.
        with torch.autocast("cpu", torch.bfloat16, enabled=self.is_whole):
            rows = self.network(batch)
        loss = detection_loss(rows, [_target(sample) for sample in samples], centres, strides)
        total = loss.total if further is None else loss.total + further(batch, rows)
        self.optimiser.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), CLIP_NORM)
        self.optimiser.step()
        self.images += len(samples)
        self.steps += 1
        self.history.learnt(loss.score, loss.box)
        follow(self.average, self.network, self.steps, AVERAGE_DECAY)
        return loss.score, loss.box

    def save(self, path: Path) -> None:
        """Writes all that a later run needs to go on as if it had not stopped."""
        write_checkpoint(
            path,
            {
                "options": asdict(self.options),
                "network": self.network.state_dict(),
                "average": self.average.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "images": self.images,
                "steps": self.steps,
                "history": asdict(self.history),
                "started_from": self.started_from,
            },
        )

    def start_from(self, path: Path) -> None:
        """Begins with the weights of a .safetensors file instead of random ones.

        Raises:
            ConfigError: No such file, or one of another rung.
        """
        state = load_network(path).state_dict()
        try:
            self.network.load_state_dict(state)
            self.average.load_state_dict(state)
        except RuntimeError as error:
            raise ConfigError(f"{path}: expected weights of rung {self.options.rung!r}") from error
        self.started_from = path.name

    def resume(self, path: Path) -> None:
        """Takes up a checkpoint.

        Raises:
            ConfigError: It was written with other options.
        """
        state = read_checkpoint(path, asdict(self.options))
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.images, self.steps = state["images"], state["steps"]
        self.history = History(**state["history"])
        self.started_from = state["started_from"]


def _target(sample: Sample) -> Target:
    return Target(
        torch.from_numpy(sample.xyxy),
        torch.from_numpy(sample.class_id),
        torch.from_numpy(sample.ignored),
    )


def batch_of(trainer: Trainer, pictures: Pictures) -> list[Sample]:
    """The next batch: drawn by `Pictures.shares`, and the same whenever a run is resumed."""
    samples = []
    for number in range(trainer.images, trainer.images + trainer.options.batch):
        turn, place = divmod(number, len(pictures))
        random = np.random.default_rng((trainer.options.seed, turn, place))
        index = int(random.choice(len(pictures), p=pictures.shares))
        samples.append(trainer.sample(pictures, index, random))
    return samples


def train(
    options: TrainingOptions,
    learn: Pictures,
    validate: Pictures,
    out: Path,
    report: Report,
    size: Size | None = None,
    start: Path | None = None,
    network: RowNetwork | None = None,
    further: FurtherLoss | None = None,
    step: Callable[[int], None] = lambda _: None,
) -> Scores:
    """Trains one rung and writes it into `out`; goes on where an earlier run stopped.

    Args:
        options: Size, length and seed.
        learn: Training pictures.
        validate: Validation pictures, of places and assets that `learn` does not hold.
        out: Receives a checkpoint each `SAVE_EVERY` pictures; `rung`.safetensors, .onnx and .json
            at every evaluation.
        report: Called with each evaluation.
        size: Another than the rung's, for tests.
        start: Weights of the same rung to begin with, unless `out` holds a checkpoint.
        network: To go on with in place of a random one, such as a pruned one.
        further: A term to add to the loss of each batch.
        step: Told after each batch how many pictures were shown.

    Raises:
        ConfigError: No such rung, or `out` holds a checkpoint of other options.
    """
    out.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(options, size, network)
    if (out / CHECKPOINT).exists():
        trainer.resume(out / CHECKPOINT)
    elif start is not None:
        trainer.start_from(start)
    marks = [
        options.max_images * (index + 1) // options.evaluations
        for index in range(options.evaluations)
    ]
    while trainer.images < options.max_images:
        before = trainer.images
        trainer.step(batch_of(trainer, learn), further)
        step(trainer.images)
        if any(before < mark <= trainer.images for mark in marks[:-1]):
            _evaluated(trainer, validate, options.evaluation_images, out, report)
        elif before // SAVE_EVERY < trainer.images // SAVE_EVERY:
            trainer.save(out / CHECKPOINT)
    return _evaluated(trainer, validate, len(validate), out, report)


def _evaluated(
    trainer: Trainer, validate: Pictures, limit: int, out: Path, report: Report
) -> Scores:
    """Scores the averaged weights at both sizes; writes them, a checkpoint and what was learnt."""
    size = trainer.size
    half = (size.input_width // 2, size.input_height // 2)
    scores = evaluate(answers(trainer.average, validate, limit))
    halved = evaluate(answers(trainer.average, validate, limit, half))
    row = trainer.history.evaluated(trainer.images, scores, halved)
    export(trainer.average, trainer.options.rung, out)
    trainer.save(out / CHECKPOINT)
    params = sum(weight.numel() for weight in trainer.network.parameters())
    said = {"params": params, "ap50_by_class": scores.by_class(), **asdict(trainer.history)}
    path = out / f"{trainer.options.rung}.json"
    path.write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")
    report(
        Progress(trainer.images, trainer.rate, row["score_loss"], row["box_loss"], scores, halved)
    )
    return scores
