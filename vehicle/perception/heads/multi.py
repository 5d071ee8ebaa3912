"""A rung with its heads at run time: one pass of the stem, and only the heads that are asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter_ns

import numpy as np
from numpy.typing import NDArray

from scheduler.errors import ConfigError
from vehicle.perception.boxes import Letterbox, letterbox, nms
from vehicle.perception.classes import CLASS_ID
from vehicle.perception.detections import Detections
from vehicle.perception.detector import DetectorSpec
from vehicle.perception.heads.results import (
    DEEP,
    SHALLOW,
    SOURCES,
    LightStates,
    PlateRegions,
    SurfaceMap,
)
from vehicle.perception.picture_detector import select_boxes
from vehicle.perception.rungs import INPUT_SIZES, RUNGS, WEIGHTS
from vehicle.perception.runtime import OnnxModel

SUFFIX = ".multi.onnx"
DETECTION = ("scores", "boxes")
OUTPUTS = {  # of each head's model
    "light_state": ("light_state",),
    "drivable": ("drivable",),
    "plates": ("plate_scores", "plate_boxes"),
}
STRIDE = 8  # input pixels per cell of the features
MAP_STRIDE = 4  # the same of the surface map and of the shallow features
LIGHT = CLASS_ID["traffic light"]
# Least score of an answered plate. Raising it costs small plates, lowering it false boxes.
PLATE_SCORE = 0.3
PLATE_NMS = 0.3  # plates do not overlap
MAX_PLATES = 50

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class HeadResults:
    """What one frame gave.

    Attributes:
        detections: In pixels of the frame, best first.
        results: Of each asked head, packed as `vehicle.perception.heads.results` says.
    """

    detections: Detections
    results: Mapping[str, bytes]


class MultiDetector:
    """A rung with heads; a detector like any other, and `detect_heads` besides.

    Attributes:
        heads: Names that `detect_heads` knows.
        runs: Passes of the stem so far.
    """

    def __init__(
        self,
        spec: DetectorSpec,
        trunk: OnnxModel,
        heads: Mapping[str, OnnxModel],
        size: tuple[int, int],
    ) -> None:
        self.name = spec.name
        self.width, self.height = size
        self.heads = tuple(name for name in OUTPUTS if name in heads)
        self.runs = 0
        self._spec = spec
        self._trunk = trunk
        self._models = heads
        self._stages_ns: dict[str, int] = {}

    @property
    def stages_ns(self) -> Mapping[str, int]:
        """Durations of the last call, nanoseconds."""
        return self._stages_ns

    def detect(self, frame: NDArray[np.uint8]) -> Detections:
        """Boxes in pixels of `frame` (H, W, 3) uint8 BGR, best first."""
        return self.detect_heads(frame, ()).detections

    def detect_heads(self, frame: NDArray[np.uint8], heads: Sequence[str]) -> HeadResults:
        """Boxes and the results of `heads`, from one pass of the stem.

        Args:
            frame: (H, W, 3) uint8 BGR of any size.
            heads: Some of `self.heads`; the others are not computed.

        Raises:
            ConfigError: A head that this rung does not have.
        """
        unknown = [head for head in heads if head not in self.heads]
        if unknown:
            raise ConfigError(
                f"detector {self.name!r} has no head {unknown[0]!r}; it has {', '.join(self.heads)}"
            )
        asked = list(dict.fromkeys(heads))
        began = perf_counter_ns()
        picture, fit = letterbox(frame, self.width, self.height)
        prepared = perf_counter_ns()
        raw = self._run(picture, asked)
        inferred = perf_counter_ns()
        spec = self._spec
        found = select_boxes(
            raw["scores"], raw["boxes"], spec.score_threshold, spec.nms_threshold,
            spec.max_detections,
        )  # fmt: skip
        view = _View(fit, frame.shape[1], frame.shape[0])
        results = {head: _ANSWERS[head](raw, found, view) for head in asked}
        answer = HeadResults(
            Detections(view.boxes(found.xyxy), found.score, found.class_id), results
        )
        self._stages_ns = {
            "pre": prepared - began,
            "infer": inferred - prepared,
            "post": perf_counter_ns() - inferred,
        }
        return answer

    def _run(self, picture: NDArray[np.uint8], heads: Sequence[str]) -> dict[str, Floats]:
        """Raw answers by name, from one pass of the stem."""
        names = [*DETECTION, *dict.fromkeys(SOURCES[head] for head in heads)]
        raw = dict(zip(names, self._trunk.run(picture[None], names), strict=True))
        self.runs += 1
        for head in heads:
            answers = self._models[head].run(raw[SOURCES[head]], OUTPUTS[head])
            raw.update(zip(OUTPUTS[head], answers, strict=True))
        return raw


@dataclass(frozen=True, slots=True)
class _View:
    """How the frame lies in the input."""

    fit: Letterbox
    width: int
    height: int

    def boxes(self, xyxy: Floats) -> Floats:
        return self.fit.to_frame(xyxy, self.width, self.height)


def _light_states(raw: Mapping[str, Floats], found: Detections, view: _View) -> bytes:
    lights = found.select(found.class_id == LIGHT)
    state, score = states_of(lights.xyxy, raw["light_state"])
    return LightStates(view.boxes(lights.xyxy), score, state).to_bytes()


def states_of(xyxy: Floats, probability: Floats) -> tuple[NDArray[np.uint8], Floats]:
    """State (N,) and score (N,) of lights, each the mean of the cells whose middles it holds.

    Args:
        xyxy: (N, 4) boxes of lights, input pixels.
        probability: (states, H / 8, W / 8).
    """
    _, rows, columns = probability.shape
    state, score = np.zeros(len(xyxy), np.uint8), np.zeros(len(xyxy), np.float32)
    for index, (x1, y1, x2, y2) in enumerate((xyxy / STRIDE - 0.5).tolist()):
        left, right = _within(x1, x2, columns)
        top, bottom = _within(y1, y2, rows)
        mean = probability[:, top:bottom, left:right].mean(axis=(1, 2))
        state[index] = mean.argmax()
        score[index] = min(1.0, mean.max())
    return state, score


def _within(low: float, high: float, count: int) -> tuple[int, int]:
    """Range of the cells in low..high; the one nearest to the middle where there is none."""
    first, last = int(np.ceil(low)), int(np.floor(high))
    if first > last:
        first = last = round((low + high) / 2)
    first, last = min(max(first, 0), count - 1), min(max(last, 0), count - 1)
    return first, last + 1


def _surface(raw: Mapping[str, Floats], _: Detections, view: _View) -> bytes:
    columns = max(1, round(view.fit.width / MAP_STRIDE))
    rows = max(1, round(view.fit.height / MAP_STRIDE))
    cells = raw["drivable"][:rows, :columns].astype(np.uint8, copy=False)
    return SurfaceMap(cells, view.width, view.height).to_bytes()


def _plates(raw: Mapping[str, Floats], _: Detections, view: _View) -> bytes:
    xyxy, score = select_plates(raw["plate_scores"], raw["plate_boxes"], PLATE_SCORE)
    return PlateRegions(view.boxes(xyxy), score).to_bytes()


def select_plates(score: Floats, xyxy: Floats, least: float) -> tuple[Floats, Floats]:
    """Boxes (M, 4) and scores (M,) of the plates among the cells' (N,) scores and (N, 4) boxes."""
    chosen = np.flatnonzero(score >= least)
    boxes, scores = xyxy[chosen], score[chosen]
    kept = nms(boxes, scores, np.zeros(len(chosen), np.int16), PLATE_NMS, MAX_PLATES)
    return boxes[kept], scores[kept]


