"""A vehicle in virtual time that sees a recorded drive: answers, score, poses, change."""

from dataclasses import replace
from pathlib import Path

import pytest
import stored_street

from scheduler.errors import ConfigError, SourceError
from scheduler.policies.local_only import LocalOnly
from sim.channel.trace import Trace
from sim.lockstep import (
    LinkSpec,
    Look,
    OnboardModel,
    Outcome,
    Scenario,
    StageProfile,
    UnitModel,
    UnitSpec,
    VehicleSpec,
    run,
)

SIZE = (stored_street.WIDTH, stored_street.HEIGHT)
ROWS = "t_s,up_bps,up_delay_ms,up_loss,dn_bps,dn_delay_ms,dn_loss\n0,{0},5,0,{0},5,0\n"
ms = StageProfile.of_ms
SEEN: list[float] = []


class Watching(LocalOnly):
    """Notes how much each frame changed."""

    def place(self, task, view):  # type: ignore[no-untyped-def]
        SEEN.append(task.change)
        return super().place(task, view)


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stored_street.write(tmp_path_factory.mktemp("street") / "street.npz")


def scenario(street: Path, folder: Path, policy: str, rate: float = 20e6) -> Scenario:
    trace = folder / "trace.csv"
    trace.write_text(ROWS.format(rate))
    vehicle = VehicleSpec(
        "ego",
        links=(LinkSpec("rsu1", Trace(trace)),),
        onboard=(OnboardModel("small", 0.4, ms(40), look=Look("poor", SIZE)),),
        policy=policy,
        drive=str(street),
    )
    unit = UnitSpec("rsu1", (UnitModel("large", 0.9, ms(12), look=Look("good", SIZE)),))
    return Scenario((vehicle,), (unit,))


def drive(street: Path, folder: Path, policy: str, rate: float = 20e6) -> Outcome:
    return run(scenario(street, folder, policy, rate))


def test_frames_are_the_recordings_and_each_has_its_verdict(street: Path, tmp_path: Path) -> None:
    outcome = drive(street, tmp_path, "deadline")
    assert [row.tick for row in outcome.verdicts] == list(range(1, 61))
    assert [v.tick for v in outcome.published["ego"]] == list(range(1, 61))
    sent = [row for row in outcome.verdicts if row.answer == "offloaded"]
    assert {row.size_bytes for row in sent} <= {30_000, 20_000, 12_000}


def test_a_better_model_at_the_unit_scores_better(street: Path, tmp_path: Path) -> None:
    home = drive(street, tmp_path, "local_only").streaming_f1
    away = drive(street, tmp_path, "deadline").streaming_f1
    lost = drive(street, tmp_path, "always_offload", rate=0.0).streaming_f1
    assert home is not None and away is not None and lost is not None
    assert away > 0.8 > home + 0.05
    assert lost == pytest.approx(home, abs=0.1)


def test_change_is_measured_against_the_last_look(street: Path, tmp_path: Path) -> None:
    SEEN.clear()
    drive(street, tmp_path, f"{__name__}:Watching")
    assert SEEN[0] == 1.0
    assert SEEN[2:20] == [0.0] * 18  # the car stands
    assert all(change > 0.0 for change in SEEN[22:])


def test_a_deadline_may_follow_the_speed(street: Path, tmp_path: Path) -> None:
    base = scenario(street, tmp_path, "local_only")
    vehicle = replace(base.vehicles[0], is_deadline_by_speed=True)
    rows = run(replace(base, vehicles=(vehicle,))).verdicts
    assert {row.deadline_ns - row.stamp_ns for row in rows[1:]} == {400_000_000}  # at 8 m/s


def test_two_runs_give_the_same_lines(street: Path, tmp_path: Path) -> None:
    first, second = (drive(street, tmp_path, "deadline") for _ in range(2))
    assert list(first.lines()) == list(second.lines())
    assert first.published == second.published


def test_what_the_drive_does_not_hold_is_said_at_once(street: Path, tmp_path: Path) -> None:
    base = scenario(street, tmp_path, "deadline")
    vehicle = replace(base.vehicles[0], qualities=(80, 55))
    with pytest.raises(ConfigError, match="no quality 55, there is raw, 80, 60, 40"):
        run(replace(base, vehicles=(vehicle,)))
    model = OnboardModel("small", 0.4, ms(40))
    with pytest.raises(ConfigError, match="no rung small, there is good, poor"):
        run(replace(base, vehicles=(replace(base.vehicles[0], onboard=(model,)),)))
    with pytest.raises(SourceError):
        run(replace(base, vehicles=(replace(base.vehicles[0], drive=str(tmp_path / "no.npz")),)))
