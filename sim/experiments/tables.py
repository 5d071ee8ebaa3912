"""What a study found, as tables for people (Markdown, terminal) and for programs (CSV)."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from sim.experiments.comparing import Calibration, Comparison, Summary
from sim.experiments.measures import Measures
from sim.experiments.running import Ceiling

Row = list[str]
SHARE = "of oracle's gain"
HEADS = (
    "policy", "utility", SHARE, "worst decile", "< local", "F1", "in time",
    "missed", "carried", "late", "MB", "J", "switches/s", "age p50/p99 ms",
)  # fmt: skip
COMPARED = ("against", "figure", "difference", "wins", "p", "p (Holm)")


def settings(summaries: Sequence[Summary]) -> list[tuple[str, list[Summary]]]:
    """Summaries by setting, each with its title."""
    groups: dict[str, list[Summary]] = {}
    for each in summaries:
        groups.setdefault(f"deadline {each.setting}", []).append(each)
    return list(groups.items())


def rows_of(summaries: Iterable[Summary]) -> list[Row]:
    """The best first, under `HEADS`."""
    ordered = sorted(summaries, key=lambda each: -each.figures["utility"])
    return [_row(each) for each in ordered]


def _row(each: Summary) -> Row:
    figures = each.figures
    worse = each.worse_than_local
    row = [
        each.policy,
        f"{figures['utility']:.3f}",
        "-" if each.share is None else "{:.2f} [{:.2f}, {:.2f}]".format(*each.share),
        f"{each.worst_decile:.3f}",
        "-" if math.isnan(worse) else f"{worse:.0%}",
    ]
    if "f1" not in figures:
        return row + ["-"] * (len(HEADS) - len(row))
    return [
        *row,
        "-" if math.isnan(figures["f1"]) else f"{figures['f1']:.3f}",
        f"{figures['in_time']:.1%}",
        f"{figures['misses']:.2%}",
        f"{figures['carried']:.1%}",
        f"{figures['late']:.2%}",
        f"{figures['megabytes']:.1f}",
        f"{figures['joules']:.0f}",
        f"{figures['switches']:.1f}",
        f"{figures['age_p50_ms']:.0f} / {figures['age_p99_ms']:.0f}",
    ]


def told(rows: Sequence[Row]) -> tuple[list[str], list[Row]]:
    """Heads and rows without the columns that say nothing."""
    kept = [
        number
        for number, head in enumerate(HEADS)
        if head in ("policy", "utility") or {row[number] for row in rows} - {"-", "0.00%"}
    ]
    return [HEADS[n] for n in kept], [[row[n] for n in kept] for row in rows]


def compared(comparisons: Iterable[Comparison]) -> list[Row]:
    """Under `COMPARED`."""
    return [
        [
            each.other,
            each.figure,
            "{:+.4f} [{:+.4f}, {:+.4f}]".format(*each.difference),
            f"{each.test.wins} of {each.test.pairs}",
            f"{each.test.p:.1g}",
            f"{each.adjusted:.1g}",
        ]
        for each in comparisons
    ]


def markdown(heads: Sequence[str], rows: Sequence[Row]) -> str:
    """A table; figures to the right."""
    rule = [":--", *("--:" for _ in heads[1:])]
    lines = [heads, rule, *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def write_cells(path: Path, measures: Sequence[Measures], ceilings: Sequence[Ceiling]) -> None:
    """cells.csv: a row per policy, link, seed, deadline and drive, with the oracle's beside it."""
    best = {each.conditions: each for each in ceilings}
    names = [
        name for name in Measures.__struct_fields__ if name not in ("bins", "regret", "digest")
    ]
    heads = ("lost_on_board", "lost_missed", "lost_sent", "lost_carried")
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*names, *heads, "dp", "greedy", "bound", "digest"])
        for each in measures:
            ceiling = best.get(each.conditions)
            oracle = (ceiling.dp, ceiling.greedy, ceiling.bound) if ceiling else (math.nan,) * 3
            values = [_plain(getattr(each, name)) for name in names]
            writer.writerow([*values, *map(_plain, each.regret + oracle), each.digest])


def write_table(path: Path, summaries: Sequence[Summary]) -> None:
    """table.csv: a row per setting and policy."""
    figures = list(summaries[0].figures)
    heads = ["deadline_ms", "drive", "link", "policy", "drives", *figures, "share", "share_low",
             "share_high", "worst_decile", "worse_than_local", "regret"]  # fmt: skip
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(heads)
        for each in summaries:
            share = each.share or (math.nan,) * 3
            values: list[object] = [*each.setting, each.policy, each.drives]
            values += [each.figures.get(name, math.nan) for name in figures]
            values += [*share, each.worst_decile, each.worse_than_local, each.regret]
            writer.writerow(map(_plain, values))


def write_rows(path: Path, rows: Sequence[msgspec.Struct]) -> None:
    """Structs of one kind as CSV; nothing where there are none."""
    if not rows:
        return
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(rows[0].__struct_fields__)
        writer.writerows([_plain(value) for value in msgspec.structs.astuple(row)] for row in rows)


def _plain(value: object) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.9g}"
    return str(value)


def calibration_rows(rows: Iterable[Calibration]) -> list[Row]:
    """Under policy, predicted chance, frames, mean predicted, in time."""
    return [
        [
            each.policy,
            f"{each.low:.1f} to {each.high:.1f}",
            str(each.frames),
            f"{each.predicted:.3f}",
            f"{each.in_time:.3f}",
        ]
        for each in rows
    ]
