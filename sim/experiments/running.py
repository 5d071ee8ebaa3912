"""Runs the cells of a study in processes; what is done is kept and not done again."""

from __future__ import annotations

import hashlib
import itertools
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import msgspec

from sim.experiments import building, chances, drives, fingerprint, oracle, roads
from sim.experiments.building import Cell
from sim.experiments.chances import Chances
from sim.experiments.config import Contender, Study
from sim.experiments.measures import Measures, measure
from sim.experiments.worth import Worth
from sim.lockstep import Scenario, run

ORACLE = "oracle"
CELLS = "cells"  # folder of the results that are kept


class Ceiling(msgspec.Struct, frozen=True):
    """What could have been got under the conditions of a drive; mean worth of a frame."""

    link: str
    drive: str
    seed: int
    deadline_ms: float
    dp: float
    greedy: float
    bound: float

    @property
    def conditions(self) -> tuple[str, str, int, float]:
        """As of `Measures`."""
        return (self.link, self.drive, self.seed, self.deadline_ms)


@dataclass(frozen=True, slots=True)
class Job:
    """All policies under one set of conditions, and the oracles."""

    study: Study
    cells: tuple[Cell, ...]
    folder: Path  # of the study's file
    out: Path
    fingerprint: str
    keeps_lines: bool


@dataclass(frozen=True, slots=True)
class Done:
    """What a job came to."""

    measures: list[Measures]
    ceiling: Ceiling | None


@dataclass(frozen=True, slots=True)
class Results:
    """A whole study's."""

    measures: list[Measures]
    ceilings: list[Ceiling]


def run_study(
    study: Study,
    folder: Path,
    out: Path,
    *,
    workers: int = 1,
    keeps_lines: bool = False,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Results:
    """Run what is missing of a study.

    Args:
        study: What to run.
        folder: Of its file.
        out: Where results are kept.
        workers: Processes; with 1 everything happens in this one.
        keeps_lines: Write every verdict of each cell as a line of JSON beside its result.
        report: Told how many cells of how many are there.

    Raises:
        ConfigError: something of the study cannot be.
    """
    (out / CELLS).mkdir(parents=True, exist_ok=True)
    see(folder)
    jobs = [
        Job(study, tuple(group), folder, out, fingerprint.of_study(study), keeps_lines)
        for _, group in itertools.groupby(building.cells(study), key=lambda cell: cell.conditions)
    ]
    total = sum(len(job.cells) for job in jobs)
    found: dict[int, Done] = {}
    report(0, total)
    for number, done in _done(jobs, workers):
        found[number] = done
        report(sum(len(each.measures) for each in found.values()), total)
    ordered = [found[number] for number in range(len(jobs))]
    return Results(
        [row for done in ordered for row in done.measures],
        [done.ceiling for done in ordered if done.ceiling is not None],
    )


def _done(jobs: Sequence[Job], workers: int) -> Iterator[tuple[int, Done]]:
    if workers == 1:
        yield from ((number, do(job)) for number, job in enumerate(jobs))
        return
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        waiting: dict[Future[Done], int] = {
            pool.submit(do, job): number for number, job in enumerate(jobs)
        }
        try:
            while waiting:
                ended, _ = wait(waiting, return_when=FIRST_COMPLETED)
                for future in ended:
                    yield waiting.pop(future), future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def do(job: Job) -> Done:
    """All cells of a job that are not there yet."""
    see(job.folder)
    measures: list[Measures] = []
    known: Chances | None = None
    for cell in job.cells:
        path = _path(job, cell, cell.policy)
        held = _read(path, Measures)
        if held is None or (job.keeps_lines and not path.with_suffix(".jsonl").exists()):
            drive = building.scenario(job.study, cell, job.folder)
            if known is None and job.study.oracle:
                known = chances.of_scenario(drive, job.study.age_tau_s)
            held = _drive(job, cell, drive, path, known)
        measures.append(held)
    return Done(measures, _ceiling(job, known) if job.study.oracle else None)


def see(folder: Path) -> None:
    """Policies and channels of a user's own lie beside the study."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def _drive(job: Job, cell: Cell, drive: Scenario, path: Path, known: Chances | None) -> Measures:
    outcome = run(drive)
    digest = hashlib.sha256()
    lines = [line + b"\n" for line in outcome.lines()]
    for line in lines:
        digest.update(line)
    bounds = oracle.bounds(known) if known is not None else None
    worth = Worth(drive, job.study.age_tau_s, outcome.verdicts)
    length_s = job.study.duration_s
    held = measure(cell, outcome, worth, length_s, digest.hexdigest(), bounds)
    if job.keeps_lines:
        path.with_suffix(".jsonl").write_bytes(b"".join(lines))
    _write(path, held)
    return held


def _ceiling(job: Job, known: Chances | None) -> Ceiling:
    cell = job.cells[0]
    path = _path(job, cell, ORACLE)
    held = _read(path, Ceiling)
    if held is not None:
        return held
    if known is None:
        drive = building.scenario(job.study, cell, job.folder)
        known = chances.of_scenario(drive, job.study.age_tau_s)
    found = oracle.best(known, job.study.states)
    held = Ceiling(cell.road.name, cell.drive, cell.seed, cell.deadline_ms, *found)
    _write(path, held)
    return held


def _path(job: Job, cell: Cell, what: Contender | str) -> Path:
    files = [drives.find(cell.drive, job.folder)] if cell.drive else []
    traces = [leg.trace for leg in cell.road.legs.values() if leg.trace is not None]
    files += [roads.find_trace(name, job.folder) for name in traces]
    key = fingerprint.of_values(
        job.fingerprint, cell.road, cell.seed, cell.deadline_ms, what,
        [fingerprint.of_file(file) for file in files],
        fingerprint.of_policy(what.name) if isinstance(what, Contender) else "",
        fingerprint.of_code(fingerprint.KNOWN_BEFORE if what == ORACLE else fingerprint.DRIVEN),
    )  # fmt: skip
    return job.out / CELLS / f"{key}.cell"


Kept = TypeVar("Kept", Measures, Ceiling)


def _read(path: Path, kind: type[Kept]) -> Kept | None:
    try:
        return msgspec.msgpack.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.MsgspecError):
        return None


def _write(path: Path, held: Measures | Ceiling) -> None:
    part = path.with_suffix(".new")
    part.write_bytes(msgspec.msgpack.encode(held))
    part.replace(path)
