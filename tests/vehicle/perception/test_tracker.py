import time

import numpy as np
import pytest

from vehicle.perception.detections import Detections
from vehicle.perception.tracker import Tracker, TrackerOptions, Tracks

STEP = 100_000_000  # ns


def found(*rows):
    """Rows of (x1, y1, x2, y2, score, class id)."""
    table = np.array(rows, np.float32).reshape(-1, 6)
    return Detections(table[:, :4], table[:, 4], table[:, 5].astype(np.int16))


def driving(index: int, speed: float = 100.0, score: float = 0.9):
    """A car that moves right at `speed` px/s, as it is after `index` steps."""
    x = 100 + speed * index * 0.1
    return found((x, 100, x + 60, 140, score, 0))


def followed(count: int, **options) -> Tracker:
    tracker = Tracker(TrackerOptions(**options))
    for index in range(count):
        tracker.update(driving(index), index * STEP)
    return tracker


def test_a_detection_is_shown_at_once():
    tracks = followed(1).predict(0)
    assert tracks.xyxy.tolist() == [[100, 100, 160, 140]]
    assert tracks.class_id.tolist() == [0]
    assert tracks.score[0] == pytest.approx(0.9)


def test_a_tracker_without_detections_has_no_tracks():
    assert len(Tracker().predict(5)) == 0


