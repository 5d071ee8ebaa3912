"""Whether `backend: auto` is right: the choice of one profile against a second, fresh measurement.

    python benchmarks/backends.py [--rungs RUNG ...] [--sizes WxH ...] [--seconds 1.5]

Measures every cell twice, the second time after all of the first. Of each cell it prints how much
slower auto's choice by the first was in the second than the fastest there. Times are compute time
(CPU time, at most the wall time), so that a busy machine disturbs them least.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from scheduler.errors import VdapError
from vehicle.perception.backends import DEFAULT
from vehicle.perception.profile import ALIKE, Cell, is_alike, ordered, processor
from vehicle.perception.profiling.__main__ import input_size
from vehicle.perception.profiling.cells import Group, Wanted
from vehicle.perception.profiling.table import measure_all
from vehicle.perception.rungs import INPUT_SIZES


@dataclass(frozen=True)
class Judged:
    """One choice of auto."""

    group: Group
    chosen: str
    loss: float  # of auto's choice over the fastest, in the second measurement
    default_loss: float  # the same of always taking ONNX Runtime
    others: str
    is_alike: bool


def judged(group: Group, first: Sequence[Cell], second: Sequence[Cell]) -> Judged:
    """Auto by the first measurement, weighed by the second."""
    by_speed = sorted(first, key=lambda cell: cell.ms)
    chosen = ordered(by_speed, DEFAULT)[0].backend
    again = {cell.backend: cell.ms for cell in second}
    fastest = min(again.values())
    return Judged(
        group,
        chosen,
        again[chosen] / fastest - 1.0,
        again.get(DEFAULT, again[chosen]) / fastest - 1.0,
        ", ".join(f"{name} {ms:.2f}" for name, ms in sorted(again.items(), key=lambda i: i[1])),
        sum(is_alike(cell.ms, by_speed[0].ms) for cell in first) > 1,
    )


def of_group(cells: Sequence[Cell], group: Group) -> list[Cell]:
    """The cells of one model at one size, precision and number of threads."""
    wanted = (group.rung.name, group.size, group.precision, group.threads)
    return [c for c in cells if (c.model, c.size, c.precision, c.threads) == wanted]


def table(rows: Sequence[Judged]) -> Table:
    """A row for each cell."""
    it = Table(title=f"{processor()}: auto by one profile, judged by a second")
    for name in ("model", "auto takes", "loss", "second measurement, ms"):
        it.add_column(name, justify="right" if name == "loss" else "left")
    for row in rows:
        group = row.group
        threads = f", {group.threads} threads" if group.threads > 1 else ""
        it.add_row(
            f"{group.rung.name} {group.size[0]}x{group.size[1]} {group.precision}{threads}",
            row.chosen + (" =" if row.is_alike else ""),
            f"{row.loss:.1%}",
            row.others,
        )
    it.caption = "=: several were within 5 % of the fastest in the first measurement"
    return it


def main() -> int:
    """Runs the benchmark."""
    it = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    it.add_argument("--rungs", nargs="+", default=[])
    it.add_argument("--sizes", nargs="+", type=input_size, default=list(INPUT_SIZES))
    it.add_argument("--threads", nargs="+", type=int, default=[1])
    it.add_argument("--backends", nargs="+", default=[])
    it.add_argument("--seconds", type=float, default=1.5, help="of each cell and measurement")
    it.add_argument("--check", action="store_true", help="exit code 1 below 95 % of the cells")
    given = it.parse_args()
    console = Console()
    try:
        wanted = Wanted(given.rungs, given.sizes, (), given.backends, given.threads)
        groups = list(wanted.groups())
        errors = Console(stderr=True)
        first = measure_all(groups, given.seconds, errors)
        second = measure_all(groups, given.seconds, errors)
    except VdapError as error:
        sys.stderr.write(f"backends: {error}\n")
        return error.exit_code
    rows = [
        judged(group, of_group(first, group), of_group(second, group))
        for group in groups
        if len(of_group(first, group)) > 1
    ]
    if not rows:
        sys.stderr.write("backends: no cell runs in more than one runtime here\n")
        return 1
    console.print(table(rows))
    within = sum(row.loss <= ALIKE for row in rows) / len(rows)
    default = sum(row.default_loss <= ALIKE for row in rows) / len(rows)
    console.print(
        f"auto is within 5 % of the fastest in {within:.0%} of {len(rows)} cells (median loss "
        f"{statistics.median(row.loss for row in rows):.1%}, worst "
        f"{max(row.loss for row in rows):.1%}); always {DEFAULT}: {default:.0%}",
        soft_wrap=True,
    )
    return 0 if within >= 0.95 or not given.check else 1


if __name__ == "__main__":
    sys.exit(main())
