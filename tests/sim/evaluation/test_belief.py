"""Streaming F1 against drives whose score is known by hand."""

import numpy as np
import pytest

from sim.evaluation import truth
from sim.evaluation.belief import f1_current
from vehicle.perception.scores.streaming import Counts


def score(folder, verdicts) -> Counts:
    return f1_current(verdicts, truth.read(folder / "truth.mcap", "ego")["front"], 640, 384)


def test_boxes_moved_by_their_velocity_score_one(make_run, make_verdict) -> None:
    folder = make_run(ticks=30)
    counts = score(folder, [make_verdict(tick) for tick in range(30)])
    # From the first answer (60 ms) to the last true picture (2.9 s), every 20 ms.
    assert counts == Counts(hits=142, false=0, missed=0)


def test_an_answer_counts_from_its_emission_and_not_before(make_run, make_verdict) -> None:
    folder = make_run(ticks=30)
    late = make_verdict(0, emitted_ns=make_verdict(10).stamp_ns)
    # One verdict of the first frame, emitted a second later, still right by its velocity; then
    # nothing: it is moved on to the last picture that has a verdict.
    last = make_verdict(29, emitted_ns=make_verdict(40).stamp_ns)
    counts = score(folder, [late, last])
    assert counts == Counts(hits=95, false=0, missed=0)


def test_boxes_that_do_not_move_fall_behind(make_run, make_verdict) -> None:
    folder = make_run(ticks=30)
    box = make_verdict(0).boxes[0]
    still = [type(box)(box.xyxy, (0.0, 0.0, 0.0, 0.0), 0.9, 0, 1)]
    counts = score(folder, [make_verdict(tick, boxes=still) for tick in range(30)])
    # IoU >= 0.5 with 80 px width holds while the car moved at most 26.7 px: 0.666 s at 40 px/s.
    assert counts.hits == len(np.arange(0.06, 0.667, 0.02))
    assert counts.hits + counts.missed == 142
    assert counts.false == counts.missed


def test_another_class_is_false_and_missed(make_run, make_verdict) -> None:
    folder = make_run(ticks=10)
    box = make_verdict(0).boxes[0]
    wrong = [type(box)(box.xyxy, box.velocity, 0.9, 1, 1)]
    counts = score(folder, [make_verdict(tick, boxes=wrong) for tick in range(10)])
    assert counts.hits == 0
    assert counts.false == counts.missed > 0


def test_no_truth_gives_no_score(make_verdict) -> None:
    assert f1_current([make_verdict(0)], [], 640, 384).f1 is None


def test_clocks_may_differ_by_any_offset_and_drop_ticks(make_run, make_verdict) -> None:
    folder = make_run(ticks=30)
    counts = score(folder, [make_verdict(tick) for tick in range(30) if tick % 3 == 0])
    assert counts.f1 == pytest.approx(1.0)
    assert counts.hits > 130
