"""What the estimator believes while answers are owed, out of order, late, or long ago."""

import itertools
import math

import pytest

from scheduler.calibration import ENOUGH
from scheduler.link import BUDGET_Z, REPLIES_TO_TRUST, LinkEstimator
from scheduler.round_trip import RoundTrip

MS = 1_000_000
RTT = 10 * MS
UNIT = 20 * MS
SIZE = 15_000
RATE = 6e6


def transfer_ns(size: int, rate: float = RATE) -> int:
    return int((size * 8.4 + 3360) / rate * 1e9)


def settled(frames: int = 30, rate: float = RATE) -> tuple[LinkEstimator, int]:
    """A link that is up and has carried frames at one rate, one at a time; and the time."""
    link = LinkEstimator(0)
    for number in range(REPLIES_TO_TRUST):
        link.on_ping(number, 0)
        link.on_pong(number, RTT)
    now = 100 * MS
    for seq in range(frames):
        link.on_sent(seq, SIZE, now)
        link.on_answer(seq, UNIT, 0, now + transfer_ns(SIZE, rate) + RTT + UNIT)
        now += 100 * MS
    return link, now


def test_frames_queued_behind_each_other_measure_the_rate_and_not_the_queue() -> None:
    link, now = settled(1)
    free = now
    for seq in range(100, 160):
        now += 20 * MS  # a frame takes 22 ms: they pile up
        link.on_sent(seq, SIZE, now)
        free = max(free, now) + transfer_ns(SIZE)
        if seq % 3 == 2:
            for answered in (seq - 2, seq - 1, seq):
                done = free - (seq - answered) * transfer_ns(SIZE)
                link.on_answer(answered, UNIT, 0, done + RTT + UNIT)
            now = max(now, free + RTT + UNIT)
    assert math.isclose(link.rate_bps, RATE, rel_tol=0.05)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_answers_in_another_order_measure_the_same_rate(order: tuple[int, int]) -> None:
    """The unit refuses the second at once and works on the first for a while."""
    link, now = settled(30)
    before = link.rate_bps
    for pair in range(20):
        first, second = 1000 + 2 * pair, 1001 + 2 * pair
        link.on_sent(first, SIZE, now)
        link.on_sent(second, SIZE, now + 5 * MS)
        arrived = (now + transfer_ns(SIZE), now + 2 * transfer_ns(SIZE))
        stays = [UNIT, UNIT]
        stays[order[1]] = 60 * MS
        for index in order:
            seq = (first, second)[index]
            back = arrived[index] + RTT + stays[index]
            link.on_answer(seq, stays[index], 0, back, is_ok=index == 0)
        now += 200 * MS
    assert math.isclose(link.rate_bps, before, rel_tol=0.05)


def test_a_frame_that_has_left_the_queue_is_no_backlog() -> None:
    """Its answer is owed, but at the usual rate it is at the unit by now."""
    link, now = settled()
    alone = link.p_in_time(SIZE, 45e6, now)
    link.on_sent(500, SIZE, now)
    just_sent = link.p_in_time(SIZE, 45e6, now)
    later = link.p_in_time(SIZE, 45e6, now + 25 * MS)
    assert just_sent < 0.7 * alone
    assert later > 0.85 * alone
    assert link.transfer_ns(SIZE) < 1.1 * transfer_ns(SIZE)


def test_what_goes_on_until_the_frame_leaves_counts() -> None:
    link, now = settled()
    link.on_sent(500, SIZE, now)
    at_once = link.p_in_time(SIZE, 45e6, now)
    after_encoding = link.p_in_time(SIZE, 45e6, now, before_ns=15 * MS)
    assert after_encoding > at_once


def test_an_owed_answer_caps_the_rate_before_the_stall() -> None:
    link, now = settled()
    link.on_sent(500, SIZE, now)
    usual = link.p_in_time(5_000, 60e6, now + 20 * MS)
    overdue = link.p_in_time(5_000, 60e6, now + 150 * MS)
    assert usual > 0.9 and overdue < 0.2
    assert not link.is_stalled(now + 150 * MS)


def test_an_owed_ping_caps_the_rate_of_an_idle_link() -> None:
    link, now = settled()
    link.on_ping(900, now)
    assert link.p_in_time(SIZE, 60e6, now + 5 * MS) > 0.9
    assert link.p_in_time(SIZE, 60e6, now + 120 * MS) < 0.1


def test_a_lost_ping_is_forgotten_once_something_is_heard() -> None:
    link, now = settled()
    link.on_ping(900, now)
    link.on_sent(500, SIZE, now + 1 * MS)
    link.on_answer(500, UNIT, 0, now + 60 * MS)
    assert link.p_in_time(SIZE, 60e6, now + 300 * MS) > 0.8


