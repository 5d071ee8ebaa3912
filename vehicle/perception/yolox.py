"""Detectors of the YOLOX layout (Ge et al., arXiv:2107.08430), as ONNX or TorchScript."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scheduler.errors import ConfigError
from vehicle.perception.class_map import Columns, class_columns
from vehicle.perception.detector import DetectorSpec
from vehicle.perception.picture_detector import Layout, PictureDetector
from vehicle.perception.planar import open_planar

STRIDES = (8, 16, 32)

# Place of each COCO class in a row of scores.
# fmt: off
COCO_CLASSES = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat",
    "traffic light", "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat",
    "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "backpack",
    "umbrella", "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard", "sports ball",
    "kite", "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket",
    "bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple",
    "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair",
    "couch", "potted plant", "bed", "dining table", "toilet", "tv", "laptop", "mouse",
    "remote", "keyboard", "cell phone", "microwave", "oven", "toaster", "sink",
    "refrigerator", "book", "clock", "vase", "scissors", "teddy bear", "hair drier",
    "toothbrush",
)
# fmt: on

Floats = NDArray[np.float32]


def grid(width: int, height: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cell (N, 2) in cells, x before y, and stride (N, 1) in pixels, in the order of the output."""
    cells: list[NDArray[np.float32]] = []
    strides: list[NDArray[np.float32]] = []
    for stride in STRIDES:
        rows, columns = np.mgrid[: height // stride, : width // stride]
        cells.append(np.stack([columns.ravel(), rows.ravel()], axis=1).astype(np.float32))
        strides.append(np.full((rows.size, 1), stride, np.float32))
    return np.concatenate(cells), np.concatenate(strides)


def decode(
    rows: NDArray[np.float32],
    cells: NDArray[np.float32],
    strides: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Offsets and log sizes (N, 4) of the output to xyxy (N, 4) in input pixels."""
    centre = (rows[:, :2] + cells) * strides
    half = np.exp(np.minimum(rows[:, 2:4], 20.0)) * strides * np.float32(0.5)
    return np.concatenate([centre - half, centre + half], axis=1)


def _layout(width: int, height: int) -> Layout:
    cells, strides = grid(width, height)

    def scores(outputs: list[Floats], columns: Columns) -> Floats:
        rows = outputs[0][0]
        found: Floats = rows[:, 4:5] * rows[:, 5:][:, columns]
        return found

    def boxes(outputs: list[Floats], at: NDArray[np.intp]) -> Floats:
        return decode(outputs[0][0][at, :4], cells[at], strides[at])

    return Layout(planes, scores, boxes)


def planes(picture: NDArray[np.uint8]) -> NDArray[np.generic]:
    """A picture (H, W, 3) uint8 BGR to the tensor (1, 3, H, W) float32, 0..255."""
    return np.ascontiguousarray(picture.transpose(2, 0, 1), np.float32)[None]


def load_yolox(spec: DetectorSpec, threads: int = 1) -> PictureDetector:
    """YOLOX; input BGR 0..255, letterboxed at the top left with grey.

    A model with as many classes as COCO has COCO's. Any other number takes a class map in which
    the classes are named by their numbers: `class_map: ["0=car", "1=bus"]`.

    Raises:
        ConfigError: No such file, another layout, or a class map with unknown names.
        MissingPartError: No runtime that reads the file works.
    """
    model, (width, height) = open_planar(spec, threads)
    rows = model.run(np.zeros((1, 3, height, width), np.float32))[0]
    cells = sum((width // stride) * (height // stride) for stride in STRIDES)
    if rows.ndim != 3 or rows.shape[:2] != (1, cells) or rows.shape[2] < 6:
        raise ConfigError(
            f"detector {spec.name!r}: output {rows.shape}, expected (1, {cells}, 5 + classes) as "
            "of YOLOX; for (1, 4 + classes, N) say kind: yolov8"
        )
    count = rows.shape[2] - 5
    names = COCO_CLASSES if count == len(COCO_CLASSES) else tuple(map(str, range(count)))
    classes = class_columns(spec.name, names, spec.class_map)
    return PictureDetector(spec, model, _layout(width, height), classes, (width, height))
