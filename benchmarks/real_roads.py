"""Real roads, where nothing was trained: who finds the cars that YOLOX-nano is sure of.

    python benchmarks/real_roads.py [--rungs all] [--sizes 640x384 320x192] [--precision fp32]
                                    [--detector SPEC ...] [--every 3] [--sheets DIR]

There are no labels: the truth is what YOLOX-nano (untouched COCO weights) finds with a score of
0.5 or more, 30 pixels high or more. Found is a car, truck or bus of ours at IoU 0.5, one to one.
What YOLOX finds with less confidence (0.2) counts neither way. Of our boxes some pair with none of
YOLOX's: a "second box" stands on a vehicle that YOLOX has, twice found or badly placed; "elsewhere"
is where YOLOX has nothing, and may still be a car: the sheets show them. Beside our rungs YOLOX
against itself, with the picture mirrored or at three quarters of the size: more agreement than
that cannot be asked for.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from scheduler.errors import VdapError
from sim.evaluation.perception import candidates
from sim.evaluation.perception.mistakes import mistakes, sheet
from vehicle.perception.boxes import iou
from vehicle.perception.classes import CLASS_ID
from vehicle.perception.detections import Detections
from vehicle.perception.detector import DetectorSpec, load_detector
from vehicle.perception.scores.matching import Truth
from vehicle.perception.scores.sweep import sweep

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
CLIPS = ("dashcam_highway.mp4", "dashcam_clip.mp4")
YOLOX = "yolox_nano.onnx"
CAR = (CLASS_ID["car"],)
VEHICLES = tuple(CLASS_ID[name] for name in ("car", "truck", "bus"))
SURE, MAYBE = 0.5, 0.2  # scores of YOLOX: truth, and what counts neither way
MIN_HEIGHT_PX = 30.0
LOOSE_IOU = 0.2  # of a second or badly placed box with a vehicle of YOLOX
PRECISION = 0.9  # at which detectors are compared, whatever their scores mean

Picture = NDArray[np.uint8]
Finder = Callable[[Picture], Detections]


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of a clip, and what YOLOX says of it."""

    clip: int
    picture: Picture
    truth: Truth


def only(found: Detections, classes: Sequence[int]) -> Detections:
    """Boxes of these classes, all called car."""
    kept = found.select(np.isin(found.class_id, classes))
    return replace(kept, class_id=np.zeros(len(kept), np.int16))


def truth_of(found: Detections) -> Truth:
    """The cars that YOLOX is sure of count; the rest of its vehicles counts neither way."""
    height = found.xyxy[:, 3] - found.xyxy[:, 1]
    is_car = found.class_id == CLASS_ID["car"]
    is_sure = is_car & (found.score >= SURE) & (height >= MIN_HEIGHT_PX)
    kept = np.isin(found.class_id, VEHICLES)
    return Truth(found.xyxy[kept], np.zeros(int(kept.sum()), np.int16), ~is_sure[kept])


def read_frames(folder: Path, every: int, reference: Finder) -> list[Frame]:
    """Each `every`-th picture of both clips, with what the reference finds there."""
    frames = []
    for clip, name in enumerate(CLIPS):
        video = cv2.VideoCapture(str(folder / name))
        index = 0
        while True:
            is_there, picture = video.read()
            if not is_there:
                break
            if index % every == 0:
                frames.append(Frame(clip, picture, truth_of(reference(picture))))
            index += 1
        video.release()
    return frames


def mirrored(find: Finder) -> Finder:
    """Looks at the mirrored picture."""

    def look(picture: Picture) -> Detections:
        found = find(np.ascontiguousarray(picture[:, ::-1]))
        x1, y1, x2, y2 = found.xyxy.T
        width = np.float32(picture.shape[1])
        return replace(found, xyxy=np.stack([width - x2, y1, width - x1, y2], axis=1))

    return look


