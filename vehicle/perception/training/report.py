"""What `vdap train` tells: a line and curves at each evaluation, tables at the end."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from scheduler.errors import MissingPartError
from vehicle.perception.model import load_network
from vehicle.perception.training.breakdown import by_class, by_height, by_weather
from vehicle.perception.training.evaluate import answers
from vehicle.perception.training.history import History, draw
from vehicle.perception.training.loop import Progress as Evaluation
from vehicle.perception.training.loop import TrainingOptions
from vehicle.perception.training.pictures import Pictures


class Reporter:
    """Writes to standard output, with a bar on a terminal, and RUNG.png into the folder."""

    def __init__(self, options: TrainingOptions, out: Path) -> None:
        self._options = options
        self._out = out
        self._can_draw = True
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=Console(),
            transient=True,
            disable=not sys.stdout.isatty(),
        )
        self._task = self._bar.add_task("pictures", total=options.max_images)

    def __enter__(self) -> Reporter:
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def step(self, images: int) -> None:
        """Tells of one batch; images shown so far."""
        self._bar.update(self._task, completed=images)

    def begin(self, learn: int, validate: int) -> None:
        """Says what is about to be trained; counts of pictures."""
        options = self._options
        self._line(
            f"rung {options.rung}: {learn} training pictures, {validate} for validation, "
            f"{options.max_images} to be shown, seed {options.seed}"
        )

    def __call__(self, progress: Evaluation) -> None:
        """Tells of one evaluation."""
        scores, halved = progress.scores, progress.halved
        self._line(
            f"{progress.images:>8} pictures  rate {progress.rate:.5f}  "
            f"loss {progress.score_loss:.3f} + {progress.box_loss:.3f}  "
            f"AP50 {scores.precision.ap50:.4f}  AP {scores.precision.ap:.4f}  "
            f"F1 {scores.f1:.4f} at score {scores.threshold:.2f}  "
            f"half size AP50 {halved.precision.ap50:.4f}  AP {halved.precision.ap:.4f}"
        )
        self._draw()

    def end(self, validate: Pictures) -> None:
        """Tables of the finished weights on all validation pictures, in full and half size."""
        rung = self._options.rung
        network = load_network(self._out / f"{rung}.safetensors")
        half = (validate.width // 2, validate.height // 2)
        full = answers(network, validate, len(validate))
        halved = answers(network, validate, len(validate), half)
        self._line(f"{'AP50':<16} boxes  {validate.width}x{validate.height}  {half[0]}x{half[1]}")
        weathers = validate.weathers
        for mine, theirs in (
            (by_class(full), by_class(halved)),
            (by_height(full), by_height(halved)),
            (by_weather(full, weathers), by_weather(halved, weathers)),
        ):
            for part, other in zip(mine, theirs, strict=True):
                self._line(
                    f"{part.name:<16} {part.boxes:>5}  {part.ap50:>7.3f}  {other.ap50:>7.3f}"
                )
        self._line(f"wrote {self._out / rung}.safetensors and .onnx")

    def _draw(self) -> None:
        if not self._can_draw:
            return
        rung = self._options.rung
        said = json.loads((self._out / f"{rung}.json").read_text(encoding="utf-8"))
        try:
            draw(History(said["evaluations"]), rung, self._out / f"{rung}.png")
        except MissingPartError as error:
            self._can_draw = False
            self._line(str(error))

    def _line(self, text: str) -> None:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
