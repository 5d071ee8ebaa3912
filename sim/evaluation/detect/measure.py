"""Runs every rung at every size and quality over one frame after another."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from scheduler.errors import ConfigError
from sim.evaluation.detect.drives import DriveFrame
from sim.evaluation.detect.stored import RAW, SPLIT, Size
from vehicle.perception.detections import Detections
from vehicle.perception.detector import RUNGS, Detector, DetectorSpec, load_detector

INT8 = ".int8"  # behind a rung's name: its int8 model


class Encoder(Protocol):
    """The half of a split detector that runs on board."""

    def encode(self, frame: NDArray[np.uint8]) -> bytes:
        """What it sends of (H, W, 3) uint8 BGR."""
        ...


class Decoder(Protocol):
    """The other half."""

    def detect(self, payload: bytes) -> Detections:
        """Boxes in pixels of the frame that was encoded."""
        ...


Halves = tuple[Encoder, Decoder]


@dataclass(frozen=True, slots=True)
class Wish:
    """What to store.

    Attributes:
        rungs: Names of shipped rungs, with `INT8` behind for that model, or .onnx files.
        sizes: Width and height of their inputs, pixels.
        qualities: `RAW`, JPEG qualities as text, or `SPLIT`.
        score_threshold: Least score to keep.
        threads: Of inference.
    """

    rungs: tuple[str, ...]
    sizes: tuple[Size, ...]
    qualities: tuple[str, ...]
    score_threshold: float = 0.1
    threads: int = 1

    @property
    def names(self) -> list[str]:
        """Of the rungs, without folders."""
        return [Path(rung).stem if rung.endswith(".onnx") else rung for rung in self.rungs]

    def spec(self, rung: str, size: Size) -> DetectorSpec:
        """The detector of one cell.

        Raises:
            ConfigError: No such rung.
        """
        path = Path(rung)
        if path.suffix == ".onnx":
            return DetectorSpec(
                path.stem, weights=rung, input_size=size, score_threshold=self.score_threshold
            )
        name = rung.removesuffix(INT8)
        if name not in RUNGS:
            raise ConfigError(f"rung {name!r}: expected one of {', '.join(RUNGS)}, or an .onnx")
        precision = "int8" if rung.endswith(INT8) else "fp32"
        return DetectorSpec(
            name, input_size=size, precision=precision, score_threshold=self.score_threshold
        )

    def model(self, rung: str) -> Path:
        """The model file of a rung."""
        spec = self.spec(rung, self.sizes[0])
        return Path(rung) if spec.weights else RUNGS[spec.name].model(spec.precision)

    def hashes(self) -> dict[str, str]:
        """SHA-256 of each rung's model file, by name.

        Raises:
            ConfigError: A file is missing.
        """
        found = {}
        for name, rung in zip(self.names, self.rungs, strict=True):
            path = self.model(rung)
            if not path.is_file():
                raise ConfigError(f"rung {rung!r}: no file {path}")
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found


class Bench:
    """The detectors of all cells, ready to run.

    Attributes:
        backends: What computes each rung, in words.
    """

    def __init__(
        self,
        wish: Wish,
        load: Callable[[DetectorSpec, int], Detector] = load_detector,
        halves: Mapping[tuple[str, Size], Halves] | None = None,
    ) -> None:
        """Loads them.

        Args:
            wish: What to store.
            load: Makes a detector.
            halves: Of split detectors; None loads those that ship, where `SPLIT` is asked for.

        Raises:
            ConfigError: One cannot be loaded.
        """
        self._wish = wish
        self._halves = _load_halves(wish) if halves is None else halves
        self._detectors = {
            (rung, size): load(wish.spec(rung, size), wish.threads)
            for rung, size in itertools.product(wish.rungs, wish.sizes)
        }
        self.backends = {
            name: str(getattr(self._detectors[rung, wish.sizes[0]], "backend", "own"))
            for name, rung in zip(wish.names, wish.rungs, strict=True)
        }

    @property
    def splits(self) -> list[str]:
        """The rungs that are also run in two halves."""
        wish = self._wish
        pairs = zip(wish.names, wish.rungs, strict=True)
        return [name for name, rung in pairs if (rung, wish.sizes[0]) in self._halves]

    def look(self, frame: DriveFrame) -> Looked:
        """All cells of one frame."""
        wish = self._wish
        shape = (len(wish.rungs), len(wish.sizes), len(wish.qualities))
        looked = Looked(
            frame, {}, shape, np.zeros(shape[1:], np.uint32), np.zeros(shape[:2], np.uint32)
        )
        for (s, size), (q, quality) in itertools.product(
            enumerate(wish.sizes), enumerate(wish.qualities)
        ):
            if quality == SPLIT:
                self._look_in_halves(looked, s, q)
                continue
            bgr, looked.jpeg_bytes[s, q] = sent(frame.bgr, size, quality)
            for r, rung in enumerate(wish.rungs):
                answer = self._detectors[rung, size].detect(bgr)
                looked.found[r, s, q] = _scaled(answer, bgr, frame.bgr)
        return looked

    def _look_in_halves(self, looked: Looked, s: int, q: int) -> None:
        for r, rung in enumerate(self._wish.rungs):
            halves = self._halves.get((rung, self._wish.sizes[s]))
            looked.found[r, s, q] = Detections.empty()
            if halves is not None:
                payload = halves[0].encode(looked.frame.bgr)
                looked.payload_bytes[r, s] = len(payload)
                looked.found[r, s, q] = halves[1].detect(payload)


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """One frame and what every cell found, by the numbers of rung, size, quality."""

    frame: DriveFrame
    found: dict[tuple[int, int, int], Detections]
    shape: tuple[int, int, int]
    jpeg_bytes: NDArray[np.uint32]
    payload_bytes: NDArray[np.uint32]

    @property
    def answers(self) -> list[Detections]:
        """In the order of the arrays."""
        return [self.found[r, s, q] for r, s, q in np.ndindex(self.shape)]


def _load_halves(wish: Wish) -> dict[tuple[str, Size], Halves]:
    if SPLIT not in wish.qualities:
        return {}
    from vehicle.perception.split.codec import load_decoder, load_encoder, splittable

    known = splittable()
    rungs = [rung for rung in wish.rungs if rung in known]
    if not rungs:
        raise ConfigError(
            f"--qualities split: none of {', '.join(wish.names)} ships in two halves; "
            f"there is {', '.join(known) or 'none'}"
        )
    cells = itertools.product(rungs, wish.sizes)
    return {
        (rung, size): (
            load_encoder(wish.spec(rung, size), wish.threads),
            load_decoder(wish.spec(rung, size), wish.threads),
        )
        for rung, size in cells
    }


def sent(bgr: NDArray[np.uint8], size: Size, quality: str) -> tuple[NDArray[np.uint8], int]:
    """What a detector gets of a frame, and the bytes of it: halved or so to fit `size`, as a JPEG.

    `RAW` is the frame itself and 0 bytes. A frame smaller than `size` is not enlarged.
    """
    if quality == RAW:
        return bgr, 0
    height, width = bgr.shape[:2]
    scale = min(1.0, max(size[0] / width, size[1] / height))
    if scale < 1.0:
        fitted = (max(16, round(width * scale)), max(16, round(height * scale)))
        bgr = np.asarray(cv2.resize(bgr, fitted, interpolation=cv2.INTER_AREA), np.uint8)
    is_written, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
    if not is_written:
        raise ConfigError(f"OpenCV cannot write a picture of shape {bgr.shape} as JPEG")
    return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8), len(jpeg)


def _scaled(answer: Detections, seen: NDArray[np.uint8], frame: NDArray[np.uint8]) -> Detections:
    """Boxes of the picture that was seen, in pixels of the frame."""
    if seen.shape == frame.shape:
        return answer
    across, down = frame.shape[1] / seen.shape[1], frame.shape[0] / seen.shape[0]
    factor = np.array([across, down, across, down], np.float32)
    return Detections(answer.xyxy * factor, answer.score, answer.class_id)
