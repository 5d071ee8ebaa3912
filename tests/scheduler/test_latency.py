"""Quantiles of stage times and expected JPEG sizes, by hand."""

import math

from hypothesis import given
from hypothesis import strategies as st

from scheduler.latency import WINDOW, JpegSizes, StageTimes, accuracy_loss


def test_prior_stands_until_there_are_samples() -> None:
    times = StageTimes(50)
    assert times.quantile_ns(0.99, 0) == 50
    times.add(10, 0)
    assert times.quantile_ns(0.5, 0) == 10
    assert times.quantile_ns(0.99, 0) == 50  # one fast run proves no tail
    for _ in range(5):
        times.add(12, 0)
    assert times.quantile_ns(0.99, 0) == 12


def test_a_spike_is_forgotten_after_ten_seconds() -> None:
    times = StageTimes(50)
    for now_s in range(6):
        times.add(500 if now_s < 2 else 40, now_s * 10**9)
    assert times.quantile_ns(0.99, 6 * 10**9) == 500
    assert times.quantile_ns(0.99, 12 * 10**9) == 50  # four samples left: the prior bounds them
    assert times.quantile_ns(0.99, 60 * 10**9) == 50


@given(st.lists(st.integers(1, 10**9), min_size=5, max_size=400), st.floats(0.01, 1.0))
def test_quantile_is_that_of_the_last_samples(values: list[int], share: float) -> None:
    times = StageTimes(0)
    for value in values:
        times.add(value, 0)
    recent = sorted(values[-WINDOW:])
    assert times.quantile_ns(share, 0) == recent[max(0, math.ceil(share * len(recent)) - 1)]


def test_jpeg_sizes_learn_what_the_camera_sees() -> None:
    sizes = JpegSizes()
    pixels = 640 * 384
    assert 20_000 < sizes.expected_bytes(50, pixels) < 23_000  # perception.md: 21 kB at q50
    sizes.add(50, pixels, 2 * sizes.expected_bytes(50, pixels))
    assert math.isclose(sizes.expected_bytes(80, pixels), 2 * 0.159 * pixels, rel_tol=0.01)


def test_accuracy_loss_follows_the_table() -> None:
    assert accuracy_loss(50) == 0.014
    assert accuracy_loss(10) == 0.045
    assert accuracy_loss(95) == 0.0
    losses = [accuracy_loss(q) for q in range(5, 96)]
    assert losses == sorted(losses, reverse=True)
