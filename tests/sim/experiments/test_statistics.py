import math
import random

import numpy as np
import pytest
from scipy import stats

from sim.experiments import statistics


@pytest.mark.parametrize("count", [6, 12, 24])
@pytest.mark.parametrize("shift", [0.0, 0.4, 2.0])
def test_exact_signed_rank_equals_scipy(count: int, shift: float) -> None:
    dice = random.Random(f"{count} {shift}")
    values = [dice.gauss(shift, 1.0) for _ in range(count)]
    ours = statistics.wilcoxon(values)
    theirs = stats.wilcoxon(values, method="exact")
    assert ours.statistic == theirs.statistic
    assert ours.p == pytest.approx(theirs.pvalue, rel=1e-12)
    assert ours.wins == sum(value > 0 for value in values)


@pytest.mark.parametrize("count", [12, 60, 300])
def test_signed_rank_with_ties_equals_scipys_approximation(count: int) -> None:
    dice = random.Random(count)
    values = [float(dice.randrange(-4, 7)) for _ in range(count)]
    ours = statistics.wilcoxon(values)
    nonzero = [value for value in values if value]
    theirs = stats.wilcoxon(nonzero, method="approx", correction=True)
    assert ours.statistic == theirs.statistic
    assert ours.p == pytest.approx(theirs.pvalue, rel=1e-9)
    assert ours.pairs == count


def test_many_pairs_without_ties_use_the_approximation() -> None:
    values = [math.sin(k) + 0.2 for k in range(1, 80)]
    theirs = stats.wilcoxon(values, method="approx", correction=True)
    assert statistics.wilcoxon(values).p == pytest.approx(theirs.pvalue, rel=1e-9)


def test_no_difference_at_all_is_no_evidence() -> None:
    assert statistics.wilcoxon([0.0, 0.0, 1e-15]) == (0.0, 1.0, 0, 3)


def test_24_wins_of_24_are_the_smallest_possible_p() -> None:
    found = statistics.wilcoxon([0.01 * k for k in range(1, 25)])
    assert found.wins == found.pairs == 24
    assert found.p == pytest.approx(2.0 / 2**24)


def test_holm_by_hand() -> None:
    adjusted = statistics.holm({"a": 0.01, "b": 0.04, "c": 0.03})
    assert adjusted == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06})
    assert list(adjusted) == ["a", "b", "c"]
    assert statistics.holm({"a": 0.7, "b": 0.8}) == {"a": 1.0, "b": 1.0}


def test_bootstrap_repeats_and_covers_the_mean() -> None:
    dice = random.Random(1)
    misses = 0
    for trial in range(60):
        rows = [(dice.gauss(0.5, 0.1),) for _ in range(24)]
        found = statistics.bootstrap(rows, statistics.mean_of, seed=str(trial), times=400)
        assert found.low < found.value < found.high
        misses += not found.low <= 0.5 <= found.high
    assert misses <= 9  # 5 % of 60 are 3; the percentile interval is a little short at 24 rows
    again = statistics.bootstrap(rows, statistics.mean_of, seed="59", times=400)
    assert again == found


def test_bootstrap_of_a_ratio_draws_pairs() -> None:
    rows = [(2.0 * k, 4.0 * k) for k in range(1, 9)]
    found = statistics.bootstrap(rows, statistics.ratio_of, seed="x", times=200)
    assert found == pytest.approx((0.5, 0.5, 0.5))
    with pytest.raises(ValueError, match="at least one row"):
        statistics.bootstrap([], statistics.mean_of, seed="x")


def test_percentile_equals_numpy() -> None:
    values = [3.0, -1.0, 2.5, 8.0, 0.1]
    for share in (0.0, 0.1, 0.5, 0.99, 1.0):
        assert statistics.percentile(values, share) == pytest.approx(
            float(np.quantile(values, share))
        )
    assert math.isnan(statistics.percentile([], 0.5))
