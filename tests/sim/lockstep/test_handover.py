"""Past several units and a cloud, and over two radios at once, through the deployed dispatcher."""

import math

import pytest

from sim.channel.base import LinkState
from sim.channel.trace import Trace
from sim.lockstep import (
    LinkSpec,
    OnboardModel,
    Outcome,
    Scenario,
    StageProfile,
    UnitModel,
    UnitSpec,
    VehicleSpec,
    run,
)
from sim.lockstep.scenario import PoseAt

MS = 1_000_000
SPACING, REACH, SPEED = 390.0, 220.0, 15.0  # m, m, m/s: 50 m of overlap
COUNT = 6
SECONDS = 160.0


def carried(up: bool, bps: float = 12e6, delay_ms: float = 6.0) -> LinkState:
    rate = bps if up else 0.0
    return LinkState(rate, delay_ms, 0.0, rate, delay_ms, 0.0)


def passing(place: float) -> Trace:
    """A link that carries while the vehicle, at SPEED from 0, is within reach of the unit."""
    steps = range(int(SECONDS * 10) + 20)
    near = [abs(place - SPEED * max(0.0, k / 10 - 0.5)) <= REACH for k in steps]
    return Trace.of([k / 10 for k in steps], [carried(is_near) for is_near in near])


def past_units(policy: str, max_links: int, seed: int = 1) -> Outcome:
    ms = StageProfile.of_ms
    links = [
        LinkSpec(f"rsu{k}", passing(SPACING * k), place=(SPACING * k, 8.0), range_m=REACH)
        for k in range(COUNT)
    ]
    far = Trace.of([0.0, 1.0], [carried(True, 8e6, 30.0)] * 2)
    links.append(LinkSpec("cloud", far, outage="hold", is_everywhere=True))
    poses = tuple(PoseAt(k * 100 * MS, SPEED * k / 10, 0.0, 0.0, SPEED) for k in range(1600))
    vehicle = VehicleSpec(
        "ego",
        tuple(links),
        (OnboardModel("small", 0.5, ms(40, 55)),),
        policy,
        max_links=max_links,
        poses=poses,
        deadline_ms=150.0,
    )
    large = UnitModel("large", 0.8, ms(12, 20), ms(2, 3))
    units = tuple(UnitSpec(link.unit_id, (large,)) for link in links)
    return run(Scenario((vehicle,), units, seed=seed, duration_s=SECONDS))


def check_counters(outcome: Outcome, frames: int) -> None:
    counters = outcome.vehicles["ego"].counters
    offload = counters.offload
    assert counters.tasks == counters.verdicts == frames == len(outcome.verdicts)
    assert len({(row.camera_id, row.tick) for row in outcome.verdicts}) == frames
    assert counters.onboard + counters.offloaded + counters.carried == frames
    assert offload.sent == offload.ok + offload.late + offload.rejected + offload.lost
    assert counters.policy_faults == counters.duplicates == 0
    received = sum(unit.received for unit in outcome.units.values())
    assert received <= offload.sent
    assert counters.offloaded <= offload.ok <= counters.offloaded + offload.spare


@pytest.fixture(scope="module")
def two_links() -> Outcome:
    return past_units("deadline", 2)


def test_every_frame_has_one_verdict_in_time_along_six_units_and_a_cloud(
    two_links: Outcome,
) -> None:
    check_counters(two_links, 1600)
    assert two_links.vehicles["ego"].counters.late == 0


def test_each_unit_serves_where_it_is_near(two_links: Outcome) -> None:
    for k in range(COUNT):
        rows = [row for row in two_links.verdicts if row.unit_id == f"rsu{k}"]
        assert len(rows) > 100
        places = [SPEED * (row.stamp_ns / 1e9 - 0.5) for row in rows]
        assert all(abs(place - SPACING * k) <= REACH + 3.0 for place in places)


def test_two_open_links_answer_nearly_as_much_as_all_seven(two_links: Outcome) -> None:
    every = past_units("deadline", 16)
    few, all_open = (o.vehicles["ego"].counters for o in (two_links, every))
    assert all_open.offload.opened == 0
    assert few.offloaded >= 0.97 * all_open.offloaded
    assert few.offload.opened <= COUNT + 1 and few.offload.closed <= COUNT + 1


