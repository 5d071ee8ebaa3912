"""`vdap detect DRIVE`: stores what every rung finds in each frame of a recorded drive.

For each rung, input size and JPEG quality: the boxes of every frame, and the bytes that the frame
would take on the link. A stopped run goes on.
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from scheduler.errors import ConfigError
from scheduler.processes import entry

if TYPE_CHECKING:
    from sim.evaluation.detect.measure import Wish

STOPPED = 130
QUALITIES = "raw,80,60,40"


def parser() -> argparse.ArgumentParser:
    """The command line."""
    it = argparse.ArgumentParser(
        prog="vdap detect",
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    it.add_argument("drive", type=Path, help="a run folder, a data set or a video")
    it.add_argument(
        "--rungs",
        default="all",
        help="all, or names with commas; NAME.int8 is the rung's int8 model; .onnx files too",
    )
    it.add_argument("--sizes", default="640x384,320x192", help="of the detectors' inputs")
    it.add_argument(
        "--qualities", default=QUALITIES, help="of the JPEGs; raw: not encoded; split: features"
    )
    it.add_argument("--score", type=float, default=0.1, help="least score that is kept")
    it.add_argument("--limit", type=int, help="only so many frames from the start")
    it.add_argument("--threads", type=int, default=1, help="of inference")
    it.add_argument("--out", type=Path, help="default: DRIVE/detections.npz, or beside a video")
    return it


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns the exit code."""
    arguments = parser().parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _detect(arguments)
    except KeyboardInterrupt:
        sys.stderr.write("vdap detect: stopped; the same command goes on\n")
        return STOPPED
    return 0


def wish_of(arguments: argparse.Namespace) -> Wish:
    """What the flags ask for.

    Raises:
        ConfigError: A flag that cannot be.
    """
    from sim.evaluation.detect.measure import Wish
    from sim.evaluation.detect.stored import RAW, SPLIT
    from vehicle.perception.detector import RUNGS

    rungs = tuple(RUNGS) if arguments.rungs == "all" else tuple(arguments.rungs.split(","))
    qualities = tuple(arguments.qualities.split(","))
    for quality in qualities:
        is_jpeg = quality.isdigit() and 1 <= int(quality) <= 100
        if quality not in (RAW, SPLIT) and not is_jpeg:
            raise ConfigError(f"--qualities: expected raw, split or 1 to 100, got {quality!r}")
    if arguments.threads < 1 or (arguments.limit is not None and arguments.limit < 1):
        raise ConfigError("--threads and --limit: expected at least 1")
    sizes = tuple(_size(text) for text in arguments.sizes.split(","))
    for names in (rungs, qualities, sizes):
        if len(set(names)) != len(names):
            raise ConfigError(f"expected each once, got {', '.join(map(str, names))}")
    return Wish(rungs, sizes, qualities, arguments.score, arguments.threads)


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdigit() and height.isdigit()) or int(width) % 32 or int(height) % 32:
        raise ConfigError(f"--sizes: expected WIDTHxHEIGHT in multiples of 32, got {text!r}")
    return int(width), int(height)


def _detect(arguments: argparse.Namespace) -> None:
    import cv2
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from sim.evaluation.detect.drives import open_drive
    from sim.evaluation.detect.making import store, table_of
    from sim.evaluation.detect.measure import Bench

    cv2.setNumThreads(1)
    wish = wish_of(arguments)
    drive = open_drive(arguments.drive)
    bench = Bench(wish)
    folder = arguments.drive if arguments.drive.is_dir() else arguments.drive.parent
    name = (
        "detections.npz" if arguments.drive.is_dir() else f"{arguments.drive.stem}.detections.npz"
    )
    out: Path = arguments.out or folder / name
    total = min(drive.count, arguments.limit or drive.count)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn()) as progress:
        task = progress.add_task(drive.name, total=total)
        stored = store(
            drive, wish, bench, out, total, lambda done: progress.update(task, completed=done)
        )
    console = Console(highlight=False)
    console.print(table_of(stored))
    console.print(f"{len(stored)} frames in {out}, {out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    sys.exit(entry(main))
