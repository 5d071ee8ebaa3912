"""Replays a run once per policy and puts what came out side by side."""

from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from scheduler.clock import Clock
from scheduler.errors import VdapError
from sim.evaluation import comparison, summary, tables
from sim.evaluation.records import RunFolder
from sim.launcher import replay, run_folder
from sim.launcher.drive import Drive
from sim.launcher.plan import make_plan
from sim.launcher.policies import Contender

FOLDER = "compare"  # in the run folder


def compare(
    run: replay.Recorded,
    wanted: Sequence[Contender],
    console: Console,
    clock: Clock,
    is_stopped: Callable[[], bool],
    *,
    dashboard: bool = False,
) -> list[comparison.PolicyFigures]:
    """Replay a run with each policy; the table goes to the console and into the run's folder.

    Each replay is a run folder of its own, `compare/<policy>`.

    Raises:
        VdapError: a process that a replay needs did not start or died.
    """
    path = run.path
    rows: list[comparison.PolicyFigures] = []
    for number, contender in enumerate(wanted, 1):
        console.print(f"replay {number} of {len(wanted)}: {contender.label}", markup=False)
        folder = path / FOLDER / contender.folder
        is_whole = _drive(run, folder, contender, console, clock, is_stopped, dashboard)
        if not is_whole:
            break
        rows.append(_judge(folder, contender.label))
    if rows:
        comparison.write(path / FOLDER, rows)
        comparison.show(console, f"{run.config.name}: the same pictures and the same link", rows)
        console.print(f"\ncomparison  {path / FOLDER}", markup=False, soft_wrap=True)
    return rows


def _drive(
    run: replay.Recorded,
    folder: Path,
    contender: Contender,
    console: Console,
    clock: Clock,
    is_stopped: Callable[[], bool],
    dashboard: bool,
) -> bool:
    """One replay; False when the user ended it."""
    config = replay.prepare(run, folder, contender.policy)
    plan = make_plan(config, dashboard=dashboard)
    run_folder.fill(folder, plan.config)
    drive = Drive(plan, folder, console, clock, is_stopped)
    drive.run()
    return not drive.was_interrupted


def _judge(folder: Path, label: str) -> comparison.PolicyFigures:
    opened = RunFolder(folder)
    results = summary.judge(opened, with_alone=False)
    if not any(result.verdicts for result in results):
        raise VdapError(f"{label}: no verdict came; why is in {folder / 'logs'}")
    verdicts = [verdict for result in results for verdict in result.verdicts]
    tables.write_verdicts(folder / "verdicts.csv", verdicts)
    tables.write_links(folder / "links.csv", (row for _, row in opened.link_rows()))
    return comparison.figures(label, results)
