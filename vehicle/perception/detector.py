"""The public seam of perception: what a detector is, and how one is found by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from scheduler import config
from scheduler.errors import ConfigError
from vehicle.perception.backends import AUTO, BACKENDS
from vehicle.perception.detections import Detections
from vehicle.perception.rungs import PRECISIONS, RUNGS, Cell, Rung

__all__ = ["RUNGS", "Detector", "DetectorFactory", "DetectorSpec", "Rung", "load_detector"]

ENTRY_POINT_GROUP = "vdap.detectors"
STAGES = ("pre", "infer", "post")
DEFAULT_THRESHOLD = 0.35  # of a model whose best one nobody measured
SIDE_STEP = 32  # pixels; the coarsest cells of all detectors here are as wide


@runtime_checkable
class Detector(Protocol):
    """Finds boxes in one frame; used by one thread at a time.

    One that has an attribute `backend` says there in words what computes it: it is shown.
    """

    name: str

    def detect(self, frame: NDArray[np.uint8]) -> Detections:
        """Boxes in pixels of `frame`, which is (H, W, 3) uint8 BGR of any size, best first."""
        ...

    @property
    def stages_ns(self) -> Mapping[str, int]:
        """Durations of the last `detect` by stage ("pre", "infer", "post"), nanoseconds."""
        ...


@dataclass(frozen=True, slots=True)
class DetectorSpec:
    """One detector as the configuration names it.

    Attributes:
        name: How verdicts and reports call it; for kind "vdap" also the rung, unless `weights`
            says otherwise.
        kind: "vdap", "yolox", "yolov8", a name of the entry point group vdap.detectors, or
            "module:Class".
        weights: Path of a model file; for kind "vdap" also the name of a rung. Empty: the rung
            called `name`.
        input_size: (width, height) in pixels; None takes what the model file says.
        backend: "auto", or one of `backends.BACKENDS`. "auto" is what `vdap profile` found fastest
            on this machine, and without its file ONNX Runtime, which was 2 to 4 times faster than
            torch on every CPU measured.
        precision: "fp32", or "int8", which is faster on most CPUs and may cost a point of AP.
        score_threshold: Least score of an answer. Raising it costs far and hidden objects,
            lowering it costs false boxes. The tracker makes use of boxes below its own threshold,
            so this one may be low.
        max_detections: Upper bound of boxes in one answer.
        nms_threshold: IoU above which the lower of two boxes of a class is dropped.
        class_map: Class name of the model -> name in CLASSES; None takes the adapter's own.
        options: Anything else, for a detector of the user's own.
    """

    name: str
    kind: str = "vdap"
    weights: str = ""
    input_size: tuple[int, int] | None = None
    backend: str = "auto"
    precision: str = "fp32"
    score_threshold: float = 0.1
    max_detections: int = 100
    nms_threshold: float = 0.5
    class_map: Mapping[str, str] | None = None
    options: Mapping[str, object] = field(default_factory=dict)

    @staticmethod
    def of(section: config.Detector, path: Callable[[str], Path] = Path) -> DetectorSpec:
        """The detector that a section of the drive's configuration names.

        Its options `input_size: [width, height]`, `precision`, `backend`, `max_detections`,
        `nms_threshold` and `class_map: [THEIRS=OURS, ...]` set the fields of that name; all others
        are passed on. Where it names no score threshold, a shipped rung has that of its best F1.

        Args:
            section: Of the configuration.
            path: Where a file named there lies, such as `Config.path`.

        Raises:
            ConfigError: One of those options has a value of the wrong kind, or a shipped rung is
                given an option that it does not know.
        """
        options = dict(section.options)
        try:
            known = {key: read(options.pop(key)) for key, read in _READ.items() if key in options}
        except (TypeError, ValueError) as error:
            raise ConfigError(f"detector {section.id!r}: options: {error}") from error
        weights = section.weights or ""
        base = DetectorSpec(
            section.id,
            section.kind,
            str(path(weights)) if Path(weights).suffix else weights,
            options=options,
        )
        spec = replace(base, **known)
        if spec.kind == "vdap" and options:
            raise ConfigError(
                f"detector {section.id!r}: options: unknown {', '.join(map(repr, options))}, "
                f"expected {', '.join(_READ)}"
            )
        threshold = section.score_threshold
        if threshold is None:
            figures = spec.figures
            threshold = figures.score_threshold if figures is not None else DEFAULT_THRESHOLD
        return replace(spec, score_threshold=threshold)

    @property
    def rung(self) -> Rung | None:
        """The shipped rung that this names; None of any other model."""
        return RUNGS.get(self.weights or self.name) if self.kind == "vdap" else None

    @property
    def figures(self) -> Cell | None:
        """What was measured of the shipped rung at this input size and precision.

        Raises:
            ConfigError: It does not ship in that precision.
        """
        rung = self.rung
        return rung.cell(self.input_size, self.precision) if rung is not None else None


def _size(value: object) -> tuple[int, int]:
    match value:
        case [int(width), int(height)] if min(width, height) > 0:
            if width % SIDE_STEP == height % SIDE_STEP == 0:
                return width, height
    raise ValueError(
        f"input_size {value!r}, expected [width, height] in pixels, multiples of {SIDE_STEP}"
    )


def _one_of(*names: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        if isinstance(value, str) and value in names:
            return value
        raise ValueError(f"{value!r}, expected one of {', '.join(names)}")

    return read


def _class_map(value: object) -> dict[str, str]:
    pairs = value if isinstance(value, list) else [value]
    parts = [pair.split("=") for pair in pairs if isinstance(pair, str)]
    if len(parts) != len(pairs) or any(len(part) != 2 for part in parts):
        raise ValueError(f"class_map {value!r}, expected a list of THEIRS=OURS")
    return dict(parts)


def _number(value: object) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0:
        return value
    raise ValueError(f"{value!r}, expected a number above 0")


_READ: dict[str, Callable[[object], Any]] = {
    "input_size": _size,
    "precision": _one_of(*PRECISIONS),
    "backend": _one_of(AUTO, *BACKENDS),
    "max_detections": lambda value: int(_number(value)),
    "nms_threshold": lambda value: float(_number(value)),
    "class_map": _class_map,
}

DetectorFactory = Callable[[DetectorSpec, int], Detector]


def load_detector(spec: DetectorSpec, threads: int = 1) -> Detector:
    """Makes the detector that `spec` names.

    Args:
        spec: From the configuration.
        threads: Of inference. More than one pays only on an idle machine: with other processes
            busy, two threads were slower than one.

    Raises:
        ConfigError: Unknown kind or missing file, in one line that says which.
        MissingPartError: A library is missing, or a backend that was asked for does not work.
    """
    detector = _factory(spec)(spec, threads)
    if not isinstance(detector, Detector):
        raise ConfigError(
            f"detector {spec.name!r}: {spec.kind!r} made a {type(detector).__name__}, "
            "which lacks name, detect or stages_ns"
        )
    return detector


def _factory(spec: DetectorSpec) -> DetectorFactory:
    if spec.kind == "vdap":
        from vehicle.perception.family import load_rung

        return load_rung
    if spec.kind == "yolox":
        from vehicle.perception.yolox import load_yolox

        return load_yolox
    if spec.kind == "yolov8":
        from vehicle.perception.yolov8 import load_yolov8

        return load_yolov8
    if ":" in spec.kind:
        return _from_module(spec)
    found = metadata.entry_points(group=ENTRY_POINT_GROUP)
    for entry_point in found:
        if entry_point.name == spec.kind:
            return cast(DetectorFactory, entry_point.load())
    known = ", ".join(
        ["vdap", "yolox", "yolov8", *sorted(entry_point.name for entry_point in found)]
    )
    raise ConfigError(
        f"detector {spec.name!r}: unknown kind {spec.kind!r}; known: {known}, or module:Class"
    )


def _from_module(spec: DetectorSpec) -> DetectorFactory:
    module_name, _, attribute = spec.kind.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise ConfigError(
            f"detector {spec.name!r}: cannot import {module_name!r}: {error}"
        ) from error
    factory = getattr(module, attribute, None)
    if not callable(factory):
        raise ConfigError(f"detector {spec.name!r}: {module_name!r} has no class {attribute!r}")
    return cast(DetectorFactory, factory)