def test_velocity_is_learnt_and_carries_the_box_ahead():
    tracks = followed(10).predict(9 * STEP + STEP // 2)
    assert tracks.velocity[0] == pytest.approx([100, 0, 100, 0], abs=3)
    assert tracks.xyxy[0] == pytest.approx([195, 100, 255, 140], abs=1)
    assert tracks.valid_ns == 9 * STEP + STEP // 2


def test_tracks_move_by_their_own_velocity():
    tracks = followed(10).predict(9 * STEP)
    later = tracks.moved_to(10 * STEP)
    assert later.valid_ns == 10 * STEP
    assert later.xyxy[0] == pytest.approx(tracks.xyxy[0] + tracks.velocity[0] * 0.1)


def test_an_approaching_object_grows():
    tracker = Tracker()
    for index in range(8):
        half = 20 + 2 * index
        tracker.update(
            found((200 - half, 200 - half, 200 + half, 200 + half, 0.9, 0)), index * STEP
        )
    ahead = tracker.predict(8 * STEP).xyxy[0]
    assert ahead[2] - ahead[0] == pytest.approx(72, abs=1.5)


def test_an_object_keeps_its_number():
    tracker = followed(5)
    assert tracker.predict(4 * STEP).track_id.tolist() == [1]


def test_two_classes_on_one_place_stay_two_tracks():
    tracker = Tracker()
    for index in range(3):
        rows = [(100, 100, 160, 140, 0.9, 0), (100, 100, 160, 140, 0.8, 1)]
        tracker.update(found(*rows), index * STEP)
    tracks = tracker.predict(2 * STEP)
    assert sorted(tracks.class_id.tolist()) == [0, 1]
    assert sorted(tracks.track_id.tolist()) == [1, 2]


def test_a_low_score_starts_no_track_but_goes_on_with_one():
    tracker = Tracker(TrackerOptions(score_gain=1.0, show_score=0.1))
    tracker.update(driving(0, score=0.2), 0)
    assert len(tracker.predict(0)) == 0
    tracker.update(driving(1, score=0.9), STEP)
    tracker.update(driving(2, score=0.2), 2 * STEP)
    tracks = tracker.predict(2 * STEP)
    assert tracks.track_id.tolist() == [1]
    assert tracks.score[0] == pytest.approx(0.2)


def test_a_track_below_the_shown_score_is_hidden_and_still_followed():
    tracker = Tracker(TrackerOptions(score_gain=1.0, show_score=0.5))
    for index, score in enumerate((0.9, 0.45, 0.45, 0.9)):
        tracker.update(driving(index, score=score), index * STEP)
        assert len(tracker.predict(index * STEP)) == (score > 0.5)
    assert tracker.predict(3 * STEP).track_id.tolist() == [1]


def test_one_low_score_hides_no_steady_track():
    tracker = Tracker(TrackerOptions(score_gain=0.5, show_score=0.5))
    for index, score in enumerate((0.9, 0.9, 0.2)):
        tracker.update(driving(index, score=score), index * STEP)
    assert tracker.predict(2 * STEP).score[0] == pytest.approx(0.55)


def test_a_missed_track_is_carried_then_dropped():
    tracker = followed(5, keep_ns=3 * STEP)
    for index in range(5, 7):
        tracker.update(Detections.empty(), index * STEP)
    carried = tracker.predict(6 * STEP)
    assert carried.xyxy[0] == pytest.approx([160, 100, 220, 140], abs=3)
    assert carried.score[0] < 0.9
    for index in range(7, 10):
        tracker.update(Detections.empty(), index * STEP)
    assert len(tracker.predict(9 * STEP)) == 0


def test_a_track_seen_once_and_then_missed_was_false():
    tracker = followed(1)
    tracker.update(Detections.empty(), STEP)
    assert len(tracker.predict(STEP)) == 0


def test_tracks_are_shown_while_nobody_looks_but_not_for_long():
    tracker = followed(5, keep_ns=STEP, blind_ns=3 * STEP)
    assert len(tracker.predict(4 * STEP + 3 * STEP)) == 1
    assert len(tracker.predict(4 * STEP + 4 * STEP)) == 0


def same(a: Tracks, b: Tracks) -> bool:
    return np.array_equal(a.xyxy, b.xyxy) and np.array_equal(a.velocity, b.velocity)


@pytest.mark.parametrize("late", [1, 2, 5])
def test_a_late_detection_counts_as_if_it_had_come_in_time(late):
    tracker = Tracker()
    for index in range(7):
        if index != late:
            tracker.update(driving(index), index * STEP)
    tracker.update(driving(late), late * STEP)
    assert same(tracker.predict(7 * STEP), followed(7).predict(7 * STEP))


def test_a_detection_older_than_the_history_changes_nothing():
    tracker = followed(20, history_ns=5 * STEP)
    before = tracker.predict(20 * STEP)
    tracker.update(found((0, 0, 300, 300, 0.9, 5)), STEP)
    assert same(tracker.predict(20 * STEP), before)


def test_a_first_detection_may_be_followed_by_an_older_one():
    tracker = Tracker()
    tracker.update(driving(1), STEP)
    tracker.update(driving(0), 0)
    tracker.update(driving(2), 2 * STEP)
    assert same(tracker.predict(3 * STEP), followed(3).predict(3 * STEP))


def test_of_two_answers_for_a_frame_the_better_detector_stands():
    small, large = found((0, 0, 50, 50, 0.9, 0)), found((100, 100, 160, 140, 0.9, 0))
    for first, second in (((small, 0.5), (large, 0.7)), ((large, 0.7), (small, 0.5))):
        tracker = Tracker()
        tracker.update(first[0], 0, first[1])
        tracker.update(second[0], 0, second[1])
        assert tracker.predict(0).xyxy.tolist() == [[100, 100, 160, 140]]


def test_memory_is_bounded():
    tracker = followed(200, history_ns=5 * STEP)
    assert len(tracker._entries) <= 7


def test_prediction_of_a_full_street_is_far_below_a_millisecond_of_cpu():
    tracker = Tracker()
    rows = [(20 * i, 100, 20 * i + 15, 140, 0.9, 0) for i in range(30)]
    for index in range(5):
        tracker.update(found(*rows), index * STEP)
    spent = []
    for _ in range(20):
        began = time.thread_time_ns()
        tracker.predict(5 * STEP)
        spent.append(time.thread_time_ns() - began)
    assert len(tracker.predict(5 * STEP)) == 30
    assert min(spent) < 1_000_000


def test_a_late_detection_of_another_object_renumbers_nobody():
    near, far = (300, 200, 360, 240, 0.9, 0), (500, 100, 520, 120, 0.9, 0)
    tracker = Tracker()
    tracker.update(found(near), 0)
    tracker.update(found(near, far), 2 * STEP)
    late = (100, 300, 150, 340, 0.9, 0)
    tracker.update(found(near, late), STEP)
    tracks = tracker.predict(2 * STEP)
    places = dict(zip(tracks.track_id.tolist(), tracks.xyxy.tolist(), strict=True))
    assert sorted(places) == [1, 2]  # what was seen once and then not is no object
    assert places[2] == pytest.approx(far[:4])
    tracker.update(found(near, far, late), 3 * STEP)
    assert sorted(tracker.predict(3 * STEP).track_id.tolist()) == [1, 2, 4]


@pytest.mark.parametrize("is_still", [True, False])
def test_an_unchanged_picture_vouches_for_what_a_later_look_misses(is_still):
    tracker = followed(5, keep_ns=3 * STEP)
    if is_still:
        tracker.still(19 * STEP)
    tracker.update(found(), 20 * STEP)
    tracker.update(found((500, 300, 560, 340, 0.9, 0)), 21 * STEP)
    assert len(tracker.predict(21 * STEP)) == 1 + is_still