def test_a_handover_loses_no_more_than_the_link_itself(two_links: Outcome) -> None:
    """A unit's end of reach costs what was in flight there, and no second of coverage."""
    offload = two_links.vehicles["ego"].counters.offload
    assert offload.lost <= 2 * COUNT * 2  # window 2, twice as much at each end
    gaps, last = [], 0
    for row in two_links.verdicts:
        if row.answer == "offloaded":
            gaps.append((row.stamp_ns - last) / 1e9 if last else 0.0)
            last = row.stamp_ns
    assert max(gaps) < 1.0


# --- two radios ---------------------------------------------------------------------------------


def lossy(phase_s: float) -> Trace:
    """Each second the radio stands still for a fifth of it; it keeps what it has."""
    times, states = [0.0], [carried(phase_s >= 0.2)]
    for second in range(30):
        times += [second + phase_s, second + phase_s + 0.2]
        states += [carried(False), carried(True)]
    if times[1] == 0.0:
        del times[0], states[0]
    return Trace.of(times, states)


STEADY = Trace.of([0.0, 1.0], [carried(True)] * 2)


def over_radios(
    seed: int,
    policy: str,
    *,
    deadline_ms: float = 300.0,
    first: Trace | None = None,
    second: Trace | None = None,
    **options: str,
) -> Outcome:
    ms = StageProfile.of_ms
    links = (
        LinkSpec("rsu", first or lossy(0.1), id="rsu/5g", outage="hold"),
        LinkSpec("rsu", second or lossy(0.6), id="rsu/11p", outage="hold"),
    )
    vehicle = VehicleSpec(
        "ego", links, (OnboardModel("small", 0.5, ms(40, 55)),), policy, options,
        deadline_ms=deadline_ms,
    )  # fmt: skip
    unit = UnitSpec("rsu", (UnitModel("large", 0.8, ms(12, 20), ms(2, 3)),))
    return run(Scenario((vehicle,), (unit,), seed=seed, duration_s=25.0))


def p99_ms(outcome: Outcome) -> float:
    ages = sorted((row.emitted_ns - row.stamp_ns) / MS for row in outcome.verdicts)
    return ages[math.ceil(0.99 * len(ages)) - 1]


OVER = "two_radio_policies:OverRadios"


def test_a_duplicate_over_the_other_radio_halves_the_worst_age() -> None:
    alone = [over_radios(1, OVER, only=radio) for radio in ("rsu/5g", "rsu/11p")]
    both = over_radios(1, OVER, only="rsu/5g", copy="rsu/11p")
    for outcome in (*alone, both):
        check_counters(outcome, 250)
    assert p99_ms(both) < 0.5 * min(map(p99_ms, alone))
    hedged, unit = both.vehicles["ego"].counters.offload, both.units["rsu"]
    assert hedged.hedged > 200 and hedged.spare > 150
    assert unit.copies > 150 and unit.received + unit.copies == hedged.sent
    assert unit.received <= 251, "a copy was run"
    assert all(outcome.units["rsu"].copies == 0 for outcome in alone)


def test_the_default_policy_sends_duplicates_where_the_deadline_is_at_risk() -> None:
    alone = over_radios(1, OVER, only="rsu/5g", deadline_ms=100.0)
    both = over_radios(1, "deadline", deadline_ms=100.0)
    calm = over_radios(1, "deadline", deadline_ms=100.0, first=STEADY, second=STEADY)
    for outcome in (alone, both, calm):
        check_counters(outcome, 250)
    missed, still_missed = (250 - o.vehicles["ego"].counters.offloaded for o in (alone, both))
    assert still_missed < 0.5 * missed
    assert both.vehicles["ego"].counters.offload.hedged > 50
    assert calm.vehicles["ego"].counters.offloaded == 250


def test_two_runs_over_two_radios_give_the_same_lines() -> None:
    first, again = (
        list(over_radios(2, OVER, only="rsu/5g", copy="rsu/11p").lines()) for _ in range(2)
    )
    assert first == again