_ANSWERS: dict[str, Callable[[Mapping[str, Floats], Detections, _View], bytes]] = {
    "light_state": _light_states,
    "drivable": _surface,
    "plates": _plates,
}


def load_multi(spec: DetectorSpec, threads: int = 1) -> MultiDetector:
    """The rung that `spec` names, with its heads; ONNX Runtime runs it, whatever the backend.

    Args:
        spec: Of kind "vdap".
        threads: Of inference.

    Raises:
        ConfigError: That rung has no heads, or one of its files is not readable.
        MissingPartError: ONNX Runtime is not installed.
    """
    path = _path(spec)
    if not path.is_file():
        shipped = sorted(one.name.removesuffix(SUFFIX) for one in WEIGHTS.glob(f"*{SUFFIX}"))
        raise ConfigError(
            f"detector {spec.name!r}: no heads, expected {path}; "
            f"rungs with heads: {', '.join(shipped) or 'none shipped'}"
        )
    width, height = spec.input_size or INPUT_SIZES[0]
    trunk = OnnxModel(path, threads, {"width": width, "height": height})
    _check(spec, path, trunk, (*DETECTION, DEEP, SHALLOW))
    shapes = {
        DEEP: {"columns": width // STRIDE, "rows": height // STRIDE},
        SHALLOW: {"fine_columns": width // MAP_STRIDE, "fine_rows": height // MAP_STRIDE},
    }
    heads = {}
    for name, outputs in OUTPUTS.items():
        file = path.with_name(f"{path.name.removesuffix(SUFFIX)}.{name}.onnx")
        if file.is_file():
            heads[name] = OnnxModel(file, threads, shapes[SOURCES[name]])
            _check(spec, file, heads[name], outputs)
    detector = MultiDetector(spec, trunk, heads, (width, height))
    detector.detect_heads(np.zeros((height, width, 3), np.uint8), detector.heads)
    return detector


def _check(spec: DetectorSpec, path: Path, model: OnnxModel, outputs: tuple[str, ...]) -> None:
    if model.outputs != outputs:
        raise ConfigError(
            f"detector {spec.name!r}: {path} has outputs {', '.join(model.outputs)}, expected "
            f"{', '.join(outputs)}"
        )


def _path(spec: DetectorSpec) -> Path:
    named = spec.weights or spec.name
    if named in RUNGS or not Path(named).suffix:
        return WEIGHTS / f"{named}{SUFFIX}"
    path = Path(named).expanduser()
    return path if path.name.endswith(SUFFIX) else path.with_suffix(SUFFIX)
