"""`vdap experiment STUDY`: policies against each other and an oracle, in virtual time."""

from __future__ import annotations

import argparse
import importlib
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from scheduler.errors import MissingPartError
from scheduler.processes import entry

if TYPE_CHECKING:
    from sim.experiments.config import Study
    from sim.experiments.report import Findings
    from sim.experiments.running import Results

STOPPED = 130
# Studies that are more than a grid of virtual drives; each module has a `main` of its own.
OTHERS = {
    "closed_loop": "sim.experiments.closed_loop",
    "truth": "sim.experiments.truth_of_simulation",
}
MISSED = 1  # a goal was not reached, and --strict asks


def parser() -> argparse.ArgumentParser:
    """The command line."""
    it = argparse.ArgumentParser(
        prog="vdap experiment",
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    it.add_argument("study", nargs="?", help="a YAML file, or the name of a shipped one; none: all")
    it.add_argument("--out", type=Path, help="where results are kept; default: experiments/NAME")
    it.add_argument("--workers", type=int, default=1, help="processes")
    it.add_argument("--quick", action="store_true", help="two seeds and short drives")
    it.add_argument("--only", metavar="POLICY,...", help="these policies alone, by title")
    it.add_argument("--lines", action="store_true", help="keep every verdict as a line of JSON")
    it.add_argument("--no-plots", action="store_true", help="tables alone")
    it.add_argument("--strict", action="store_true", help="exit with 1 where a goal is missed")
    return it


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns the exit code."""
    words = sys.argv[1:] if argv is None else argv
    if words and words[0] in OTHERS:
        return int(importlib.import_module(OTHERS[words[0]]).main(words[1:]))
    flags = parser().parse_args(words)
    if flags.study is None:
        return _list()
    from rich.console import Console

    from sim.experiments import config, report

    path = config.find(flags.study)
    study = config.load(path)
    if flags.only:
        study = config.only(study, flags.only.split(","))
    if flags.quick:
        study = config.quick(study)
    out: Path = flags.out or Path("experiments") / study.name
    try:
        results = _run(study, path.resolve().parent, out, flags)
    except KeyboardInterrupt:
        sys.stderr.write("vdap experiment: stopped; the same command goes on\n")
        return STOPPED
    findings = report.Findings.of(study, results)
    report.write(study, results, findings, out)
    if not flags.no_plots:
        _plot(study, findings, out)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
    report.say(study, findings, out, console)
    is_missed = any(each.word == "MISSED" for each in findings.verdicts)
    return MISSED if flags.strict and is_missed else 0


def _list() -> int:
    from sim.experiments import config

    sys.stdout.write("usage: vdap experiment STUDY [...]; shipped studies:\n\n")
    for name in sorted({*config.names(), *OTHERS}):
        if name in OTHERS:
            about = (importlib.import_module(OTHERS[name]).__doc__ or "").splitlines()[0]
        else:
            about = config.load(config.find(name)).about
        sys.stdout.write(f"  {name:<12} {textwrap.shorten(about, 100, placeholder=' ...')}\n")
    return 0


def _run(study: Study, folder: Path, out: Path, flags: argparse.Namespace) -> Results:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from sim.experiments.running import run_study

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as progress:
        task = progress.add_task(study.name)

        def tell(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        return run_study(
            study, folder, out, workers=flags.workers, keeps_lines=flags.lines, report=tell
        )


def _plot(study: Study, findings: Findings, out: Path) -> None:
    from sim.experiments import plots

    try:
        plots.draw(study, findings, out)
    except MissingPartError as error:
        sys.stderr.write(f"vdap experiment: {error}\n")


if __name__ == "__main__":
    sys.exit(entry(main))
