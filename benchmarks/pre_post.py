"""What surrounds a model: fitting a frame to its input, and choosing boxes from its answer.

    python benchmarks/pre_post.py [--rounds 15]

Each row is held against the plain way to do it, in turns: areas at any scale for the letterbox;
maximum of each cell, then all overlaps by division for the choice. CPU time, medians.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from vehicle.perception.boxes import Letterbox, iou, letterbox
from vehicle.perception.detections import Detections
from vehicle.perception.picture_detector import select_boxes

INPUT = (640, 384)
FRAMES = ((640, 384), (640, 360), (960, 540), (1280, 720), (1920, 1080))
SCENES = ((0, 0), (10, 3), (30, 5), (60, 5))  # objects, cells that see each
CELLS = 5040  # of 640x384
RUNS = 10  # of each way in a turn


def plain_letterbox(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Areas whatever the scale, a grey picture under it."""
    fit = Letterbox.fit(frame.shape[1], frame.shape[0], *INPUT)
    padded = np.full((INPUT[1], INPUT[0], 3), 114, np.uint8)
    scaled = cv2.resize(frame, (fit.width, fit.height), interpolation=cv2.INTER_AREA)
    padded[: fit.height, : fit.width] = scaled
    return padded


def plain_choice(scores: NDArray[np.float32], xyxy: NDArray[np.float32]) -> Detections:
    """Best class of every cell, then each pair of candidates by its IoU."""
    best = scores.max(axis=1)
    candidates = np.flatnonzero(best >= 0.35)
    candidates = candidates[np.argsort(-best[candidates], kind="stable")][:300]
    class_id = scores[candidates].argmax(axis=1).astype(np.int16)
    boxes = xyxy[candidates]
    hides = (iou(boxes, boxes) > 0.6) & (class_id[:, None] == class_id)
    alive = np.ones(len(boxes), np.bool_)
    for rank in range(len(boxes)):
        if alive[rank]:
            alive[rank + 1 :] &= ~hides[rank, rank + 1 :]
    return Detections(boxes, best[candidates], class_id).select(alive)


def scene(objects: int, cells: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Scores (N, 7) and boxes (N, 4) of a street with so many objects."""
    random = np.random.default_rng(5)
    scores = random.random((CELLS, 7), np.float32) * np.float32(0.05)
    xyxy = random.uniform(0, 600, (CELLS, 4)).astype(np.float32)
    places = iter(random.permutation(CELLS))
    for _ in range(objects):
        corner, sides = random.uniform(50, 500, 2), random.uniform(10, 60, 2)
        kind = random.integers(0, 7)
        for _ in range(cells):
            at = next(places)
            scores[at, kind] = random.uniform(0.4, 1.0)
            xyxy[at] = np.concatenate([corner, corner + sides]) + random.normal(0, 1, 4)
    return scores, xyxy


def microseconds(ways: tuple[Callable[[], object], ...], rounds: int) -> list[float]:
    """Median CPU time of each way, which take turns."""
    spent: list[list[float]] = [[] for _ in ways]
    for _ in range(rounds):
        for way, own in zip(ways, spent, strict=True):
            way()
            began = time.process_time_ns()
            for _ in range(RUNS):
                way()
            own.append((time.process_time_ns() - began) / RUNS / 1e3)
    return [statistics.median(own) for own in spent]


def main() -> int:
    """Runs the benchmark."""
    it = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    it.add_argument("--rounds", type=int, default=15)
    rounds = it.parse_args().rounds
    cv2.setNumThreads(1)
    table = Table(title="microseconds of CPU time")
    for name in ("what", "ours", "plain", "ratio"):
        table.add_column(name, justify="left" if name == "what" else "right")
    random = np.random.default_rng(1)
    for width, height in FRAMES:
        frame = random.integers(0, 255, (height, width, 3)).astype(np.uint8)
        ours, plain = microseconds(
            (lambda f=frame: letterbox(f, *INPUT), lambda f=frame: plain_letterbox(f)), rounds
        )
        name = f"letterbox {width}x{height} to {INPUT[0]}x{INPUT[1]}"
        table.add_row(name, f"{ours:.0f}", f"{plain:.0f}", f"{plain / ours:.1f}")
    for objects, cells in SCENES:
        scores, xyxy = scene(objects, cells)
        ours, plain = microseconds(
            (
                lambda s=scores, b=xyxy: select_boxes(s, b, 0.35, 0.6, 100),
                lambda s=scores, b=xyxy: plain_choice(s, b),
            ),
            rounds,
        )
        name = f"boxes of {objects} objects, {objects * cells} candidates"
        table.add_row(name, f"{ours:.0f}", f"{plain:.0f}", f"{plain / ours:.1f}")
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
