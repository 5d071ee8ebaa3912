"""What a tracker believes at one instant, and the steps that lead from one instant to the next.

A Kalman filter with constant velocity on each side of each box; the four sides share a covariance,
which is scaled by the box's size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vehicle.perception.association import associated, matched
from vehicle.perception.boxes import iou
from vehicle.perception.detections import Detections
from vehicle.perception.motion import Motion

Doubles = NDArray[np.float64]

SAME_PLACE_IOU = 0.5  # of a track and a box whose motion was measured
GATE = 5.0  # standard deviations; a motion further off was another object's


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
        keep_ns: How long a track is shown without being seen while others are looked for.
            Raising it bridges misses and costs boxes of objects that have left.
        blind_ns: How long tracks are shown after the newest look of a model. Raising it costs
            boxes that have drifted off, and bridges longer outages.
        seen_to_show: Detections before a track is shown. One shows at once, false ones too.
        history_ns: How late a detection may come and still count.
        position_noise: Of a measured side, as a share of the box's mean side.
        acceleration: Of a side, mean sides per s^2. Raising it trusts the newest frame more.
        start_speed: Of a new track's side, mean sides per s (standard deviation).
        motion_noise: Pixels (standard deviation) of a side's motion that flow measured, besides
            what flow says itself. Raising it trusts flow less.
    """

    high_score: float = 0.45
    show_score: float = 0.4
    score_gain: float = 0.7
    min_iou: float = 0.1
    keep_ns: int = 250_000_000
    blind_ns: int = 800_000_000
    seen_to_show: int = 1
    history_ns: int = 1_000_000_000
    position_noise: float = 0.05
    acceleration: float = 8.0
    start_speed: float = 1.0
    motion_noise: float = 0.6


@dataclass(frozen=True, slots=True, eq=False)
class TrackState:
    """All tracks at one instant; never written to, so that an older one can be returned to.

    Attributes:
        mean: (N, 4) px.
        velocity: (N, 4) px/s.
        variance: (N, 3): of position px^2, covariance px^2/s, of velocity px^2/s^2.
        seen_ns: (N,) when last detected.
        hits: (N,) detections.
    """

    at_ns: int
    mean: Doubles
    velocity: Doubles
    variance: Doubles
    score: Doubles
    class_id: NDArray[np.int16]
    track_id: NDArray[np.int32]
    seen_ns: NDArray[np.int64]
    hits: NDArray[np.int32]

    @staticmethod
    def empty(at_ns: int) -> TrackState:
        """No track yet."""
        return TrackState(
            at_ns,
            np.zeros((0, 4)),
            np.zeros((0, 4)),
            np.zeros((0, 3)),
            np.zeros(0),
            np.zeros(0, np.int16),
            np.zeros(0, np.int32),
            np.zeros(0, np.int64),
            np.zeros(0, np.int32),
        )


def side(xyxy: Doubles) -> Doubles:
    """(N,) mean side of each box, px, at least 4: the yardstick of all noise."""
    mean: Doubles = (xyxy[:, 2] - xyxy[:, 0] + xyxy[:, 3] - xyxy[:, 1]) * 0.5
    return np.maximum(mean, 4.0)


def moved(state: TrackState, now_ns: int, options: TrackerOptions) -> TrackState:
    """Kalman prediction with white acceleration noise."""
    dt = (now_ns - state.at_ns) * 1e-9
    if dt == 0.0:
        return state
    noise = (options.acceleration * side(state.mean)) ** 2
    position, cross, speed = state.variance.T
    variance = np.empty_like(state.variance)
    variance[:, 0] = position + 2 * dt * cross + dt * dt * speed + noise * (dt**4 / 4)
    variance[:, 1] = cross + dt * speed + noise * (dt**3 / 2)
    variance[:, 2] = speed + noise * (dt * dt)
    return replace(state, at_ns=now_ns, mean=state.mean + state.velocity * dt, variance=variance)


