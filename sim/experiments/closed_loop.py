"""`vdap experiment closed_loop`: collisions and least time to collision, by link and policy.

Every drive is a scenario in the embedded world with a vehicle on simulated time, so that figures do
not depend on the machine. Detections come from the truth and the rungs' measured recall
(`--detections truth`, fast), or from the detectors themselves on drawn pictures (`real`).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from scheduler.errors import ConfigError, MissingPartError
from scheduler.processes import entry

if TYPE_CHECKING:
    from sim.experiments.closed_loop_case import Result
    from sim.experiments.closed_loop_study import LoopStudy

NAME = "closed_loop"
STOPPED = 130
QUICK_SEEDS = 3


def parser() -> argparse.ArgumentParser:
    """The command line."""
    it = argparse.ArgumentParser(
        prog=f"vdap experiment {NAME}",
        description=(__doc__ or "").partition("\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    it.add_argument("--study", default=NAME, help="a YAML file, or the name of the shipped one")
    it.add_argument("--out", type=Path, help="where results are kept; default: experiments/NAME")
    it.add_argument("--workers", type=int, default=1, help="processes")
    it.add_argument("--quick", action="store_true", help=f"{QUICK_SEEDS} seeds")
    it.add_argument("--seeds", type=int, help="of each scenario; default: the study's")
    it.add_argument("--detections", choices=("truth", "real"), help="default: the study's")
    it.add_argument("--scenarios", metavar="A,B", help="these alone")
    it.add_argument("--links", metavar="A,B", help="these alone")
    it.add_argument("--no-plots", action="store_true", help="tables alone")
    return it


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the study; what is there already is not driven again."""
    flags = parser().parse_args(argv)
    from rich.console import Console

    from sim.experiments import closed_loop_report as report
    from sim.experiments import config

    study = _study(flags, config.find(flags.study))
    out: Path = flags.out or Path("experiments") / study.name
    try:
        results = _run(study, out, flags.workers)
    except KeyboardInterrupt:
        sys.stderr.write("vdap experiment: stopped; the same command goes on\n")
        return STOPPED
    names = [policy.name for policy in study.policies]
    found = report.groups(results)
    lines = report.comparisons(results, study.links, names)
    report.write(out, results, found, lines)
    if not flags.no_plots:
        try:
            report.plot(out, found, study.links, names)
        except MissingPartError as error:
            sys.stderr.write(f"vdap experiment: {error}\n")
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    drives = len(study.scenarios) * study.seeds
    title = f"{study.name}: {drives} drives each, detections: {study.detections}"
    report.say(console, title, found, lines)
    console.print(f"everything is in {out}", soft_wrap=True)
    return 0


def _study(flags: argparse.Namespace, path: Path) -> LoopStudy:
    from sim.experiments import closed_loop_study

    study = closed_loop_study.load(path)
    changes: dict[str, object] = {}
    if flags.quick:
        changes["seeds"] = QUICK_SEEDS
    if flags.seeds is not None:
        if flags.seeds < 1:
            raise ConfigError(f"--seeds: expected at least 1, got {flags.seeds}")
        changes["seeds"] = flags.seeds
    if flags.detections is not None:
        changes["detections"] = flags.detections
    for what in ("scenarios", "links"):
        if getattr(flags, what):
            changes[what] = getattr(flags, what).split(",")
    study = msgspec.structs.replace(study, **changes)
    closed_loop_study.check(study, "flags")
    return study


def _run(study: LoopStudy, out: Path, workers: int) -> list[Result]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from sim.experiments.closed_loop_study import run_study

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as progress:
        task = progress.add_task(study.name)

        def tell(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        return run_study(study, out, workers, tell)


if __name__ == "__main__":
    sys.exit(entry(main))