def test_a_link_that_failed_is_believed_in_again_after_a_while() -> None:
    """Rates far below all that it was offered, then silence: the usual comes back."""
    link, now = settled()
    for seq in range(700, 710):
        link.on_sent(seq, SIZE, now)
        link.on_expired(seq, now + 400 * MS)
        now += 400 * MS
    assert link.p_in_time(SIZE, 60e6, now) < 0.01
    assert link.p_in_time(SIZE, 60e6, now + 15_000 * MS) > 0.3


def test_the_budget_allows_for_a_quick_uplink() -> None:
    link, now = settled()
    likely = link.transfer_ns(SIZE)
    quick = link.transfer_ns(SIZE, z=-BUDGET_Z)
    assert quick < likely
    due = now + 100 * MS
    budget = link.service_budget_ns(SIZE, due, now)
    assert budget == pytest.approx(100 * MS - quick - RTT, abs=2)
    assert link.service_budget_ns(10 * SIZE, now + 20 * MS, now) == 0


def test_promises_are_compared_with_what_came() -> None:
    link, now = settled()
    for seq, lateness_ms in enumerate((-20, 5), start=500):
        due = now + 100 * MS
        link.on_sent(seq, SIZE, now, due, UNIT, 0.8)
        link.on_answer(seq, UNIT, 0, due + lateness_ms * MS)
        now += 200 * MS
    link.on_sent(502, SIZE, now, now + 100 * MS, UNIT, 0.8)
    link.on_answer(502, 0, 0, now + 50 * MS, is_ok=False)  # refused
    link.on_sent(503, SIZE, now, now + 100 * MS, UNIT, 0.8)
    link.on_expired(503, now + 400 * MS)
    link.on_sent(504, SIZE, now, now + 100 * MS, UNIT)  # promised nothing
    link.on_open(now + 500 * MS)
    assert (link.raw.count, link.promised.count) == (5, 4)
    assert link.promised.as_rows()[8].in_time == pytest.approx(0.25)


def test_predictions_follow_what_they_have_been_worth() -> None:
    """A unit that refuses two frames of three is a fact of this link."""
    link, now = settled()
    p_before = link.p_in_time(SIZE, 60e6, now)
    for seq in range(1000, 1000 + 3 * ENOUGH):
        link.on_sent(seq, SIZE, now, now + 90 * MS, UNIT, p_before)
        stay = transfer_ns(SIZE) + RTT
        link.on_answer(seq, UNIT, 0, now + stay + UNIT, is_ok=seq % 3 == 0)
        now += 100 * MS
    assert p_before > 0.95
    assert link.p_in_time(SIZE, 60e6, now) == pytest.approx(1 / 3, abs=0.1)


def test_a_beacon_tells_of_the_queue() -> None:
    link, now = settled()
    before = link.overhead_ns(now)
    link.on_load(40e6, now)
    assert link.overhead_ns(now) == pytest.approx(before + 40e6, abs=1e6)
    assert link.overhead_ns(now + 6_000 * MS) < before + 2e6


def test_pings_behind_a_frame_do_not_count_as_the_round_trip() -> None:
    trip = RoundTrip()
    for number in range(20):
        trip.on_ping(number, number % 2 == 0, number * 100 * MS)
        trip.on_pong(number, number * 100 * MS + (10 if number % 2 == 0 else 60) * MS)
    assert trip.typical_ns == pytest.approx(10e6)
    assert trip.srtt_ns > 20e6 and trip.least_ns == 10 * MS


def test_the_least_round_trip_forgets_after_ten_seconds() -> None:
    trip = RoundTrip()
    for number, (at_ms, rtt_ms) in enumerate(((0, 8), (5_000, 12), (9_000, 15), (12_000, 20))):
        trip.on_ping(number, True, at_ms * MS)
        trip.on_pong(number, (at_ms + rtt_ms) * MS)
    assert trip.least_ns == 12 * MS


def test_one_ping_through_an_outage_is_no_jitter() -> None:
    trip = RoundTrip()
    for number in range(20):
        trip.on_ping(number, True, number * 1000 * MS)
        trip.on_pong(number, number * 1000 * MS + (400 if number == 15 else 10) * MS)
    assert trip.typical_ns < 12e6 and trip.jitter_ns < 4e6


def test_a_queue_of_others_lowers_the_rate_once() -> None:
    link, now = settled()
    rates = [link.rate_bps]
    for number in range(100, 112):
        link.on_ping(number, now)
        link.on_pong(number, now + 45 * MS)
        rates.append(link.rate_bps)
        now += 100 * MS
    drops = [after / before for before, after in itertools.pairwise(rates)]
    assert sum(drop < 0.9 for drop in drops) == 1
