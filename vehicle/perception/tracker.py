"""Carries boxes through time: detections in, at whatever delay; boxes at any later instant out.

A Kalman filter with constant velocity on each side of each box (one covariance for the four sides,
scaled by the box's size), and two-stage association by overlap after Zhang et al., ByteTrack, ECCV
2022. A late detection is put where it belongs: the newer ones are applied again after it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vehicle.perception.boxes import iou
from vehicle.perception.detections import Detections


@dataclass(frozen=True, slots=True, eq=False)
class Tracks:
    """Boxes that are believed to stand at `valid_ns`.

    Attributes:
        valid_ns: Instant on the vehicle's clock at which the boxes hold.
        xyxy: (N, 4) float32 pixels.
        score: (N,) float32 in 0..1, sinking while a track is not seen.
        class_id: (N,) int16 index into CLASSES.
        track_id: (N,) int32, one number for one object for as long as it is followed.
        velocity: (N, 4) float32 px/s of each box side.
    """

    valid_ns: int
    xyxy: NDArray[np.float32]
    score: NDArray[np.float32]
    class_id: NDArray[np.int16]
    track_id: NDArray[np.int32]
    velocity: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.score)

    @staticmethod
    def empty(valid_ns: int = 0) -> Tracks:
        """No track at all."""
        return Tracks(
            valid_ns,
            np.zeros((0, 4), np.float32),
            np.zeros(0, np.float32),
            np.zeros(0, np.int16),
            np.zeros(0, np.int32),
            np.zeros((0, 4), np.float32),
        )

    def moved_to(self, now_ns: int) -> Tracks:
        """The same boxes moved by their velocity to another instant."""
        seconds = np.float32((now_ns - self.valid_ns) * 1e-9)
        return replace(self, valid_ns=now_ns, xyxy=self.xyxy + self.velocity * seconds)


@dataclass(frozen=True, slots=True)
class TrackerOptions:
    """Tunables of a tracker.

    Attributes:
        high_score: Least score that starts a track or extends one in the first stage. Raising it
            costs recall of far objects, lowering it false tracks.
        show_score: Least score of a track that is shown, faded while it is not seen. Raising it
            costs recall, lowering it false boxes; hidden tracks are still followed.
        score_gain: Share of a track's score that the newest frame sets. Lowering it steadies
            what is shown and costs delay in showing and hiding.
        min_iou: Least overlap of a track and a detection of the same object. Lowering it follows
            faster objects and costs swapped identities where they stand close.
        keep_ns: How long a track is shown after it was last seen. Raising it bridges misses and
            costs boxes of objects that have left.
        seen_to_show: Detections before a track is shown. One shows at once, false ones too.
        history_ns: How late a detection may come and still count.
        position_noise: Of a measured side, as a share of the box's mean side.
        acceleration: Of a side, mean sides per s^2. Raising it trusts the newest frame more.
        start_speed: Of a new track's side, mean sides per s (standard deviation).
    """

    high_score: float = 0.45
    show_score: float = 0.4
    score_gain: float = 0.7
    min_iou: float = 0.2
    keep_ns: int = 250_000_000
    seen_to_show: int = 1
    history_ns: int = 1_000_000_000
    position_noise: float = 0.05
    acceleration: float = 4.0
    start_speed: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    """All tracks at one instant; never written to, so that an older one can be returned to.

    `variance` (N, 3) holds position variance px^2, covariance px^2/s and velocity variance
    px^2/s^2, the same for the four sides of a box.
    """

    at_ns: int
    mean: NDArray[np.float64]  # (N, 4) px
    velocity: NDArray[np.float64]  # (N, 4) px/s
    variance: NDArray[np.float64]  # (N, 3)
    score: NDArray[np.float64]
    class_id: NDArray[np.int16]
    track_id: NDArray[np.int32]
    seen_ns: NDArray[np.int64]  # when last detected
    hits: NDArray[np.int32]
    next_id: int

    @staticmethod
    def empty(at_ns: int) -> _State:
        return _State(
            at_ns,
            np.zeros((0, 4)),
            np.zeros((0, 4)),
            np.zeros((0, 3)),
            np.zeros(0),
            np.zeros(0, np.int16),
            np.zeros(0, np.int32),
            np.zeros(0, np.int64),
            np.zeros(0, np.int32),
            1,
        )


def _side(xyxy: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) mean side of each box, px, at least 4: the yardstick of all noise."""
    sides = xyxy[:, 2:] - xyxy[:, :2]
    mean: NDArray[np.float64] = sides.mean(axis=1)
    return np.maximum(mean, 4.0)


