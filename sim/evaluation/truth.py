"""The truth of one camera's picture as arrays, which scores take."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sim import truth_file
from vehicle.perception.scores.matching import Truth


@dataclass(frozen=True, slots=True, eq=False)
class TruePicture:
    """The true boxes of one picture.

    Attributes:
        actor_id: (M,) int64, unique within the picture.
        class_id: (M,) int16.
        xyxy: (M, 4) float32 pixels.
        visibility: (M,) float32, 0..1.
    """

    tick: int
    sim_ns: int
    actor_id: NDArray[np.int64]
    class_id: NDArray[np.int16]
    xyxy: NDArray[np.float32]
    visibility: NDArray[np.float32]

    @staticmethod
    def of(frame: truth_file.TruthFrame) -> "TruePicture":
        """The arrays of one record of the truth file."""
        boxes = frame.boxes
        return TruePicture(
            frame.tick,
            frame.sim_ns,
            np.array([box.actor_id for box in boxes], np.int64),
            np.array([box.class_id for box in boxes], np.int16),
            np.array([box.xyxy for box in boxes], np.float32).reshape(-1, 4),
            np.array([box.visibility for box in boxes], np.float32),
        )


def counting(pictures: Iterable[TruePicture]) -> set[int]:
    """Actors that a score looks for in at least one picture: high and visible enough."""
    found: set[int] = set()
    for picture in pictures:
        seen = Truth.seen(picture.xyxy, picture.class_id, picture.visibility)
        found.update(picture.actor_id[~seen.is_ignored].tolist())
    return found


def read(path: Path, vehicle_id: str) -> dict[str, list[TruePicture]]:
    """The true pictures of each camera of a vehicle; empty without a truth file."""
    pictures: dict[str, list[TruePicture]] = defaultdict(list)
    if path.is_file():
        for frame in truth_file.read(path, vehicle_id):
            pictures[frame.camera_id].append(TruePicture.of(frame))
    return dict(pictures)
