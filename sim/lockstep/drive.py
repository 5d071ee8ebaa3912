"""Runs a scenario: the same scenario gives the same rows on any machine."""

from __future__ import annotations

from random import Random

from scheduler.errors import ConfigError
from sim.channel.link_model import LinkModel, Row
from sim.lockstep.link import VirtualLink
from sim.lockstep.loop import Loop
from sim.lockstep.outcome import Outcome
from sim.lockstep.refusals import Refusals
from sim.lockstep.scenario import CameraSpec, LinkSpec, Scenario, VehicleSpec
from sim.lockstep.unit import VirtualUnit
from sim.lockstep.vehicle import NS_PER_S, VirtualVehicle, deployed_dispatcher

SETTLE_NS = 50_000_000  # after the last deadline, before what is open is closed


def run(scenario: Scenario) -> Outcome:
    """Drive it, in one process.

    Raises:
        ConfigError: A policy that does not exist or refuses its options.
    """
    loop = Loop()
    units = {spec.id: VirtualUnit(loop, spec, scenario.seed) for spec in scenario.units}
    vehicles = [_vehicle(loop, spec, units, scenario) for spec in scenario.vehicles]
    for vehicle in vehicles:
        vehicle.start()
    lead_ns, end_ns = _ns(scenario.lead_s), _ns(scenario.lead_s + scenario.duration_s)
    for vehicle in vehicles:
        for camera in vehicle.spec.cameras:
            first_ns = lead_ns + _phase_ns(camera, vehicle.spec, scenario.seed)
            _Frames(loop, vehicle, camera, first_ns, end_ns).take()
    deadline_ns = max((_ns(v.spec.deadline_ms / 1e3) for v in vehicles), default=0)
    loop.run(end_ns + deadline_ns + SETTLE_NS)
    outcome = Outcome(events=loop.events)
    for vehicle in vehicles:
        vehicle.shutdown()
        outcome.verdicts += vehicle.recorder.rows()
        outcome.vehicles[vehicle.spec.id] = vehicle.totals
    outcome.units = {unit_id: unit.totals for unit_id, unit in units.items()}
    return outcome


class _Frames:
    """A camera's shutter: each frame schedules the next."""

    def __init__(
        self, loop: Loop, vehicle: VirtualVehicle, camera: CameraSpec, first_ns: int, end_ns: int
    ) -> None:
        self._loop, self._vehicle, self._camera = loop, vehicle, camera
        self._first_ns, self._end_ns = first_ns, end_ns
        self._tick = 0

    def take(self) -> None:
        stamp_ns = self._first_ns + round(self._tick * NS_PER_S / self._camera.rate_hz)
        if stamp_ns >= self._end_ns:
            return
        self._tick += 1
        self._loop.at(stamp_ns, self._shoot, stamp_ns)

    def _shoot(self, stamp_ns: int) -> None:
        self._vehicle.take(self._camera, self._tick, stamp_ns)
        self.take()


def _vehicle(
    loop: Loop, spec: VehicleSpec, units: dict[str, VirtualUnit], scenario: Scenario
) -> VirtualVehicle:
    links = [
        VirtualLink(
            loop, spec.id, link.name, units[link.unit_id], *_air(link, spec.id, scenario.seed)
        )
        for link in spec.links
    ]
    models = [model for link in spec.links for model in units[link.unit_id].spec.models]
    dispatcher = deployed_dispatcher(spec, models)
    return VirtualVehicle(loop, spec, dispatcher, links, scenario.seed)


def _air(link: LinkSpec, vehicle_id: str, seed: int) -> tuple[LinkModel, Refusals]:
    model = LinkModel.of(
        link.trace,
        limit_bytes=round(link.queue_kib * 1024),
        outage=link.outage,
        seed=f"{seed}/{vehicle_id}/{link.name}",
    )
    rows: list[Row] = link.trace.directions()[0]
    return model, Refusals(rows, is_dropping=link.outage == "drop")


def _phase_ns(camera: CameraSpec, vehicle: VehicleSpec, seed: int) -> int:
    if camera.rate_hz <= 0.0:
        raise ConfigError(f"camera {camera.id!r}: expected a rate above 0, got {camera.rate_hz}")
    if camera.phase_ms is not None:
        return round(camera.phase_ms * 1e6)
    draw = Random(f"{seed}/{vehicle.id}/{camera.id}/phase").random()
    return int(draw * NS_PER_S / camera.rate_hz)


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)
