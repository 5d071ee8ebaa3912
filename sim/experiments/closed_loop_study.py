"""The closed-loop study: its YAML, its cases, and their running in processes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import yaml
from msgspec import Meta

from scheduler.config import Policy, Positive, Section, Unit, Vehicle
from scheduler.errors import ConfigError
from scheduler.policies import load_policy
from sim.experiments import fingerprint
from sim.experiments.closed_loop_case import DRAWS, Case, Result, run
from sim.experiments.link_quality import QUALITIES

CELLS = "cells"
WORLD = ("sim/engine", "sim/bridge", "sim/scenarios")  # code that decides, beside lockstep's
Some = Annotated[list[str], Meta(min_length=1)]


class LoopStudy(Section, frozen=True, kw_only=True):
    """Scenarios x links x policies x seeds."""

    name: str = "closed_loop"
    scenarios: Some
    links: Some  # of `link_quality.QUALITIES`
    policies: Annotated[list[Policy], Meta(min_length=1)]  # the first is held against the rest
    seeds: Annotated[int, Meta(ge=1, le=1000)] = 30
    duration_s: Positive = 14.0  # at most
    no_advisories: bool = True  # also drive with nobody warned
    detections: Literal["truth", "real"] = "truth"
    vehicle: Vehicle
    unit: Unit


def load(path: Path) -> LoopStudy:
    """Reads and checks a study.

    Raises:
        ConfigError: not YAML, a misspelt key, an unknown scenario, link or policy.
    """
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
        study = msgspec.convert(tree, LoopStudy)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: expected YAML: {' '.join(str(error).split())}") from None
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {error}") from None
    check(study, str(path))
    return study


def check(study: LoopStudy, origin: str) -> None:
    """Whether all that it names is there.

    Raises:
        ConfigError: it is not.
    """
    for what, names, known in (
        ("scenarios", study.scenarios, tuple(DRAWS)),
        ("links", study.links, tuple(QUALITIES)),
    ):
        for name in names:
            if name not in known:
                raise ConfigError(f"{origin}: {what}: expected {', '.join(known)}, got {name!r}")
    names = [policy.name for policy in study.policies]
    if len(set(names)) < len(names):
        raise ConfigError(f"{origin}: policies: expected each once, got {', '.join(names)}")
    for policy in study.policies:
        load_policy(policy.name, policy.options)
    if len(study.vehicle.cameras) != 1:
        raise ConfigError(f"{origin}: vehicle: expected one camera")


def cases(study: LoopStudy) -> list[Case]:
    """All of them; those of one scenario and seed stand together."""
    policies: list[Policy | None] = [*study.policies]
    found = []
    for seed, scenario in itertools.product(range(1, study.seeds + 1), study.scenarios):
        for link, policy in itertools.product(study.links, policies):
            found.append(_case(study, scenario, link, policy, seed))
        if study.no_advisories:  # no link changes what it does
            found.append(_case(study, scenario, study.links[0], None, seed))
    return found


def _case(study: LoopStudy, scenario: str, link: str, policy: Policy | None, seed: int) -> Case:
    return Case(
        scenario,
        link if policy is not None else "-",
        QUALITIES[link],
        policy,
        seed,
        study.vehicle,
        study.unit,
        study.duration_s,
        study.detections,
    )


def run_study(
    study: LoopStudy, out: Path, workers: int, report: Callable[[int, int], None]
) -> list[Result]:
    """Drive what is not there yet; a result that is kept is not driven again.

    Args:
        out: Where results are kept.
        workers: Processes; with 1 everything happens in this one.
        report: Told how many drives of how many are there.
    """
    (out / CELLS).mkdir(parents=True, exist_ok=True)
    wanted = cases(study)
    groups = [
        (list(group), out)
        for _, group in itertools.groupby(wanted, key=lambda case: (case.scenario, case.seed))
    ]
    found: list[Result] = []
    report(0, len(wanted))
    for results in _done(groups, workers):
        found += results
        report(len(found), len(wanted))
    order = {_key(case): number for number, case in enumerate(wanted)}
    return sorted(found, key=lambda r: order[r.scenario, r.link, r.policy, r.seed])


def _key(case: Case) -> tuple[str, str, str, int]:
    return case.scenario, case.link, case.title, case.seed


def _done(groups: Sequence[tuple[list[Case], Path]], workers: int) -> Iterator[list[Result]]:
    if workers == 1:
        yield from (do(*group) for group in groups)
        return
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        futures = [pool.submit(do, *group) for group in groups]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def do(group: list[Case], out: Path) -> list[Result]:
    """The results of cases that share a situation."""
    results = []
    for case in group:
        path = out / CELLS / f"{_fingerprint(case)}.json"
        held = _read(path)
        if held is None:
            held = run(case)
            part = path.with_suffix(".new")
            part.write_bytes(msgspec.json.encode(held))
            part.replace(path)
        results.append(held)
    return results


def _fingerprint(case: Case) -> str:
    return fingerprint.of_values(fingerprint.of_code(), _world_code(), case)


def _world_code() -> list[str]:
    return [
        fingerprint.of_file(file)
        for place in WORLD
        for file in sorted((fingerprint.ROOT / place).glob("*.py"))
    ]


def _read(path: Path) -> Result | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Result)
    except (OSError, msgspec.MsgspecError):
        return None
