"""A detector's answers to a video through the tracker, and the scores of what it followed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sim.evaluation.perception.labels import Labelled
from vehicle.perception.detections import Detections
from vehicle.perception.scores.tracking import TrackScores, score_tracks
from vehicle.perception.tracker import Tracker, Tracks

LOW_SCORE = 0.1  # of boxes that may extend a track; what drives hand to their trackers


def has_ids(labels: Sequence[Labelled]) -> bool:
    """Whether every object is known again from picture to picture."""
    with_boxes = [label for label in labels if len(label.xyxy)]
    return bool(with_boxes) and all(len(own.object_id) == len(own.xyxy) for own in with_boxes)


def followed(found: Sequence[Detections], fps: float) -> list[Tracks]:
    """The tracks at each frame, right after the tracker was told of it."""
    tracker = Tracker()
    tracks = []
    for index, answer in enumerate(found):
        at_ns = round(index * 1e9 / fps)
        tracker.update(answer.select(answer.score >= LOW_SCORE), at_ns)
        tracks.append(tracker.predict(at_ns))
    return tracks


def track_scores(
    labels: Sequence[Labelled], found: Sequence[Detections], fps: float
) -> dict[int, TrackScores]:
    """Scores by class of what the tracker makes of a detector's answers."""
    ids = [label.object_id if len(label.xyxy) else np.zeros(0, np.int64) for label in labels]
    truths = [label.truth() for label in labels]
    return score_tracks(list(zip(followed(found, fps), truths, ids, strict=True)))
