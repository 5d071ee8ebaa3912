"""All scores of tracks at once: HOTA, IDF1 and CLEAR MOT, by class and in all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vehicle.perception.scores.clear import Clear, clear
from vehicle.perception.scores.hota import Hota, hota
from vehicle.perception.scores.identity import Identity, identity
from vehicle.perception.scores.matching import MIN_HEIGHT_PX, Truth
from vehicle.perception.scores.tracks import Instant, TrackedBoxes, by_class


@dataclass(frozen=True, slots=True, eq=False)
class TrackScores:
    """The three families of scores of the same tracks; they add up over classes and sequences.

    Attributes:
        objects: True objects with at least one instant that counts.
        tracks: Tracks with at least one box that counts.
        boxes: True boxes that count, over all instants.
    """

    hota: Hota
    identity: Identity
    clear: Clear
    objects: int
    tracks: int
    boxes: int

    @staticmethod
    def zero() -> TrackScores:
        """Of nothing."""
        return TrackScores(Hota.zero(), Identity(), Clear(), 0, 0, 0)

    def __add__(self, other: TrackScores) -> TrackScores:
        return TrackScores(
            self.hota + other.hota,
            self.identity + other.identity,
            self.clear + other.clear,
            self.objects + other.objects,
            self.tracks + other.tracks,
            self.boxes + other.boxes,
        )

    def figures(self) -> dict[str, float | int]:
        """What reports print, by name."""
        return {
            "hota": round(self.hota.hota, 4),
            "det_a": round(self.hota.det_a, 4),
            "ass_a": round(self.hota.ass_a, 4),
            "loc_a": round(self.hota.loc_a, 4),
            "idf1": round(self.identity.idf1, 4),
            "mota": round(self.clear.mota, 4),
            "motp": round(self.clear.motp, 4),
            "id_swaps": self.clear.swaps,
            "breaks": self.clear.breaks,
            "mostly_tracked": self.clear.mostly_tracked,
            "mostly_lost": self.clear.mostly_lost,
            "objects": self.objects,
            "tracks": self.tracks,
            "boxes": self.boxes,
        }


def score_class(instants: Sequence[Instant]) -> TrackScores:
    """Scores one class of one sequence."""
    none = [np.zeros(0, np.int64)]
    return TrackScores(
        hota(instants),
        identity(instants),
        clear(instants),
        len(np.unique(np.concatenate([i.true_id for i in instants] or none))),
        len(np.unique(np.concatenate([i.track_id for i in instants] or none))),
        sum(len(i.true_id) for i in instants),
    )


def score_tracks(
    instants: Sequence[tuple[TrackedBoxes, Truth, NDArray[np.int64]]],
    min_height_px: float = MIN_HEIGHT_PX,
) -> dict[int, TrackScores]:
    """Scores one sequence by class; `sum(scores.values(), TrackScores.zero())` is all of it.

    Args:
        instants: Tracks, truth and the id (M,) of each true object, in the order of time.
        min_height_px: Of a box on nothing that still counts as false.
    """
    classes = by_class(instants, min_height_px)
    return {class_id: score_class(of_class) for class_id, of_class in classes.items()}