def _moved(state: _State, now_ns: int, options: TrackerOptions) -> _State:
    """Kalman prediction with white acceleration noise."""
    dt = (now_ns - state.at_ns) * 1e-9
    noise = (options.acceleration * _side(state.mean)) ** 2
    position, cross, speed = state.variance.T
    variance = np.stack(
        [
            position + 2 * dt * cross + dt * dt * speed + noise * dt**4 / 4,
            cross + dt * speed + noise * dt**3 / 2,
            speed + noise * dt * dt,
        ],
        axis=1,
    )
    return replace(state, at_ns=now_ns, mean=state.mean + state.velocity * dt, variance=variance)


def _match(
    boxes: NDArray[np.float64],
    classes: NDArray[np.int16],
    found: NDArray[np.float64],
    found_classes: NDArray[np.int16],
    min_iou: float,
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """One-to-one pairs of equal class, the largest overlap first."""
    overlap = np.where(classes[:, None] == found_classes[None, :], iou(boxes, found), 0.0)
    rows: list[int] = []
    columns: list[int] = []
    while overlap.size:
        row, column = np.unravel_index(int(np.argmax(overlap)), overlap.shape)
        if overlap[row, column] < min_iou or overlap[row, column] == 0.0:
            break
        rows.append(int(row))
        columns.append(int(column))
        overlap[row, :] = 0.0
        overlap[:, column] = 0.0
    return np.array(rows, np.intp), np.array(columns, np.intp)


def _associate(
    state: _State, found: Detections, options: TrackerOptions
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs (track index, detection index): high scores first, the low ones take what is left."""
    boxes = found.xyxy.astype(np.float64)
    tracks_left = np.arange(len(state.score))
    rows: list[NDArray[np.intp]] = []
    columns: list[NDArray[np.intp]] = []
    is_high = found.score >= options.high_score
    for stage in (np.flatnonzero(is_high), np.flatnonzero(~is_high)):
        row, column = _match(
            state.mean[tracks_left],
            state.class_id[tracks_left],
            boxes[stage],
            found.class_id[stage],
            options.min_iou,
        )
        rows.append(tracks_left[row])
        columns.append(stage[column])
        tracks_left = np.delete(tracks_left, row)
    return np.concatenate(rows), np.concatenate(columns)


def _corrected(
    state: _State, rows: NDArray[np.intp], boxes: NDArray[np.float64], options: TrackerOptions
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Kalman update of the named rows: new mean, velocity and variance of all."""
    mean, velocity, variance = state.mean.copy(), state.velocity.copy(), state.variance.copy()
    position, cross, speed = variance[rows].T
    total = position + (options.position_noise * _side(boxes)) ** 2
    gain, gain_speed = position / total, cross / total
    residual = boxes - mean[rows]
    mean[rows] += gain[:, None] * residual
    velocity[rows] += gain_speed[:, None] * residual
    variance[rows] = np.stack(
        [(1 - gain) * position, (1 - gain) * cross, speed - gain_speed * cross], axis=1
    )
    return mean, velocity, variance


def _born(found: Detections, at_ns: int, next_id: int, options: TrackerOptions) -> _State:
    """Tracks that begin with these detections."""
    count = len(found)
    boxes = found.xyxy.astype(np.float64)
    side = _side(boxes)
    variance = np.stack(
        [
            (options.position_noise * side) ** 2,
            np.zeros(count),
            (options.start_speed * side) ** 2,
        ],
        axis=1,
    )
    return _State(
        at_ns,
        boxes,
        np.zeros((count, 4)),
        variance,
        found.score.astype(np.float64),
        found.class_id,
        np.arange(next_id, next_id + count, dtype=np.int32),
        np.full(count, at_ns, np.int64),
        np.ones(count, np.int32),
        next_id + count,
    )


def _stepped(before: _State, found: Detections, valid_ns: int, options: TrackerOptions) -> _State:
    """The tracks after one frame's detections."""
    state = _moved(before, valid_ns, options)
    rows, columns = _associate(state, found, options)
    mean, velocity, variance = _corrected(
        state, rows, found.xyxy[columns].astype(np.float64), options
    )
    score, seen_ns, hits = state.score.copy(), state.seen_ns.copy(), state.hits.copy()
    score[rows] += options.score_gain * (found.score[columns] - score[rows])
    seen_ns[rows] = valid_ns
    hits[rows] += 1
    is_new = found.score >= options.high_score
    is_new[columns] = False
    born = _born(found.select(is_new), valid_ns, state.next_id, options)
    keep = (valid_ns - seen_ns <= options.keep_ns) & ((hits > 1) | (seen_ns == valid_ns))
    return _State(
        valid_ns,
        np.concatenate([mean[keep], born.mean]),
        np.concatenate([velocity[keep], born.velocity]),
        np.concatenate([variance[keep], born.variance]),
        np.concatenate([score[keep], born.score]),
        np.concatenate([state.class_id[keep], born.class_id]),
        np.concatenate([state.track_id[keep], born.track_id]),
        np.concatenate([seen_ns[keep], born.seen_ns]),
        np.concatenate([hits[keep], born.hits]),
        born.next_id,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    valid_ns: int
    rank: float
    found: Detections
    after: _State


class Tracker:
    """Follows the objects of one camera; reads no clock."""

    def __init__(self, options: TrackerOptions | None = None) -> None:
        self.options = options or TrackerOptions()
        self._base: _State | None = None  # before the oldest entry
        self._entries: list[_Entry] = []  # by valid_ns

    def update(self, detections: Detections, valid_ns: int, rank: float = 0.0) -> None:
        """Takes what a detector found in the frame of `valid_ns`.

        It may come late: newer detections are then applied again on top of it. Of two answers for
        one frame the one of higher rank stands, and of equal rank the later. What is older than
        the history is dropped.

        Args:
            detections: Boxes of one whole frame.
            valid_ns: The frame's instant on the vehicle's clock.
            rank: How good the detector is, on any scale, such as its F1.
        """
        if self._base is None:
            self._base = _State.empty(valid_ns)
        index = len(self._entries)
        while index and self._entries[index - 1].valid_ns > valid_ns:
            index -= 1
        replaced = 0
        if index and self._entries[index - 1].valid_ns == valid_ns:
            index -= 1
            replaced = 1
            if self._entries[index].rank > rank:
                return
        if index == 0 and valid_ns < self._base.at_ns:
            if self._base.next_id > 1:
                return  # older than the history
            self._base = _State.empty(valid_ns)
        tail = self._entries[index + replaced :]
        del self._entries[index:]
        self._append(detections, valid_ns, rank)
        for entry in tail:
            self._append(entry.found, entry.valid_ns, entry.rank)
        self._forget()

    def predict(self, now_ns: int) -> Tracks:
        """The shown tracks, moved to `now_ns`; well under 1 ms, always possible."""
        if not self._entries:
            return Tracks.empty(now_ns)
        options = self.options
        state = self._entries[-1].after
        unseen = (now_ns - state.seen_ns).astype(np.float64)
        # Not faded for the age of the newest frame, which all tracks share.
        missed = np.clip(state.at_ns - state.seen_ns, 0, None) / max(1, options.keep_ns)
        score = state.score * (1.0 - 0.5 * np.minimum(missed, 1.0))
        shown = (
            (state.hits >= options.seen_to_show)
            & (unseen <= options.keep_ns)
            & (score >= options.show_score)
        )
        seconds = (now_ns - state.at_ns) * 1e-9
        xyxy = state.mean + state.velocity * seconds
        return Tracks(
            now_ns,
            xyxy[shown].astype(np.float32),
            score[shown].astype(np.float32),
            state.class_id[shown],
            state.track_id[shown],
            state.velocity[shown].astype(np.float32),
        )

    def _append(self, found: Detections, valid_ns: int, rank: float) -> None:
        before = self._entries[-1].after if self._entries else self._base
        assert before is not None
        after = _stepped(before, found, valid_ns, self.options)
        self._entries.append(_Entry(valid_ns, rank, found, after))

    def _forget(self) -> None:
        oldest = self._entries[-1].valid_ns - self.options.history_ns
        while len(self._entries) > 1 and self._entries[0].valid_ns < oldest:
            self._base = self._entries.pop(0).after
