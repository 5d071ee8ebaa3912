"""Under overload answers stay fresh and the unit stays at work, with nothing set for it."""

import pytest

from sim.channel.trace import Trace
from sim.lockstep import (
    CameraSpec,
    LinkSpec,
    OnboardModel,
    Scenario,
    StageProfile,
    UnitModel,
    UnitSpec,
    VehicleSpec,
    run,
)

ms = StageProfile.of_ms
RTT_MS = 4.0 + 20_000 * 8 / 100e6 * 1e3 + 1.0  # delays, transmission, headers
ON_BOARD_MS = 2.0 + 5.0  # capture and encoding
SECONDS = 3.0


@pytest.fixture
def trace(tmp_path):
    path = tmp_path / "steady.csv"
    path.write_text("0,100e6,2,0,100e6,2,0\n1000,100e6,2,0,100e6,2,0\n")
    return Trace(path)


def ages(trace, vehicles, rate_hz, service_ms, deadline_ms):
    """Ages of the unit's answers in ms, and the share of the time in which it worked."""
    specs = tuple(
        VehicleSpec(
            f"v{index}",
            links=(LinkSpec("rsu", trace),),
            onboard=(OnboardModel("small", 0.5, ms(30.0, 40.0)),),
            policy="always_offload",
            cameras=(CameraSpec(rate_hz=rate_hz),),
            deadline_ms=deadline_ms,
        )
        for index in range(vehicles)
    )
    unit = UnitSpec("rsu", (UnitModel("large", 0.8, ms(service_ms, service_ms)),))
    outcome = run(Scenario(specs, (unit,), duration_s=SECONDS))
    # Of the last frames there is no newer one to take their place.
    steady = [r for r in outcome.verdicts if 0.8e9 < r.stamp_ns < (SECONDS - 0.4) * 1e9]
    found = sorted(row.age_ns / 1e6 for row in steady if row.answer == "offloaded")
    return found, outcome.units["rsu"].busy_ns / (SECONDS * 1e9)


@pytest.mark.parametrize("deadline_ms", [100.0, 250.0])
@pytest.mark.parametrize(
    ("vehicles", "rate_hz", "service_ms"),
    [
        (1, 15.0, 33.0), (1, 60.0, 33.0), (1, 150.0, 33.0), (1, 300.0, 33.0),
        (2, 10.0, 25.0), (10, 10.0, 20.0), (25, 10.0, 20.0),
    ],
)  # fmt: skip
def test_answers_are_no_older_than_round_trip_service_and_a_frame(
    trace, vehicles, rate_hz, service_ms, deadline_ms
):
    found, busy = ages(trace, vehicles, rate_hz, service_ms, deadline_ms)
    p99 = found[int(0.99 * len(found))]
    assert p99 <= RTT_MS + ON_BOARD_MS + service_ms + 1e3 / rate_hz
    if vehicles * rate_hz * service_ms > 1000.0:
        assert busy >= 0.95
