"""Many vehicles by processes: those that share no unit do not know of each other.

A group is the vehicles and units that hang together by links. Groups run apart, so the rows do not
depend on how many processes there are.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from dataclasses import replace

from sim.lockstep.drive import run
from sim.lockstep.outcome import Outcome
from sim.lockstep.scenario import Scenario


def groups_of(scenario: Scenario) -> list[Scenario]:
    """Scenarios that together are this one, in the order of their first vehicles."""
    group_of_unit: dict[str, int] = {}
    members: dict[int, list[int]] = {}
    for index in range(len(scenario.vehicles)):
        touched = sorted({group_of_unit[u] for u in vehicle_units(scenario, index)
                          if u in group_of_unit})  # fmt: skip
        home = touched[0] if touched else index
        joined = [index, *(m for other in touched for m in members.pop(other))]
        members[home] = sorted(joined)
        for member in members[home]:
            group_of_unit |= dict.fromkeys(vehicle_units(scenario, member), home)
    return [
        replace(
            scenario,
            vehicles=tuple(scenario.vehicles[m] for m in found),
            units=tuple(u for u in scenario.units if group_of_unit.get(u.id) == home),
        )
        for home, found in sorted(members.items(), key=lambda item: item[1][0])
    ]


def vehicle_units(scenario: Scenario, index: int) -> list[str]:
    """Units that a vehicle has a link to."""
    return [link.unit_id for link in scenario.vehicles[index].links]


def run_many(scenario: Scenario, workers: int) -> Outcome:
    """As `run`, by processes; vehicles of one group come together in the outcome.

    Raises:
        ConfigError: As `run`.
    """
    groups = groups_of(scenario)
    if workers <= 1 or len(groups) <= 1:
        return joined([run(group) for group in groups])
    context = multiprocessing.get_context("spawn")
    with context.Pool(min(workers, len(groups))) as pool:
        return joined(pool.map(run, groups, chunksize=1))


def joined(outcomes: Sequence[Outcome]) -> Outcome:
    """One outcome of several."""
    whole = Outcome()
    for one in outcomes:
        whole.verdicts += one.verdicts
        whole.vehicles |= one.vehicles
        whole.units |= one.units
        whole.scores |= one.scores
        whole.published |= one.published
        whole.events += one.events
    return whole
