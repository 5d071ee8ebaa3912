"""Runs the halves of a split rung: a frame to bytes on board, bytes to boxes on a roadside unit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from time import perf_counter_ns

import numpy as np
from numpy.typing import NDArray

from scheduler.errors import ConfigError, WireError
from vehicle.perception.boxes import Letterbox, letterbox
from vehicle.perception.detections import Detections
from vehicle.perception.detector import DetectorSpec
from vehicle.perception.picture_detector import select_boxes
from vehicle.perception.rungs import INPUT_SIZES, WEIGHTS
from vehicle.perception.runtime import OnnxModel
from vehicle.perception.split.code_table import CodeTable
from vehicle.perception.split.payload import (
    CODE_STRIDE,
    MAX_COLUMNS,
    MAX_ROWS,
    Header,
    pack,
    unpack,
)

SPLIT_SIZE = (320, 192)  # input of a split that names none: a split saves bytes first of all


class Encoder:
    """The half that runs on board; used by one thread at a time.

    Attributes:
        name: As the configuration calls the detector.
        backend: What computes it, in words.
        width: Of its input, pixels, as is `height`.
    """

    def __init__(self, name: str, path: Path, size: tuple[int, int], threads: int = 1) -> None:
        """Opens the file and runs it once.

        Raises:
            ConfigError: No such file, or not an encoder.
        """
        self.name = name
        self.width, self.height = size
        self._model = OnnxModel(path, threads, {"width": size[0], "height": size[1]})
        if self._model.outputs != ("codes",):
            raise ConfigError(f"split {name!r}: {path} is not an encoder: it has no codes")
        self._pair, self._table = _notes(self._model, path)
        self.backend = self._model.words
        self._stages_ns: dict[str, int] = {}
        self.encode(np.zeros((self.height, self.width, 3), np.uint8))

    @property
    def stages_ns(self) -> Mapping[str, int]:
        """Durations of the last `encode` by stage ("pre", "infer", "post"), nanoseconds."""
        return self._stages_ns

    def codes(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Codes (rows, columns, channels) of a picture that has the input's size."""
        codes: NDArray[np.uint8] = self._model.run(picture[None])[0][0].astype(np.uint8, copy=False)
        return codes

    def encode(self, frame: NDArray[np.uint8]) -> bytes:
        """The payload for a frame (H, W, 3) uint8 BGR of any size up to full HD."""
        began = perf_counter_ns()
        picture, _ = letterbox(frame, self.width, self.height)
        prepared = perf_counter_ns()
        codes = self.codes(picture)
        inferred = perf_counter_ns()
        rows, columns, channels = codes.shape
        height, width = frame.shape[:2]
        header = Header(self._pair, width, height, channels, rows, columns)
        payload = pack(header, codes, self._table)
        self._stages_ns = {
            "pre": prepared - began,
            "infer": inferred - prepared,
            "post": perf_counter_ns() - inferred,
        }
        return payload


class Decoder:
    """The half that runs on a roadside unit; takes payloads of the family's input sizes.

    Attributes:
        name: As the configuration calls the detector.
        backend: What computes it, in words.
    """

    def __init__(self, spec: DetectorSpec, path: Path, threads: int = 1) -> None:
        """Opens the file for the input size of `spec` and runs it once.

        Raises:
            ConfigError: No such file, or not a decoder.
        """
        self.name = spec.name
        self._spec = spec
        self._path, self._threads = path, threads
        self._open: dict[tuple[int, int], OnnxModel] = {}
        size = spec.input_size or SPLIT_SIZE
        self._sizes = {*INPUT_SIZES, size}  # a stranger shall not make us open models at will
        model = self._model(size)
        if model.outputs != ("scores", "boxes"):
            raise ConfigError(f"split {spec.name!r}: {path} is not a decoder: no scores and boxes")
        self._pair, self._table = _notes(model, path)
        if model.input_shape[-1] != self._table.channels:
            raise ConfigError(f"split {spec.name!r}: {path} and its table of codes do not fit")
        self.backend = model.words
        self._stages_ns: dict[str, int] = {}

    @property
    def stages_ns(self) -> Mapping[str, int]:
        """Durations of the last `detect` by stage ("pre", "infer", "post"), nanoseconds."""
        return self._stages_ns

    def detect(self, payload: bytes | memoryview) -> Detections:
        """Boxes in pixels of the frame that was encoded, best first.

        Raises:
            WireError: Not a payload, or one of another encoder.
        """
        spec = self._spec
        began = perf_counter_ns()
        header, codes = unpack(payload, self._pair, self._table)
        if header.input_size not in self._sizes:
            raise WireError(
                f"features: expected an input of {_sizes_in_words(self._sizes)}, "
                f"got {_sizes_in_words([header.input_size])}"
            )
        model = self._model(header.input_size)
        prepared = perf_counter_ns()
        scores, boxes = model.run(codes[None])
        inferred = perf_counter_ns()
        found = select_boxes(
            scores, boxes, spec.score_threshold, spec.nms_threshold, spec.max_detections
        )
        size = (header.frame_width, header.frame_height)
        found = Detections(
            Letterbox.fit(*size, *header.input_size).to_frame(found.xyxy, *size),
            found.score,
            found.class_id,
        )
        self._stages_ns = {
            "pre": prepared - began,
            "infer": inferred - prepared,
            "post": perf_counter_ns() - inferred,
        }
        return found

    def _model(self, size: tuple[int, int]) -> OnnxModel:
        """The model for an input size; opened when first asked for."""
        model = self._open.get(size)
        if model is None:
            columns, rows = size[0] // CODE_STRIDE, size[1] // CODE_STRIDE
            model = OnnxModel(self._path, self._threads, {"rows": rows, "columns": columns})
            if len(model.input_shape) == 4:
                model.run(np.zeros((1, rows, columns, model.input_shape[3] or 1), np.uint8))
            self._open[size] = model
        return model


