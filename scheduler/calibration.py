"""Whether what was promised came true: a reliability table, and the map that corrects it (sans-IO).

A link's probability to be in time comes from a log-normal rate; real links have other tails. Each
request that was sent adds (predicted, outcome). The table shows both by tenths, the isotonic map
(pool adjacent violators; Zadrozny and Elkan, KDD 2002) turns the prediction into what such
predictions were worth of late. Until enough was seen the map is the identity.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

ROWS = 10  # of the reliability table
BINS = 20  # of the map, even in the arc sine of the root: narrow where p is near 0 or 1
CELLS = 256  # of the map as it is looked up
REFRESH_EVERY = 25  # samples; rarer reacts later, more often costs 50 us each time
ENOUGH = 50  # samples before the map leaves the identity
MEMORY = 2_000.0  # samples; longer is smoother and slower to follow a link that changed
PRIOR = 3.0  # samples that each bin is taken to have seen at its own probability


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a reliability table.

    Attributes:
        low: Least predicted probability of this line.
        high: Where the next line begins.
        count: Requests with a prediction between them.
        predicted: Mean of their predictions; 0 without any.
        in_time: Share of them that were answered in time; 0 without any.
    """

    low: float
    high: float
    count: int
    predicted: float
    in_time: float


class Reliability:
    """Predicted probability against outcome, by tenths."""

    def __init__(self) -> None:
        self._counts = [0] * ROWS
        self._hits = [0] * ROWS
        self._sums = [0.0] * ROWS
        self._squares = 0.0

    def add(self, p: float, is_in_time: bool) -> None:
        """One prediction and what came of it."""
        row = min(ROWS - 1, int(p * ROWS))
        self._counts[row] += 1
        self._hits[row] += is_in_time
        self._sums[row] += p
        self._squares += (p - is_in_time) ** 2

    def merge(self, other: "Reliability") -> None:
        """Add what another table has seen."""
        for row in range(ROWS):
            self._counts[row] += other._counts[row]
            self._hits[row] += other._hits[row]
            self._sums[row] += other._sums[row]
        self._squares += other._squares

    @property
    def count(self) -> int:
        """Predictions seen."""
        return sum(self._counts)

    @property
    def error(self) -> float:
        """Expected calibration error: mean over requests of |predicted - outcome| of their line.

        Naeini et al., AAAI 2015; 0 where nothing was seen.
        """
        gaps = (abs(hits - total) for hits, total in zip(self._hits, self._sums, strict=True))
        return sum(gaps) / max(1, self.count)

    @property
    def chance_error(self) -> float:
        """The error that perfect promises would show, because so few were compared.

        The mean absolute deviation of a binomial count, by its normal approximation.
        """
        total = 0.0
        for count, promised in zip(self._counts, self._sums, strict=True):
            if count:
                p = promised / count
                total += math.sqrt(2.0 / math.pi * count * p * (1.0 - p))
        return total / max(1, self.count)

    @property
    def brier(self) -> float:
        """Mean squared error of the predictions (Brier, 1950); 0 where nothing was seen."""
        return self._squares / max(1, self.count)

    def as_rows(self) -> list[Row]:
        """The table, least probability first."""
        return [
            Row(
                row / ROWS,
                (row + 1) / ROWS,
                count,
                self._sums[row] / count if count else 0.0,
                self._hits[row] / count if count else 0.0,
            )
            for row, count in enumerate(self._counts)
        ]


def pooled(values: Sequence[float], weights: Sequence[float]) -> list[float]:
    """The non-decreasing sequence closest to `values` in weighted squares.

    Pool adjacent violators: Barlow et al., Statistical Inference under Order Restrictions, 1972.
    """
    blocks: list[tuple[float, float, int]] = []  # mean, weight, how many values
    for value, weight in zip(values, weights, strict=True):
        block = (value, weight, 1)
        while blocks and blocks[-1][0] >= block[0]:
            mean, before, length = blocks.pop()
            total = before + block[1]
            block = ((mean * before + block[0] * block[1]) / total, total, length + block[2])
        blocks.append(block)
    return [mean for mean, _, length in blocks for _ in range(length)]


def _place(p: float) -> float:
    """Where a probability lies on the map's axis, in bins."""
    return math.asin(math.sqrt(p)) * (2.0 * BINS / math.pi)


def _probability(place: float) -> float:
    """The inverse of `_place`."""
    return math.sin(place * math.pi / (2.0 * BINS)) ** 2


class IsotonicMap:
    """From predicted to observed probability, learned as outcomes come in."""

    def __init__(self) -> None:
        self._weights = [0.0] * BINS
        self._hits = [0.0] * BINS
        self._sums = [0.0] * BINS
        self.values: list[
            float
        ] = []  # of the map, at CELLS + 1 points from 0 to 1; empty: identity
        self._since_refresh = 0
        self._seen = 0

    @property
    def is_identity(self) -> bool:
        """Whether too little was seen to correct anything."""
        return not self.values

    def add(self, p: float, is_in_time: bool) -> None:
        """One prediction and what came of it."""
        index = min(BINS - 1, int(_place(p)))
        self._weights[index] += 1.0
        self._hits[index] += is_in_time
        self._sums[index] += p
        self._seen += 1
        self._since_refresh += 1
        if self._since_refresh >= REFRESH_EVERY:
            self._since_refresh = 0
            self._forget()
            if self._seen >= ENOUGH:
                self._refresh()

    def __call__(self, p: float) -> float:
        """What a prediction of `p` has been worth."""
        values = self.values
        if not values:
            return p
        place = p * CELLS
        index = int(place) if p < 1.0 else CELLS - 1
        low = values[index]
        return low + (place - index) * (values[index + 1] - low)

    def _forget(self) -> None:
        total = sum(self._weights)
        if total > MEMORY:
            keep = MEMORY / total
            self._weights = [weight * keep for weight in self._weights]
            self._hits = [hits * keep for hits in self._hits]
            self._sums = [p * keep for p in self._sums]

    def _refresh(self) -> None:
        """Fit the bins, then join the values at their edges by straight lines."""
        values: list[float] = []
        weights: list[float] = []
        for index in range(BINS):
            middle = _probability(index + 0.5)
            weight = self._weights[index] + PRIOR
            shift = self._hits[index] - self._sums[index]  # zero where the prediction was right
            values.append(min(1.0, max(0.0, middle + shift / weight)))
            weights.append(weight)
        fitted = pooled(values, weights)
        edges = [_edge(fitted, weights, index) for index in range(BINS + 1)]
        edges.append(edges[-1])
        self.values = [
            edges[index] + part * (edges[index + 1] - edges[index]) for index, part in CELL_PLACES
        ]


CELL_PLACES = [(int(at), at - int(at)) for at in (_place(i / CELLS) for i in range(CELLS + 1))]


def _edge(fitted: Sequence[float], weights: Sequence[float], index: int) -> float:
    """The map's value between bins `index - 1` and `index`; a line goes on to the ends."""
    if index == 0:
        return max(0.0, fitted[0] - 0.5 * (fitted[1] - fitted[0]))
    if index == BINS:
        return min(1.0, fitted[-1] + 0.5 * (fitted[-1] - fitted[-2]))
    left, right = weights[index - 1], weights[index]
    return (fitted[index - 1] * left + fitted[index] * right) / (left + right)
