"""What the larger of two answers adds, by the size of the object: what offloading can win."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from sim.evaluation.perception.slices import Result

Row = tuple[str, list[float | None]]


def gains(results: Sequence[Result]) -> tuple[list[str], list[Row]]:
    """Differences of AP50 between sizes of a rung, and between rungs of a size.

    Returns:
        Names of the ranges of height, and a row of differences for each pair of neighbours, and
        for the smallest and the largest rung where there are more than two. The last figure of a
        row is of all that counts.
    """
    heights = list(results[0].by_size) if results else []
    by_cell = {(own.rung, own.size): own for own in results if own.rung and own.size}
    sizes = sorted({size for _, size in by_cell if size}, reverse=True)
    best = {rung: max(own.ap50 or 0.0 for (name, _), own in by_cell.items() if name == rung)
            for rung, _ in by_cell}  # fmt: skip
    rungs = sorted(best, key=best.__getitem__)
    rows: list[Row] = []
    for large, small in itertools.pairwise(sizes):
        for rung in rungs:
            pair = by_cell.get((rung, large)), by_cell.get((rung, small))
            name = f"{rung}: {large[0]}x{large[1]} over {small[0]}x{small[1]}"
            rows += _row(name, *pair, heights)
    pairs = list(itertools.pairwise(rungs))
    if len(rungs) > 2:
        pairs.append((rungs[0], rungs[-1]))
    for less, more in pairs:
        for size in sizes:
            name = f"{more} over {less} at {size[0]}x{size[1]}"
            rows += _row(name, by_cell.get((more, size)), by_cell.get((less, size)), heights)
    return heights, rows


def _row(name: str, more: Result | None, less: Result | None, heights: Sequence[str]) -> list[Row]:
    if more is None or less is None:
        return []
    values = [_difference(more, less, height) for height in heights]
    return [(name, [*values, _minus(more.ap50, less.ap50)])]


def _difference(more: Result, less: Result, height: str) -> float | None:
    return _minus(more.by_size[height].ap50, less.by_size[height].ap50)


def _minus(more: float | None, less: float | None) -> float | None:
    return None if more is None or less is None else round(more - less, 4)
