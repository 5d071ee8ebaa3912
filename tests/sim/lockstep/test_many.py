"""Vehicles that share no unit run apart; the rows are the same by one process or two."""

from pathlib import Path

import pytest

from sim.channel.link_model import LinkModel
from sim.channel.trace import Trace
from sim.lockstep import (
    LinkSpec,
    OnboardModel,
    Scenario,
    StageProfile,
    UnitModel,
    UnitSpec,
    VehicleSpec,
    run,
    run_many,
)
from sim.lockstep.many import groups_of

TRACE = Trace(Path("configs/traces/urban_drive.csv"))
ms = StageProfile.of_ms


def town(vehicles: list[tuple[str, ...]], units: int, seconds: float = 2.0) -> Scenario:
    return Scenario(
        tuple(
            VehicleSpec(
                f"v{index}",
                links=tuple(LinkSpec(unit, TRACE, outage="hold") for unit in linked),
                onboard=(OnboardModel("small", 0.5, ms(40, 55)),),
                policy="always_offload",
            )
            for index, linked in enumerate(vehicles)
        ),
        tuple(
            UnitSpec(f"rsu{index}", (UnitModel("large", 0.8, ms(12, 20)),))
            for index in range(units)
        ),
        duration_s=seconds,
    )


def test_groups_hang_together_by_units() -> None:
    scenario = town([("rsu0",), ("rsu1",), (), ("rsu2", "rsu0"), ("rsu1",), ("rsu2",)], 4)
    groups = groups_of(scenario)
    found = [([v.id for v in g.vehicles], [u.id for u in g.units]) for g in groups]
    assert found == [
        (["v0", "v3", "v5"], ["rsu0", "rsu2"]),
        (["v1", "v4"], ["rsu1"]),
        (["v2"], []),
    ]


def test_a_group_joined_late_loses_nobody() -> None:
    scenario = town([("rsu0",), ("rsu1",), ("rsu0", "rsu1"), ("rsu1",)], 2)
    groups = groups_of(scenario)
    assert [[v.id for v in g.vehicles] for g in groups] == [["v0", "v1", "v2", "v3"]]


def test_vehicles_share_a_unit_and_it_is_contended() -> None:
    alone, crowd = (run(town([("rsu0",)] * count, 1, 3.0)).units["rsu0"] for count in (1, 12))
    assert alone.late < 5 < crowd.late and crowd.busy_ns > 4 * alone.busy_ns


@pytest.mark.slow
def test_two_processes_give_the_rows_of_one() -> None:
    scenario = town([("rsu0",), ("rsu1",), ("rsu0",), ("rsu2",)], 3)
    one, two = run_many(scenario, 1), run_many(scenario, 2)
    assert list(one.lines()) == list(two.lines())
    assert one.units == two.units


def test_links_of_one_trace_share_its_tables_and_nothing_else() -> None:
    one, other = (
        LinkModel.of(TRACE, limit_bytes=65_536, outage="hold", seed=seed) for seed in ("a", "b")
    )
    assert one.up._capacity is other.up._capacity
    first = one.up.message(20_000, 10**9)
    assert other.up.message(20_000, 10**9) == first
    second = one.up.message(20_000, 10**9)
    assert (
        first is not None and second is not None and second > first
    )  # behind its own, not behind the other's
