"""The link estimator against links whose truth is known."""

import math
import random

from hypothesis import given
from hypothesis import strategies as st

from scheduler.link import REPLIES_TO_TRUST, LinkEstimator, normal_cdf

MS = 1_000_000


def opened(now_ns: int = 0, rtt_ms: float = 10.0) -> LinkEstimator:
    estimator = LinkEstimator(now_ns)
    for number in range(REPLIES_TO_TRUST):
        estimator.on_ping(number, now_ns)
        estimator.on_pong(number, now_ns + int(rtt_ms * MS))
    assert estimator.state == "up"
    return estimator


def fed(rates_bps: list[float], size: int = 15_000, rtt_ms: float = 10.0) -> LinkEstimator:
    """An estimator after one frame at each rate, 100 ms apart, 20 ms at the unit."""
    estimator = opened(rtt_ms=rtt_ms)
    for k, rate in enumerate(rates_bps):
        sent = (k + 1) * 100 * MS
        estimator.on_sent(k, size, sent)
        transfer = int((size * 8.4 + 3360) / rate * 1e9)
        arrived = sent + transfer + int(rtt_ms * MS) + 20 * MS
        estimator.on_answer(k, 20 * MS, 5 * MS, arrived)
    return estimator


def test_rate_converges_to_the_links_own() -> None:
    estimator = fed([6e6] * 30)
    assert math.isclose(estimator.rate_bps, 6e6, rel_tol=0.05)
    assert estimator.rate_quantile_bps(-0.84) < estimator.rate_bps


def test_predicted_probability_is_calibrated_on_a_fading_link() -> None:
    """Of frames given 30-70 %, the share in time lies near the mean prediction (ECE <= 0.1)."""
    generator = random.Random(1)
    estimator = opened()
    log_rate, now = math.log(5e6), 1_000 * MS
    bins: dict[int, list[tuple[float, bool]]] = {}
    for k in range(4000):
        log_rate += generator.gauss(0.0, 0.12) - 0.02 * (log_rate - math.log(5e6))
        rate = math.exp(log_rate + generator.gauss(0.0, 0.2))
        size, limit = 15_000, generator.uniform(15.0, 60.0) * MS
        p = estimator.p_in_time(size, limit + estimator.overhead_ns(now), now)
        transfer = (size * 8.4 + 3360) / rate * 1e9
        bins.setdefault(min(9, int(p * 10)), []).append((p, transfer <= limit))
        estimator.on_sent(k, size, now)
        estimator.on_answer(k, 20 * MS, 0, now + int(transfer) + 30 * MS)
        now += 100 * MS
    total = sum(len(values) for values in bins.values())
    error = sum(
        abs(sum(p for p, _ in values) - sum(hit for _, hit in values)) for values in bins.values()
    )
    assert error / total <= 0.1


def test_backlog_counts_against_the_next_frame() -> None:
    estimator = fed([6e6] * 10)
    alone = estimator.p_in_time(15_000, 60e6, 2_000 * MS)
    estimator.on_sent(99, 40_000, 2_000 * MS)
    assert estimator.p_in_time(15_000, 60e6, 2_000 * MS) < alone
    assert estimator.transfer_ns(15_000) > 60e6


def test_lost_request_makes_the_link_look_worse() -> None:
    estimator = fed([6e6] * 10)
    rate, spread = estimator.rate_bps, estimator.spread
    estimator.on_sent(99, 15_000, 2_000 * MS)
    estimator.on_expired(99, 2_400 * MS)
    assert estimator.rate_bps < rate / 2 and estimator.spread > spread


def test_stall_needs_something_owed_and_silence() -> None:
    estimator = fed([6e6] * 10)
    heard = estimator.heard_ns
    assert not estimator.is_stalled(heard + 10_000 * MS)  # nothing in flight
    estimator.on_sent(99, 15_000, heard + 50 * MS)
    assert not estimator.is_stalled(heard + 340 * MS)
    assert estimator.is_stalled(heard + 351 * MS)


def test_a_link_is_used_only_after_replies_in_a_row() -> None:
    estimator = LinkEstimator(0)
    estimator.on_ping(1, 0)
    estimator.on_pong(1, 5 * MS)
    assert estimator.state == "connecting"
    assert estimator.p_in_time(1000, 1e9, 5 * MS) == 0.0
    estimator.on_pong(7, 6 * MS)  # never sent
    assert estimator.state == "connecting"


def test_round_trip_follows_rfc_6298() -> None:
    estimator = LinkEstimator(0)
    estimator.on_ping(1, 0)
    estimator.on_pong(1, 40 * MS)
    assert (estimator.srtt_ns, estimator.rttvar_ns) == (40e6, 20e6)
    estimator.on_ping(2, 100 * MS)
    estimator.on_pong(2, 180 * MS)
    assert math.isclose(estimator.rttvar_ns, 20e6 + 0.25 * (40e6 - 20e6))
    assert math.isclose(estimator.srtt_ns, 40e6 + 0.125 * 40e6)
    assert estimator.rtt_min_ns == 40 * MS


@given(st.floats(1e5, 1e8), st.integers(1_000, 100_000), st.floats(1e6, 1e9))
def test_probability_falls_with_size_and_rises_with_time(
    rate: float, size: int, remaining: float
) -> None:
    estimator = fed([rate] * 3)
    now = 1_000 * MS
    p = estimator.p_in_time(size, remaining, now)
    assert 0.0 <= p <= 1.0
    assert estimator.p_in_time(2 * size, remaining, now) <= p
    assert estimator.p_in_time(size, 2 * remaining, now) >= p


def test_normal_distribution() -> None:
    assert normal_cdf(0.0) == 0.5
    assert math.isclose(normal_cdf(1.959964), 0.975, abs_tol=1e-6)
