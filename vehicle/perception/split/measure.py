"""What a split costs and keeps: bytes, average precision, and milliseconds of both halves."""

from __future__ import annotations

import statistics
from pathlib import Path
from time import process_time_ns

import numpy as np

from vehicle.perception.detector import DetectorSpec, load_detector
from vehicle.perception.rungs import INPUT_SIZES
from vehicle.perception.split.codec import Decoder, Encoder
from vehicle.perception.split.table import SplitCell
from vehicle.perception.training.evaluate import LEAST_SCORE, answers_of, evaluate, spread
from vehicle.perception.training.pictures import Pictures


def measured_split(
    encoder: Path, decoder: Path, full: Path, pictures: Pictures, limit: int
) -> dict[tuple[int, int], SplitCell]:
    """Figures by input size.

    Args:
        encoder: .onnx of the first half.
        decoder: Of the second.
        full: Of the rung in one piece.
        pictures: Validation pictures.
        limit: How many of them, spread evenly.
    """
    return {size: _cell(encoder, decoder, full, pictures, limit, size) for size in INPUT_SIZES}


def _cell(
    encoder: Path, decoder: Path, full: Path, pictures: Pictures, limit: int, size: tuple[int, int]
) -> SplitCell:
    spec = DetectorSpec(
        "full",
        weights=str(full),
        input_size=size,
        score_threshold=LEAST_SCORE,
        backend="onnxruntime",
    )
    first, second = Encoder("split", encoder, size), Decoder(spec, decoder)
    whole = load_detector(spec)
    lengths, found, spent = [], [], []
    for index in spread(len(pictures), limit):
        frame = np.array(pictures.pixels[index])
        began = process_time_ns()
        payload = first.encode(frame)
        between = process_time_ns()
        found.append((second.detect(payload), pictures.labels[index].truth()))
        decoded = process_time_ns()
        whole.detect(frame)
        spent.append((between - began, decoded - between, process_time_ns() - decoded))
        lengths.append(len(payload))
    scores = evaluate(found)
    precision = evaluate(answers_of(whole, pictures, limit)).precision
    encoder_ms, decoder_ms, full_ms = (statistics.median(part) * 1e-6 for part in zip(*spent))  # noqa: B905
    return SplitCell(
        bytes_mean=round(statistics.fmean(lengths)),
        bytes_p95=round(float(np.percentile(lengths, 95))),
        ap50=round(scores.precision.ap50, 4),
        ap=round(scores.precision.ap, 4),
        f1=round(scores.f1, 4),
        score_threshold=scores.threshold,
        full_ap50=round(precision.ap50, 4),
        full_ap=round(precision.ap, 4),
        encoder_ms=round(encoder_ms, 2),
        decoder_ms=round(decoder_ms, 2),
        full_ms=round(full_ms, 2),
    )
