"""Waiting: sources that are replaced, turns that come round, timers aimed a little early."""

import os

from vehicle.polling import MOST_LEAD_NS, Lead, Periodic, Polled

MS = 1_000_000


def test_missed_turns_are_not_made_up_for() -> None:
    turn = Periodic(100)
    assert turn.is_due(0)
    assert [turn.is_due(at) for at in (50, 99, 101, 150)] == [False, False, True, False]
    assert turn.is_due(200), "it does not drift"
    assert [turn.is_due(at) for at in (1000, 1000, 1099, 1100)] == [True, False, False, True]


def test_lead_follows_how_late_timers_fired_and_is_bounded() -> None:
    lead = Lead()
    assert not lead.is_due(10 * MS, 9 * MS)
    assert lead.is_due(10 * MS, 13 * MS) and lead.ns == 3 * MS
    assert lead.is_due(20 * MS, 17 * MS), "now it is aimed at three milliseconds early"
    for _ in range(100):
        assert lead.is_due(20 * MS, 20 * MS + 50 * MS)
    assert lead.ns == MOST_LEAD_NS
    for _ in range(100):
        assert lead.is_due(20 * MS, 20 * MS - lead.ns)
    assert lead.ns == 0, "a quiet machine needs none"


def test_replaced_source_is_followed() -> None:
    called: list[str] = []
    first, second = os.pipe(), os.pipe()
    polled = Polled()
    polled.follow("worker", 1, first[0], lambda: called.append("first"))
    os.write(first[1], b"x")
    polled.wait(0)
    polled.follow("worker", 2, -1, lambda: called.append("none"))
    polled.wait(0)
    polled.follow("worker", 3, second[0], lambda: called.append("second"))
    os.write(second[1], b"x")
    polled.wait(0)
    polled.follow("worker", 3, second[0], lambda: called.append("again"))
    polled.wait(0)
    assert called == ["first", "second", "second"]
    for end in (*first, *second):
        os.close(end)
