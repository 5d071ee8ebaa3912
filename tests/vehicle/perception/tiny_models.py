"""Tiny model files of each layout, whose answers are constants that a test has chosen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
IR_VERSION = 8  # what ONNX Runtime 1.17 reads


def write(
    path: Path,
    shape: list[int | str],
    answers: dict[str, np.ndarray],
    *,
    element: int = TensorProto.FLOAT,
    notes: dict[str, str] | None = None,
) -> Path:
    """A model that takes a tensor of `shape` and answers `answers` plus 0 x the input's mean."""
    nodes = [
        helper.make_node("Cast", ["images"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
    ]
    constants = [numpy_helper.from_array(np.zeros((), np.float32), "zero")]
    outputs = []
    for name, values in answers.items():
        constants.append(numpy_helper.from_array(values.astype(np.float32), f"{name}.answer"))
        nodes.append(helper.make_node("Add", [f"{name}.answer", "nothing"], [name]))
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, values.shape))
    given = helper.make_tensor_value_info("images", element, shape)
    graph = helper.make_graph(nodes, "tiny", [given], outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = IR_VERSION
    for key, value in (notes or {}).items():
        model.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


def ours(path: Path, side: int | str = 64, classes: int = 7) -> Path:
    """Our layout: of 84 cells the third is a bus of 0.9 at (8, 8, 40, 24)."""
    scores, boxes = np.zeros((84, classes)), np.zeros((84, 4))
    scores[2, 2], boxes[2] = 0.9, (8, 8, 40, 24)
    shape: list[int | str] = [1, *(("height", "width") if isinstance(side, str) else [side] * 2), 3]
    return write(path, shape, {"scores": scores, "boxes": boxes}, element=TensorProto.UINT8)


def yolov8(
    path: Path, names: str | None, classes: int = 3, side: int | str = 64, cells: int = 84
) -> Path:
    """YOLOv8's: a box of the last class at centre (20, 30), 8 wide and 12 high, scoring 0.8."""
    answer = np.zeros((1, 4 + classes, cells))
    answer[0, :4, 5] = (20, 30, 8, 12)
    answer[0, -1, 5] = 0.8
    notes = {"names": names} if names is not None else {}
    dims = [side] * 2 if isinstance(side, int) else ["height", "width"]
    return write(path, [1, 3, *dims], {"output0": answer}, notes=notes)


def yolox(path: Path, classes: int, best: int) -> Path:
    """YOLOX's: cell (1, 0) of stride 8 holds a box 16 wide and 32 high, scoring 0.9 x 0.5."""
    answer = np.zeros((1, 84, 5 + classes))
    answer[0, 1, :4] = (0.5, 3.0, np.log(2), np.log(4))
    answer[0, 1, 4], answer[0, 1, 5 + best] = 0.9, 0.5
    return write(path, [1, 3, 64, 64], {"output": answer})
