"""A study's recorded drives: what every detector finds in each frame, and how frames change."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scheduler.errors import ConfigError, SourceError
from sim.evaluation.detect import archive
from sim.evaluation.detect.stored import StoredDetections

LUMA = "luma"  # name of the array of small grey pictures
LUMA_SIZE = (48, 28)  # their width and height
FOLDER = Path("configs/drives")  # in a checkout


@dataclass(frozen=True, slots=True, eq=False)
class RecordedDrive:
    """A drive that a study replays.

    Attributes:
        name: Of the file.
        stored: Poses, truth, and what every rung finds at each size and quality.
        luma: (F, h, w) uint8, small grey pictures; None where the file has none.
    """

    name: str
    stored: StoredDetections
    luma: NDArray[np.uint8] | None


def find(name: str, beside: Path | None = None) -> Path:
    """The file of a drive: a shipped one by name, or a path.

    Args:
        name: As in the study.
        beside: A folder to look in first.

    Raises:
        ConfigError: no such file.
    """
    path = Path(name).expanduser()
    here = Path(__file__).resolve().parents[2]
    places = [path, *([beside / path] if beside else [])]
    places += [place / "configs" / "drives" / f"{name}.npz" for place in (here, here / "scheduler")]
    for place in places:
        if place.is_file():
            return place
    told = ", ".join(str(place) for place in places)
    raise ConfigError(f"drives: expected the .npz of {name!r} at one of {told}")


def load(path: Path) -> RecordedDrive:
    """Reads a drive.

    Raises:
        SourceError: it holds no stored detections, or other pictures than frames.
    """
    stored = archive.read(path)
    with np.load(path, allow_pickle=False) as file:
        luma = np.asarray(file[LUMA], np.uint8) if LUMA in file.files else None
    if luma is not None and len(luma) != len(stored):
        raise SourceError(f"{path}: {len(luma)} small pictures of {len(stored)} frames")
    return RecordedDrive(path.stem, stored, luma)
