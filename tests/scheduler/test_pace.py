from scheduler.pace import Pace

MS = 1_000_000


def test_a_unit_that_is_fast_enough_is_never_waited_for():
    pace = Pace(33 * MS)
    for now_ms in range(0, 1000, 33):
        assert not pace.is_early(now_ms * MS)
        pace.on_sent(30 * MS, now_ms * MS)


def test_what_would_wait_longer_than_a_frame_interval_is_early():
    pace = Pace(10 * MS)
    pace.on_sent(33 * MS, 0)
    assert [at for at in range(0, 50, 10) if not pace.is_early(at * MS)] == [30, 40]


def test_a_slow_unit_is_asked_as_often_as_it_can_answer():
    pace, sent = Pace(3 * MS), 0
    for now_ms in range(0, 3300, 3):
        if not pace.is_early(now_ms * MS):
            pace.on_sent(33 * MS, now_ms * MS)
            sent += 1
    assert 98 <= sent <= 102


def test_a_unit_of_unknown_speed_is_not_waited_for():
    pace = Pace(10 * MS)
    pace.on_sent(0, 0)
    assert not pace.is_early(0)


def test_an_early_answer_frees_the_way():
    pace = Pace(10 * MS)
    pace.on_sent(100 * MS, 0)
    assert pace.is_early(20 * MS)
    pace.on_answer(0, 100 * MS, 0, 20 * MS)  # refused at once
    assert not pace.is_early(20 * MS)


def test_a_new_session_begins_at_once():
    pace = Pace(10 * MS)
    pace.on_sent(500 * MS, 0)
    pace.on_open()
    assert not pace.is_early(MS)


def test_waiting_at_the_unit_slows_the_pace():
    pace = Pace(10 * MS)
    pace.on_sent(33 * MS, 0)
    pace.on_answer(25 * MS, 33 * MS, 0, 60 * MS)
    pace.on_sent(33 * MS, 60 * MS)
    assert pace.is_early(85 * MS)  # without it: 33 ms from 60 on, less most of the interval
    assert not pace.is_early(92 * MS)


def test_an_eighth_of_the_interval_is_left_to_what_comes_late():
    pace = Pace(16 * MS)
    pace.on_sent(34 * MS, 0)
    assert pace.is_early(19 * MS)  # it would wait for 15 ms, and the next comes in 16
    assert not pace.is_early(20 * MS)
    assert not pace.is_nearly_due(14 * MS)
    assert pace.is_nearly_due(15 * MS)
