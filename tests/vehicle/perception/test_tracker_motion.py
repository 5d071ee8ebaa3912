"""What a tracker makes of motion that flow measured between two pictures."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vehicle.perception.detections import Detections
from vehicle.perception.motion import Motion
from vehicle.perception.tracker import Tracker, TrackerOptions

STEP = 100_000_000
SPEED = 200.0  # px/s to the right


def box(index: float) -> np.ndarray:
    """A car of 60 x 40 px that moves right, as it is after `index` steps."""
    x = 100 + SPEED * index * 0.1
    return np.array([[x, 100, x + 60, 140]], np.float32)


def found(index: int) -> Detections:
    return Detections(box(index), np.array([0.9], np.float32), np.zeros(1, np.int16))


def motion(to: int, since: int | None = None, sigma: float = 0.2, shift: float = 20.0) -> Motion:
    """What flow says of the car from one step to another."""
    before = to - 1 if since is None else since
    return Motion(
        before * STEP,
        to * STEP,
        box(to),
        np.array([[shift * (to - before), 0]], np.float32),
        np.ones(1, np.float32),
        np.array([sigma], np.float32),
    )


def one_look(*motions: Motion) -> Tracker:
    tracker = Tracker()
    tracker.update(found(0), 0)
    for each in motions:
        tracker.move(each)
    return tracker


def test_one_look_and_one_motion_tell_the_speed():
    tracks = one_look(motion(1)).predict(STEP)
    assert tracks.xyxy == pytest.approx(box(1), abs=0.5)
    assert tracks.velocity[0] == pytest.approx([SPEED, 0, SPEED, 0], rel=0.15)


def test_growth_is_taken_from_the_scale():
    grown = Motion(
        0, STEP, np.array([[97, 98, 163, 142]], np.float32), np.zeros((1, 2), np.float32),
        np.array([1.1], np.float32), np.array([0.2], np.float32),
    )  # fmt: skip
    tracks = one_look(grown).predict(STEP)
    assert tracks.xyxy[0] == pytest.approx([97, 98, 163, 142], abs=0.5)


def test_motion_carries_tracks_over_many_pictures_without_a_look():
    tracker = one_look(*(motion(index) for index in range(1, 6)))
    assert tracker.predict(5 * STEP).xyxy == pytest.approx(box(5), abs=2)
    assert tracker.predict(7 * STEP).xyxy == pytest.approx(box(7), abs=4)


def test_a_sure_motion_counts_more_than_a_doubtful_one():
    speeds = [
        one_look(motion(1, sigma=sigma)).predict(STEP).velocity[0, 0] for sigma in (0.1, 3.0, 30.0)
    ]
    assert speeds[0] > speeds[1] > speeds[2] > 0


def test_what_was_not_measured_changes_nothing():
    plain = one_look().predict(2 * STEP)
    blind = one_look(motion(1, sigma=np.inf)).predict(2 * STEP)
    assert np.array_equal(plain.xyxy, blind.xyxy)
    assert np.array_equal(plain.velocity, blind.velocity)


def test_a_motion_that_fits_no_track_changes_none():
    elsewhere = Motion(
        0, STEP, np.array([[400, 300, 460, 340]], np.float32), np.array([[50, 0]], np.float32),
        np.ones(1, np.float32), np.array([0.2], np.float32),
    )  # fmt: skip
    assert one_look(elsewhere).predict(STEP).xyxy == pytest.approx(box(0))


def test_a_motion_beyond_belief_is_not_followed():
    steady = Tracker()
    for index in range(8):
        steady.update(found(index), index * STEP)
    steady.move(motion(8, shift=-400.0))
    assert steady.predict(8 * STEP).xyxy == pytest.approx(box(8), abs=2)


def test_a_motion_before_the_first_look_is_dropped():
    tracker = Tracker()
    tracker.move(motion(1))
    assert len(tracker.predict(STEP)) == 0
    tracker.update(found(2), 2 * STEP)
    tracker.move(motion(1))
    assert tracker.predict(2 * STEP).xyxy == pytest.approx(box(2))


def test_of_a_long_motion_the_share_since_the_last_look_counts():
    tracker = one_look()
    tracker.update(found(1), STEP)
    tracker.move(motion(2, since=0))
    assert tracker.predict(2 * STEP).xyxy == pytest.approx(box(2), abs=2)


def test_a_look_and_a_motion_of_one_picture_go_well_together_in_either_order():
    first, second = one_look(motion(1)), one_look()
    first.update(found(1), STEP)
    second.update(found(1), STEP)
    second.move(motion(1))
    assert np.array_equal(first.predict(2 * STEP).xyxy, second.predict(2 * STEP).xyxy)


@settings(max_examples=40, deadline=None)
@given(st.permutations([*range(1, 5), *range(-5, 0)]))
def test_the_order_of_arrival_does_not_matter(order):
    """Positive: the look at that picture; negative: the motion that led to it."""
    in_time, mixed = Tracker(), Tracker()
    for tracker in (in_time, mixed):
        tracker.update(found(0), 0)
    for index in range(1, 6):
        in_time.move(motion(index))
        if index < 5:
            in_time.update(found(index), index * STEP)
    for index in order:
        if index > 0:
            mixed.update(found(index), index * STEP)
        else:
            mixed.move(motion(-index))
    a, b = in_time.predict(6 * STEP), mixed.predict(6 * STEP)
    assert np.array_equal(a.xyxy, b.xyxy)
    assert np.array_equal(a.velocity, b.velocity)


def test_variance_stays_positive_under_much_motion():
    tracker = Tracker(TrackerOptions(motion_noise=0.001))
    tracker.update(found(0), 0)
    for index in range(1, 60):
        tracker.move(motion(index, sigma=0.001))
        if index % 7 == 0:
            tracker.update(found(index), index * STEP)
    variance = tracker._entries[-1].after.variance
    assert (variance[:, [0, 2]] > 0).all()
    assert (variance[:, 0] * variance[:, 2] >= variance[:, 1] ** 2).all()
