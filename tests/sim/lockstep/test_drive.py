"""A whole drive in virtual time: one vehicle, one unit, one trace."""

from pathlib import Path

import pytest

from scheduler.errors import ConfigError
from sim.channel.trace import Trace
from sim.lockstep import (
    CameraSpec,
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

TRACES = Path("configs/traces")
HEADER = "t_s,up_bps,up_delay_ms,up_loss,dn_bps,dn_delay_ms,dn_loss\n"


def trace_of(tmp_path: Path, rows: str) -> Trace:
    path = tmp_path / "trace.csv"
    path.write_text(HEADER + rows)
    return Trace(path)


@pytest.fixture
def good(tmp_path: Path) -> Trace:
    return trace_of(tmp_path, "0,20e6,5,0,20e6,5,0\n1000,20e6,5,0,20e6,5,0\n")


def scenario(
    trace: Trace, policy: str = "deadline", seed: int = 1, seconds: float = 5.0, **changes: object
) -> Scenario:
    ms = StageProfile.of_ms
    usual: dict[str, object] = {
        "links": (LinkSpec("rsu1", trace),),
        "onboard": (OnboardModel("small", 0.5, ms(40, 55)),),
        "policy": policy,
        "cameras": (CameraSpec(rate_hz=20.0),),
    }
    vehicle = VehicleSpec("ego", **(usual | changes))  # type: ignore[arg-type]
    unit = UnitSpec("rsu1", (UnitModel("large", 0.8, ms(12, 20), ms(2, 3)),))
    return Scenario((vehicle,), (unit,), seed=seed, duration_s=seconds)


def check_counters(outcome: Outcome, frames: int) -> None:
    totals = outcome.vehicles["ego"]
    counters, offload = totals.counters, totals.counters.offload
    assert counters.tasks == counters.verdicts == frames == len(outcome.verdicts)
    assert counters.onboard + counters.offloaded + counters.carried == frames
    assert offload.sent == offload.ok + offload.late + offload.rejected + offload.lost
    assert counters.policy_faults == counters.local_faults == 0
    assert len({(row.camera_id, row.tick) for row in outcome.verdicts}) == frames


def test_a_good_link_is_used_and_answers_in_time(good: Trace) -> None:
    outcome = run(scenario(good))
    check_counters(outcome, 100)
    offloaded = [row for row in outcome.verdicts if row.answer == "offloaded"]
    assert len(offloaded) > 90
    assert all(row.model == "large" and row.unit_id == "rsu1" for row in offloaded)
    assert all(30e6 < row.age_ns < 100e6 for row in offloaded)
    assert not any(row.is_late for row in outcome.verdicts)


def test_without_a_link_everything_stays_on_board(good: Trace) -> None:
    outcome = run(scenario(good, "local_only"))
    check_counters(outcome, 100)
    assert outcome.vehicles["ego"].counters.offload.sent == 0
    assert {row.placed for row in outcome.verdicts} == {"onboard/small"}


@pytest.mark.parametrize("policy", ["deadline", "always_offload"])
@pytest.mark.parametrize("outage", ["hold", "drop"])
def test_every_frame_has_its_verdict_through_outages(
    tmp_path: Path, policy: str, outage: str
) -> None:
    rows = "0,20e6,5,0,20e6,5,0\n2,0,5,0,0,5,0\n4,20e6,5,0.01,20e6,5,0.01\n6,3e6,20,0,3e6,20,0\n"
    base = scenario(trace_of(tmp_path, rows), policy, seconds=20.0)
    link = LinkSpec("rsu1", base.vehicles[0].links[0].trace, outage=outage)  # type: ignore[arg-type]
    outcome = run(scenario(link.trace, policy, seconds=20.0, links=(link,)))
    check_counters(outcome, 400)
    out = [row for row in outcome.verdicts if 2.6e9 < row.stamp_ns < 3.9e9]
    assert out and not any(row.answer == "offloaded" for row in out)
    after = [row for row in outcome.verdicts if 4.6e9 < row.stamp_ns < 6e9]
    assert sum(row.answer == "offloaded" for row in after) > len(after) / 2
    assert outcome.vehicles["ego"].counters.offload.reopened > 0


def test_two_runs_give_the_same_bytes_and_another_seed_others() -> None:
    trace = Trace(TRACES / "urban_drive.csv")
    first = list(run(scenario(trace, seed=3)).lines())
    assert list(run(scenario(trace, seed=3)).lines()) == first
    assert list(run(scenario(trace, seed=4)).lines()) != first


def test_a_link_to_nowhere_is_refused(good: Trace) -> None:
    with pytest.raises(ConfigError, match="ego has a link to 'rsu2', units: rsu1"):
        scenario(good, links=(LinkSpec("rsu2", good),))
