"""What a vehicle believed at every instant, held against what was true then: `f1_current`.

Streaming F1 after Li et al., Towards Streaming Perception, ECCV 2020: at instants every 20 ms of
the vehicle's clock, the boxes that it had published before, each moved by its published velocity,
against the truth of that instant, interpolated per actor.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scheduler.clock import NS_PER_MS, NS_PER_S
from scheduler.messages import Verdict
from sim.evaluation.truth import TruePicture
from vehicle.perception.scores.matching import Truth
from vehicle.perception.scores.streaming import Counts, count

INSTANT_NS = 20 * NS_PER_MS
LONGEST_GAP_NS = NS_PER_S // 2  # between two true pictures; nothing is scored in a longer one


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """Boxes at one instant; what the scores take."""

    xyxy: NDArray[np.float32]
    score: NDArray[np.float32]
    class_id: NDArray[np.int16]
    track_id: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class _Published:
    """One verdict's boxes: (N, 4) px and px/s, valid at an instant of the vehicle's clock."""

    xyxy: NDArray[np.float64]
    velocity: NDArray[np.float64]
    score: NDArray[np.float32]
    class_id: NDArray[np.int16]
    track_id: NDArray[np.int64]
    valid_ns: int

    @staticmethod
    def of(verdict: Verdict) -> "_Published":
        boxes = verdict.boxes
        return _Published(
            np.array([box.xyxy for box in boxes], np.float64).reshape(-1, 4),
            np.array([box.velocity for box in boxes], np.float64).reshape(-1, 4),
            np.array([box.score for box in boxes], np.float32),
            np.array([box.class_id for box in boxes], np.int16),
            np.array([box.track_id for box in boxes], np.int64),
            verdict.valid_ns,
        )

    def at(self, now_ns: int, width: int, height: int) -> Shown:
        """The boxes moved to `now_ns` and cut to the picture; who left it is dropped."""
        moved = self.xyxy + self.velocity * ((now_ns - self.valid_ns) / NS_PER_S)
        moved[:, 0::2] = moved[:, 0::2].clip(0, width)
        moved[:, 1::2] = moved[:, 1::2].clip(0, height)
        inside = (moved[:, 2] > moved[:, 0]) & (moved[:, 3] > moved[:, 1])
        return Shown(
            moved[inside].astype(np.float32),
            self.score[inside],
            self.class_id[inside],
            self.track_id[inside],
        )


def f1_current(
    verdicts: Sequence[Verdict], truth: Sequence[TruePicture], width: int, height: int
) -> Counts:
    """Hits, false boxes and misses over all instants of one camera and one service.

    Args:
        verdicts: Of one camera and service, in any order.
        truth: Of the same camera; joined by tick.
        width: Pixels of the camera's picture.
        height: Pixels of the camera's picture.
    """
    return sum((count(*pair) for pair in believed(verdicts, truth, width, height)), Counts())


def believed(
    verdicts: Sequence[Verdict], truth: Sequence[TruePicture], width: int, height: int
) -> Iterator[tuple[Shown, Truth]]:
    """What was believed and what was true, at every instant of `INSTANT_NS`; as `f1_current`."""
    if not verdicts or not truth:
        return
    beliefs = _Beliefs(verdicts, width, height)
    frames, at_ns = on_vehicle_clock(verdicts, truth)
    for now_ns, true in instants(frames, at_ns, beliefs.from_ns):
        yield beliefs.at(now_ns), true


def believed_at_pictures(
    verdicts: Sequence[Verdict], truth: Sequence[TruePicture], width: int, height: int
) -> Iterator[tuple[Shown, TruePicture]]:
    """What was believed when each picture was taken, beside what it shows: for scores of tracks.

    The newest verdict of that instant is of an earlier picture: delay counts here too.
    """
    if not verdicts or not truth:
        return
    beliefs = _Beliefs(verdicts, width, height)
    for true, now_ns in zip(*on_vehicle_clock(verdicts, truth), strict=True):
        if now_ns >= beliefs.from_ns:
            yield beliefs.at(int(now_ns)), true


class _Beliefs:
    """What a vehicle's verdicts of one camera and service say at any instant; asked in order."""

    def __init__(self, verdicts: Sequence[Verdict], width: int, height: int) -> None:
        self._emitted = sorted(verdicts, key=lambda verdict: verdict.emitted_ns)
        self._emitted_ns = np.array([verdict.emitted_ns for verdict in self._emitted], np.int64)
        self._width, self._height = width, height
        self._newest, self._published = 0, _Published.of(self._emitted[0])

    @property
    def from_ns(self) -> int:
        """When the first verdict was published."""
        return int(self._emitted_ns[0])

    def at(self, now_ns: int) -> Shown:
        """The newest published boxes, moved to `now_ns`."""
        index = int(np.searchsorted(self._emitted_ns, now_ns, side="right")) - 1
        if index != self._newest:
            self._newest, self._published = index, _Published.of(self._emitted[index])
        return self._published.at(now_ns, self._width, self._height)


