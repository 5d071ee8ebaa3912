"""The model card of a shipped rung: what it was trained on, what was measured of it, its limits."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from scheduler.errors import ConfigError
from vehicle.perception.rungs import Cell
from vehicle.perception.training.breakdown import Pairs, Part, by_class, by_height, by_weather
from vehicle.perception.training.evaluate import spread
from vehicle.perception.training.loop import CHECKPOINT, TrainingOptions
from vehicle.perception.training.pictures import Pictures

OURS = ("Measured", "Data", "Training", "Limits", "Licence")  # sections that are written anew

LIMITS = """\
- Everything was learnt from drawn streets. Real roads were never shown; what the rungs find there
  is printed by `benchmarks/real_roads.py`.
- Boxes lower than 25 px, or less visible than 0.3, count neither way in any figure above. Lower
  ones are learnt down to 7 px, but rarely found.
- A class, height or weather with few boxes has a figure that a handful of pictures decide.
- The best score differs between rungs, sizes and precisions; `rungs.json` holds each.
- Right-hand traffic, day and night, six kinds of weather; no snow, no fisheye lens, no thermal
  camera."""

LICENCE = (
    "Apache-2.0, as the code. Trained from scratch on pictures drawn by the project's own world:\n"
    "no third party's picture, label or weight is in it."
)


@dataclass(frozen=True, slots=True)
class Measured:
    """One shipped model file at one input size.

    Attributes:
        size: Width and height of the input, pixels.
        precision: "fp32" or "int8".
        cell: Its figures.
        pairs: What it found in each validation picture, and the truth.
    """

    size: tuple[int, int]
    precision: str
    cell: Cell
    pairs: Pairs = field(repr=False)

    @property
    def title(self) -> str:
        """As a column of the card."""
        return f"{self.size[0]}x{self.size[1]} {self.precision}"


def write_card(
    path: Path,
    rung: str,
    params: int,
    cells: Sequence[Measured],
    validate: Pictures,
    learn: Pictures,
    trainings: Sequence[Path],
) -> None:
    """Writes the card; sections that others added to it stay at its end."""
    scored = spread(len(validate), len(cells[0].pairs))
    weathers = [validate.weathers[index] for index in scored]
    sections = {
        "Measured": _measured(cells, weathers, path),
        "Data": _data(validate, learn, len(scored)),
        "Training": _training(trainings),
        "Limits": LIMITS,
        "Licence": LICENCE,
    }
    head = (
        f"# Model card: {rung}\n\n"
        "A one-stage, anchor-free detector of seven classes (car, truck, bus, motorcycle,\n"
        f"bicycle, pedestrian, traffic light) with {params:,} parameters. One set of weights\n"
        "serves every input whose sides are multiples of 32. Written by\n"
        "`python -m vehicle.perception.training.publish`.\n"
    )
    ours = "".join(f"\n## {title}\n\n{text}\n" for title, text in sections.items())
    path.write_text(head + ours + _kept(path), encoding="utf-8")


def _kept(path: Path) -> str:
    """The sections of an earlier card that are not of this module."""
    if not path.exists():
        return ""
    parts = path.read_text(encoding="utf-8").split("\n## ")[1:]
    return "".join(f"\n## {part}" for part in parts if part.splitlines()[0].strip() not in OURS)


def _measured(cells: Sequence[Measured], weathers: Sequence[str], path: Path) -> str:
    rows: list[list[str]] = []

    def add(name: str, boxes: str, value: Callable[[Measured], str]) -> None:
        rows.append([name, boxes, *(value(one) for one in cells)])

    add("AP50, all classes", "", lambda one: f"{one.cell.ap50:.3f}")
    add("AP, IoU 0.5 to 0.95", "", lambda one: f"{one.cell.ap:.3f}")
    add("F1 of single frames", "", lambda one: f"{one.cell.f1:.3f}")
    add("at the score", "", lambda one: f"{one.cell.score_threshold:.2f}")
    add("CPU ms of a `detect`", "", lambda one: f"{one.cell.latency_ms:.1f}")
    add("file, MB", "", lambda one: f"{_megabytes(path, one):.2f}")
    groups: list[Callable[[Pairs], list[Part]]] = [
        by_class,
        by_height,
        lambda pairs: by_weather(pairs, weathers),
    ]
    for parts_of in groups:
        table = [parts_of(one.pairs) for one in cells]
        rows += [
            [f"AP50 {parts[0].name}", str(parts[0].boxes), *(f"{part.ap50:.3f}" for part in parts)]
            for parts in zip(*table, strict=True)
            if parts[0].boxes
        ]
    titles = ["", "boxes", *(one.title for one in cells)]
    lines = [titles, ["---", *["---:"] * (len(titles) - 1)], *rows]
    return (
        "\n".join("| " + " | ".join(line) + " |" for line in lines)
        + f"\n\nThrough ONNX Runtime {_version('onnxruntime')}, one thread; CPU time of\n"
        f"pre-processing, model and suppression together, on: {_machine()}."
    )


def _megabytes(path: Path, one: Measured) -> float:
    suffix = ".int8.onnx" if one.precision == "int8" else ".onnx"
    return path.with_name(path.stem + suffix).stat().st_size * 1e-6


def _data(validate: Pictures, learn: Pictures, scored: int) -> str:
    lines = [
        "Recorded by `vdap dataset` from the embedded world; whole towns and looks are held out.",
        "",
    ]
    for name, pictures in (("train", learn), ("val", validate)):
        info: dict[str, Any] = pictures.info
        boxes = sum(len(labels.xyxy) for labels in pictures.labels)
        skies = Counter(filter(None, pictures.weathers))
        lines.append(
            f"- {name}: {len(pictures):,} pictures, {boxes:,} boxes; towns "
            f"{', '.join(info.get('towns', [])) or 'not said'}; "
            f"{len(info.get('asset_seeds', []))} sets of looks; "
            + (", ".join(f"{n} {sky}" for sky, n in skies.most_common()) or "weather not said")
            + f"; seed {info.get('seed', 'not said')}."
        )
    lines.append(f"- The figures above rest on {scored:,} pictures of val.")
    return "\n".join(lines)


def _training(trainings: Sequence[Path]) -> str:
    """The commands in their order, each but the first from the weights of the one before."""
    lines, notes = [], []
    for index, folder in enumerate(trainings):
        path = folder / CHECKPOINT
        if not path.exists():
            raise ConfigError(f"card: no {path}; it says how the rung was trained")
        state = torch.load(path, weights_only=True)
        rung, shown = state["options"]["rung"], state["images"]
        start = state.get("started_from", "")
        if index:
            start = f"{trainings[index - 1].name}/{rung}.safetensors"
        flags = [*_flags(state["options"]), *([f"--start-from {start}"] if start else [])]
        lines.append(f"vdap train DATASET {' '.join(flags)} --out {folder.name}")
        if shown < state["options"]["max_images"]:
            notes.append(f"stopped after {shown:,} pictures: {folder.name}.")
    is_early = bool(notes) and notes[-1].endswith(f": {trainings[-1].name}.")
    said = ["**Early weights**: a longer training is under way."] if is_early else []
    text = "\n".join(["```", *lines, "```"])
    tail = [note[0].upper() + note[1:] for note in notes]
    return text + "\n\n" + " ".join([*tail, *said, "No weight comes from anywhere else."])


def _flags(options: dict[str, Any]) -> list[str]:
    """The command's flags, those at their default left out."""
    default = asdict(TrainingOptions())
    names = ("rung", "max_images", "batch", "seed", "rate", "whole_share", "evaluations")
    return [
        f"--{name.replace('_', '-')} {options[name]}"
        for name in names
        if name in ("rung", "max_images") or options[name] != default[name]
    ]


def _version(name: str) -> str:
    from importlib import metadata

    return metadata.version(name)


def _machine() -> str:
    """The processor's name, as Linux tells it."""
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
