"""Policies over one and the same run: the figures of each, as a table, CSV and JSON."""

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from sim.evaluation.summary import VehicleResult
from vehicle.perception.scores.streaming import Counts

MEGABYTE = 1e6


@dataclass(frozen=True, slots=True)
class PolicyFigures:
    """What one policy made of the run.

    Attributes:
        in_time: Share of the frames that a model looked at for their own verdict, in time.
        offloaded: Share of the verdicts that are a unit's answer; as are the next two.
        missed: Share of the frames that were sent and whose answer was not in time.
        age_p50_ms: Picture to verdict.
        look_p50_ms: Picture that a model last looked at to verdict.
        f1: Streaming F1 against the run's truth; None where there is none.
        megabytes: Sent.
    """

    policy: str
    frames: int
    in_time: float
    offloaded: float
    onboard: float
    carried: float
    missed: float
    late: int
    age_p50_ms: float | None
    age_p99_ms: float | None
    look_p50_ms: float | None
    look_p99_ms: float | None
    f1: float | None
    megabytes: float


def figures(policy: str, results: Sequence[VehicleResult]) -> PolicyFigures:
    """The figures of a replay, all its vehicles together."""
    verdicts = [verdict for result in results for verdict in result.verdicts]
    count = max(1, len(verdicts))
    kinds = {kind: sum(v.answer == kind for v in verdicts) / count
             for kind in ("offloaded", "onboard", "carried")}  # fmt: skip
    looked = [v for v in verdicts if v.answer != "carried" and not v.is_late]
    missed = [v for v in verdicts if v.size_bytes > 0 and v.answer != "offloaded"]
    ages = _percentiles([v.age_ms for v in verdicts])
    looks = _percentiles([v.answer_age_ms for v in verdicts])
    return PolicyFigures(
        policy=policy,
        frames=len(verdicts),
        in_time=len(looked) / count,
        **kinds,
        missed=len(missed) / count,
        late=sum(v.is_late for v in verdicts),
        age_p50_ms=ages[0],
        age_p99_ms=ages[1],
        look_p50_ms=looks[0],
        look_p99_ms=looks[1],
        f1=sum((result.f1 for result in results), Counts()).f1,
        megabytes=sum(v.size_bytes for v in verdicts) / MEGABYTE,
    )


def _percentiles(values: Sequence[float]) -> tuple[float | None, float | None]:
    if not values:
        return None, None
    p50, p99 = np.percentile(np.array(values, np.float64), [50, 99])
    return round(float(p50), 2), round(float(p99), 2)


COLUMNS = (
    "policy", "in time", "off/on/carried %", "missed", "age ms", "last look ms", "F1", "MB",
)  # fmt: skip
NOTES = (
    "in time: frames that a model looked at by their deadline; off/on/carried: offloaded, on "
    "board, tracks moved on; missed: sent, and no answer in time; age, last look: p50 / p99 of "
    "picture to verdict, and of the picture that a model last looked at; F1: streaming, against "
    "the run's truth; MB: sent"
)


def cells(row: PolicyFigures) -> tuple[str, ...]:
    """The row as text, in the order of `COLUMNS`."""
    return (
        row.policy,
        f"{row.in_time:.1%}",
        "/".join(f"{100 * share:.0f}" for share in (row.offloaded, row.onboard, row.carried)),
        f"{row.missed:.1%}",
        _pair(row.age_p50_ms, row.age_p99_ms),
        _pair(row.look_p50_ms, row.look_p99_ms),
        "-" if row.f1 is None else f"{row.f1:.3f}",
        f"{row.megabytes:.1f}",
    )


def _pair(p50: float | None, p99: float | None) -> str:
    return "-" if p50 is None or p99 is None else f"{p50:.0f}/{p99:.0f}"


def show(console: Console, title: str, rows: Sequence[PolicyFigures]) -> None:
    """The table on the terminal."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in COLUMNS:
        table.add_column(column, justify="left" if column == "policy" else "right", no_wrap=True)
    for row in rows:
        table.add_row(*cells(row))
    console.print()
    console.print(table)
    console.print(NOTES, style="dim", markup=False)


def write(folder: Path, rows: Sequence[PolicyFigures]) -> None:
    """`compare.json`, `compare.csv` and `compare.md`."""
    plain = [asdict(row) for row in rows]
    (folder / "compare.json").write_text(json.dumps(plain, indent=2) + "\n", encoding="utf-8")
    with (folder / "compare.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(plain[0]) if plain else [], lineterminator="\n")
        writer.writeheader()
        writer.writerows(plain)
    lines = [f"| {' | '.join(COLUMNS)} |", f"|{' --- |' * len(COLUMNS)}"]
    lines += [f"| {' | '.join(cells(row))} |" for row in rows]
    (folder / "compare.md").write_text("\n".join([*lines, "", NOTES, ""]), encoding="utf-8")
