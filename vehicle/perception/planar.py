"""Other people's detectors: one file, one input (1, 3, H, W) of floats."""

from __future__ import annotations

from pathlib import Path

from scheduler.errors import ConfigError
from vehicle.perception.backends import (
    OF_ONNX_FILES,
    OF_TORCHSCRIPT_FILES,
    TORCHSCRIPT,
    Model,
    candidates,
    first_that_works,
    open_picture_model,
)
from vehicle.perception.detector import DetectorSpec


def open_planar(spec: DetectorSpec, threads: int) -> tuple[Model, tuple[int, int]]:
    """The model in the file `spec.weights` and its input's (width, height) in pixels.

    Raises:
        ConfigError: No such file, not a model, or its input is not (1, 3, H, W) of float32.
        MissingPartError: No runtime that reads the file works.
    """
    if not spec.weights:
        raise ConfigError(f"detector {spec.name!r}: kind {spec.kind} needs weights: PATH")
    path = Path(spec.weights).expanduser()
    readers = readers_of(spec, path)
    model = first_that_works(
        candidates(spec.backend, readers),
        lambda backend: open_picture_model(path, backend, threads, spec.input_size, is_planar=True),
    )
    shape = model.input_shape
    if len(shape) != 4 or shape[1] != 3 or model.input_type != "float32":
        raise ConfigError(
            f"detector {spec.name!r}: input {shape} of {model.input_type}, "
            "expected (1, 3, H, W) of float32"
        )
    assert shape[3] is not None
    assert shape[2] is not None
    return model, (shape[3], shape[2])


def readers_of(spec: DetectorSpec, path: Path) -> tuple[str, ...]:
    """Backends that read files of this suffix.

    Raises:
        ConfigError: None does.
    """
    if path.suffix == ".onnx":
        return OF_ONNX_FILES
    if path.suffix in TORCHSCRIPT:
        return OF_TORCHSCRIPT_FILES
    raise ConfigError(
        f"detector {spec.name!r}: {path}, expected a file .onnx or {', '.join(TORCHSCRIPT)}"
    )
