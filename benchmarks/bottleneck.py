"""Bytes against average precision: a split's learned codes, and JPEG of the same pictures.

    python benchmarks/bottleneck.py DATASET [--rung medium] [--size 320x192] [--images 300]
        [--weights FOLDER] [--qualities 10 20 30 40 60 80]

Both go through the same weights at the same input size, on the same validation pictures. `ms on
board` is what the vehicle pays to make the bytes, `ms at the unit` what answers them; CPU time on
one thread. A JPEG is cut to the input size before it is encoded, as a split's picture is.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from time import process_time_ns

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from scheduler.errors import VdapError
from vehicle.perception.boxes import letterbox
from vehicle.perception.detections import Detections
from vehicle.perception.detector import DetectorSpec, load_detector
from vehicle.perception.jpeg import decode_jpeg
from vehicle.perception.rungs import WEIGHTS
from vehicle.perception.split.codec import load_decoder, load_encoder
from vehicle.perception.training.evaluate import LEAST_SCORE, evaluate, spread
from vehicle.perception.training.pictures import Pictures


@dataclass(frozen=True, slots=True)
class Way:
    """One way to send a picture."""

    name: str
    send: Callable[[np.ndarray], bytes]
    answer: Callable[[bytes], Detections]


def ways(spec: DetectorSpec, qualities: list[int]) -> list[Way]:
    """JPEG at each quality, and the split."""
    whole = load_detector(spec)
    encoder, decoder = load_encoder(spec), load_decoder(spec)
    assert spec.input_size is not None
    width, height = spec.input_size

    def jpeg(quality: int) -> Callable[[np.ndarray], bytes]:
        def send(frame: np.ndarray) -> bytes:
            picture, _ = letterbox(frame, width, height)
            _, packed = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
            return packed.tobytes()

        return send

    def answer(payload: bytes) -> Detections:
        return whole.detect(decode_jpeg(payload, width, height))

    rows = [Way(f"JPEG q{quality}", jpeg(quality), answer) for quality in qualities]
    return [*rows, Way("split", encoder.encode, decoder.detect)]


def measured(way: Way, pictures: Pictures, limit: int, size: tuple[int, int]) -> list[str]:
    """The row of one way."""
    lengths, on_board, at_unit, found = [], [], [], []
    factor = np.array([pictures.width / size[0], pictures.height / size[1]] * 2, np.float32)
    for index in spread(len(pictures), limit):
        frame = np.array(pictures.pixels[index])
        began = process_time_ns()
        payload = way.send(frame)
        sent = process_time_ns()
        boxes = way.answer(payload)
        at_unit.append((process_time_ns() - sent) * 1e-6)
        on_board.append((sent - began) * 1e-6)
        lengths.append(len(payload))
        if way.name != "split":  # in pixels of the small picture
            boxes = replace(boxes, xyxy=boxes.xyxy * factor)
        found.append((boxes, pictures.labels[index].truth()))
    precision = evaluate(found).precision
    return [
        way.name,
        f"{statistics.fmean(lengths):.0f}",
        f"{np.percentile(lengths, 95):.0f}",
        f"{precision.ap50:.4f}",
        f"{precision.ap:.4f}",
        f"{statistics.median(on_board):.2f}",
        f"{statistics.median(at_unit):.2f}",
    ]


def main() -> int:
    """Prints the table."""
    it = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    it.add_argument("dataset", type=Path)
    it.add_argument("--rung", default="medium")
    it.add_argument("--weights", type=Path, default=WEIGHTS, help="folder of RUNG.onnx and halves")
    it.add_argument("--size", default="320x192")
    it.add_argument("--images", type=int, default=300)
    it.add_argument("--qualities", type=int, nargs="+", default=[10, 20, 30, 40, 60, 80])
    arguments = it.parse_args()
    cv2.setNumThreads(1)
    width, height = (int(side) for side in arguments.size.split("x"))
    spec = DetectorSpec(
        arguments.rung,
        weights=str(arguments.weights / f"{arguments.rung}.onnx"),
        input_size=(width, height),
        score_threshold=LEAST_SCORE,
        backend="onnxruntime",
    )
    table = Table(title=f"{arguments.rung} at {width}x{height}, {arguments.images} pictures")
    for head in ("way", "bytes", "p95", "AP50", "AP", "ms on board", "ms at the unit"):
        table.add_column(head, justify="left" if head == "way" else "right")
    try:
        pictures = Pictures(arguments.dataset / "val", 640, 384)
        for way in ways(spec, arguments.qualities):
            table.add_row(*measured(way, pictures, arguments.images, (width, height)))
    except VdapError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    Console(width=100).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
