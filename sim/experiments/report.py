"""Writes what a study found into its folder, and says it: tables, verdicts, goals, environment."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from sim.experiments import comparing, goals, tables
from sim.experiments.comparing import Calibration, Comparison, Summary
from sim.experiments.config import Study
from sim.experiments.fingerprint import of_code
from sim.experiments.goals import Verdict
from sim.experiments.running import Results
from sim.launcher.run_folder import describe_machine

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True, slots=True)
class Findings:
    """All that is said of a study."""

    summaries: list[Summary]
    comparisons: list[Comparison]
    calibration: list[Calibration]
    errors: dict[str, float]
    verdicts: list[Verdict]

    @staticmethod
    def of(study: Study, results: Results) -> Findings:
        """From its cells."""
        summaries = comparing.summaries(study, results)
        calibration = comparing.calibration(study, results)
        return Findings(
            summaries,
            comparing.comparisons(study, results),
            calibration,
            comparing.calibration_errors(calibration),
            goals.verdicts(study, results, summaries),
        )


def write(study: Study, results: Results, findings: Findings, out: Path) -> None:
    """cells.csv, table.csv, calibration.csv, report.md, study.yaml's values, environment.json."""
    tables.write_cells(out / "cells.csv", results.measures, results.ceilings)
    tables.write_table(out / "table.csv", findings.summaries)
    tables.write_rows(out / "calibration.csv", findings.calibration)
    (out / "report.md").write_text(_markdown(study, findings), encoding="utf-8")
    environment = {
        **describe_machine(),
        "code_sha256": of_code(),
        "study": msgspec.to_builtins(study),
    }
    text = json.dumps(environment, indent=2) + "\n"
    (out / "environment.json").write_text(text, encoding="utf-8")


def _markdown(study: Study, findings: Findings) -> str:
    parts = [f"# {study.name}\n", f"{study.about}\n" if study.about else ""]
    for title, group in tables.settings(findings.summaries):
        parts += [f"\n## {title}\n\n", *(f"- {each.line}\n" for each in group if each.line), "\n"]
        parts += [tables.markdown(*tables.told(tables.rows_of(group)))]
    parts.append(f"\n## {study.policies[0].title} against the others, paired over drives\n\n")
    parts.append(tables.markdown(tables.COMPARED, tables.compared(findings.comparisons)))
    parts += ["\n", *(f"- {each.line}\n" for each in findings.comparisons)]
    heads = ("policy", "predicted chance", "frames", "predicted", "in time")
    parts += ["\n## Calibration of what was sent\n\n"]
    parts += [tables.markdown(heads, tables.calibration_rows(findings.calibration))]
    parts += ["\n", *(f"- {line}\n" for line in _error_lines(findings.errors))]
    if findings.verdicts:
        parts += ["\n## Goals\n\n", *(f"- {each.line}\n" for each in findings.verdicts)]
    return "".join(parts)


def _error_lines(errors: dict[str, float]) -> list[str]:
    return [f"{policy}: expected calibration error {error:.3f}" for policy, error in errors.items()]


def say(study: Study, findings: Findings, out: Path, console: Console) -> None:
    """The tables and one line per comparison and goal."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    for title, group in tables.settings(findings.summaries):
        drives = max(each.drives for each in group)
        table = Table(
            title=f"{study.name}: {title}, {drives} drives", box=SIMPLE_HEAD, pad_edge=False
        )
        heads, rows = tables.told(tables.rows_of(group))
        for head in heads:
            is_whole = head in ("policy", tables.SHARE)
            justify: Literal["left", "right"] = "left" if head == "policy" else "right"
            table.add_column(head, justify=justify, no_wrap=is_whole)
        for row in rows:
            table.add_row(*row)
        console.print(table)
    own = [each for each in findings.summaries if each.policy == study.policies[0].title]
    _print(console, [each.line for each in own if each.line])
    _print(console, [each.line for each in findings.comparisons])
    _print(console, _error_lines(findings.errors))
    _print(console, [each.line for each in findings.verdicts])
    console.print(f"everything is in {out}")


def _print(console: Console, lines: Sequence[str]) -> None:
    for line in lines:
        console.print(line, soft_wrap=True)
