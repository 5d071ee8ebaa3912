"""Runs one evaluation: opens what PATH is, asks the detectors, scores, shows and writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import msgspec
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

from scheduler.errors import ConfigError, MissingPartError
from sim.evaluation.perception import curves, drives, report
from sim.evaluation.perception.answers import answers, of_classes
from sim.evaluation.perception.candidates import Candidate
from sim.evaluation.perception.coco import CocoSet, found_in
from sim.evaluation.perception.following import has_ids, track_scores
from sim.evaluation.perception.labels import LabelledSet, Picture
from sim.evaluation.perception.mistakes import mistakes, sheet
from sim.evaluation.perception.recorded import RecordedSet
from sim.evaluation.perception.slices import Result, Scored, result
from sim.evaluation.perception.video import VIDEOS, LabelledVideo, frame_files, labels_of
from sim.evaluation.records import RunFolder
from vehicle.perception.classes import CLASSES
from vehicle.perception.detections import Detections
from vehicle.perception.scores.matching import Boxes, Truth
from vehicle.perception.scores.tracking import TrackScores

MISSES = "worst_misses"
LOOKED_AT = 60  # of the largest mistakes; a sheet shows at most one of a kind and picture

Figures = dict[str, float | int]


@dataclass(frozen=True, slots=True)
class Plan:
    """What the command line asks for; as its flags."""

    path: Path
    out: Path
    candidates: Sequence[Candidate]
    limit: int | None = None
    labels: Path | None = None
    fps: float | None = None
    class_map: Mapping[str, str] = field(default_factory=dict)


class Evaluation(msgspec.Struct, frozen=True):
    """The content of `evaluation.json`.

    Attributes:
        title: What was evaluated.
        detectors: Each detector on the pictures.
        tracks: Detector -> class (or "all") -> scores of its tracks, where the set is a sequence.
        drives: What vehicles believed, of a run folder.
    """

    title: str
    detectors: list[Result] = []
    tracks: dict[str, dict[str, Figures]] = {}
    drives: list[drives.Drive] = []


def is_run(path: Path) -> bool:
    """Whether `path` is a run folder."""
    return (path / "config.yaml").is_file()


def opened(plan: Plan) -> LabelledSet:
    """The pictures and labels that PATH stands for.

    Raises:
        ConfigError: No labels there, or none of use.
        SourceError: Something cannot be read.
    """
    path = plan.path
    if is_run(path):
        return RecordedSet(RunFolder(path), plan.limit)
    is_sequence = path.is_dir() and ((path / "gt").is_dir() or (path / "gt.txt").is_file())
    is_labelled = path.is_dir() and plan.labels is not None and bool(frame_files(path))
    if is_sequence or is_labelled or path.suffix.lower() in VIDEOS:
        return LabelledVideo(path, labels_of(path, plan.labels), plan.class_map, plan.limit)
    return CocoSet(plan.labels or found_in(path), plan.class_map, plan.limit)


def evaluate(plan: Plan) -> int:
    """Does it all; returns the exit code.

    Raises:
        ConfigError: As `opened`, or a detector that cannot be loaded.
    """
    cv2.setNumThreads(1)
    console = Console(highlight=False)
    driven: list[drives.Drive] = []
    if is_run(plan.path):
        driven = _drives(plan, console)
    results: list[Result] = []
    tracks: dict[str, dict[str, Figures]] = {}
    title = str(plan.path)
    if plan.candidates:
        pictures = opened(plan)
        title = pictures.title
        results, tracks = _detectors(plan, pictures, console)
        console.print(f"\n[bold]{title}[/bold]")
        report.show_results(console, results)
        for name, rows in tracks.items():
            report.show_tracks(console, f"tracks of {name}", rows)
    plan.out.mkdir(parents=True, exist_ok=True)
    written = plan.out / "evaluation.json"
    made = msgspec.json.encode(Evaluation(title, results, tracks, driven))
    written.write_bytes(msgspec.json.format(made, indent=2) + b"\n")
    console.print(f"\nfigures  {written}", markup=False, soft_wrap=True)
    try:
        for path in curves.draw(plan.out, results):
            console.print(f"curves   {path}", markup=False, soft_wrap=True)
    except MissingPartError as error:
        console.print(f"curves   not drawn: {error}", markup=False, soft_wrap=True)
    if (plan.out / MISSES).is_dir():
        console.print(f"mistakes {plan.out / MISSES}", markup=False, soft_wrap=True)
    return 0


def _detectors(
    plan: Plan, pictures: LabelledSet, console: Console
) -> tuple[list[Result], dict[str, dict[str, Figures]]]:
    results, tracks = [], {}
    columns = (*Progress.get_default_columns()[:-1], MofNCompleteColumn(), TimeRemainingColumn())
    fps = plan.fps or pictures.fps
    with Progress(*columns, console=console, transient=True) as progress:
        for candidate in plan.candidates:
            task = progress.add_task(candidate.label, total=len(pictures.labels))

            def report_done(done: int, task: int = task) -> None:
                progress.update(task, completed=done)  # type: ignore[arg-type]

            found = answers(candidate, pictures, plan.out / "detections", report_done)
            found = of_classes(found, pictures.classes)
            scored = Scored(pictures.labels, found)
            name = candidate.label
            results.append(result(name, scored, candidate.shipped, candidate.rung, candidate.size))
            pairs = scored.pairs()
            _draw(plan.out, name, pairs, range(len(pairs)), pictures, candidate.shipped)
            if fps and has_ids(pictures.labels):
                tracks[name] = _tracks(pictures, found, fps)
    return results, tracks


def _tracks(pictures: LabelledSet, found: Sequence[Detections], fps: float) -> dict[str, Figures]:
    by_class = track_scores(pictures.labels, found, fps)
    rows = {"all": sum(by_class.values(), TrackScores.zero()).figures()}
    rows |= {CLASSES[c]: own.figures() for c, own in by_class.items() if own.boxes}
    return rows


def _drives(plan: Plan, console: Console) -> list[drives.Drive]:
    folder = RunFolder(plan.path)
    views = drives.views(folder)
    if not views:
        console.print(f"{plan.path}: no verdict with truth beside it; nothing to score")
        return []
    made = [drives.score(view) for view in views]
    report.show_drives(console, made)
    for view in views:
        _draw_belief(plan.out, folder, view)
    return made


def _draw_belief(out: Path, folder: RunFolder, view: drives.View) -> None:
    """Sheets of what a vehicle believed wrong, where its pictures were recorded."""
    ticks, pairs = drives.at_pictures(view)
    try:
        pictures = RecordedSet(folder)
    except ConfigError:
        return  # nothing recorded: there are figures all the same
    places = {label.name: index for index, label in enumerate(pictures.labels)}
    known = [
        (places[name], pair)
        for tick, pair in zip(ticks, pairs, strict=True)
        if (name := f"{view.vehicle_id}/{view.camera_id}/{tick}") in places
    ]
    name = f"belief {view.vehicle_id} {view.camera_id} {view.service}"
    _draw(out, name, [pair for _, pair in known], [place for place, _ in known], pictures, 0.0)


def _draw(
    out: Path,
    name: str,
    pairs: Sequence[tuple[Boxes, Truth]],
    places: Sequence[int],
    pictures: LabelledSet,
    score: float,
) -> None:
    """Sheets of the largest missed and of the largest false boxes."""
    made = mistakes(pairs, score)
    for kind in ("missed", "false"):
        mine = [mistake for mistake in made if mistake.kind == kind][:LOOKED_AT]
        wanted = {places[mistake.picture]: mistake.picture for mistake in mine}
        shown: dict[int, Picture] = {
            wanted[place]: picture for place, picture in pictures.pictures(sorted(wanted))
        }
        drawn = sheet(mine, pairs, shown.__getitem__, score)
        if drawn is None:
            continue
        (out / MISSES).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(out / MISSES / f"{name.replace(' ', '_')}_{kind}.jpg"), drawn)
