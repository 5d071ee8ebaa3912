"""Detectors of the YOLOv8 layout, as ONNX or TorchScript: one output (1, 4 + classes, N).

A column holds centre x, centre y, width and height in input pixels, then a score for each class;
YOLO11 and their kin answer alike. The class names are in the file's own notes.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from scheduler.errors import ConfigError
from vehicle.perception.class_map import Columns, class_columns
from vehicle.perception.detector import DetectorSpec
from vehicle.perception.picture_detector import Layout, PictureDetector
from vehicle.perception.planar import open_planar
from vehicle.perception.yolox import COCO_CLASSES, grid

Floats = NDArray[np.float32]


def planes(picture: NDArray[np.uint8]) -> NDArray[np.generic]:
    """A picture (H, W, 3) uint8 BGR to the tensor (1, 3, H, W) float32 RGB, 0..1."""
    rgb = np.ascontiguousarray(picture[..., ::-1].transpose(2, 0, 1), np.float32)
    rgb *= np.float32(1 / 255)
    return rgb[None]


def scores(outputs: list[Floats], columns: Columns) -> Floats:
    """(N, columns) of the output."""
    return outputs[0][0, 4:][columns].T


def boxes(outputs: list[Floats], at: NDArray[np.intp]) -> Floats:
    """Centres and sizes to xyxy (M, 4)."""
    rows = outputs[0][0, :4, at]
    half = rows[:, 2:] * np.float32(0.5)
    return np.concatenate([rows[:, :2] - half, rows[:, :2] + half], axis=1)


def load_yolov8(spec: DetectorSpec, threads: int = 1) -> PictureDetector:
    """YOLOv8; input RGB 0..1, letterboxed with grey.

    Raises:
        ConfigError: No such file, another layout, or a class map with unknown names.
        MissingPartError: No runtime that reads the file works.
    """
    model, (width, height) = open_planar(spec, threads)
    answer = model.run(np.zeros((1, 3, height, width), np.float32))[0]
    cells = len(grid(width, height)[0])  # an export with more strides than three has more
    is_ours = answer.ndim == 3 and 5 <= answer.shape[1] != cells <= answer.shape[2]
    if not is_ours:
        raise ConfigError(
            f"detector {spec.name!r}: output {answer.shape}, expected (1, 4 + classes, N) as of "
            "YOLOv8 exported without its own suppression (nms=False); for (1, N, 5 + classes) "
            "say kind: yolox"
        )
    names = class_names(model.notes, answer.shape[1] - 4)
    classes = class_columns(spec.name, names, spec.class_map)
    layout = Layout(planes, scores, boxes)
    return PictureDetector(spec, model, layout, classes, (width, height))


def class_names(notes: Mapping[str, str], count: int) -> tuple[str, ...]:
    """The names that the exporter noted: "{0: 'person', 1: 'bicycle'}".

    Without readable ones, COCO's where the number fits, else "0", "1" and so on.
    """
    fallback = COCO_CLASSES if count == len(COCO_CLASSES) else tuple(map(str, range(count)))
    try:
        said = ast.literal_eval(notes.get("names", ""))
        if isinstance(said, dict):
            by_number = {int(number): str(name) for number, name in said.items()}
        else:
            by_number = dict(enumerate(map(str, said)))
        return tuple(by_number[number] for number in range(count))
    except (ValueError, SyntaxError, TypeError, KeyError):
        return fallback
