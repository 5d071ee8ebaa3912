"""Runs a scenario: the same scenario gives the same rows on any machine."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from sim.channel.link_model import LinkModel
from sim.channel.trace import Trace
from sim.lockstep.frames import Journey, Shutter, as_recorded, at_rate, with_drive
from sim.lockstep.link import VirtualLink
from sim.lockstep.loop import Loop
from sim.lockstep.outcome import Outcome
from sim.lockstep.pictures import Pictures, load
from sim.lockstep.recorded_motion import motion_of
from sim.lockstep.recorder import Recorder
from sim.lockstep.refusals import Refusals
from sim.lockstep.scenario import LinkSpec, Look, Scenario, UnitModel, VehicleSpec
from sim.lockstep.seeing import Spectator
from sim.lockstep.unit import VirtualUnit
from sim.lockstep.vehicle import VirtualVehicle, deployed_dispatcher

SETTLE_NS = 50_000_000  # after the last deadline, before what is open is closed


def run(scenario: Scenario) -> Outcome:
    """Drive it, in one process.

    Raises:
        ConfigError: A policy that does not exist or refuses its options; a drive that does not
            hold what its vehicle needs.
        SourceError: A drive that cannot be read.
    """
    loop = Loop()
    units = {spec.id: VirtualUnit(loop, spec, scenario.seed) for spec in scenario.units}
    lead_ns, end_ns = _ns(scenario.lead_s), _ns(scenario.lead_s + scenario.duration_s)
    vehicles: list[VirtualVehicle] = []
    for declared in scenario.vehicles:
        pictures = _pictures(declared)
        spec = with_drive(declared, pictures) if pictures else declared
        vehicle = _vehicle(loop, spec, units, pictures, scenario.seed)
        vehicle.start()
        Journey(loop, vehicle, spec.poses, lead_ns)
        for camera in spec.cameras:
            shots = (
                as_recorded(pictures[camera.id])
                if pictures
                else at_rate(camera, spec.id, scenario.seed)
            )
            Shutter(loop, vehicle, camera, shots, lead_ns, end_ns)
        vehicles.append(vehicle)
    deadline_ns = max((_ns(v.spec.deadline_ms / 1e3) for v in vehicles), default=0)
    with _without_collector():
        loop.run(end_ns + deadline_ns + SETTLE_NS)
    return _outcome(loop, vehicles, units)


@contextmanager
def _without_collector() -> Iterator[None]:
    """No search for cycles: there are none to speak of, and what is kept grows with the drive."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _outcome(loop: Loop, vehicles: list[VirtualVehicle], units: dict[str, VirtualUnit]) -> Outcome:
    outcome = Outcome(events=loop.events)
    for vehicle in vehicles:
        for uplink in vehicle.dispatcher.uplinks.values():
            vehicle.totals.raw.merge(uplink.estimator.raw)
            vehicle.totals.promised.merge(uplink.estimator.promised)
        vehicle.shutdown()
        recorder = vehicle.recorder
        outcome.verdicts += recorder.rows()
        outcome.vehicles[vehicle.spec.id] = vehicle.totals
        if isinstance(recorder, Spectator):
            for camera_id, counts in recorder.scores().items():
                outcome.scores[vehicle.spec.id, camera_id] = counts
            outcome.published[vehicle.spec.id] = recorder.verdicts
    outcome.units = {unit_id: unit.totals for unit_id, unit in units.items()}
    return outcome


def _pictures(spec: VehicleSpec) -> dict[str, Pictures]:
    if not spec.drive:
        return {}
    stored, luma = load(spec.drive)
    motion = motion_of(spec.drive)
    return {camera.id: Pictures(stored, camera.id, luma, motion) for camera in spec.cameras}


def _vehicle(
    loop: Loop,
    spec: VehicleSpec,
    units: dict[str, VirtualUnit],
    pictures: dict[str, Pictures],
    seed: int,
) -> VirtualVehicle:
    links = [
        VirtualLink(loop, spec.id, link.name, units[link.unit_id], *_air(link, spec.id, seed))
        for link in spec.links
    ]
    models = [model for link in spec.links for model in units[link.unit_id].spec.models]
    recorder = (
        _seeing(loop, spec, models, pictures, seed) if pictures else Recorder(loop, spec, seed)
    )
    return VirtualVehicle(loop, spec, deployed_dispatcher(spec, models), links, seed, recorder)


def _seeing(
    loop: Loop,
    spec: VehicleSpec,
    models: list[UnitModel],
    pictures: dict[str, Pictures],
    seed: int,
) -> Spectator:
    size = (spec.cameras[0].width, spec.cameras[0].height)
    looks = {m.model: m.look or Look(m.model, size) for m in models}
    looks |= {f"local/{m.model}": m.look or Look(m.model, size) for m in spec.onboard}
    accuracies = {m.model: m.accuracy for m in models} | {m.model: m.accuracy for m in spec.onboard}
    for one in pictures.values():
        one.check(list(looks.values()), spec.resolutions, spec.qualities if models else ())
    return Spectator(loop, spec, seed, pictures, looks, accuracies)


def _air(link: LinkSpec, vehicle_id: str, seed: int) -> tuple[LinkModel, Refusals]:
    model = LinkModel.of(
        link.trace,
        limit_bytes=round(link.queue_kib * 1024),
        outage=link.outage,
        seed=f"{seed}/{vehicle_id}/{link.name}",
    )
    return model, _refusals(link.trace, link.outage == "drop")


@lru_cache(maxsize=256)
def _refusals(trace: Trace, is_dropping: bool) -> Refusals:
    return Refusals(trace.directions()[0], is_dropping=is_dropping)


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)
