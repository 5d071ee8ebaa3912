"""A detector made of one model that looks at one picture, whatever its layout and its runtime."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter_ns

import numpy as np
from numpy.typing import NDArray

from vehicle.perception.backends import Model
from vehicle.perception.boxes import letterbox, nms
from vehicle.perception.class_map import ClassColumns, Columns
from vehicle.perception.detections import Detections
from vehicle.perception.detector import DetectorSpec

MAX_CANDIDATES = 300  # into suppression, whose cost grows with the square

Floats = NDArray[np.float32]
Outputs = list[Floats]


@dataclass(frozen=True, slots=True)
class Layout:
    """How a family of models takes a picture and gives its answers.

    Attributes:
        prepare: A picture (H, W, 3) uint8 BGR to the tensor of the model.
        scores: The outputs and the columns of use (K,) to scores (N, K), 0..1.
        boxes: The outputs and the rows wanted (M,) to xyxy (M, 4) in pixels of the picture.
    """

    prepare: Callable[[NDArray[np.uint8]], NDArray[np.generic]]
    scores: Callable[[Outputs, Columns], Floats]
    boxes: Callable[[Outputs, NDArray[np.intp]], Floats]


class PictureDetector:
    """Letterbox, model, threshold, suppression; see `detector.Detector`.

    Attributes:
        backend: What answers, in words.
        width: Of the model's input, pixels, as is `height`.
    """

    def __init__(
        self,
        spec: DetectorSpec,
        model: Model,
        layout: Layout,
        classes: ClassColumns,
        size: tuple[int, int],
    ) -> None:
        """Runs the model once, so that the first frame is as fast as the others."""
        self.name = spec.name
        self.backend = model.words
        self.width, self.height = size
        self._spec = spec
        self._model = model
        self._layout = layout
        self._classes = classes
        self._stages_ns: dict[str, int] = {}

    @property
    def stages_ns(self) -> Mapping[str, int]:
        """Durations of the last `detect`, nanoseconds."""
        return self._stages_ns

    def infer(self, picture: NDArray[np.uint8]) -> Outputs:
        """The model's own answers to a picture (height, width, 3) uint8 BGR."""
        return self._model.run(self._layout.prepare(picture))

    def detect(self, frame: NDArray[np.uint8]) -> Detections:
        """Boxes in pixels of `frame` (H, W, 3) uint8 BGR, best first."""
        spec, layout = self._spec, self._layout
        began = perf_counter_ns()
        picture, fit = letterbox(frame, self.width, self.height)
        tensor = layout.prepare(picture)
        prepared = perf_counter_ns()
        outputs = self._model.run(tensor)
        inferred = perf_counter_ns()
        found = select_cells(
            layout.scores(outputs, self._classes.columns),
            self._classes.class_id,
            lambda cells: layout.boxes(outputs, cells),
            spec.score_threshold,
            spec.nms_threshold,
            spec.max_detections,
        )
        in_frame = fit.to_frame(found.xyxy, frame.shape[1], frame.shape[0])
        found = Detections(in_frame, found.score, found.class_id)
        self._stages_ns = {
            "pre": prepared - began,
            "infer": inferred - prepared,
            "post": perf_counter_ns() - inferred,
        }
        return found


def select_boxes(
    scores: Floats,
    xyxy: Floats,
    score_threshold: float,
    nms_threshold: float,
    max_detections: int,
) -> Detections:
    """Raw answers to detections: best class of each cell, threshold, suppression.

    Args:
        scores: (N, classes).
        xyxy: (N, 4) pixels.
        score_threshold: Least score kept.
        nms_threshold: IoU above which the lower of two boxes of a class goes.
        max_detections: Upper bound of the answer.
    """
    class_id = np.arange(scores.shape[1], dtype=np.int16)
    return select_cells(
        scores, class_id, lambda cells: xyxy[cells], score_threshold, nms_threshold, max_detections
    )


def select_cells(
    scores: Floats,
    class_id: NDArray[np.int16],
    boxes: Callable[[NDArray[np.intp]], Floats],
    score_threshold: float,
    nms_threshold: float,
    max_detections: int,
) -> Detections:
    """`select_boxes`, where only the boxes of the cells that matter are computed.

    Args:
        scores: (N, columns).
        class_id: (columns,) class that each column of `scores` stands for.
        boxes: Rows of `scores` (M,) to xyxy (M, 4) pixels.
        score_threshold: As the others, see `select_boxes`.
    """
    cells = _cells_above(scores, score_threshold)
    rows = scores[cells]
    best = rows.max(axis=1)
    if len(cells) > MAX_CANDIDATES:
        order = np.argsort(-best, kind="stable")[:MAX_CANDIDATES]
        cells, rows, best = cells[order], rows[order], best[order]
    found = Detections(boxes(cells), best, class_id[rows.argmax(axis=1)])
    return found.select(nms(found.xyxy, found.score, found.class_id, nms_threshold, max_detections))


def _cells_above(scores: Floats, threshold: float) -> NDArray[np.intp]:
    """Rows of scores (N, columns) with a score that is not below, in order.

    A look along the memory finds the few in a tenth of the time that a maximum of each row takes.
    """
    count, columns = scores.shape
    if scores.flags.f_contiguous and not scores.flags.c_contiguous:
        return np.unique(np.flatnonzero(scores.T.reshape(-1) >= threshold) % max(count, 1))
    return np.unique(np.flatnonzero(scores.reshape(-1) >= threshold) // max(columns, 1))
