"""Our own detector family at run time: a shipped rung or a trained file, in any of the runtimes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scheduler.errors import ConfigError
from vehicle.perception import backends, profile
from vehicle.perception.backends import Model
from vehicle.perception.class_map import Columns, class_columns
from vehicle.perception.classes import CLASSES
from vehicle.perception.detector import DetectorSpec
from vehicle.perception.picture_detector import Layout, PictureDetector, select_boxes
from vehicle.perception.rungs import INPUT_SIZES, RUNGS

__all__ = ["expected_ns", "load_rung", "profiled", "select_boxes"]

Floats = NDArray[np.float32]


def load_rung(spec: DetectorSpec, threads: int = 1) -> PictureDetector:
    """A shipped rung, or a file that `vdap train` or `vdap compress` wrote.

    Raises:
        ConfigError: Neither a rung nor a file of that name, or an unknown backend.
        MissingPartError: The backend is not installed or does not work here.
    """
    files = _files(spec)
    names = backends.candidates(
        spec.backend, _readers(spec, files), tuple(cell.backend for cell in profiled(spec, threads))
    )
    model = backends.first_that_works(names, lambda name: _open(spec, files, name, threads))
    height, width = model.input_shape[1:3]
    assert width is not None
    assert height is not None
    _check(spec, *model.run(np.zeros((1, height, width, 3), np.uint8)))
    classes = class_columns(spec.name, CLASSES, spec.class_map)
    return PictureDetector(spec, model, Layout(_tensor, _scores, _boxes), classes, (width, height))


def _tensor(picture: NDArray[np.uint8]) -> NDArray[np.generic]:
    return picture[None]


def _scores(outputs: list[Floats], columns: Columns) -> Floats:
    return outputs[0][:, columns]


def _boxes(outputs: list[Floats], at: NDArray[np.intp]) -> Floats:
    return outputs[1][at]


def _files(spec: DetectorSpec) -> dict[str, Path]:
    """The model's files by suffix, as far as there are any."""
    rung = spec.rung
    if rung is not None:
        rung.cell(spec.input_size, spec.precision)  # says what it ships in
        return {".onnx": rung.model(spec.precision), ".safetensors": rung.safetensors}
    named = spec.weights or spec.name
    path = Path(named).expanduser()
    if not path.suffix and not path.exists():
        known = ", ".join(RUNGS) or "none shipped"
        raise ConfigError(
            f"detector {spec.name!r}: {named!r} is neither a file nor a rung ({known})"
        )
    if path.suffix in backends.TORCHSCRIPT:
        return {path.suffix: path}
    if path.suffix not in (".onnx", ".safetensors"):
        raise ConfigError(
            f"detector {spec.name!r}: {path}, expected a file .onnx, .safetensors or "
            f"{', '.join(backends.TORCHSCRIPT)}"
        )
    stem = path.with_suffix("")
    suffix = ".int8.onnx" if spec.precision == "int8" and stem.suffix != ".int8" else ".onnx"
    found = {".onnx": Path(f"{stem}{suffix}"), ".safetensors": Path(f"{stem}.safetensors")}
    there = {suffix: file for suffix, file in found.items() if file.is_file()}
    return there or {".onnx": found[".onnx"]}


def _readers(spec: DetectorSpec, files: dict[str, Path]) -> tuple[str, ...]:
    """Backends that have a file to read, in the precision that is asked for."""
    readers = backends.OF_ONNX_FILES if ".onnx" in files else ()
    if spec.precision == "fp32" and set(files) - {".onnx"}:
        readers += ("torch",)
    if spec.backend == "torch" and spec.precision == "int8":
        raise ConfigError(
            f"detector {spec.name!r}: torch runs fp32 alone; for int8 say backend: auto"
        )
    return readers


def profiled(spec: DetectorSpec, threads: int, *, is_quiet: bool = False) -> list[profile.Cell]:
    """What this machine's profile knows of a shipped rung, best backend first."""
    rung = spec.rung
    found = profile.here(is_quiet=is_quiet) if rung is not None else None
    if rung is None or found is None:
        return []
    size = spec.input_size or INPUT_SIZES[0]
    return profile.ordered(
        found.of(rung.name, size, spec.precision, threads, rung.params), backends.DEFAULT
    )


def expected_ns(spec: DetectorSpec, threads: int) -> int | None:
    """A whole detection as profiled, for who has not measured it yet; None where nobody has."""
    for cell in profiled(spec, threads, is_quiet=True):  # who loads it says what is wrong
        if spec.backend in (backends.AUTO, cell.backend):
            return round(cell.ms * 1e6)
    return None


def _open(spec: DetectorSpec, files: dict[str, Path], backend: str, threads: int) -> Model:
    if backend != "torch":
        model = backends.open_picture_model(files[".onnx"], backend, threads, spec.input_size)
    elif ".safetensors" in files:
        model = backends.torch_part().open_weights(files[".safetensors"], threads, spec.input_size)
    else:
        (path,) = files.values()
        model = backends.open_picture_model(path, backend, threads, spec.input_size)
    is_named = backend != "torch"
    if (is_named and model.outputs != ("scores", "boxes")) or len(model.outputs) != 2:
        raise ConfigError(
            f"detector {spec.name!r}: {next(iter(files.values()))} has outputs {model.outputs}, "
            "expected scores and boxes; for other models say kind: yolox or yolov8"
        )
    return model


def _check(spec: DetectorSpec, scores: Floats, boxes: Floats) -> None:
    if scores.shape[1:] != (len(CLASSES),) or boxes.shape != (len(scores), 4):
        raise ConfigError(
            f"detector {spec.name!r}: answers scores {scores.shape} and boxes {boxes.shape}, "
            f"expected (N, {len(CLASSES)}) and (N, 4)"
        )
