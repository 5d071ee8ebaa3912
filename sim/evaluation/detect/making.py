"""Makes the file of stored detections of a drive, from where a stopped run left it."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scheduler.errors import SourceError
from sim.evaluation.detect.archive import Parts, read
from sim.evaluation.detect.drives import Drive, DriveFrame
from sim.evaluation.detect.measure import Bench, Wish
from sim.evaluation.detect.packing import JOINED, blocks
from sim.evaluation.detect.stored import FORMAT, SPLIT, VERSION, About, Size, StoredDetections
from vehicle.perception.classes import CLASSES
from vehicle.perception.scores.matching import Truth
from vehicle.perception.scores.sweep import sweep

if TYPE_CHECKING:
    from rich.table import Table

BLOCK = 32  # frames; what a stopped run does again at most


def store(
    drive: Drive,
    wish: Wish,
    bench: Bench,
    out: Path,
    total: int,
    report: Callable[[int], None],
    block: int = BLOCK,
) -> StoredDetections:
    """Looks at what is missing of a drive's frames and writes the file, if it is not there yet.

    Args:
        drive: Whose frames.
        wish: What to store.
        bench: The detectors of the wish.
        out: The file.
        total: Frames wanted.
        report: Told the number of frames done.
        block: Frames that are kept together when the run is stopped.

    Raises:
        ConfigError: The same file was begun with other options or models.
        SourceError: A frame that cannot be read, or none at all.
    """
    about = _about(drive, wish, bench)
    if (held := _held(out, about, total)) is not None:
        report(total)
        return held
    parts = Parts(out, {"frames": total, "block": block, "about": about})
    begun = parts.blocks()
    done = min(total, begun * block)
    report(done)

    def tell() -> None:
        nonlocal done
        done += 1
        report(done)

    missing: Iterator[DriveFrame] = itertools.islice(drive.frames(done), total - done)
    names = (drive.vehicles, drive.cameras)
    for number, packed in enumerate(blocks(bench, missing, names, block, tell), begun):
        parts.add(number, packed)
    if not parts.blocks():
        raise SourceError(f"{drive.name}: none of its frames could be read")
    return parts.finish(about, JOINED)


def _about(drive: Drive, wish: Wish, bench: Bench) -> About:
    return About(
        format=FORMAT,
        version=VERSION,
        vdap=_version(),
        drive=drive.name,
        kind=drive.kind,
        drive_sha256=_sha256(drive.files),
        vehicles=drive.vehicles,
        cameras=drive.cameras,
        classes=list(CLASSES),
        rungs=wish.names,
        sizes=list(wish.sizes),
        qualities=list(wish.qualities),
        splits=bench.splits,
        score_threshold=wish.score_threshold,
        models=wish.hashes(),
        backends=bench.backends,
    )


def _held(out: Path, about: About, total: int) -> StoredDetections | None:
    """What the file holds, where that is just what is wanted."""
    try:
        held = read(out)
    except SourceError:
        return None
    return held if held.about == about and len(held) == total else None


def _sha256(files: Sequence[Path]) -> str:
    told = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                told.update(chunk)
    return told.hexdigest()


def _version() -> str:
    try:
        return version("vdap")
    except PackageNotFoundError:
        return "not installed"


def table_of(stored: StoredDetections) -> Table:
    """Best F1 (boxes a frame where nobody knows the truth) and kB a frame, of every cell."""
    from rich.table import Table

    truths = [_truth(stored, number) for number in range(len(stored))]
    is_known = any(truth is not None and not truth.is_ignored.all() for truth in truths)
    what = "best F1 at IoU 0.5" if is_known else "boxes a frame"
    table = Table(title=f"{stored.about.drive}: {what}, and kB a frame")
    for head in ("rung", "size", *stored.qualities):
        table.add_column(head, justify="right" if head in stored.qualities else "left")
    for size in stored.sizes:
        for rung in stored.rungs:
            cells = [
                _cell(stored, truths if is_known else [], rung, size, quality)
                for quality in stored.qualities
            ]
            table.add_row(rung, _text(size), *cells)
        kilobytes = [_kilobytes(stored, size, quality) for quality in stored.qualities]
        table.add_row("kB", _text(size), *kilobytes, end_section=True)
    return table


def _text(size: Size) -> str:
    return f"{size[0]}x{size[1]}"


def _truth(stored: StoredDetections, number: int) -> Truth | None:
    held = stored.truth(number)
    return None if held is None else Truth.seen(held.xyxy, held.class_id, held.visibility)


def _cell(
    stored: StoredDetections, truths: list[Truth | None], rung: str, size: Size, quality: str
) -> str:
    if quality == SPLIT and rung not in stored.about.splits:
        return "-"
    found = [stored.detections(number, rung, size, quality) for number in range(len(stored))]
    # without truths, `zip` ends at once
    pairs = [(one, truth) for one, truth in zip(found, truths, strict=False) if truth is not None]
    if not pairs:
        return f"{np.mean([len(one) for one in found]):.1f}"
    return f"{sweep(pairs).best_f1()[0]:.3f}"


def _kilobytes(stored: StoredDetections, size: Size, quality: str) -> str:
    frames = range(len(stored))
    if quality == SPLIT:
        sent = [stored.payload_bytes(n, rung, size) for n in frames for rung in stored.about.splits]
        return f"{np.mean([count or 0 for count in sent]) / 1e3:.1f}" if sent else "-"
    mean = np.mean([stored.jpeg_bytes(number, size, quality) for number in frames])
    return f"{mean / 1e3:.1f}" if mean else "-"
