"""Intervals and tests of a study: bootstrap, paired Wilcoxon signed-rank test, Holm's correction.

Plain Python floats and seeded `random.Random`, so that a table repeats on any machine.
"""

import itertools
import math
import random
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

EXACT_UP_TO = 25  # pairs; beyond, the normal approximation is good to the second digit
TIE_DIGITS = 12  # differences that agree to so many decimals are one rank


class Interval(NamedTuple):
    """A figure with the bounds within which its true value lies."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def bootstrap(
    rows: Sequence[tuple[float, ...]],
    figure: Callable[[Sequence[tuple[float, ...]]], float],
    *,
    seed: str,
    times: int = 2000,
    confidence: float = 0.95,
) -> Interval:
    """Percentile interval of a figure over rows that are drawn with replacement (Efron 1979).

    Args:
        rows: One per drive; what belongs together is drawn together.
        figure: Of such rows.
        seed: Of the draws.
        times: Draws; more make the bounds steadier.
        confidence: Share of the draws within the bounds.

    Raises:
        ValueError: there is no row.
    """
    if not rows:
        raise ValueError("expected at least one row to draw from")
    dice = random.Random(seed)
    count = len(rows)
    drawn = sorted(
        figure([rows[dice.randrange(count)] for _ in range(count)]) for _ in range(times)
    )
    skip = int((1.0 - confidence) / 2.0 * times)
    return Interval(figure(rows), drawn[skip], drawn[-1 - skip])


def mean_of(rows: Sequence[tuple[float, ...]]) -> float:
    """Mean of the rows' first values."""
    return math.fsum(row[0] for row in rows) / len(rows)


def ratio_of(rows: Sequence[tuple[float, ...]]) -> float:
    """Sum of the first values over that of the second; not a number where that is 0."""
    below = math.fsum(row[1] for row in rows)
    return math.fsum(row[0] for row in rows) / below if below else math.nan


class Paired(NamedTuple):
    """The signed-rank test of paired differences.

    Attributes:
        statistic: The smaller of the rank sums of positive and negative differences.
        p: Two-sided.
        wins: Positive differences.
        pairs: All, zero differences among them.
    """

    statistic: float
    p: float
    wins: int
    pairs: int


def wilcoxon(differences: Sequence[float]) -> Paired:
    """Wilcoxon's signed-rank test that the differences are symmetric about zero, two-sided.

    Zero differences are left out (Wilcoxon 1945), equal ones share their mean rank. Exact up to
    `EXACT_UP_TO` pairs without ties; else the normal approximation with the tie correction and the
    continuity correction (Hollander & Wolfe, Nonparametric Statistical Methods, 3.1).
    """
    rounded = [round(value, TIE_DIGITS) for value in differences]
    wins = sum(value > 0.0 for value in rounded)
    signed = sorted((value for value in rounded if value), key=abs)
    if not signed:
        return Paired(0.0, 1.0, wins, len(rounded))
    ranks, ties = _ranks([abs(value) for value in signed])
    positive = math.fsum(rank for rank, value in zip(ranks, signed, strict=True) if value > 0.0)
    total = len(signed) * (len(signed) + 1) / 2.0
    statistic = min(positive, total - positive)
    if len(signed) <= EXACT_UP_TO and not ties:
        p = _exact_p(len(signed), round(statistic))
    else:
        p = _normal_p(len(signed), statistic, ties)
    return Paired(statistic, p, wins, len(rounded))


def _ranks(sizes: Sequence[float]) -> tuple[list[float], list[int]]:
    """Mean ranks of sorted values, and the lengths of the ties."""
    ranks: list[float] = []
    ties: list[int] = []
    for _, group in itertools.groupby(sizes):
        length = len(list(group))
        ranks += [len(ranks) + (length + 1) / 2.0] * length
        if length > 1:
            ties.append(length)
    return ranks, ties


def _exact_p(count: int, statistic: int) -> float:
    """How often a rank sum this small or smaller comes by chance, both sides."""
    ways = [1]  # number of subsets of the ranks 1..n by their sum
    for rank in range(1, count + 1):
        grown = ways + [0] * rank
        for total, number in enumerate(ways):
            grown[total + rank] += number
        ways = grown
    return float(min(1.0, 2.0 * sum(ways[: statistic + 1]) / 2**count))


def _normal_p(count: int, statistic: float, ties: Sequence[int]) -> float:
    mean = count * (count + 1) / 4.0
    variance = count * (count + 1) * (2 * count + 1) / 24.0
    variance -= sum(tie**3 - tie for tie in ties) / 48.0
    distance = max(0.0, mean - statistic - 0.5)
    return min(1.0, math.erfc(distance / math.sqrt(2.0 * variance)))


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Adjusted p of several comparisons with one policy (Holm 1979), in the same order.

    An adjusted value under 0.01 means: rejected at 1 % although so many were tried.
    """
    ordered = sorted(p_values, key=lambda name: p_values[name])
    adjusted: dict[str, float] = {}
    least = 0.0
    for place, name in enumerate(ordered):
        least = max(least, min(1.0, (len(ordered) - place) * p_values[name]))
        adjusted[name] = least
    return {name: adjusted[name] for name in p_values}


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the others do not exceed, linear between two; NaN of none."""
    if not values:
        return math.nan
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])
