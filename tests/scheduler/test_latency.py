"""Quantiles of stage times and expected JPEG sizes, by hand."""

import math

from hypothesis import given
from hypothesis import strategies as st

from scheduler.latency import WINDOW, JpegSizes, StageTimes, accuracy_loss


def test_prior_stands_until_there_are_samples() -> None:
    times = StageTimes(50)
    assert times.quantile_ns(0.99) == 50
    times.add(10)
    assert times.quantile_ns(0.5) == 10
    assert times.quantile_ns(0.99) == 50  # one fast run proves no tail
    for _ in range(5):
        times.add(12)
    assert times.quantile_ns(0.99) == 12


@given(st.lists(st.integers(1, 10**9), min_size=5, max_size=400), st.floats(0.01, 1.0))
def test_quantile_is_that_of_the_last_samples(values: list[int], share: float) -> None:
    times = StageTimes(0)
    for value in values:
        times.add(value)
    recent = sorted(values[-WINDOW:])
    assert times.count == len(recent)
    assert times.quantile_ns(share) == recent[max(0, math.ceil(share * len(recent)) - 1)]


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
