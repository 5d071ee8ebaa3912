"""One cell of a study as a scenario of lockstep: the same sections, times and accuracies."""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from scheduler.config import Detector, Unit, Vehicle
from scheduler.errors import ConfigError
from sim.experiments import drives, roads
from sim.experiments.config import Contender, Road, Study
from sim.lockstep import (
    CameraSpec,
    LinkSpec,
    Look,
    OnboardModel,
    Scenario,
    StageProfile,
    UnitModel,
    UnitSpec,
    VehicleSpec,
)
from sim.lockstep.scenario import ENCODE
from sim.lockstep.sections import TAIL, known_accuracy, measured
from vehicle.expectations import most_flow_ns
from vehicle.perception.detector import DetectorSpec
from vehicle.perception.expected import shrunk_accuracy

DEFAULT_RATE_HZ = 30.0  # of a camera whose rate the study does not say
DEFAULT_SIZE = (640, 384)  # of a detector's input that its section does not tell
DECODE = StageProfile.of_ms(2.5, 4.0)  # of a JPEG of 640x384 at a unit
FLOW_MS = 2.0  # to measure how ten boxes moved between two pictures of 640x384


@dataclass(frozen=True, slots=True)
class Cell:
    """One drive of one policy.

    Attributes:
        drive: Name of a recorded drive; empty = placement alone.
    """

    road: Road
    seed: int
    deadline_ms: float
    policy: Contender
    drive: str = ""

    @property
    def key(self) -> tuple[str, str, int, str, str]:
        """What tables call it: link, drive, seed, deadline, policy."""
        return (self.road.name, self.drive, self.seed, f"{self.deadline_ms:g}", self.policy.title)

    @property
    def conditions(self) -> tuple[str, str, int, str]:
        """The key without the policy: what is compared lies under the same conditions."""
        return self.key[:4]


def cells(study: Study) -> list[Cell]:
    """All cells, policy by policy within each condition."""
    return [
        Cell(road, seed, deadline_ms, policy, drive)
        for drive in study.drives or [""]
        for deadline_ms in study.deadlines_ms
        for road in study.links
        for seed in study.seed_list
        for policy in study.policies
    ]


def scenario(study: Study, cell: Cell, folder: Path) -> Scenario:
    """What lockstep drives.

    Raises:
        ConfigError: a channel, trace or detector that cannot be.
    """
    vehicle, camera = study.vehicle, study.vehicle.cameras[0]
    length_s = study.lead_s + study.duration_s
    airs = roads.airs(cell.road, cell.seed, length_s, folder)
    held = roads.taken(study.bursts, cell.seed, length_s)
    spec = VehicleSpec(
        id=vehicle.id,
        links=tuple(
            LinkSpec(unit_id, air.trace, outage=air.outage, queue_kib=air.queue_kib)
            for unit_id, air in airs.items()
        ),
        onboard=tuple(onboard(study)),
        policy=cell.policy.name,
        options=dict(cell.policy.options),
        cameras=(
            CameraSpec(camera.id, camera.width, camera.height, camera.rate_hz or DEFAULT_RATE_HZ),
        ),
        deadline_ms=cell.deadline_ms,
        window=vehicle.window,
        max_links=vehicle.max_links,
        qualities=tuple(vehicle.qualities),
        resolutions=tuple(vehicle.resolutions),
        pipelines=tuple(vehicle.pipelines),
        doubt_above=vehicle.doubt_above,
        stays_on_board=vehicle.stays_on_board,
        watts=vehicle.compute.watts,
        encode=_times(study, "encode") or ENCODE,
        flow=_times(study, "flow") or _flow_time(vehicle.compute.slowdown),
        flow_ns=most_flow_ns(msgspec.structs.replace(vehicle, deadline_ms=cell.deadline_ms)),
        drive=str(drives.find(cell.drive, folder)) if cell.drive else "",
        poses=roads.poses(cell.road, study.lead_s, length_s),
        sees_change=cell.policy.content,
    )
    wanted = set(cell.road.legs)
    units = tuple(
        UnitSpec(
            unit.id,
            tuple(unit_model(study, unit, detector) for detector in unit.detectors),
            unit.credits,
            held.get(unit.id, ()),
            airs[unit.id].place if unit.kind == "roadside" else None,
        )
        for unit in study.roadside_units
        if unit.id in wanted
    )
    return Scenario((spec,), units, cell.seed, study.duration_s, study.lead_s)


def onboard(study: Study) -> list[OnboardModel]:
    """The detectors on board, as slow as the vehicle's declared compute makes them."""
    vehicle: Vehicle = study.vehicle
    slowdown = vehicle.compute.slowdown
    return [
        OnboardModel(
            detector.id,
            known_accuracy(detector),
            _times(study, detector.id) or measured(detector, slowdown),
            look=look_of(detector) if study.drives else None,
        )
        for detector in vehicle.detectors
    ]


def unit_model(study: Study, unit: Unit, detector: Detector) -> UnitModel:
    """A detector at a unit."""
    sizes = study.vehicle.resolutions
    return UnitModel(
        detector.id,
        known_accuracy(detector),
        _times(study, f"{unit.id}/{detector.id}") or measured(detector, unit.slowdown),
        _times(study, "decode") or DECODE,
        shrunk={size: shrunk_accuracy(detector, size) for size in sizes},
        look=look_of(detector) if study.drives else None,
    )


def look_of(detector: Detector) -> Look:
    """Which of a drive's stored answers are this detector's.

    Raises:
        ConfigError: it is no shipped rung, or its input size is not told.
    """
    spec = DetectorSpec.of(detector)
    figures = spec.figures
    if spec.rung is None or figures is None:
        raise ConfigError(f"detector {detector.id!r}: a drive holds answers of shipped rungs only")
    name = detector.weights or detector.id
    rung = f"{name}.int8" if spec.precision == "int8" else name
    size = spec.input_size or DEFAULT_SIZE
    return Look(rung, size, spec.score_threshold or figures.score_threshold)


def _times(study: Study, job: str) -> StageProfile | None:
    given = study.stages_ms.get(job)
    if given is None:
        return None
    return StageProfile.of_ms(given[0], given[1] if len(given) > 1 else None)


def _flow_time(slowdown: float) -> StageProfile:
    return StageProfile.of_ms(FLOW_MS * slowdown, FLOW_MS * slowdown * TAIL)
