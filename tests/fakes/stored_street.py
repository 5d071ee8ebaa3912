"""A drive's file for tests: one car goes by; `good` finds it always, `poor` seldom."""

from pathlib import Path

import msgspec
import numpy as np

from sim.evaluation.detect.stored import (
    BOX_ARRAYS,
    FORMAT,
    FRAME_ARRAYS,
    TRUTH_ARRAYS,
    VERSION,
    About,
)
from vehicle.perception.classes import CLASSES

WIDTH, HEIGHT = 640, 384
RUNGS = ["good", "poor"]
QUALITIES = ["raw", "80", "60", "40"]


def car_at(frame: int, still_until: int) -> tuple[float, float, float, float]:
    """Pixels; it stands, then drives to the right."""
    x = 60.0 + 8.0 * max(0, frame - still_until)
    return x, 150.0, x + 90.0, 210.0


def write(path: Path, frames: int = 60, rate_hz: float = 10.0, still_until: int = 20) -> Path:
    """A file of stored detections with truth, poses and thumbs."""
    about = About(
        FORMAT, VERSION, "0", "street", "run", "", ["ego"], ["front"], list(CLASSES), RUNGS,
        [(WIDTH, HEIGHT)], QUALITIES, [], 0.1, {}, {},
    )  # fmt: skip
    arrays = {name: np.zeros((frames, *tail), kind) for name, (kind, tail) in FRAME_ARRAYS.items()}
    arrays["tick"] = np.arange(1, frames + 1, dtype="<i8")
    arrays["sim_ns"] = np.round(np.arange(frames) * 1e9 / rate_hz).astype("<i8")
    arrays["stamp_ns"] = arrays["sim_ns"].copy()
    arrays["width"][:], arrays["height"][:] = WIDTH, HEIGHT
    arrays["intrinsics"][:] = (320.0, 320.0, 320.0, 192.0)
    arrays["camera_from_vehicle"][:, 2] = 1.5
    arrays["pose"][:, 0] = np.arange(frames) * 0.8
    arrays["speed"][:] = 8.0
    arrays["truth_count"][:], arrays["has_truth"][:] = 1, True
    cars = np.array([car_at(frame, still_until) for frame in range(frames)], "<f4")
    truth = {name: np.zeros((frames, *tail), kind) for name, (kind, tail) in TRUTH_ARRAYS.items()}
    truth["truth_xyxy"], truth["truth_visibility"][:] = cars, 1.0
    truth["truth_actor"][:] = 7
    finds = [[True] * frames, [frame % 20 < 3 for frame in range(frames)]]
    counts = np.zeros((frames, len(RUNGS), 1, len(QUALITIES)), "<u2")
    boxes = []
    for frame in range(frames):
        for rung in range(len(RUNGS)):
            for quality in range(len(QUALITIES)):
                if finds[rung][frame]:
                    counts[frame, rung, 0, quality] = 1
                    boxes.append(cars[frame])
    box = {name: np.zeros((len(boxes), *tail), kind) for name, (kind, tail) in BOX_ARRAYS.items()}
    box["box_xyxy"] = np.round(np.array(boxes) * 16).astype("<i2")
    box["box_score"][:] = 60_000
    jpeg = np.zeros((frames, 1, len(QUALITIES)), "<u4")
    jpeg[:] = [0, 30_000, 20_000, 12_000]
    luma = np.full((frames, 48, 80), 100, np.uint8)
    for frame, (x1, y1, x2, y2) in enumerate(cars):
        luma[frame, int(y1 / 8) : int(y2 / 8), int(x1 / 8) : int(x2 / 8)] = 200
    told = np.frombuffer(msgspec.json.encode(about), np.uint8)
    payload = np.zeros((frames, len(RUNGS), 1), "<u4")
    np.savez_compressed(
        path, about=told, **arrays, **truth, **box, box_count=counts, jpeg_bytes=jpeg,
        payload_bytes=payload, luma=luma,
    )  # fmt: skip
    return path
