"""What compression lost and gained: both models on the same pictures, timed in turns."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import process_time_ns

import numpy as np

from vehicle.perception.detector import DetectorSpec, load_detector
from vehicle.perception.rungs import INPUT_SIZES
from vehicle.perception.training.evaluate import LEAST_SCORE, answers_of, evaluate
from vehicle.perception.training.pictures import Pictures

ROUNDS = 40
WARM_UP = 3
TIMED_SCORE = 0.35  # a vehicle's threshold; with the low one of scoring, suppression would show


@dataclass(frozen=True, slots=True)
class Figures:
    """One model file at one input size.

    Attributes:
        ap50: Average precision at IoU 0.5, all classes.
        ap: Mean over IoU 0.5 to 0.95.
        ms: Median CPU time of a whole `detect` on one thread, milliseconds.
        size_bytes: Of the file.
    """

    ap50: float
    ap: float
    ms: float
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Before and after, at one input size."""

    size: tuple[int, int]
    before: Figures
    after: Figures

    @property
    def ap_loss(self) -> float:
        """How much lower AP is, 0..1; below 0 where it rose."""
        return self.before.ap - self.after.ap


def compared(
    before: Path,
    after: Path,
    pictures: Pictures,
    limit: int,
    sizes: Sequence[tuple[int, int]] = INPUT_SIZES,
    rounds: int = ROUNDS,
) -> list[Comparison]:
    """Scores and times two .onnx files of our family at each input size.

    Args:
        before: The model as it was.
        after: As it is now.
        pictures: Validation pictures.
        limit: How many of them, spread evenly.
        sizes: (width, height), pixels.
        rounds: Of timing, the two in turns, so that a busy moment disturbs both.
    """
    return [
        Comparison(size, *figures([before, after], pictures, limit, size, rounds)) for size in sizes
    ]


def figures(
    models: Sequence[Path],
    pictures: Pictures,
    limit: int,
    size: tuple[int, int],
    rounds: int = ROUNDS,
) -> list[Figures]:
    """The figures of each model at one input size, timed in turns."""
    times = latencies_ms(models, size, rounds)
    rows = []
    for model, ms in zip(models, times, strict=True):
        detector = load_detector(_spec(model, size, LEAST_SCORE))
        precision = evaluate(answers_of(detector, pictures, limit)).precision
        rows.append(Figures(precision.ap50, precision.ap, ms, model.stat().st_size))
    return rows


def latencies_ms(models: Sequence[Path], size: tuple[int, int], rounds: int) -> list[float]:
    """Median CPU milliseconds of one `detect` of each model, on one thread."""
    detectors = [load_detector(_spec(model, size, TIMED_SCORE)) for model in models]
    frame = np.random.default_rng(1).integers(0, 255, (size[1], size[0], 3)).astype(np.uint8)
    spent: list[list[float]] = [[] for _ in models]
    for _ in range(rounds + WARM_UP):
        for detector, mine in zip(detectors, spent, strict=True):
            began = process_time_ns()
            detector.detect(frame)
            mine.append((process_time_ns() - began) * 1e-6)
    return [statistics.median(mine[WARM_UP:]) for mine in spent]


def _spec(model: Path, size: tuple[int, int], score_threshold: float) -> DetectorSpec:
    return DetectorSpec(
        model.name,
        weights=str(model),
        input_size=size,
        score_threshold=score_threshold,
        backend="onnxruntime",
    )
