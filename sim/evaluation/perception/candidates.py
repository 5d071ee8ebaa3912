"""Which detectors are scored: what the command line names, as specs with their shipped scores."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scheduler.errors import ConfigError
from vehicle.perception.detector import RUNGS, DetectorSpec
from vehicle.perception.rungs import INPUT_SIZES

LEAST_SCORE = 0.02  # of a box that average precision is told of
MOST_BOXES = 300  # in one picture
UNKNOWN_SCORE = 0.35  # what a detector without a measured score is used at


@dataclass(frozen=True, slots=True)
class Candidate:
    """One detector at one input size and precision.

    Attributes:
        label: How tables call it, such as "large 640x384 int8".
        spec: With a score so low that every curve is whole.
        shipped: The score at which it is used in a drive.
        rung: The rung, or the file of our form; one name for all its sizes. Empty for others.
        size: Width and height of its input; None where the file decides.
    """

    label: str
    spec: DetectorSpec
    shipped: float
    rung: str = ""
    size: tuple[int, int] | None = None

    @property
    def key(self) -> str:
        """Changes with all that changes an answer; names the file of stored ones."""
        spec = self.spec
        told = hashlib.sha256(repr((spec, LEAST_SCORE)).encode())
        for path in _files(spec):
            told.update(path.read_bytes())
        plain = "".join(c if c.isalnum() else "-" for c in self.label)
        return f"{plain}-{told.hexdigest()[:12]}"


def rungs(
    names: Sequence[str], sizes: Sequence[tuple[int, int]], precisions: Sequence[str]
) -> list[Candidate]:
    """Each rung at each size and precision that it ships in.

    Raises:
        ConfigError: No such rung, or no such precision of any rung.
    """
    wanted = list(RUNGS) if "all" in names else list(names)
    made = []
    for name in wanted:
        if name not in RUNGS:
            known = ", ".join(RUNGS) or "none shipped"
            raise ConfigError(f"rung {name!r}: expected all or some of {known}")
        for precision in precisions:
            if not RUNGS[name].model(precision).is_file():
                if len(precisions) > 1:
                    continue  # asked for what there is
                raise ConfigError(f"rung {name!r}: no file {RUNGS[name].model(precision)}")
            made += [_rung(name, size, precision) for size in sizes or INPUT_SIZES]
    return made


def _rung(name: str, size: tuple[int, int], precision: str) -> Candidate:
    label = f"{name} {size[0]}x{size[1]}" + (f" {precision}" if precision != "fp32" else "")
    spec = DetectorSpec(
        name,
        input_size=size,
        precision=precision,
        score_threshold=LEAST_SCORE,
        max_detections=MOST_BOXES,
    )
    return Candidate(label, spec, _shipped(name, size, precision), name, size)


def _shipped(name: str, size: tuple[int, int], precision: str) -> float:
    try:
        return RUNGS[name].cell(size, precision).score_threshold
    except ConfigError:  # ships, but was not measured in that precision
        return RUNGS[name].cell(size).score_threshold


def parse(text: str) -> Candidate:
    """A detector as `[KIND=]RUNG-OR-FILE[@WIDTHxHEIGHT][/PRECISION]`.

    Examples: `large`, `large@320x192/int8`, `weights/mine.onnx@640x384`, `yolox=yolox_nano.onnx`.

    Raises:
        ConfigError: Another form, or a file that is not there.
    """
    kind, is_named, rest = text.partition("=")
    if not is_named:
        kind, rest = "vdap", text
    rest, _, precision = _cut(rest, ("/fp32", "/int8"))
    named, _, size_text = rest.partition("@")
    size = parse_size(size_text) if size_text else None
    precision = precision.lstrip("/") or "fp32"
    if kind == "vdap" and named in RUNGS:
        return rungs([named], [size or INPUT_SIZES[0]], [precision])[0]
    path = Path(named).expanduser()
    if not path.is_file() and ":" not in kind:
        known = ", ".join(RUNGS) or "none shipped"
        raise ConfigError(
            f"detector {text!r}: no file {path}, and no rung of that name ({known}); expected "
            "[KIND=]RUNG-OR-FILE[@WIDTHxHEIGHT][/PRECISION]"
        )
    label = path.stem + (f" {size[0]}x{size[1]}" if size else "")
    spec = DetectorSpec(
        label,
        kind,
        str(path),
        input_size=size,
        precision=precision,
        score_threshold=LEAST_SCORE,
        max_detections=MOST_BOXES,
    )
    return Candidate(label, spec, UNKNOWN_SCORE, path.stem if kind == "vdap" else "", size)


def _cut(text: str, endings: Sequence[str]) -> tuple[str, str, str]:
    for ending in endings:
        if text.endswith(ending):
            return text[: -len(ending)], "", ending
    return text, "", ""


def parse_size(text: str) -> tuple[int, int]:
    """WIDTHxHEIGHT in pixels, multiples of 32.

    Raises:
        ConfigError: Another form.
    """
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise ConfigError(f"size {text!r}: expected WIDTHxHEIGHT, such as 640x384")
    size = int(width), int(height)
    if min(size) < 32 or size[0] % 32 or size[1] % 32:
        raise ConfigError(f"size {text!r}: expected multiples of 32 pixels, such as 640x384")
    return size


def _files(spec: DetectorSpec) -> list[Path]:
    if spec.kind == "vdap" and not spec.weights:
        return [RUNGS[spec.name].model(spec.precision)]
    path = Path(spec.weights).expanduser()
    return [path] if path.is_file() else []
