"""What a profile shows: a bar while it measures, and a table of what it found."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from vehicle.perception.backends import DEFAULT
from vehicle.perception.profile import Cell, is_alike, ordered
from vehicle.perception.profiling.cells import Group, measured

log = logging.getLogger(__name__)


def measure_all(groups: Sequence[Group], seconds: float, console: Console) -> list[Cell]:
    """Measures the groups one after the other; a backend that refuses costs one line, once."""
    refusals: set[str] = set()
    cells: list[Cell] = []
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("", total=sum(len(group.backends) for group in groups))

        def refused(backend: str, reason: str) -> None:
            if backend not in refusals:
                refusals.add(backend)
                progress.console.print(f"not measured: {reason}", highlight=False, soft_wrap=True)

        for group in groups:
            said = f"{group.rung.name} {group.size[0]}x{group.size[1]} {group.precision}"
            progress.update(bar, description=said)
            cells += [cell for cell, _ in measured(group, seconds, refused)]
            progress.advance(bar, len(group.backends))
    return cells


def table(cells: Iterable[Cell], processor: str) -> Table:
    """A block of rows for each model, size, precision and number of threads, fastest first."""
    it = Table(
        title=f"{processor}: a whole detection, medians", box=SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    it.add_column("model and backend", no_wrap=True)
    for name in ("ms", "+-", "wall", "MiB", "ratio"):
        it.add_column(name, justify="right", no_wrap=True)
    it.add_column("auto", no_wrap=True)
    for block in _blocks(cells):
        chosen = ordered(block, DEFAULT)[0].backend
        alike = [cell.backend for cell in block if is_alike(cell.ms, block[0].ms)]
        it.add_row(_model(block[0]), style="bold")
        for cell in block:
            marks = ["auto"] * (cell.backend == chosen)
            marks += ["="] * (len(alike) > 1 and cell.backend in alike)
            it.add_row(
                f"  {cell.backend}", f"{cell.ms:.2f}", f"{cell.spread:.0%}", f"{cell.wall_ms:.2f}",
                f"{cell.memory_mib:.0f}", f"{cell.ms / block[0].ms:.2f}", " ".join(marks),
                end_section=cell is block[-1],
            )  # fmt: skip
    it.caption = "auto: what `backend: auto` takes; =: within 5 % of the fastest, so alike"
    return it


def _model(cell: Cell) -> str:
    threads = f", {cell.threads} threads" if cell.threads > 1 else ""
    return f"{cell.model} {cell.size[0]}x{cell.size[1]} {cell.precision}{threads}"


def _blocks(cells: Iterable[Cell]) -> list[list[Cell]]:
    blocks: dict[object, list[Cell]] = {}
    for cell in cells:
        key = (cell.model, cell.size, cell.precision, cell.threads)
        blocks.setdefault(key, []).append(cell)
    return [sorted(block, key=lambda cell: cell.ms) for block in blocks.values()]
