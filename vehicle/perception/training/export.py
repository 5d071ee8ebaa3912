"""Writes a trained network as it is shipped: half-precision .safetensors and the .onnx from it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import onnx
import torch
from onnx import numpy_helper

from vehicle.perception.model import Deployed, RowNetwork, load_network, save_weights

OPSET = 18
LEAST_HALVED = 64  # numbers; shorter constants stay as they are


def export(network: RowNetwork, rung: str, folder: Path) -> tuple[Path, Path]:
    """Writes `rung`.safetensors and `rung`.onnx into `folder`, and returns both paths.

    The .onnx is made from the half-precision weights of the other file, so that both answer alike.
    Its constants are stored in half precision too and widened when a session opens.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights, model = folder / f"{rung}.safetensors", folder / f"{rung}.onnx"
    save_weights(network, rung, weights)
    export_onnx(load_network(weights), model)
    return weights, model


def export_onnx(network: RowNetwork, path: Path) -> None:
    """One file for all input sizes: "picture" to "scores" and "boxes"."""
    size = (network.size.input_width, network.size.input_height)
    cells = {"scores": ("cells", ""), "boxes": ("cells", "")}
    write_onnx(Deployed(network).eval(), cells, size, path)


def write_onnx(
    deployed: torch.nn.Module,
    outputs: Mapping[str, Sequence[str]],
    size: tuple[int, int],
    path: Path,
) -> None:
    """Writes a module that takes one picture.

    The picture is (1, height, width, 3) uint8 BGR; `height` and `width` are named dimensions,
    multiples of 32, that a runtime fixes when it opens the file.

    Args:
        deployed: In evaluation mode.
        outputs: In its order: names of their dimensions that follow from the picture's size, ""
            where one does not.
        size: (width, height) of a picture to try it with, pixels.
        path: Of the .onnx file.
    """
    width, height = size
    picture = torch.zeros((1, height, width, 3), dtype=torch.uint8)
    write_module(deployed, picture, {"picture": ("", "height", "width", "")}, outputs, path)


def write_module(
    module: torch.nn.Module,
    given: torch.Tensor,
    inputs: Mapping[str, Sequence[str]],
    outputs: Mapping[str, Sequence[str]],
    path: Path,
) -> None:
    """Writes a module that takes one tensor; `inputs` and `outputs` name its free dimensions."""
    axes = {
        tensor: {axis: name for axis, name in enumerate(names) if name}
        for tensor, names in {**inputs, **outputs}.items()
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own advice to use its successor
        # The successor takes 25 times as long for the same operators, and its graph folds less.
        torch.onnx.export(
            module,
            (given,),
            str(path),
            input_names=list(inputs),
            output_names=list(outputs),
            opset_version=OPSET,
            dynamo=False,
            dynamic_axes=axes,
        )
    model = onnx.load(str(path))
    _halve(model)
    _forget_origin(model)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def _forget_origin(model: onnx.ModelProto) -> None:
    """Drops what the exporter noted of source lines: they are paths of the machine it ran on."""
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        del value.metadata_props[:]
    for constant in model.graph.initializer:
        del constant.metadata_props[:]


def shorten_names(path: Path) -> None:
    """Renames what is inside a model by number: names were a tenth of a quantised one."""
    model = onnx.load(str(path))
    graph = model.graph
    del graph.value_info[:]  # every runtime infers them anew
    kept = {value.name for value in (*graph.input, *graph.output)} | {""}
    short: dict[str, str] = {}

    def renamed(name: str) -> str:
        return name if name in kept else short.setdefault(name, f"t{len(short)}")

    for constant in graph.initializer:
        constant.name = renamed(constant.name)
    for number, node in enumerate(graph.node):
        node.name = f"n{number}"
        node.input[:] = [renamed(name) for name in node.input]
        node.output[:] = [renamed(name) for name in node.output]
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def _halve(model: onnx.ModelProto) -> None:
    """Stores the float constants in half precision, each behind a cast that folds at load."""
    graph = model.graph
    casts = []
    for constant in list(graph.initializer):
        if constant.data_type != onnx.TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(constant)
        if values.size < LEAST_HALVED:
            continue
        half = f"{constant.name}.half"
        casts.append(
            onnx.helper.make_node("Cast", [half], [constant.name], to=onnx.TensorProto.FLOAT)
        )
        graph.initializer.remove(constant)
        graph.initializer.append(numpy_helper.from_array(values.astype("float16"), half))
    nodes = casts + list(graph.node)
    del graph.node[:]
    graph.node.extend(nodes)