def _sizes_in_words(sizes: Iterable[tuple[int, int]]) -> str:
    return ", ".join(f"{width}x{height}" for width, height in sorted(sizes))


def load_encoder(spec: DetectorSpec, threads: int = 1) -> Encoder:
    """The on-board half of the rung that `spec` names.

    Raises:
        ConfigError: No split ships for it, or an input size that is no multiple of 32 pixels.
    """
    path = _file(spec, "encoder")
    return Encoder(spec.name, path, _size(spec), threads)


def load_decoder(spec: DetectorSpec, threads: int = 1) -> Decoder:
    """The roadside half of the rung that `spec` names.

    It answers payloads of `rungs.INPUT_SIZES` and of the spec's own `input_size`.

    Raises:
        ConfigError: No split ships for it, or an input size that is no multiple of 32 pixels.
    """
    path = _file(spec, "decoder")
    _size(spec)
    return Decoder(spec, path, threads)


def splittable() -> tuple[str, ...]:
    """Rungs that ship with both halves."""
    names = sorted(path.name.partition(".")[0] for path in WEIGHTS.glob("*.encoder.onnx"))
    return tuple(name for name in names if (WEIGHTS / f"{name}.decoder.onnx").is_file())


def _file(spec: DetectorSpec, half: str) -> Path:
    """`RUNG.encoder.onnx` or `RUNG.decoder.onnx`: shipped, or beside the weights named."""
    named = spec.weights or spec.name
    path = Path(named).expanduser()
    stem = path.name.partition(".")[0]
    folder = path.parent if path.suffix else WEIGHTS
    found = folder / f"{stem}.{half}.onnx"
    if not found.is_file():
        known = ", ".join(splittable()) or "none"
        raise ConfigError(
            f"detector {spec.name!r}: no split of {named!r} (no {found.name}); shipped: {known}"
        )
    return found


def _size(spec: DetectorSpec) -> tuple[int, int]:
    width, height = spec.input_size or SPLIT_SIZE
    step = 2 * CODE_STRIDE
    most = (MAX_COLUMNS * CODE_STRIDE, MAX_ROWS * CODE_STRIDE)
    if width % step or height % step or not (0 < width <= most[0] and 0 < height <= most[1]):
        raise ConfigError(
            f"detector {spec.name!r}: input_size {width}x{height}, expected multiples of {step} "
            f"up to {most[0]}x{most[1]} for a split"
        )
    return width, height


def _notes(model: OnnxModel, path: Path) -> tuple[int, CodeTable]:
    """Pair and code table of a half."""
    if not {"pair", "codes"} <= set(model.notes):
        raise ConfigError(f"split: {path} does not say of which pair of halves it is")
    pair = model.notes["pair"]
    if not (pair.isdecimal() and int(pair) < 1 << 32):
        raise ConfigError(f"split: {path} is of pair {pair!r}, expected a number of 32 bits")
    return int(pair), CodeTable.from_text(model.notes["codes"])
