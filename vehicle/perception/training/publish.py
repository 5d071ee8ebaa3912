"""Ships a trained rung: copies its files beside the code and enters what was measured of it."""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
from pathlib import Path
from time import process_time_ns

import numpy as np

from scheduler.errors import ConfigError, VdapError
from vehicle.perception.detector import DetectorSpec, load_detector
from vehicle.perception.rungs import WEIGHTS

TABLE = "rungs.json"
LATENCY_RUNS = 100


def latency_ms(model: Path, width: int, height: int, runs: int = LATENCY_RUNS) -> float:
    """Median CPU time of a whole `detect` on one thread: what it takes on a core of its own."""
    detector = load_detector(DetectorSpec("measured", weights=str(model)), threads=1)
    frame = np.random.default_rng(1).integers(0, 255, (height, width, 3)).astype(np.uint8)
    spent = []
    for _ in range(runs + 5):
        began = process_time_ns()
        detector.detect(frame)
        spent.append((process_time_ns() - began) * 1e-6)
    return statistics.median(spent[5:])


def publish(trained: Path, rung: str, weights: Path = WEIGHTS) -> dict[str, object]:
    """Copies `rung` from a training's folder and returns its row in the table.

    Raises:
        ConfigError: The folder holds no such rung.
    """
    source = trained / f"{rung}.json"
    if not source.is_file():
        raise ConfigError(f"publish: no {source}; train it with vdap train --rung {rung}")
    row: dict[str, object] = json.loads(source.read_text(encoding="utf-8"))
    weights.mkdir(parents=True, exist_ok=True)
    for suffix in (".safetensors", ".onnx"):
        shutil.copyfile(trained / f"{rung}{suffix}", weights / f"{rung}{suffix}")
    width, height = row["width"], row["height"]
    assert isinstance(width, int)
    assert isinstance(height, int)
    row["latency_ms"] = round(latency_ms(weights / f"{rung}.onnx", width, height), 2)
    path = weights / TABLE
    table = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    table[rung] = row
    ordered = {name: table[name] for name in sorted(table, key=lambda n: table[n]["params"])}
    path.write_text(json.dumps(ordered, indent=2) + "\n", encoding="utf-8")
    return row


def main(argv: list[str] | None = None) -> int:
    """Runs `python -m vehicle.perception.training.publish FOLDER`; returns the exit code."""
    it = argparse.ArgumentParser(prog="publish", description=__doc__)
    it.add_argument("trained", type=Path, help="the --out of a vdap train")
    it.add_argument("--rung", choices=("small", "large"), required=True)
    arguments = it.parse_args(argv)
    try:
        row = publish(arguments.trained, arguments.rung)
    except VdapError as error:
        sys.stderr.write(f"publish: {error}\n")
        return error.exit_code
    sys.stdout.write(f"{arguments.rung}: {json.dumps(row)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
