"""A drive's configuration as lockstep takes it, with stage times from the declared profile.

A model takes what was measured of the shipped rung, times the vehicle's declared `slowdown`; at a
unit as measured. `StageTimes` overrides them with what a run of one's own measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from scheduler.config import Config, Detector, Unit, Vehicle
from scheduler.errors import ConfigError
from scheduler.placement import Size
from sim.lockstep.scenario import (
    CAPTURE,
    ENCODE,
    TIMER_LAG,
    CameraSpec,
    LinkSpec,
    OnboardModel,
    UnitModel,
    UnitSpec,
    VehicleSpec,
)
from sim.lockstep.stages import StageProfile
from vehicle.perception.detector import DetectorSpec
from vehicle.perception.expected import accuracy_of, shrunk_accuracy

TAIL = 1.4  # 99th percentile over median of a stage of which only the median was measured
DECODE = StageProfile.of_ms(2.5, 4.0)  # of a JPEG of 640x384 at a unit
DEFAULT_RATE_HZ = 10.0  # of a camera whose rate nobody says


@dataclass(frozen=True, slots=True)
class StageTimes:
    """Durations that were measured; what is not here is as declared.

    Attributes:
        onboard: By model; the slowdown is in them.
        infer: By (unit, model).
        decode: By unit.
    """

    onboard: Mapping[str, StageProfile] = field(default_factory=dict)
    infer: Mapping[tuple[str, str], StageProfile] = field(default_factory=dict)
    decode: Mapping[str, StageProfile] = field(default_factory=dict)
    encode: StageProfile = ENCODE
    capture: StageProfile = CAPTURE
    timer_lag: StageProfile = TIMER_LAG


DECLARED = StageTimes()


def vehicle_spec(
    config: Config, vehicle: Vehicle, links: Sequence[LinkSpec], times: StageTimes = DECLARED
) -> VehicleSpec:
    """A vehicle's section.

    Raises:
        ConfigError: a detector of which nobody knows time or accuracy.
    """
    rate_hz = DEFAULT_RATE_HZ
    if config.world is not None:
        rate_hz = 1.0 / config.world.fixed_delta_s
    return VehicleSpec(
        id=vehicle.id,
        links=tuple(links),
        onboard=tuple(_onboard(vehicle, detector, times) for detector in vehicle.detectors),
        policy=vehicle.policy.name,
        options=dict(vehicle.policy.options),
        cameras=tuple(
            CameraSpec(c.id, c.width, c.height, c.rate_hz or rate_hz, 0.0) for c in vehicle.cameras
        ),
        deadline_ms=vehicle.deadline_ms,
        is_deadline_by_speed=vehicle.deadline.mode == "speed",
        window=vehicle.window,
        max_links=vehicle.max_links,
        qualities=tuple(vehicle.qualities),
        resolutions=tuple(vehicle.resolutions),
        pipelines=tuple(vehicle.pipelines),
        doubt_above=vehicle.doubt_above,
        stays_on_board=vehicle.stays_on_board,
        watts=vehicle.compute.watts,
        encode=times.encode,
        capture=times.capture,
        timer_lag=times.timer_lag,
    )


def unit_spec(
    unit: Unit, times: StageTimes = DECLARED, resolutions: Iterable[Size] = ()
) -> UnitSpec:
    """A unit's section.

    Args:
        unit: The section.
        times: Of the stages.
        resolutions: Sizes at which vehicles may send a frame.

    Raises:
        ConfigError: as of `vehicle_spec`.
    """
    models = []
    for detector in unit.detectors:
        infer = times.infer.get((unit.id, detector.id)) or measured(detector, unit.slowdown)
        decode = times.decode.get(unit.id, DECODE)
        shrunk = {size: shrunk_accuracy(detector, size) for size in resolutions}
        models.append(
            UnitModel(detector.id, known_accuracy(detector), infer, decode, shrunk=shrunk)
        )
    return UnitSpec(unit.id, tuple(models), unit.credits)


def _onboard(vehicle: Vehicle, detector: Detector, times: StageTimes) -> OnboardModel:
    time = times.onboard.get(detector.id) or measured(detector, vehicle.compute.slowdown)
    return OnboardModel(detector.id, known_accuracy(detector), time)


def known_accuracy(detector: Detector) -> float:
    """Expected F1 alone, `accuracy_of`, where somebody measured it: a study tells no guesses.

    Raises:
        ConfigError: nobody did.
    """
    if detector.accuracy is None and DetectorSpec.of(detector).figures is None:
        raise ConfigError(f"detector {detector.id!r}: expected its accuracy, it is no shipped rung")
    return accuracy_of(detector)


def measured(detector: Detector, slowdown: float) -> StageProfile:
    """What a shipped rung takes, on a machine so much slower.

    Raises:
        ConfigError: it is no shipped rung.
    """
    figures = DetectorSpec.of(detector).figures
    if figures is None:
        raise ConfigError(
            f"detector {detector.id!r}: in virtual time only shipped rungs have a known duration"
        )
    median_ms = figures.latency_ms * slowdown
    return StageProfile.of_ms(median_ms, median_ms * TAIL)
