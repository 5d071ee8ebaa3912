"""Our tracker against ByteTrack of the package `trackers`, on detections of recorded drives.

The sequences are cars of three drives through the embedded world, ten pictures a second, in
MOTChallenge's format: `*_gt.txt` the truth with the visible share last, `*_det.txt` what a small
detector found with a score of 0.25 or more.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from vehicle.perception.detections import Detections
from vehicle.perception.scores.matching import Truth
from vehicle.perception.scores.tracking import TrackScores, score_tracks
from vehicle.perception.tracker import Tracker, TrackerOptions, Tracks

supervision = pytest.importorskip("supervision", reason="needs the dev group: trackers")
trackers = pytest.importorskip("trackers", reason="needs the dev group: trackers")

FOLDER = Path(__file__).parent / "sequences"
STEP = 100_000_000
SEQUENCES = ("rain", "town", "motorway")
HIGH, MIN_IOU = TrackerOptions().high_score, TrackerOptions().min_iou
# What may be lost against the reference over all sequences; a single object that is named twice
# costs as much.
EPSILON = 0.01

Follow = Callable[[list[Detections]], Iterator[Tracks]]


def rows(name: str) -> np.ndarray:
    return np.loadtxt(FOLDER / name, delimiter=",", ndmin=2)


def boxes(table: np.ndarray) -> np.ndarray:
    return np.concatenate([table[:, 2:4], table[:, 2:4] + table[:, 4:6]], 1).astype(np.float32)


def sequence(name: str) -> tuple[list[Detections], list[tuple[Truth, np.ndarray]]]:
    found, true = rows(f"{name}_det.txt"), rows(f"{name}_gt.txt")
    detections, truth = [], []
    for frame in range(1, int(true[:, 0].max()) + 1):
        mine, there = found[found[:, 0] == frame], true[true[:, 0] == frame]
        none = np.zeros(len(mine), np.int16)
        detections.append(Detections(boxes(mine), mine[:, 6].astype(np.float32), none))
        seen = Truth.seen(
            boxes(there), np.zeros(len(there), np.int16), there[:, 8].astype(np.float32)
        )
        truth.append((seen, there[:, 1].astype(np.int64)))
    return detections, truth


def ours(detections: list[Detections]) -> Iterator[Tracks]:
    tracker = Tracker(TrackerOptions(high_score=HIGH, min_iou=MIN_IOU))
    for index, found in enumerate(detections):
        tracker.update(found, index * STEP)
        yield tracker.predict(index * STEP)


def reference(detections: list[Detections]) -> Iterator[Tracks]:
    tracker = trackers.ByteTrackTracker(
        lost_track_buffer=8,  # frames at 30 Hz: the 250 ms of ours
        frame_rate=10.0,
        track_activation_threshold=HIGH,
        high_conf_det_threshold=HIGH,
        minimum_consecutive_frames=1,
        minimum_iou_threshold=MIN_IOU,
    )
    for index, found in enumerate(detections):
        given = supervision.Detections(
            xyxy=found.xyxy, confidence=found.score, class_id=found.class_id.astype(int)
        )
        told = tracker.update(given)
        known = told.tracker_id >= 0
        yield Tracks(
            index * STEP,
            told.xyxy[known].astype(np.float32),
            told.confidence[known].astype(np.float32),
            np.zeros(int(known.sum()), np.int16),
            told.tracker_id[known].astype(np.int32),
            np.zeros((int(known.sum()), 4), np.float32),
        )


def scores(follow: Follow, name: str) -> TrackScores:
    detections, truth = sequence(name)
    instants = [
        (tracks, true, ids) for tracks, (true, ids) in zip(follow(detections), truth, strict=True)
    ]
    return score_tracks(instants)[0]


def pooled(follow: Follow) -> TrackScores:
    return sum((scores(follow, name) for name in SEQUENCES), TrackScores.zero())


def test_ours_is_as_good_as_the_reference():
    mine, theirs = pooled(ours).figures(), pooled(reference).figures()
    for figure in ("hota", "det_a", "ass_a", "idf1", "mota"):
        assert mine[figure] >= theirs[figure] - EPSILON, (figure, mine, theirs)
    assert theirs["hota"] > 0.5  # the reference did follow
    assert theirs["boxes"] > 800


def line(count: int, speed: float = 10.0, skip: tuple[int, ...] = ()) -> list[Detections]:
    """Two cars that drive towards each other and pass at some distance."""
    frames = []
    for index in range(count):
        left = [100 + speed * index, 100, 160 + speed * index, 140]
        right = [500 - speed * index, 150, 560 - speed * index, 190]
        xyxy = [left, right] if index not in skip else [right]
        frames.append(
            Detections(
                np.array(xyxy, np.float32),
                np.full(len(xyxy), 0.9, np.float32),
                np.zeros(len(xyxy), np.int16),
            )
        )
    return frames


@pytest.mark.parametrize("skip", [(), (5,), (5, 6)])
def test_both_follow_a_plain_scene_alike(skip):
    """Who is whom, frame by frame, up to the names of the tracks."""
    names: dict[int, int] = {}
    frames = line(12, skip=skip)
    for index, (mine, theirs) in enumerate(zip(ours(frames), reference(frames), strict=True)):
        if index < 2:
            continue
        for number, xyxy in zip(theirs.track_id.tolist(), theirs.xyxy, strict=True):
            apart = np.abs(mine.xyxy - xyxy).max(axis=1)
            nearest = int(np.argmin(apart))
            assert apart[nearest] < 3.0
            assert names.setdefault(number, int(mine.track_id[nearest])) == mine.track_id[nearest]
    assert len(names) == len(set(names.values())) == 2


def low(frames: list[Detections], at: int) -> list[Detections]:
    """The left car's score sinks for two frames, as if half hidden."""
    for index in (at, at + 1):
        frames[index].score[0] = 0.3
    return frames


def test_both_keep_a_track_through_low_scores():
    mine = list(ours(low(line(10), 5)))
    theirs = list(reference(low(line(10), 5)))
    for tracks in (mine, theirs):
        first, last = (tracks[i].track_id[np.argmin(tracks[i].xyxy[:, 1])] for i in (3, 9))
        assert first == last
