"""Writes both halves of a split rung as .onnx files that know each other."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper

from vehicle.perception.model import Network, folded
from vehicle.perception.split.bottleneck import Bottleneck, DecoderHalf, EncoderHalf
from vehicle.perception.split.code_table import CodeTable
from vehicle.perception.split.payload import CODE_STRIDE
from vehicle.perception.training.export import write_module, write_onnx

PAIR, CODES = "pair", "codes"  # notes in both files
HALFWAY = {"codes": ("", "rows", "columns", "")}
ANSWERS = {"scores": ("cells", ""), "boxes": ("cells", "")}


def halves(network: Network, bottleneck: Bottleneck) -> tuple[EncoderHalf, DecoderHalf]:
    """Both halves as they run, batch norm folded in; the encoder takes a picture of 0..255."""
    network, bottleneck = folded(network), folded(bottleneck)
    with torch.no_grad():
        network.first.weight.mul_(1.0 / 255.0)
    return EncoderHalf(network, bottleneck).eval(), DecoderHalf(network, bottleneck).eval()


def export_halves(
    network: Network,
    bottleneck: Bottleneck,
    pictures: Iterable[NDArray[np.uint8]],
    encoder: Path,
    decoder: Path,
) -> None:
    """Writes both files, for all input sizes.

    Encoder: "picture" (1, height, width, 3) uint8 BGR to "codes" (1, rows, columns, channels)
    uint8. Decoder: "codes" to "scores" (N, classes) and "boxes" (N, 4) in pixels of the picture.

    Args:
        network: The rung.
        bottleneck: Trained with it.
        pictures: (H, W, 3) uint8 BGR of the training set, on which the words are counted.
        encoder: Where to write.
        decoder: Where to write.
    """
    first, second = halves(network, bottleneck)
    size = network.size
    write_onnx(first, HALFWAY, (size.input_width, size.input_height), encoder)
    rows, columns = size.input_height // CODE_STRIDE, size.input_width // CODE_STRIDE
    codes = torch.zeros((1, rows, columns, bottleneck.shape.channels), dtype=torch.uint8)
    write_module(second, codes, HALFWAY, ANSWERS, decoder)
    shape = bottleneck.shape
    with torch.inference_mode():
        seen = [first(torch.from_numpy(np.array(picture))[None])[0].numpy() for picture in pictures]
    table = CodeTable.counted(seen, shape.channels, shape.levels).to_text()
    notes = {PAIR: str(zlib.crc32(table.encode(), _weights(encoder, decoder))), CODES: table}
    for path in (encoder, decoder):
        model = onnx.load(str(path))
        onnx.helper.set_model_props(model, notes)
        onnx.save(model, str(path))


def _weights(*paths: Path) -> int:
    """A number that other weights do not share."""
    value = 0
    for path in paths:
        for constant in onnx.load(str(path)).graph.initializer:
            value = zlib.crc32(numpy_helper.to_array(constant).tobytes(), value)
    return value