def flowed(state: TrackState, motion: Motion, options: TrackerOptions) -> TrackState:
    """The tracks moved to `motion.to_ns`, by their own velocity and the motion that was measured.

    A measured motion is the difference of a side's places at two instants: a Kalman update with
    an observation of x(to) - x(from), whose covariances with the state at `to` follow from the
    prediction (delayed-state filter; Bar-Shalom et al., Estimation with Applications, 2001). Of a
    motion that began before this state's instant, the share since then counts.
    """
    since = moved(state, max(state.at_ns, motion.from_ns), options)
    dt = (motion.to_ns - since.at_ns) * 1e-9
    after = moved(since, motion.to_ns, options)
    usable = np.flatnonzero(np.isfinite(motion.sigma))
    if dt <= 0.0 or not len(usable) or not len(after.score):
        return after
    overlap = iou(after.mean, motion.xyxy[usable].astype(np.float64))
    rows, columns = matched(overlap.astype(np.float64, copy=False), SAME_PLACE_IOU)
    if not len(rows):
        return after
    share = dt / ((motion.to_ns - motion.from_ns) * 1e-9)
    measured = motion.sides()[usable[columns]] * share
    sigma = motion.sigma[usable[columns]].astype(np.float64)
    _, cross, speed = since.variance[rows].T
    noise = (options.acceleration * side(since.mean[rows])) ** 2
    of_motion = dt * dt * speed + noise * dt**4 / 4
    total = of_motion + share**2 * (sigma**2 + options.motion_noise**2)
    with_position = dt * cross + of_motion
    with_speed = dt * speed + noise * dt**3 / 2
    surprise = measured - since.velocity[rows] * dt
    is_sound = np.abs(surprise).max(axis=1) < GATE * np.sqrt(total)
    weight = is_sound / total
    mean, velocity, variance = after.mean.copy(), after.velocity.copy(), after.variance.copy()
    mean[rows] += (with_position * weight)[:, None] * surprise
    velocity[rows] += (with_speed * weight)[:, None] * surprise
    variance[rows] -= np.stack(
        [with_position**2 * weight, with_position * with_speed * weight, with_speed**2 * weight],
        axis=1,
    )
    return replace(after, mean=mean, velocity=velocity, variance=variance)


def detected(
    before: TrackState,
    found: Detections,
    valid_ns: int,
    options: TrackerOptions,
    number_of: Callable[[int], int],
) -> TrackState:
    """The tracks after one frame's detections.

    Args:
        before: At an earlier instant, or at this one.
        found: Detections.
        valid_ns: Of the frame.
        options: Of the tracker.
        number_of: Track id for a track that begins with a detection, by its index.
    """
    state = moved(before, valid_ns, options)
    rows, columns = associated(
        state.mean, state.class_id, found, options.high_score, options.min_iou
    )
    mean, velocity, variance = _corrected(
        state, rows, found.xyxy[columns].astype(np.float64), options
    )
    score, seen_ns, hits = state.score.copy(), state.seen_ns.copy(), state.hits.copy()
    score[rows] += options.score_gain * (found.score[columns] - score[rows])
    seen_ns[rows] = valid_ns
    hits[rows] += 1
    is_new = found.score >= options.high_score
    is_new[columns] = False
    keep = (valid_ns - seen_ns <= options.keep_ns) & ((hits > 1) | (seen_ns == valid_ns))
    if keep.all() and not is_new.any():
        return TrackState(
            valid_ns, mean, velocity, variance, score, state.class_id, state.track_id, seen_ns,
            hits,
        )  # fmt: skip
    numbers = [number_of(index) for index in np.flatnonzero(is_new).tolist()]
    born = _born(found.select(is_new), valid_ns, numbers, options)
    return TrackState(
        valid_ns,
        np.concatenate([mean[keep], born.mean]),
        np.concatenate([velocity[keep], born.velocity]),
        np.concatenate([variance[keep], born.variance]),
        np.concatenate([score[keep], born.score]),
        np.concatenate([state.class_id[keep], born.class_id]),
        np.concatenate([state.track_id[keep], born.track_id]),
        np.concatenate([seen_ns[keep], born.seen_ns]),
        np.concatenate([hits[keep], born.hits]),
    )


def _corrected(
    state: TrackState, rows: NDArray[np.intp], boxes: Doubles, options: TrackerOptions
) -> tuple[Doubles, Doubles, Doubles]:
    """Kalman update of the named rows: new mean, velocity and variance of all."""
    mean, velocity, variance = state.mean.copy(), state.velocity.copy(), state.variance.copy()
    position, cross, speed = variance[rows].T
    total = position + (options.position_noise * side(boxes)) ** 2
    gain, gain_speed = position / total, cross / total
    residual = boxes - mean[rows]
    mean[rows] += gain[:, None] * residual
    velocity[rows] += gain_speed[:, None] * residual
    variance[rows] = np.stack(
        [(1 - gain) * position, (1 - gain) * cross, speed - gain_speed * cross], axis=1
    )
    return mean, velocity, variance


def _born(
    found: Detections, at_ns: int, numbers: Sequence[int], options: TrackerOptions
) -> TrackState:
    """Tracks that begin with these detections."""
    count = len(found)
    boxes = found.xyxy.astype(np.float64)
    length = side(boxes)
    variance = np.stack(
        [
            (options.position_noise * length) ** 2,
            np.zeros(count),
            (options.start_speed * length) ** 2,
        ],
        axis=1,
    )
    return TrackState(
        at_ns,
        boxes,
        np.zeros((count, 4)),
        variance,
        found.score.astype(np.float64),
        found.class_id,
        np.array(numbers, np.int32),
        np.full(count, at_ns, np.int64),
        np.ones(count, np.int32),
    )