def on_vehicle_clock(
    verdicts: Sequence[Verdict], truth: Sequence[TruePicture]
) -> tuple[list[TruePicture], NDArray[np.int64]]:
    """The true pictures within the verdicts' time, and when each was taken, by that clock.

    Both sides know the tick; a tick without a verdict lies between its neighbours by simulated
    time.
    """
    stamps = {verdict.tick: (verdict.sim_ns, verdict.stamp_ns) for verdict in verdicts}
    known = sorted(stamps.values())
    sim_ns = np.array([sim for sim, _ in known], np.int64)
    # Differences keep float64 exact: stamps themselves may exceed 2**53.
    origin = known[0][1]
    stamp = np.array([stamp - origin for _, stamp in known], np.float64)
    frames = sorted(
        (frame for frame in truth if sim_ns[0] <= frame.sim_ns <= sim_ns[-1]),
        key=lambda frame: frame.sim_ns,
    )
    wanted = np.array([frame.sim_ns for frame in frames], np.int64)
    relative = np.interp(wanted - sim_ns[0], sim_ns - sim_ns[0], stamp)
    return frames, relative.astype(np.int64) + origin


def instants(
    frames: Sequence[TruePicture], at_ns: NDArray[np.int64], from_ns: int
) -> Iterator[tuple[int, Truth]]:
    """Each instant of the grid with the truth between its two pictures.

    An actor that only one of the two pictures shows is about to appear or gone: to find it is no
    hit, to miss it no miss.
    """
    for before, after, start_ns, end_ns in zip(
        frames, frames[1:], at_ns[:-1].tolist(), at_ns[1:].tolist(), strict=False
    ):
        if not 0 < end_ns - start_ns <= LONGEST_GAP_NS:
            continue
        pair = _Pair.of(before, after)
        first = max(start_ns, from_ns)
        # A grid of the clock, not of the frames: every picture's age occurs.
        now_ns = -(-first // INSTANT_NS) * INSTANT_NS
        while now_ns < end_ns:
            yield now_ns, pair.at((now_ns - start_ns) / (end_ns - start_ns))
            now_ns += INSTANT_NS


@dataclass(frozen=True, slots=True, eq=False)
class _Pair:
    """Two neighbouring pictures: who is in both, and who is in one alone."""

    start: NDArray[np.float32]  # (K, 4) of those in both
    end: NDArray[np.float32]
    class_id: NDArray[np.int16]  # (K + L,), those in one alone at the end
    visibility: NDArray[np.float32]  # (K, 2)
    alone: NDArray[np.float32]  # (L, 4)

    @staticmethod
    def of(before: TruePicture, after: TruePicture) -> "_Pair":
        _, left, right = np.intersect1d(before.actor_id, after.actor_id, return_indices=True)
        only_left = np.setdiff1d(np.arange(len(before.actor_id)), left)
        only_right = np.setdiff1d(np.arange(len(after.actor_id)), right)
        return _Pair(
            before.xyxy[left],
            after.xyxy[right],
            np.concatenate(
                [before.class_id[left], before.class_id[only_left], after.class_id[only_right]]
            ),
            np.stack([before.visibility[left], after.visibility[right]], axis=1),
            np.concatenate([before.xyxy[only_left], after.xyxy[only_right]]),
        )

    def at(self, part: float) -> Truth:
        """The truth at `part` (0..1) of the way from one picture to the other."""
        both = self.start + (self.end - self.start) * np.float32(part)
        seen = self.visibility @ np.array([1.0 - part, part], np.float32)
        hidden = np.zeros(len(self.alone), np.float32)  # ignored
        return Truth.seen(
            np.concatenate([both, self.alone]), self.class_id, np.concatenate([seen, hidden])
        )
