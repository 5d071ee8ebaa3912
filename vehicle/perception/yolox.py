"""ONNX detectors of the YOLOX layout (Ge et al., arXiv:2107.08430) with the classes of COCO."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from time import perf_counter_ns

import numpy as np
from numpy.typing import NDArray

from scheduler.errors import ConfigError
from vehicle.perception.boxes import letterbox
from vehicle.perception.classes import CLASS_ID, CLASSES
from vehicle.perception.detections import Detections
from vehicle.perception.detector import DetectorSpec
from vehicle.perception.family import select_boxes
from vehicle.perception.runtime import OnnxModel

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

CLASS_MAP = {
    "car": "car",
    "truck": "truck",
    "bus": "bus",
    "motorcycle": "motorcycle",
    "bicycle": "bicycle",
    "person": "pedestrian",
    "traffic light": "traffic light",
}


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


class YoloxDetector:
    """YOLOX in ONNX Runtime; input BGR 0..255, letterboxed at the top left with grey."""

    def __init__(self, spec: DetectorSpec, threads: int = 1) -> None:
        """Opens the file `spec.weights`.

        Raises:
            ConfigError: No such file, another layout, or a class map with unknown names.
        """
        if not spec.weights:
            raise ConfigError(f"detector {spec.name!r}: kind yolox needs weights: PATH")
        self.name = spec.name
        self._spec = spec
        self._model = OnnxModel(Path(spec.weights).expanduser(), threads)
        shape = self._model.input_shape
        if len(shape) != 4 or shape[1] != 3:
            raise ConfigError(f"detector {spec.name!r}: input {shape}, expected (1, 3, H, W)")
        self.height, self.width = shape[2], shape[3]
        self._cells, self._strides = grid(self.width, self.height)
        self._columns, self._class_id = _columns(spec)
        self._stages_ns: dict[str, int] = {}
        rows = self._model.run(np.zeros((1, 3, self.height, self.width), np.float32))[0]
        expected = (1, len(self._cells), 5 + len(COCO_CLASSES))
        if rows.shape != expected:
            raise ConfigError(
                f"detector {spec.name!r}: output {rows.shape}, expected {expected} (YOLOX, COCO)"
            )

    @property
    def stages_ns(self) -> Mapping[str, int]:
        """Durations of the last `detect`, nanoseconds."""
        return self._stages_ns

    def detect(self, frame: NDArray[np.uint8]) -> Detections:
        """Boxes in pixels of `frame` (H, W, 3) uint8 BGR, best first."""
        spec = self._spec
        began = perf_counter_ns()
        picture, fit = letterbox(frame, self.width, self.height)
        planes = np.ascontiguousarray(picture.transpose(2, 0, 1), np.float32)[None]
        prepared = perf_counter_ns()
        rows = self._model.run(planes)[0][0]
        inferred = perf_counter_ns()
        scores = rows[:, 4:5] * rows[:, self._columns]
        found = select_boxes(
            scores,
            decode(rows, self._cells, self._strides),
            spec.score_threshold,
            spec.nms_threshold,
            spec.max_detections,
        )
        in_frame = fit.to_frame(found.xyxy, frame.shape[1], frame.shape[0])
        found = Detections(in_frame, found.score, self._class_id[found.class_id])
        self._stages_ns = {
            "pre": prepared - began,
            "infer": inferred - prepared,
            "post": perf_counter_ns() - inferred,
        }
        return found


def _columns(spec: DetectorSpec) -> tuple[NDArray[np.intp], NDArray[np.int16]]:
    """Columns of the output that are of use, and the class id that each stands for."""
    columns: list[int] = []
    class_id: list[int] = []
    for theirs, ours in (CLASS_MAP if spec.class_map is None else spec.class_map).items():
        if theirs not in COCO_CLASSES or ours not in CLASS_ID:
            raise ConfigError(
                f"detector {spec.name!r}: class_map {theirs!r}: {ours!r}, expected a COCO class "
                f"and one of {', '.join(CLASSES)}"
            )
        columns.append(5 + COCO_CLASSES.index(theirs))
        class_id.append(CLASS_ID[ours])
    return np.array(columns, np.intp), np.array(class_id, np.int16)
