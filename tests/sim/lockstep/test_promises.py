"""What placements promise comes true: calibration on channels that nothing was tuned on."""

import pytest

from scheduler.calibration import Reliability
from sim.channel import synthetic_drive
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

HELD_OUT = 5001  # the first of the seeds that are used here alone
GOAL = 0.05


def drive(kind: str, share: float, seed: int, seconds: float, deadline_ms: float) -> Outcome:
    """The default policy past the units of a kind of link; other vehicles at them on odd seeds."""
    rows, outage = synthetic_drive.drive(synthetic_drive.SCENARIOS[kind], seed, share)
    trace = Trace.of([k * synthetic_drive.STEP_S for k in range(len(rows))], rows, outage)
    ms = StageProfile.of_ms
    vehicle = VehicleSpec(
        "ego",
        links=(LinkSpec("rsu1", trace, outage=outage),),
        onboard=(OnboardModel("small", 0.5, ms(35, 55)),),
        cameras=(CameraSpec(rate_hz=30.0),),
        deadline_ms=deadline_ms,
    )
    spells = tuple((k * 10**9, k * 10**9 + 150_000_000) for k in range(3, int(seconds), 4))
    model = UnitModel("large", 0.8, ms(12, 25), ms(2, 4))
    unit = UnitSpec("rsu1", (model,), credits=4, taken=spells if seed % 2 else ())
    return run(Scenario((vehicle,), (unit,), seed=seed, duration_s=seconds))


def table_of(outcome: Outcome) -> Reliability:
    """From the verdicts, as somebody would who knows nothing of the estimator."""
    table = Reliability()
    for row in outcome.verdicts:
        if row.place == "offload" and row.size_bytes:
            table.add(row.p_in_time, row.answer == "offloaded" and not row.is_late)
    return table


def test_the_vehicles_own_table_is_that_of_its_verdicts() -> None:
    outcome = drive("urban", 0.6, HELD_OUT, 15.0, 100.0)
    seen, own = table_of(outcome), outcome.vehicles["ego"].promised
    assert own.count >= seen.count > 200
    assert abs(own.error - seen.error) < 0.02
    assert own.error <= GOAL


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "share", "deadline_ms"),
    [
        ("urban", 0.6, 100.0),
        ("highway", 0.45, 100.0),
        ("nr_cloud", 0.25, 100.0),
        ("nr_urban", 0.15, 150.0),
        ("lte_cloud", 1.0, 200.0),
    ],
)
def test_promises_err_by_less_than_five_hundredths(
    kind: str, share: float, deadline_ms: float
) -> None:
    table = Reliability()
    for seed in range(HELD_OUT, HELD_OUT + 4):
        table.merge(drive(kind, share, seed, 40.0, deadline_ms).vehicles["ego"].promised)
    assert table.count > 500
    assert table.error <= GOAL
