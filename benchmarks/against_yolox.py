"""The family against YOLOX-nano's architecture: AP50 of the same training, and time on one thread.

    python benchmarks/against_yolox.py [DATASET --rival FOLDER] [--rungs nano small ...]

FOLDER is the --out of `vdap train DATASET --rung yolox-nano`; a rung's own training is given as
--trained FOLDER, else the shipped weights are taken. All run through ONNX Runtime on one thread, in
turns, so that a busy machine disturbs them alike; times are CPU time of a whole detection. Without
a data set the times alone are printed, of untrained networks: weights do not change what one costs.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from scheduler.errors import VdapError
from vehicle.perception.detector import RUNGS, Detector, DetectorSpec, load_detector
from vehicle.perception.model import RIVAL, SIZES, network_of
from vehicle.perception.rungs import INPUT_SIZES
from vehicle.perception.training.evaluate import LEAST_SCORE, answers_of, evaluate
from vehicle.perception.training.export import export_onnx
from vehicle.perception.training.pictures import Pictures

EQUAL = 0.005  # of AP50: nearer than this is no difference
ROUNDS = 12
IN_A_ROUND = 6  # detections of each model before the next has its turn


def cpu_ms(detectors: dict[str, Detector], frames: list[np.ndarray]) -> dict[str, float]:
    """Median CPU milliseconds of one detection, all models in turns."""
    spent: dict[str, list[float]] = {name: [] for name in detectors}
    for turn in range(ROUNDS + 1):
        for name, detector in detectors.items():
            began = time.process_time_ns()
            for step in range(IN_A_ROUND):
                detector.detect(frames[(turn * IN_A_ROUND + step) % len(frames)])
            if turn:
                spent[name].append((time.process_time_ns() - began) * 1e-6 / IN_A_ROUND)
    return {name: statistics.median(values) for name, values in spent.items()}


def models_of(arguments: argparse.Namespace, folder: Path) -> dict[str, Path]:
    """The .onnx files by name; the rival's is the first."""
    if arguments.dataset is None:
        models = {name: folder / f"{name}.onnx" for name in (RIVAL, *arguments.rungs)}
        for name, path in models.items():
            export_onnx(network_of(name).eval(), path)
        return models
    models = {RIVAL: arguments.rival / f"{RIVAL}.onnx"}
    models |= {name: RUNGS[name].onnx for name in arguments.rungs if name in RUNGS}
    for trained in arguments.trained:
        models |= {path.stem: path for path in sorted(trained.glob("*.onnx"))}
    return models


def main() -> int:
    """Runs the benchmark."""
    it = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    it.add_argument("dataset", type=Path, nargs="?", help="with val/, from vdap dataset")
    it.add_argument("--rival", type=Path, help="the --out of vdap train --rung yolox-nano")
    it.add_argument(
        "--trained", type=Path, nargs="*", default=[], help="--out of a rung's training"
    )
    it.add_argument("--rungs", nargs="*", default=list(SIZES), choices=list(SIZES))
    it.add_argument("--images", type=int, default=1_000_000, help="validation pictures, at most")
    arguments = it.parse_args()
    if (arguments.dataset is None) != (arguments.rival is None):
        it.error("DATASET and --rival belong together: a score needs pictures and trained weights")
    width, height = INPUT_SIZES[0]
    try:
        with tempfile.TemporaryDirectory() as folder:
            return report(arguments, models_of(arguments, Path(folder)), width, height)
    except VdapError as error:
        sys.stderr.write(f"against_yolox: {error}\n")
        return error.exit_code


def report(arguments: argparse.Namespace, models: dict[str, Path], width: int, height: int) -> int:
    """Measures and prints."""
    scores: dict[str, tuple[float, float]] = {}
    frames = [np.random.default_rng(1).integers(0, 255, (height, width, 3)).astype(np.uint8)]
    spec = DetectorSpec("", backend="onnxruntime", input_size=(width, height))
    if arguments.dataset:
        pictures = Pictures(arguments.dataset / "val", width, height)
        frames = [np.array(pictures.pixels[at]) for at in range(0, len(pictures), 20)]
        for name, path in models.items():
            detector = load_detector(
                replace(spec, name=name, weights=str(path), score_threshold=LEAST_SCORE)
            )
            reached = evaluate(answers_of(detector, pictures, arguments.images)).precision
            scores[name] = (reached.ap50, reached.ap)
    took = cpu_ms(
        {
            name: load_detector(replace(spec, name=name, weights=str(path), score_threshold=0.35))
            for name, path in models.items()
        },
        frames,
    )
    table = Table(title=f"{width}x{height}, ONNX Runtime, 1 thread, CPU ms of a detection")
    for column in ("detector", "AP50", "AP", "ms", f"{RIVAL} takes"):
        table.add_column(column, justify="left" if column == "detector" else "right")
    for name, ms in took.items():
        shown = [f"{value:.3f}" for value in scores.get(name, ())] or ["", ""]
        table.add_row(name, *shown, f"{ms:.2f}", f"{took[RIVAL] / ms:.2f} x")
    console = Console()
    console.print(table)
    if scores:
        console.print(verdict(scores, took))
    return 0


def verdict(scores: dict[str, tuple[float, float]], took: dict[str, float]) -> str:
    """The fastest of ours that is no worse than the rival, in one line."""
    goal = scores[RIVAL][0] - EQUAL
    equal = [name for name in took if name != RIVAL and scores[name][0] >= goal]
    if not equal:
        return f"none of ours reaches {RIVAL}'s AP50 of {scores[RIVAL][0]:.3f}"
    best = min(equal, key=took.__getitem__)
    return (
        f"{best} with AP50 {scores[best][0]:.3f} against {scores[RIVAL][0]:.3f} "
        f"is {took[RIVAL] / took[best]:.2f} times as fast"
    )


if __name__ == "__main__":
    sys.exit(main())
