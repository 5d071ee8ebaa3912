"""Carries boxes through time: detections in, at whatever delay; boxes at any later instant out.

Detections are joined to tracks in two stages (`association`), and between them boxes move as a
Kalman filter predicts (`track_state`), better where flow measured how they moved. A late detection
is put where it belongs: what is newer is applied again after it.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vehicle.perception.detections import Detections
from vehicle.perception.motion import Motion
from vehicle.perception.track_state import Doubles, TrackerOptions, TrackState, detected, flowed

STANDING = 0.5  # of its side, a second: what moves less in a still picture stands

__all__ = ["Tracker", "TrackerOptions", "Tracks"]


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


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    """Something that was learnt about one instant, and what was believed then."""

    valid_ns: int
    rank: float  # of two detections of one instant the higher stands
    found: Detections | Motion
    numbers: dict[int, int]  # of the tracks that began with a detection, by its index
    stood_ns: int  # for so long before it the picture did not change
    after: TrackState

    @property
    def key(self) -> tuple[int, bool]:
        """Order of application: to an instant first the motion that led there."""
        return self.valid_ns, isinstance(self.found, Detections)


class Tracker:
    """Follows the objects of one camera; reads no clock."""

    def __init__(self, options: TrackerOptions | None = None) -> None:
        self.options = options or TrackerOptions()
        self._base: TrackState | None = None  # before the oldest entry
        self._entries: list[_Entry] = []  # by key
        self._looked_ns = 0  # the newest picture with detections
        self._still_ns = 0  # the newest picture that shows what the newest look saw
        self._is_cut = False  # whether history was forgotten
        self._numbers = itertools.count(1)

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
            self._base, self._looked_ns = TrackState.empty(valid_ns), valid_ns
        stood_ns = max(0, min(self._still_ns, valid_ns) - self._looked_ns)
        self._looked_ns = max(self._looked_ns, valid_ns)
        self._insert(detections, valid_ns, rank, stood_ns)

    def move(self, motion: Motion) -> None:
        """Takes how boxes moved up to the frame of `motion.to_ns`; it may come late as well."""
        if self._base is not None and motion.from_ns < motion.to_ns:
            self._insert(motion, motion.to_ns, 0.0)

    def still(self, valid_ns: int) -> None:
        """The picture of `valid_ns` is as the newest look saw it: what was found is still there."""
        self._still_ns = max(self._still_ns, valid_ns)

    def predict(self, now_ns: int) -> Tracks:
        """The shown tracks, moved to `now_ns`; well under 1 ms, always possible."""
        if not self._entries:
            return Tracks.empty(now_ns)
        options = self.options
        state = self._entries[-1].after
        looked_ns = self._looked_ns
        # Not faded for the age of the newest look, which all tracks share, nor because a poorer
        # model, whose answer came sooner, does not see them.
        unseen = np.maximum(self._best_looked_ns() - state.seen_ns, 0)
        missed = unseen / max(1, options.keep_ns)
        score = state.score * (1.0 - 0.5 * np.minimum(missed, 1.0))
        shown = (
            (state.hits >= options.seen_to_show)
            & (unseen <= options.keep_ns)
            & (now_ns - max(looked_ns, self._still_ns) <= options.blind_ns)
            & (score >= options.show_score)
        )
        seconds = (now_ns - state.at_ns) * 1e-9
        velocity = state.velocity
        if self._still_ns > looked_ns:
            velocity = _held(state.mean, velocity)
        xyxy = state.mean + velocity * seconds
        return Tracks(
            now_ns,
            xyxy[shown].astype(np.float32),
            score[shown].astype(np.float32),
            state.class_id[shown],
            state.track_id[shown],
            velocity[shown].astype(np.float32),
        )

    def _best_looked_ns(self) -> int:
        """The newest picture that the best of the models of late looked at."""
        looks = [(e.rank, e.valid_ns) for e in self._entries if isinstance(e.found, Detections)]
        return max(looks)[1] if looks else self._looked_ns

    @property
    def newest_ns(self) -> int | None:
        """Instant of the newest picture that a model or the flow looked at; None before."""
        return self._entries[-1].valid_ns if self._entries else None

    def _insert(
        self, found: Detections | Motion, valid_ns: int, rank: float, stood_ns: int = 0
    ) -> None:
        """Puts what was learnt where it belongs, and applies what is newer again."""
        assert self._base is not None
        key = (valid_ns, isinstance(found, Detections))
        index = len(self._entries)
        while index and self._entries[index - 1].key > key:
            index -= 1
        replaced = 0
        if index and self._entries[index - 1].key == key:
            index -= 1
            replaced = 1
            if self._entries[index].rank > rank:
                return
            stood_ns = max(stood_ns, self._entries[index].stood_ns)
        if index == 0 and valid_ns < self._base.at_ns:
            if self._is_cut or isinstance(found, Motion):
                return  # older than the history
            self._base = TrackState.empty(valid_ns)
        tail = self._entries[index + replaced :]
        del self._entries[index:]
        self._append(found, valid_ns, rank, {}, stood_ns)
        for entry in tail:
            self._append(entry.found, entry.valid_ns, entry.rank, entry.numbers, entry.stood_ns)
        self._forget()

    def _append(
        self,
        found: Detections | Motion,
        valid_ns: int,
        rank: float,
        numbers: dict[int, int],
        stood_ns: int,
    ) -> None:
        """Applies one entry; one that is applied again gives its tracks their old numbers."""
        before = self._entries[-1].after if self._entries else self._base
        assert before is not None

        def number_of(index: int) -> int:
            if index not in numbers:
                numbers[index] = next(self._numbers)
            return numbers[index]

        if isinstance(found, Motion):
            after = flowed(before, found, self.options)
        else:
            # An unchanged picture vouches for what was seen: looking again after it is as looking
            # at the next picture, and a miss counts as one there.
            seen_ns = np.minimum(before.seen_ns + stood_ns, valid_ns)
            vouched = replace(before, seen_ns=seen_ns) if stood_ns else before
            after = detected(vouched, found, valid_ns, self.options, number_of)
        self._entries.append(_Entry(valid_ns, rank, found, numbers, stood_ns, after))

    def _forget(self) -> None:
        oldest = self._entries[-1].valid_ns - self.options.history_ns
        while len(self._entries) > 1 and self._entries[0].valid_ns < oldest:
            self._base = self._entries.pop(0).after
            self._is_cut = True


def _held(xyxy: Doubles, velocity: Doubles) -> Doubles:
    """Velocities (N, 4) in a still picture: what hardly moves, by its size (N, 4), stands."""
    sides = (xyxy[:, 2:] - xyxy[:, :2]).mean(1, keepdims=True)
    is_moving = np.abs(velocity).max(1, keepdims=True) > STANDING * np.maximum(sides, 1.0)
    held: Doubles = velocity * is_moving
    return held