def smaller(find: Finder) -> Finder:
    """Looks at the picture at three quarters of the size, with grey around it."""

    def look(picture: Picture) -> Detections:
        height, width = picture.shape[:2]
        wide = np.full((height * 4 // 3, width * 4 // 3, 3), 114, np.uint8)
        wide[:height, :width] = picture
        return find(wide)

    return look


def agreement(frames: Sequence[Frame], answers: Sequence[Detections], shipped: float) -> list[str]:
    """The cells of one detector: each clip's share found, and then of both clips together."""
    pairs = [
        (only(answer, VEHICLES), frame.truth) for answer, frame in zip(answers, frames, strict=True)
    ]
    matches = sweep(pairs, min_height_px=MIN_HEIGHT_PX)
    clips = np.array([frame.clip for frame in frames])
    cells = [_percent(matches.of_pictures(clips == clip).counts(shipped).recall) for clip in (0, 1)]
    counts = matches.counts(shipped)
    cars = [(only(answer, CAR), frame.truth) for answer, frame in zip(answers, frames, strict=True)]
    cells.append(_percent(counts.recall))
    cells.append(_percent(sweep(cars, min_height_px=MIN_HEIGHT_PX).counts(shipped).recall))
    found = counts.hits + counts.false
    elsewhere = sum(_elsewhere(answer, truth, shipped) for answer, truth in pairs)
    cells.append(_percent((counts.false - elsewhere) / found if found else None))
    cells.append(_percent(elsewhere / found if found else None))
    score = matches.score_of_precision(PRECISION)
    cells.append("-" if score is None else f"{score:.2f}")
    cells.append("-" if score is None else _percent(matches.counts(score).recall))
    return cells


def _elsewhere(found: Detections, truth: Truth, min_score: float) -> int:
    """Boxes that stand on no vehicle of YOLOX, not even loosely."""
    height = found.xyxy[:, 3] - found.xyxy[:, 1]
    boxes = found.xyxy[(found.score >= min_score) & (height >= MIN_HEIGHT_PX)]
    if not len(truth.xyxy):
        return len(boxes)
    return int(np.sum(iou(boxes, truth.xyxy).max(axis=1, initial=0.0) < LOOSE_IOU))


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"


def draw(folder: Path, name: str, frames: Sequence[Frame], answers: Sequence[Detections],
         shipped: float) -> None:  # fmt: skip
    """Contact sheets of what is missed and of what only this detector finds."""
    folder.mkdir(parents=True, exist_ok=True)
    pairs = [(only(a, VEHICLES), frame.truth) for a, frame in zip(answers, frames, strict=True)]
    made = mistakes(pairs, shipped)
    for kind in ("missed", "false"):
        mine = [m for m in made if m.kind == kind and m.height >= MIN_HEIGHT_PX]
        picture = sheet(mine, pairs, lambda index: frames[index].picture, shipped)
        if picture is not None:
            cv2.imwrite(str(folder / f"{name.replace(' ', '_')}_{kind}.jpg"), picture)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    it = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    it.add_argument("--rungs", nargs="*", default=["all"])
    it.add_argument("--sizes", nargs="+", default=["640x384", "320x192"])
    it.add_argument("--precision", nargs="+", default=["fp32"], choices=("fp32", "int8"))
    it.add_argument("--detector", nargs="+", default=[], help="others: [KIND=]FILE[@WxH]")
    it.add_argument("--every", type=int, default=3, help="of the pictures of a clip")
    it.add_argument("--data", type=Path, default=DATA)
    it.add_argument("--sheets", type=Path, help="folder for pictures of misses and own boxes")
    return it


def main() -> int:
    """Runs the benchmark."""
    arguments = parser().parse_args()
    missing = [name for name in (*CLIPS, YOLOX) if not (arguments.data / name).is_file()]
    if missing:
        sys.stdout.write(f"skipped: no {', '.join(missing)} in {arguments.data}\n")
        return 0
    cv2.setNumThreads(1)
    reference = load_detector(
        DetectorSpec("yolox", "yolox", str(arguments.data / YOLOX), score_threshold=MAYBE)
    ).detect
    frames = read_frames(arguments.data, arguments.every, reference)
    sure = sum(int(np.sum(~frame.truth.is_ignored)) for frame in frames)
    table = Table(title=f"{len(frames)} pictures, {sure} cars that YOLOX-nano is sure of; %")
    for column in (
        "detector", "score", "found: highway", "clip", "both", "as car", "ours: second box",
        "elsewhere", f"score for {PRECISION:.0%} shared", "found there",
    ):  # fmt: skip
        table.add_column(column, justify="left" if column == "detector" else "right")
    try:
        sizes = [candidates.parse_size(text) for text in arguments.sizes]
        chosen = [candidates.parse(text) for text in arguments.detector]
        chosen += candidates.rungs(arguments.rungs, sizes, arguments.precision)
        for candidate in chosen:
            find = load_detector(candidate.spec, threads=1).detect
            answers = [find(frame.picture) for frame in frames]
            cells = agreement(frames, answers, candidate.shipped)
            table.add_row(candidate.label, f"{candidate.shipped:.2f}", *cells)
            if arguments.sheets:
                draw(arguments.sheets, candidate.label, frames, answers, candidate.shipped)
    except VdapError as error:
        sys.stderr.write(f"real_roads: {error}\n")
        return error.exit_code
    for name, find in (
        ("YOLOX-nano mirrored", mirrored(reference)),
        ("YOLOX-nano at 3/4", smaller(reference)),
    ):
        answers = [find(frame.picture) for frame in frames]
        table.add_row(name, "0.35", *agreement(frames, answers, 0.35))
    Console(width=150).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
