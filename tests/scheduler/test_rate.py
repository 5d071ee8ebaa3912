"""The belief about a rate: its mean, its width, and how both age; what is in flight; the unit."""

import math
import random

import pytest

from scheduler.in_flight import InFlight, Sent, bits_of
from scheduler.rate import FIRST_RATE_BPS, MAX_VARIANCE, MOST_NEWS, LogRate
from scheduler.unit_time import UnitTime

MS = 1_000_000
SECOND = 1_000 * MS


def measured(rate_bps: float, samples: int = 100, noise: float = 0.0, seed: int = 1) -> LogRate:
    """After so many samples, 50 ms apart."""
    generator = random.Random(seed)
    rate = LogRate(0)
    for k in range(samples):
        sample = math.log(rate_bps) + generator.gauss(0.0, noise)
        rate.measure(sample, 0.0, (k + 1) * 50 * MS)
    return rate


def test_a_first_sample_is_nearly_believed() -> None:
    rate = measured(20e6, samples=1)
    assert rate.mean == pytest.approx(math.log(20e6), abs=0.1)


@pytest.mark.parametrize("noise", [0.3, 0.6])
def test_eight_of_ten_samples_lie_in_the_80_percent_interval(noise: float) -> None:
    generator = random.Random(2)
    rate = measured(8e6, 200, noise)
    now, inside = 200 * 50 * MS, 0
    for _ in range(2000):
        now += 50 * MS
        sample = math.log(8e6) + generator.gauss(0.0, noise)
        inside += abs(sample - rate.mean_at(now)) < 1.2816 * rate.spread(now)
        rate.measure(sample, 0.0, now)
    assert 0.74 <= inside / 2000 <= 0.9


def test_a_steady_link_is_still_doubted() -> None:
    """The next modulation scheme down is a step of 0.3 nat, whatever the last frames saw."""
    assert 0.15 < measured(8e6, 400).spread(400 * 50 * MS + 50 * MS) < 0.4


def test_certainty_fades() -> None:
    rate = measured(8e6)
    end = 100 * 50 * MS
    spreads = [rate.spread(end + ms * MS) for ms in (0, 100, 1_000, 10_000)]
    assert spreads == sorted(spreads) and spreads[-1] > 5 * spreads[0]
    assert rate.spread(end + 3600 * SECOND) <= math.sqrt(MAX_VARIANCE) + 0.1


def test_an_old_rate_returns_to_the_usual_one() -> None:
    rate = measured(8e6, 400)
    end = 400 * 50 * MS
    usual = rate.usual
    assert usual == pytest.approx(math.log(8e6), abs=0.1)
    for k in range(5):
        rate.measure(math.log(0.5e6), 0.0, end + (k + 1) * 50 * MS)
    end += 250 * MS
    assert rate.mean_at(end) < math.log(1.5e6)
    assert rate.mean_at(end + 30 * SECOND) > math.log(5e6)


def test_losses_alone_do_not_bury_a_rate() -> None:
    rate = measured(8e6)
    for k in range(50):
        rate.shift(-1.0, 0.25, (6 + k) * SECOND)
    assert rate.mean >= rate.usual - MOST_NEWS - 1e-9
    assert rate.variance <= MAX_VARIANCE


def test_a_jump_is_followed_within_a_few_samples() -> None:
    rate = measured(8e6)
    for k in range(4):
        rate.measure(math.log(1e6), 0.0, (101 + k) * 50 * MS)
    assert rate.mean == pytest.approx(math.log(1e6), abs=0.35)


def test_a_noisy_sample_weighs_less() -> None:
    sure, unsure = measured(8e6), measured(8e6)
    sure.measure(math.log(2e6), 0.0, 6 * SECOND)
    unsure.measure(math.log(2e6), 4.0, 6 * SECOND)
    assert sure.mean < unsure.mean < math.log(8e6) + 0.05


def test_nothing_is_known_at_first() -> None:
    rate = LogRate(0)
    assert rate.mean == math.log(FIRST_RATE_BPS)
    assert rate.spread(0) > 1.4


def flying(*sizes: int) -> tuple[InFlight, list[Sent]]:
    flights, sent = InFlight(), [Sent(k * 10, size) for k, size in enumerate(sizes)]
    for seq, each in enumerate(sent):
        flights.add(seq, each)
    return flights, sent


def test_what_is_ahead_is_summed_from_each_on() -> None:
    flights, _ = flying(1000, 2000)
    assert flights.bytes == 3000
    assert flights.ahead() == [(0, bits_of(1000) + bits_of(2000)), (10, bits_of(2000))]


def test_an_answer_to_a_later_one_tells_that_the_earlier_have_left() -> None:
    flights, sent = flying(1000, 2000, 4000)
    flights.answer(sent[1], 5)
    assert flights.ahead() == [(20, bits_of(4000))]
    assert flights.oldest() is sent[0] and flights.bytes == 5000
    assert flights.take_answered() is None  # the first is owed yet
    flights.answer(sent[0], 9)
    assert [flights.take_answered(), flights.take_answered()] == sent[:2]
    assert flights.take_answered() is None and len(flights) == 1


def test_dropping_keeps_the_sums() -> None:
    flights, sent = flying(1000, 2000, 4000)
    assert flights.drop(1) is sent[1] and flights.drop(1) is None
    flights.answer(sent[0], 5)
    assert flights.drop(0) is None  # it has its answer
    assert flights.clear() == [sent[2]]
    assert (flights.bytes, flights.bits, len(flights)) == (0, 0.0, 0)


def test_the_queue_of_a_unit_fades_and_one_long_answer_is_no_habit() -> None:
    unit = UnitTime(0)
    unit.on_load(30e6, 0)
    assert unit.queue_at(0) == 30e6 and unit.queue_at(3 * SECOND) < 5e6
    unit.on_load(0.0, 0)
    for k in range(50):
        unit.on_answer(20 * MS + k % 2 * MS, 20 * MS, k * 100 * MS)
    usual = unit.deviation_ns
    assert usual < 1.5e6
    unit.on_answer(900 * MS, 20 * MS, 6 * SECOND)
    assert unit.deviation_ns < 2 * usual
