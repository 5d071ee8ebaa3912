"""What a loaded model can do besides detecting: the halves of a split, and further heads.

A shipped rung has the halves and heads whose files lie beside its weights. A detector of the
user's own has them as methods: `encode(frame) -> bytes` and `decode(payload) -> Detections` for a
split, `heads` (names) and `detect_heads(frame, heads)` for heads.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from scheduler.errors import ConfigError
from vehicle.perception.detections import Detections
from vehicle.perception.detector import Detector, DetectorSpec, load_detector

log = logging.getLogger(__name__)

Frame = NDArray[np.uint8]  # (H, W, 3) BGR
Encode = Callable[[Frame], bytes]
Decode = Callable[[bytes], Detections]


class HeadResults(Protocol):
    """Detections, and beside them each head's result in its own documented layout."""

    @property
    def detections(self) -> Detections:
        """In pixels of the frame."""
        ...

    @property
    def results(self) -> Mapping[str, bytes]:
        """By head."""
        ...


class FlowEstimator(Protocol):
    """Keeps the previous picture of each camera."""

    def answer(self, picture: Frame, request: bytes) -> bytes:
        """How boxes moved up to this picture, in the layouts of `motion`."""
        ...


DetectHeads = Callable[[Frame, Sequence[str]], HeadResults]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a process needs of its models besides detection.

    Attributes:
        encode: The first half of a split, in vehicles.
        decode: The second half, in roadside units.
        heads: Names; "*" for all that there are.
    """

    encode: bool = False
    decode: bool = False
    heads: Sequence[str] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """One loaded model.

    Attributes:
        encode: Frame to bottleneck bytes; None without this ability, as is the next.
        decode: Bottleneck bytes to boxes in pixels of the encoded frame.
        heads: Names that `detect_heads` knows.
        why_not: Why an ability that was wanted is missing, by its name.
    """

    detector: Detector
    encode: Encode | None
    decode: Decode | None
    heads: tuple[str, ...]
    detect_heads: DetectHeads | None
    why_not: Mapping[str, str]
    sample: Encode  # bytes that `decode` takes, for its trial run

    def look(
        self, frame: Frame, heads: Sequence[str] = ()
    ) -> tuple[Detections, Mapping[str, bytes]]:
        """Boxes, and the results of those asked heads that the model has, in one pass."""
        known = [head for head in heads if head in self.heads]
        if known and self.detect_heads is not None:
            found = self.detect_heads(frame, known)
            return found.detections, found.results
        return self.detector.detect(frame), {}


def load_model(spec: DetectorSpec, threads: int, wanted: Wanted) -> Model:
    """Loads a detector, and what else is wanted of it as far as it has it.

    Raises:
        ConfigError: The detector itself does not load.
    """
    detector = load_detector(spec, threads)
    loader = _Shipped(spec, threads) if spec.kind == "vdap" else _Own(detector)
    why_not: dict[str, str] = {}

    def attempt(name: str, is_wanted: bool, load: Callable[[], Any]) -> Any:
        try:
            return load() if is_wanted else None
        except ConfigError as error:
            log.info("model %s: no %s: %s", spec.name, name, error)
            why_not[name] = str(error)
            return None

    encode = attempt("encode", wanted.encode, loader.encoder)
    decode = attempt("decode", wanted.decode, loader.decoder)
    multi = attempt("heads", bool(wanted.heads), loader.multi)
    names: tuple[str, ...] = ()
    if multi is not None:
        names = tuple(h for h in multi.heads if h in wanted.heads or "*" in wanted.heads)
    detect_heads = multi.detect_heads if multi is not None else None
    sample = encode if encode is not None else lambda frame: loader.encoder()(frame)
    return Model(detector, encode, decode, names, detect_heads, why_not, sample)


def load_flow() -> FlowEstimator:
    """What measures motion between pictures of a camera.

    Raises:
        ConfigError: It is not there, or OpenCV is not.
    """
    try:
        from vehicle.perception.flow import BoxFlow
    except ImportError as error:
        raise ConfigError(
            f"motion needs OpenCV: pip install 'vdap[headless]' (or 'vdap[vision]'): {error}"
        ) from None
    return BoxFlow()


class _Shipped:
    """Halves and heads of the family, from the files beside its weights."""

    def __init__(self, spec: DetectorSpec, threads: int) -> None:
        self._spec = spec
        self._threads = threads

    def encoder(self) -> Encode:
        from vehicle.perception.split.codec import load_encoder

        return load_encoder(self._spec, self._threads).encode

    def decoder(self) -> Decode:
        from vehicle.perception.split.codec import load_decoder

        return load_decoder(self._spec, self._threads).detect

    def multi(self) -> Any:
        from vehicle.perception.heads.multi import load_multi

        return load_multi(self._spec, self._threads)


class _Own:
    """Abilities that a detector of the user's own has as methods."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    def encoder(self) -> Encode:
        return cast(Encode, self._method("encode"))

    def decoder(self) -> Decode:
        return cast(Decode, self._method("decode"))

    def multi(self) -> Any:
        self._method("detect_heads")
        return self._detector

    def _method(self, name: str) -> Any:
        found = getattr(self._detector, name, None)
        if not callable(found):
            raise ConfigError(f"{type(self._detector).__name__} has no method {name}")
        return found
