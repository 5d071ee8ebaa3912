"""Promises against outcomes: the table counts, the map corrects, and both are monotone."""

import itertools
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.calibration import ENOUGH, REFRESH_EVERY, IsotonicMap, Reliability, pooled


def taught(truth: float, samples: int, seed: int = 1) -> tuple[IsotonicMap, random.Random]:
    """A map that saw predictions whose true odds are to the power `truth` (1 = right)."""
    generator = random.Random(seed)
    learned = IsotonicMap()
    for _ in range(samples):
        p = generator.random()
        learned.add(p, generator.random() < p**truth)
    return learned, generator


def test_the_table_counts_by_tenths() -> None:
    table = Reliability()
    for p, is_in_time in ((0.05, False), (0.93, True), (0.97, False), (1.0, True)):
        table.add(p, is_in_time)
    rows = table.as_rows()
    assert len(rows) == 10 and table.count == 4
    assert (rows[0].count, rows[0].predicted, rows[0].in_time) == (1, 0.05, 0.0)
    assert rows[9].count == 3 and math.isclose(rows[9].predicted, 2.9 / 3)
    assert math.isclose(rows[9].in_time, 2 / 3)
    assert math.isclose(table.error, (0.05 + 0.9) / 4)
    assert math.isclose(table.brier, (0.05**2 + 0.07**2 + 0.97**2) / 4)
    assert rows[4].count == 0 and rows[4].in_time == 0.0


def test_tables_add_up() -> None:
    left, right, both = Reliability(), Reliability(), Reliability()
    for index in range(40):
        p, is_in_time = index / 40, index % 3 == 0
        (left if index % 2 else right).add(p, is_in_time)
        both.add(p, is_in_time)
    left.merge(right)
    for row, expected in zip(left.as_rows(), both.as_rows(), strict=True):
        assert (row.count, row.in_time) == (expected.count, expected.in_time)
        assert math.isclose(row.predicted, expected.predicted)
    assert math.isclose(left.error, both.error) and math.isclose(left.brier, both.brier)


def test_perfect_promises_err_by_chance_alone() -> None:
    generator = random.Random(3)
    errors, expected = [], []
    for _ in range(60):
        table = Reliability()
        for _ in range(150):
            p = generator.random()
            table.add(p, generator.random() < p)
        errors.append(table.error)
        expected.append(table.chance_error)
    assert math.isclose(sum(errors) / 60, sum(expected) / 60, rel_tol=0.15)


def test_an_empty_table_has_no_error() -> None:
    assert Reliability().error == Reliability().brier == 0.0


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]),
        ([3.0, 1.0], [2.0, 2.0]),
        ([1.0, 3.0, 2.0, 4.0], [1.0, 2.5, 2.5, 4.0]),
        ([4.0, 3.0, 2.0], [3.0, 3.0, 3.0]),
    ],
)
def test_violators_are_pooled(values: list[float], expected: list[float]) -> None:
    assert pooled(values, [1.0] * len(values)) == expected


def test_pooling_weighs() -> None:
    assert pooled([3.0, 0.0], [1.0, 2.0]) == [1.0, 1.0]


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0.1, 10)), min_size=1, max_size=30))
def test_pooled_values_rise_and_keep_the_sum(pairs: list[tuple[float, float]]) -> None:
    values, weights = [v for v, _ in pairs], [w for _, w in pairs]
    fitted = pooled(values, weights)
    assert all(a <= b + 1e-12 for a, b in itertools.pairwise(fitted))
    before = sum(v * w for v, w in pairs)
    assert math.isclose(
        sum(f * w for f, w in zip(fitted, weights, strict=True)), before, abs_tol=1e-9
    )


def test_the_map_is_the_identity_until_it_has_seen_enough() -> None:
    learned = IsotonicMap()
    for _ in range(ENOUGH - 1):
        learned.add(0.9, False)
    assert learned.is_identity and learned(0.9) == 0.9
    for _ in range(REFRESH_EVERY):
        learned.add(0.9, False)
    assert not learned.is_identity and learned(0.9) < 0.3


@pytest.mark.parametrize("truth", [1.0, 2.0, 0.5])
def test_the_map_learns_what_predictions_are_worth(truth: float) -> None:
    learned, _ = taught(truth, 4000)
    for p in (0.1, 0.3, 0.5, 0.7, 0.9):
        assert abs(learned(p) - p**truth) < 0.06


def test_mapped_predictions_are_calibrated_on_new_ones() -> None:
    learned, generator = taught(3.0, 2000)
    raw, mapped = Reliability(), Reliability()
    for _ in range(4000):
        p = generator.random()
        is_in_time = generator.random() < p**3
        raw.add(p, is_in_time)
        mapped.add(learned(p), is_in_time)
    assert raw.error > 0.15 and mapped.error <= 0.05
    assert mapped.brier < raw.brier


def test_a_channel_that_changed_is_followed() -> None:
    learned, generator = taught(1.0, 4000)
    for _ in range(6000):
        learned.add(0.8, generator.random() < 0.3)
    assert abs(learned(0.8) - 0.3) < 0.1


@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=0, max_size=400),
    st.lists(st.floats(0, 1), min_size=2, max_size=20),
)
def test_the_map_never_falls_and_stays_a_probability(
    samples: list[tuple[float, bool]], queries: list[float]
) -> None:
    learned = IsotonicMap()
    for p, is_in_time in samples:
        learned.add(p, is_in_time)
    values = [learned(p) for p in sorted(queries)]
    assert all(0.0 <= value <= 1.0 for value in values)
    assert all(a <= b + 1e-9 for a, b in itertools.pairwise(values))
