"""Ships a trained rung: its files beside the code, measured as they run, with a model card."""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from time import process_time_ns
from typing import Any

import numpy as np

from scheduler.errors import ConfigError, MissingPartError, VdapError
from vehicle.perception.detector import Detector, DetectorSpec, load_detector
from vehicle.perception.model import load_network
from vehicle.perception.rungs import INPUT_SIZES, TABLE, WEIGHTS, Cell
from vehicle.perception.training.card import Measured, write_card
from vehicle.perception.training.evaluate import LEAST_SCORE, answers_of, evaluate
from vehicle.perception.training.export import export_onnx, shorten_names
from vehicle.perception.training.pictures import Pictures

LATENCY_RUNS = 100


def latency_ms(detector: Detector, width: int, height: int, runs: int = LATENCY_RUNS) -> float:
    """Median CPU time of a whole `detect` of a frame that fits: what it takes on one core."""
    frame = np.random.default_rng(1).integers(0, 255, (height, width, 3)).astype(np.uint8)
    spent = []
    for _ in range(runs + 5):
        began = process_time_ns()
        detector.detect(frame)
        spent.append((process_time_ns() - began) * 1e-6)
    return statistics.median(spent[5:])


def measured(model: Path, size: tuple[int, int], validate: Pictures, limit: int) -> Measured:
    """Scores and times one model file at one input size, through the runtime that ships it."""
    spec = DetectorSpec(
        "measured", weights=str(model), input_size=size, score_threshold=LEAST_SCORE
    )
    found = answers_of(load_detector(spec, threads=1), validate, limit)
    scores = evaluate(found)
    shown = DetectorSpec(
        "measured", weights=str(model), input_size=size, score_threshold=scores.threshold
    )
    cell = Cell(
        ap50=round(scores.precision.ap50, 4),
        ap=round(scores.precision.ap, 4),
        ap50_by_class=scores.by_class(),
        f1=round(scores.f1, 4),
        score_threshold=scores.threshold,
        latency_ms=round(latency_ms(load_detector(shown, threads=1), *size), 2),
    )
    return Measured(size, "int8" if model.name.endswith(".int8.onnx") else "fp32", cell, found)


def publish(
    trained: Path,
    dataset: Path,
    rung: str,
    weights: Path = WEIGHTS,
    *,
    limit: int = 1_000_000,
    int8: bool = True,
    before: Sequence[Path] = (),
) -> list[Measured]:
    """Copies `rung` from a training's folder, makes its models, measures each, writes its card.

    Args:
        trained: The --out of a training.
        dataset: Its data set: pictures to calibrate with and to score on.
        rung: Name of the files.
        weights: Receives `rung`.safetensors, .onnx, .int8.onnx and .md, and its row in the table.
        limit: Validation pictures, at most.
        int8: Whether to make the quantised model too.
        before: Folders of the trainings whose weights this one began with, in order.

    Raises:
        ConfigError: The folder holds no such rung.
    """
    source = trained / f"{rung}.safetensors"
    if not source.is_file():
        raise ConfigError(f"publish: no {source}; train it with vdap train --rung {rung}")
    weights.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, weights / source.name)
    network = load_network(source)
    width, height = network.size.input_width, network.size.input_height
    learn = Pictures(dataset / "train", width, height)
    validate = Pictures(dataset / "val", width, height)
    models = [weights / f"{rung}.onnx"]
    export_onnx(network, models[0])
    if int8:
        models.append(weights / f"{rung}.int8.onnx")
        _quantised(models[0], learn, models[1])
    cells = [measured(model, size, validate, limit) for size in INPUT_SIZES for model in models]
    params = sum(weight.numel() for weight in network.parameters())
    _enter(weights / TABLE, rung, params, cells)
    write_card(weights / f"{rung}.md", rung, params, cells, validate, learn, [*before, trained])
    return cells


def _quantised(model: Path, pictures: Pictures, out: Path) -> None:
    try:
        from vehicle.perception.compression.quantize import quantise
    except ImportError as error:
        raise MissingPartError(
            f"{error.name} is not installed: pip install 'vdap[torch,cpu]'"
        ) from error
    quantise(model, pictures, out)
    shorten_names(out)


def _enter(path: Path, rung: str, params: int, cells: list[Measured]) -> None:
    """Replaces the rung's row in the table, whose order is that of the parameters."""
    table: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    row: dict[str, dict[str, Any]] = {}
    for one in cells:
        row.setdefault("x".join(map(str, one.size)), {})[one.precision] = asdict(one.cell)
    table[rung] = {"params": params, "cells": row}
    ordered = {name: table[name] for name in sorted(table, key=lambda n: int(table[n]["params"]))}
    path.write_text(json.dumps(ordered, indent=2) + "\n", encoding="utf-8")


def main(argv: list[str] | None = None) -> int:
    """Runs `python -m vehicle.perception.training.publish`; returns the exit code."""
    it = argparse.ArgumentParser(prog="publish", description=__doc__)
    it.add_argument("trained", type=Path, help="the --out of a vdap train")
    it.add_argument("dataset", type=Path, help="the folder it was trained on")
    it.add_argument("--rung", required=True)
    it.add_argument("--images", type=int, default=1_000_000, help="validation pictures, at most")
    it.add_argument(
        "--before", type=Path, nargs="*", default=[], help="--out of the trainings it began with"
    )
    it.add_argument("--no-int8", action="store_true", help="ship it in full precision alone")
    it.add_argument("--out", type=Path, default=WEIGHTS)
    arguments = it.parse_args(argv)
    try:
        cells = publish(
            arguments.trained,
            arguments.dataset,
            arguments.rung,
            arguments.out,
            limit=arguments.images,
            int8=not arguments.no_int8,
            before=arguments.before,
        )
    except VdapError as error:
        sys.stderr.write(f"publish: {error}\n")
        return error.exit_code
    for one in cells:
        sys.stdout.write(
            f"{arguments.rung} {one.size[0]}x{one.size[1]} {one.precision}  "
            f"AP50 {one.cell.ap50:.4f}  AP {one.cell.ap:.4f}  F1 {one.cell.f1:.4f} at score "
            f"{one.cell.score_threshold:.2f}  {one.cell.latency_ms:.2f} ms\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
