"""Detectors on this machine: milliseconds by stage, on one thread, on the same picture.

    python benchmarks/detectors.py [--yolox FILE] [--runs 60] [--backend auto|onnxruntime|...]

Every rung, input size and precision that ships. Prints the ratio to the first row too, because
ratios travel between machines and milliseconds do not. Times are CPU time of the process, so that a
busy machine disturbs them least.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from scheduler.errors import VdapError
from vehicle.perception.detector import RUNGS, Detector, DetectorSpec, load_detector
from vehicle.perception.tracker import Tracker

FRAME = (384, 640, 3)


def measured(detector: Detector, runs: int) -> dict[str, float]:
    """Medians in milliseconds: each stage by the wall, and the whole in CPU time."""
    random = np.random.default_rng(1)
    frame = random.integers(0, 255, FRAME).astype(np.uint8)
    stages: dict[str, list[float]] = {"pre": [], "infer": [], "post": []}
    whole = []
    for _ in range(runs + 3):
        began = time.process_time_ns()
        detector.detect(frame)
        whole.append((time.process_time_ns() - began) * 1e-6)
        for stage, spent in stages.items():
            spent.append(detector.stages_ns[stage] * 1e-6)
    row = {stage: statistics.median(spent[3:]) for stage, spent in stages.items()}
    return row | {"cpu": statistics.median(whole[3:]), "least": min(whole[3:])}


def tracker_ms(runs: int) -> tuple[float, float]:
    """Median CPU milliseconds of one update and one prediction with 30 objects."""
    from vehicle.perception.detections import Detections

    random = np.random.default_rng(2)
    corner = random.uniform(0, 500, (30, 2))
    boxes = np.concatenate([corner, corner + 40], 1).astype(np.float32)
    found = Detections(boxes, np.full(30, 0.9, np.float32), np.zeros(30, np.int16))
    tracker = Tracker()
    updates, predictions = [], []
    for index in range(runs):
        began = time.process_time_ns()
        tracker.update(found, index * 100_000_000)
        between = time.process_time_ns()
        tracker.predict(index * 100_000_000 + 50_000_000)
        updates.append((between - began) * 1e-6)
        predictions.append((time.process_time_ns() - between) * 1e-6)
    return statistics.median(updates), statistics.median(predictions)


def main() -> int:
    """Runs the benchmark."""
    it = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    it.add_argument("--runs", type=int, default=60)
    it.add_argument("--backend", default="auto")
    it.add_argument("--yolox", type=Path, help="a YOLOX model file to compare with")
    arguments = it.parse_args()
    specs = [
        DetectorSpec(name, backend=arguments.backend, input_size=size, precision=precision)
        for name, rung in RUNGS.items()
        for size, cells in rung.cells.items()
        for precision in cells
    ]
    if arguments.yolox:
        specs.append(DetectorSpec("yolox", kind="yolox", weights=str(arguments.yolox)))
    table = Table(title=f"640x384 frame, 1 thread, median of {arguments.runs}, ms")
    for column in ("detector", "pre", "infer", "post", "CPU", "least", "ratio", "AP50"):
        table.add_column(column, justify="left" if column == "detector" else "right")
    first = None
    try:
        for spec in specs:
            row = measured(load_detector(spec, threads=1), arguments.runs)
            first = first or row["cpu"]
            rung = RUNGS.get(spec.name)
            size = "x".join(map(str, spec.input_size or ()))
            table.add_row(
                f"{spec.name} {size} {spec.precision if rung else ''}".strip(),
                *(f"{row[key]:.2f}" for key in ("pre", "infer", "post", "cpu", "least")),
                f"{row['cpu'] / first:.2f}",
                f"{rung.cell(spec.input_size, spec.precision).ap50:.3f}" if rung else "",
            )
    except VdapError as error:
        sys.stderr.write(f"detectors: {error}\n")
        return error.exit_code
    console = Console()
    console.print(table)
    update, prediction = tracker_ms(arguments.runs)
    console.print(f"tracker, 30 objects: update {update:.2f} ms, prediction {prediction:.3f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
