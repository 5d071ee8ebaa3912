"""Writes a trained network as it is shipped: half-precision .safetensors and the .onnx from it."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import onnx
import torch
from onnx import numpy_helper

from vehicle.perception.model import Deployed, Network, load_weights, save_weights

OPSET = 18
LEAST_HALVED = 64  # numbers; shorter constants stay as they are


def export(network: Network, rung: str, folder: Path) -> tuple[Path, Path]:
    """Writes `rung`.safetensors and `rung`.onnx into `folder`, and returns both paths.

    The .onnx is made from the half-precision weights of the other file, so that both answer alike.
    Its constants are stored in half precision too and widened when a session opens.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights, model = folder / f"{rung}.safetensors", folder / f"{rung}.onnx"
    save_weights(network, rung, weights)
    export_onnx(load_weights(weights), model)
    return weights, model


def export_onnx(network: Network, path: Path) -> None:
    """One picture (1, height, width, 3) uint8 BGR to "scores" and "boxes"; fixed shape."""
    width, height = network.size.input_width, network.size.input_height
    deployed = Deployed(network, width, height).eval()
    picture = torch.zeros((1, height, width, 3), dtype=torch.uint8)
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)  # it warns of torchvision, which is not ours
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter's own deprecations
            torch.onnx.export(
                deployed,
                (picture,),
                str(path),
                input_names=["picture"],
                output_names=["scores", "boxes"],
                opset_version=OPSET,
                dynamo=True,
                external_data=False,
                verbose=False,
            )
    finally:
        logger.setLevel(level)
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
