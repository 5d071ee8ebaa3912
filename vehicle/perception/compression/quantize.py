"""Turns a rung's .onnx into int8: weights and activations of its convolutions, by calibration.

Static quantisation after training (Jacob et al., Quantization and Training of Neural Networks, CVPR
2018) in the QDQ form, which ONNX Runtime, OpenVINO and TensorRT read. Activations are unsigned with
a zero point, weights signed with one scale for each output channel.
"""

from __future__ import annotations

import io
import logging
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.calibrate import CalibrationDataReader

from scheduler.errors import ConfigError
from vehicle.perception.training.pictures import Pictures

CALIBRATION_PICTURES = 100
PERCENTILE = 99.995  # of an activation's values that stay in range, for that calibration
QUANTISED = ("Conv", "Relu", "Add", "Resize")  # what lies between: none goes back to float


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model is quantised; the defaults are what the shipped rungs use.

    Attributes:
        calibration: "minmax", "percentile" or "entropy": how the range of an activation is found.
            The last two cut rare large values off, which makes all others finer.
        is_per_channel: One scale for each output channel of a weight, or one for all of them.
        float_layers: Convolutions, the first ones, that stay in float. The very first has three
            inputs, for which integer kernels are slower than float ones.
    """

    calibration: str = "minmax"
    is_per_channel: bool = True
    float_layers: int = 1


METHODS = {
    "minmax": CalibrationMethod.MinMax,
    "percentile": CalibrationMethod.Percentile,
    "entropy": CalibrationMethod.Entropy,
}


def chosen_pictures(
    pictures: Pictures, count: int = CALIBRATION_PICTURES, seed: int = 1
) -> Iterator[NDArray[np.uint8]]:
    """Pictures (H, W, 3) to calibrate with, spread evenly over the weathers of the data set."""
    for index in spread(pictures.weathers, count, seed):
        yield np.array(pictures.pixels[index])


def spread(kinds: Sequence[str], count: int, seed: int) -> list[int]:
    """`count` places in `kinds`, each kind in turn, by chance within a kind."""
    random = np.random.default_rng(seed)
    queues = {
        kind: random.permutation([at for at, mine in enumerate(kinds) if mine == kind]).tolist()
        for kind in sorted(set(kinds))
    }
    chosen: list[int] = []
    while len(chosen) < min(count, len(kinds)):
        for queue in queues.values():
            if queue and len(chosen) < count:
                chosen.append(int(queue.pop()))
    return chosen


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """Hands pictures to the calibration one at a time, so that it never holds two passes."""

    def __init__(self, name: str, pictures: list[NDArray[np.uint8]]) -> None:
        self._name = name
        self._pictures = pictures
        self._range = range(0)

    def __len__(self) -> int:
        return len(self._pictures)

    def set_range(self, start_index: int, end_index: int) -> None:
        self._range = range(start_index, end_index)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        if not self._range:
            return None
        picture = self._pictures[self._range[0]]
        self._range = self._range[1:]
        return {self._name: picture[None]}


def quantise(
    onnx_in: Path,
    pictures: Pictures | Iterable[NDArray[np.uint8]],
    onnx_out: Path,
    recipe: Recipe | None = None,
) -> None:
    """Writes the int8 form of a model with the same inputs and outputs.

    The conversion of the picture, the last convolution of each stride, whose logits and distances
    share no scale, and all that makes boxes of them stay in float.

    Args:
        onnx_in: One of our family's .onnx files.
        pictures: Of the training set, (H, W, 3) uint8 BGR of a size that the model takes.
        onnx_out: Where to write.
        recipe: Other than the default, for comparisons.

    Raises:
        ConfigError: Not a model of the family, or no picture given.
    """
    recipe = recipe or Recipe()
    given = list(chosen_pictures(pictures) if isinstance(pictures, Pictures) else pictures)
    if not given:
        raise ConfigError("int8: no picture to calibrate with")
    model = widened(onnx.load(str(onnx_in)))
    layers, last = _layers(model, onnx_in)
    kept = {*layers[: recipe.float_layers], *last}
    inside = _before(model, last)
    nodes = [node.name for node in model.graph.node if node.name in inside - kept]
    with tempfile.TemporaryDirectory() as folder, _quiet():
        wide = Path(folder) / "wide.onnx"
        onnx.save(model, str(wide))
        quantize_static(
            str(wide),
            str(onnx_out),
            _Reader(model.graph.input[0].name, given),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(QUANTISED),
            per_channel=recipe.is_per_channel,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_quantize=nodes,
            calibrate_method=METHODS[recipe.calibration],
            extra_options={"CalibStridedMinMax": 1, "CalibPercentile": PERCENTILE},
        )


def widened(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same model with half-precision constants as floats, which quantisation can read."""
    graph = model.graph
    constants = {constant.name: constant for constant in graph.initializer}
    casts = [
        node
        for node in graph.node
        if node.op_type == "Cast"
        and node.input[0] in constants
        and constants[node.input[0]].data_type == onnx.TensorProto.FLOAT16
    ]
    for cast in casts:
        half = constants[cast.input[0]]
        values = numpy_helper.to_array(half).astype(np.float32)
        graph.initializer.append(numpy_helper.from_array(values, cast.output[0]))
        graph.initializer.remove(half)
        graph.node.remove(cast)
    return model


def _layers(model: onnx.ModelProto, path: Path) -> tuple[list[str], set[str]]:
    """Names of the convolutions in order, and of those after which no other comes."""
    layers = [node for node in model.graph.node if node.op_type == "Conv"]
    if not layers or [out.name for out in model.graph.output] != ["scores", "boxes"]:
        raise ConfigError(f"int8: {path} is not a model of the family: no scores and boxes")
    before = _before(model, {node.name for node in layers}, is_itself=False)
    return [node.name for node in layers], {n.name for n in layers if n.name not in before}


def _before(model: onnx.ModelProto, ends: set[str], *, is_itself: bool = True) -> set[str]:
    """Names of the nodes that the nodes `ends` depend on."""
    makers = {out: node for node in model.graph.node for out in node.output}
    open_nodes = [node for node in model.graph.node if node.name in ends]
    found = {node.name for node in open_nodes} if is_itself else set()
    while open_nodes:
        for name in open_nodes.pop().input:
            maker = makers.get(name)
            if maker is not None and maker.name not in found:
                found.add(maker.name)
                open_nodes.append(maker)
    return found


@contextmanager
def _quiet() -> Iterator[None]:
    """The quantiser's advice and progress are not for our users."""
    level = logging.root.level
    logging.root.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.root.setLevel(level)
