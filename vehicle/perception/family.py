"""Our own detector family at run time: a rung's weights, in ONNX Runtime or in torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter_ns

import numpy as np
from numpy.typing import NDArray

from scheduler.errors import ConfigError, MissingPartError
from vehicle.perception.boxes import letterbox, nms
from vehicle.perception.classes import CLASSES
from vehicle.perception.detections import Detections
from vehicle.perception.detector import DetectorSpec
from vehicle.perception.rungs import RUNGS

MAX_CANDIDATES = 300  # into suppression, whose cost grows with the square

# A picture (height, width, 3) uint8 BGR -> scores (N, classes) and boxes (N, 4) in its pixels.
Inference = Callable[[NDArray[np.uint8]], tuple[NDArray[np.float32], NDArray[np.float32]]]


def select_boxes(
    scores: NDArray[np.float32],
    xyxy: NDArray[np.float32],
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
    best = scores.max(axis=1)
    candidates = np.flatnonzero(best >= score_threshold)
    if len(candidates) > MAX_CANDIDATES:
        order = np.argsort(-best[candidates], kind="stable")
        candidates = candidates[order[:MAX_CANDIDATES]]
    class_id = scores[candidates].argmax(axis=1).astype(np.int16)
    found = Detections(xyxy[candidates], best[candidates], class_id)
    return found.select(nms(found.xyxy, found.score, found.class_id, nms_threshold, max_detections))


class FamilyDetector:
    """A detector of the family, whatever computes it."""

    def __init__(self, spec: DetectorSpec, width: int, height: int, infer: Inference) -> None:
        self.name = spec.name
        self.width, self.height = width, height
        self._spec = spec
        self._infer = infer
        self._stages_ns: dict[str, int] = {}

    @property
    def stages_ns(self) -> Mapping[str, int]:
        """Durations of the last `detect`, nanoseconds."""
        return self._stages_ns

    def detect(self, frame: NDArray[np.uint8]) -> Detections:
        """Boxes in pixels of `frame` (H, W, 3) uint8 BGR, best first."""
        spec = self._spec
        began = perf_counter_ns()
        picture, fit = letterbox(frame, self.width, self.height)
        prepared = perf_counter_ns()
        scores, xyxy = self._infer(picture)
        inferred = perf_counter_ns()
        found = select_boxes(
            scores, xyxy, spec.score_threshold, spec.nms_threshold, spec.max_detections
        )
        in_frame = fit.to_frame(found.xyxy, frame.shape[1], frame.shape[0])
        found = Detections(in_frame, found.score, found.class_id)
        self._stages_ns = {
            "pre": prepared - began,
            "infer": inferred - prepared,
            "post": perf_counter_ns() - inferred,
        }
        return found


def load_rung(spec: DetectorSpec, threads: int = 1) -> FamilyDetector:
    """A shipped rung, or a file that `vdap train` wrote.

    Raises:
        ConfigError: Neither a rung nor a file of that name, or an unknown backend.
    """
    backend = _backend(spec)
    path = _weights(spec, ".safetensors" if backend == "torch" else ".onnx")
    if backend == "torch":
        return _torch_detector(spec, path, threads)
    return _onnx_detector(spec, path, threads)


def _backend(spec: DetectorSpec) -> str:
    if spec.backend == "auto":
        return "torch" if find_spec("onnxruntime") is None and find_spec("torch") else "onnxruntime"
    if spec.backend not in ("onnxruntime", "torch"):
        raise ConfigError(
            f"detector {spec.name!r}: backend {spec.backend!r}, expected auto, onnxruntime or torch"
        )
    return spec.backend


def _weights(spec: DetectorSpec, suffix: str) -> Path:
    named = spec.weights or spec.name
    if named in RUNGS:
        rung = RUNGS[named]
        return rung.safetensors if suffix == ".safetensors" else rung.onnx
    path = Path(named).expanduser()
    if not path.suffix and not path.exists():
        known = ", ".join(RUNGS) or "none shipped"
        raise ConfigError(
            f"detector {spec.name!r}: {named!r} is neither a file nor a rung ({known})"
        )
    return path.with_suffix(suffix)


def _onnx_detector(spec: DetectorSpec, path: Path, threads: int) -> FamilyDetector:
    from vehicle.perception.runtime import OnnxModel

    model = OnnxModel(path, threads)
    if model.outputs != ("scores", "boxes") or len(model.input_shape) != 4:
        raise ConfigError(
            f"detector {spec.name!r}: {path} has outputs {model.outputs}, expected scores and "
            "boxes; for a YOLOX model say kind: yolox"
        )
    height, width = model.input_shape[1:3]

    def infer(picture: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        scores, boxes = model.run(picture[None])
        return scores, boxes

    _check(spec, *infer(np.zeros((height, width, 3), np.uint8)))
    return FamilyDetector(spec, width, height, infer)


def _torch_detector(spec: DetectorSpec, path: Path, threads: int) -> FamilyDetector:
    try:
        from vehicle.perception.torch_backend import open_weights
    except ImportError as error:
        raise MissingPartError("torch is not installed: pip install 'vdap[torch]'") from error
    width, height, infer = open_weights(path, spec.input_size, threads)
    _check(spec, *infer(np.zeros((height, width, 3), np.uint8)))
    return FamilyDetector(spec, width, height, infer)


def _check(spec: DetectorSpec, scores: NDArray[np.float32], boxes: NDArray[np.float32]) -> None:
    if scores.shape[1:] != (len(CLASSES),) or boxes.shape != (len(scores), 4):
        raise ConfigError(
            f"detector {spec.name!r}: answers scores {scores.shape} and boxes {boxes.shape}, "
            f"expected (N, {len(CLASSES)}) and (N, 4)"
        )
