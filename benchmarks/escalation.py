"""Early escalation: what asking a second model about the unsure frames alone brings.

    python benchmarks/escalation.py DATASET [--first nano] [--second large] [--count 300]
        [--size 640 384] [--first-weights FILE] [--second-weights FILE]

Runs both models over the same pictures, each at its own best score threshold, and prints the F1 of
sending the most doubtful share of them, by several measures of doubt and in random order. "gain" is
the share of the F1 between the two models that is reached.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from scheduler.errors import VdapError
from vehicle.perception.detections import Detections
from vehicle.perception.detector import RUNGS, DetectorSpec, load_detector
from vehicle.perception.doubt import doubt
from vehicle.perception.scores.streaming import count
from vehicle.perception.training.pictures import Pictures

SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
Floats = NDArray[np.float64]
Measure = Callable[[Detections], float]


def f1(table: NDArray[np.int64]) -> float:
    """Of rows (hits, false, missed)."""
    hits, false, missed = table.sum(axis=0)
    return float(2 * hits / max(1, 2 * hits + false + missed))


def low_mass(found: Detections) -> float:
    """Scores below 0.6, summed."""
    return float(found.score[found.score < 0.6].sum())


def mean_entropy(found: Detections) -> float:
    """Entropy per box, in bits."""
    return doubt(found) / max(1, len(found))


MEASURES: dict[str, Measure] = {
    "entropy of all boxes": doubt,
    "entropy per box": mean_entropy,
    "mass of low scores": low_mass,
    "boxes": lambda found: float(len(found)),
}


def run(options: argparse.Namespace, console: Console) -> None:
    """Both models over the pictures, and the tables."""
    width, height = options.size
    pictures = Pictures(options.dataset, width, height)
    chosen = np.linspace(0, len(pictures) - 1, min(options.count, len(pictures))).astype(int)
    first = load_detector(_spec(options.first, options.first_weights, options.size))
    second = load_detector(_spec(options.second, options.second_weights, options.size))
    rows: list[list[tuple[int, int, int]]] = [[], []]
    doubts: dict[str, list[float]] = {name: [] for name in MEASURES}
    for index in chosen:
        truth = pictures.labels[index].truth()
        looks = [model.detect(np.asarray(pictures.pixels[index])) for model in (first, second)]
        for name, measure in MEASURES.items():
            doubts[name].append(measure(looks[0]))
        for table, found in zip(rows, looks, strict=True):
            own = count(found, truth)
            table.append((own.hits, own.false, own.missed))
    near, far = (np.array(table, np.int64) for table in rows)
    console.print(
        f"{len(chosen)} pictures of {options.dataset.name}, {width}x{height}: "
        f"F1 {f1(near):.3f} {options.first}, {f1(far):.3f} {options.second}"
    )
    values = {name: np.array(each) for name, each in doubts.items()}
    values["random"] = np.random.default_rng(1).random(len(chosen))
    _show(console, near, far, values)


def _spec(name: str, weights: str | None, size: tuple[int, int]) -> DetectorSpec:
    rung = RUNGS.get(name)
    threshold = rung.cell(tuple(size)).score_threshold if rung is not None else 0.35
    return DetectorSpec(
        name, weights=weights or name, input_size=tuple(size), score_threshold=threshold
    )


def _show(
    console: Console, near: NDArray[np.int64], far: NDArray[np.int64], values: dict[str, Floats]
) -> None:
    table = Table("sent", *values, "threshold, bits", title="gain by the share of frames sent")
    base, best = f1(near), f1(far)
    for share in SHARES:
        sent = round(share * len(near))
        cells = []
        for measure in values.values():
            order = np.argsort(-measure, kind="stable")
            mixed = near.copy()
            mixed[order[:sent]] = far[order[:sent]]
            gain = (f1(mixed) - base) / (best - base) if best != base else 0.0
            cells.append(f"{gain:.2f}")
        entropy = np.sort(values["entropy of all boxes"])[::-1]
        threshold = entropy[min(sent, len(entropy) - 1)]
        table.add_row(f"{share:.0%}", *cells, f"{threshold:.2f}")
    console.print(table)


def main(arguments: list[str]) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--first", default="nano")
    parser.add_argument("--second", default="large")
    parser.add_argument("--first-weights")
    parser.add_argument("--second-weights")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--size", type=int, nargs=2, default=(640, 384))
    cv2.setNumThreads(1)
    try:
        run(parser.parse_args(arguments), Console(width=110))
    except VdapError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
