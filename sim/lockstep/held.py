"""Vehicles on simulated time: fed with pictures and poses as a world makes them, held in between.

The same objects as in a drive of lockstep, but that nothing is known beforehand: whoever ticks the
world says how far time may go on, and gets the advisories that left by then. So a closed loop does
not depend on how fast the machine is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scheduler import paths
from scheduler.config import Config
from scheduler.errors import ConfigError
from scheduler.messages import Pose, Verdict
from scheduler.tasks import Task
from sim.channel import registry
from sim.channel.base import UNKNOWN, LinkState
from sim.channel.link_model import LinkModel
from sim.channel.trace import Trace
from sim.lockstep.believer import Advised, Believer, Eyes
from sim.lockstep.detector_eyes import DetectorEyes
from sim.lockstep.link import VirtualLink
from sim.lockstep.live_air import LiveAir
from sim.lockstep.loop import Loop
from sim.lockstep.refusals import Refusals
from sim.lockstep.scenario import CameraSpec, LinkSpec, PoseAt, VehicleSpec
from sim.lockstep.sections import DECLARED, StageTimes, unit_spec, vehicle_spec
from sim.lockstep.unit import VirtualUnit
from sim.lockstep.vehicle import VirtualVehicle, deployed_dispatcher
from vehicle.perception.content import Content
from vehicle.services.base import Frame
from vehicle.services.registry import ServiceSet

ROW_NS = 100_000_000  # between rows of a live channel
SERVICE = "object_detection"


class HeldBeliever(Believer):
    """Measures how much of a picture changed, where there are pictures."""

    def __init__(
        self,
        loop: Loop,
        spec: VehicleSpec,
        seed: int,
        services: Mapping[str, ServiceSet],
        accuracies: Mapping[str, float],
        eyes: Eyes,
    ) -> None:
        super().__init__(loop, spec, seed, services, accuracies, eyes)
        self._content = Content()
        self._has_pictures = isinstance(eyes, DetectorEyes)

    def frame(self, camera: CameraSpec, tick: int, sim_ns: int, stamp_ns: int) -> float:
        """A picture came; how much of it changed since the last look, 1.0 = unknown."""
        change = super().frame(camera, tick, sim_ns, stamp_ns)
        if not self._has_pictures:
            return change
        image = self._frames[camera.id, tick].image
        return self._content.change(camera.id, stamp_ns, image)

    def _look(self, task: Task) -> None:
        super()._look(task)
        self._content.on_look(task.camera_id, task.stamp_ns)


class HeldVehicle(VirtualVehicle):
    """A vehicle whose pictures come from outside."""

    def __init__(
        self,
        loop: Loop,
        spec: VehicleSpec,
        links: Sequence[VirtualLink],
        services: Mapping[str, ServiceSet],
        eyes: Eyes,
        seed: int,
    ) -> None:
        models = [model for link in links for model in link.unit.spec.models]
        accuracies = {m.model: m.accuracy for m in models}
        accuracies |= {m.model: m.accuracy for m in spec.onboard}
        self.believer = HeldBeliever(loop, spec, seed, services, accuracies, eyes)
        dispatcher = deployed_dispatcher(spec, models)
        super().__init__(loop, spec, dispatcher, links, seed, self.believer)
        self._by_id = {camera.id: camera for camera in spec.cameras}

    def on_frame(self, frame: Frame) -> None:
        """A picture is taken now: `frame.stamp_ns` is the loop's time."""
        self.believer.on_frame(frame)
        self.take(self._by_id[frame.camera_id], frame.tick, frame.sim_ns)

    def on_pose(self, pose: Pose) -> None:
        """Where it is now."""
        now_ns = self._loop.now_ns
        self.believer.on_pose(pose, now_ns)
        x, y, _ = pose.position
        self.drive(PoseAt(now_ns, x, y, pose.rotation[2], pose.speed))


class HeldDrive:
    """All vehicles and units of a configuration, and the air between them.

    Args:
        config: Expanded. Links with a trace follow it, others are `live`: see `on_radio`.
        eyes: Of each vehicle.
        traces: Of links by (vehicle, link), in place of the configuration's.
        times: Of the stages.
    """

    def __init__(
        self,
        config: Config,
        eyes: Mapping[str, Eyes],
        *,
        traces: Mapping[tuple[str, str], Trace] | None = None,
        times: StageTimes = DECLARED,
    ) -> None:
        self.loop = Loop()
        self._config = config
        self._live: dict[tuple[str, str], tuple[LiveAir, VirtualLink]] = {}
        resolutions = {size for vehicle in config.vehicles for size in vehicle.resolutions}
        self.units = {
            unit.id: VirtualUnit(self.loop, unit_spec(unit, times, resolutions), config.seed)
            for unit in config.roadside_units
        }
        self.vehicles: dict[str, HeldVehicle] = {}
        for vehicle in config.vehicles:
            links = [
                self._link(vehicle.id, link_id, traces or {})
                for unit in config.roadside_units
                for link_id in paths.link_ids(unit.id, unit.radios)
            ]
            specs = [LinkSpec(link.unit.spec.id, NOWHERE, link.name) for link in links]
            spec = vehicle_spec(config, vehicle, specs, times)
            services = {
                camera.id: ServiceSet(vehicle.services, vehicle.id, camera.id)
                for camera in vehicle.cameras
            }
            if any(set(each.every_frame) != {SERVICE} for each in services.values()):
                raise ConfigError(
                    f"vehicle {vehicle.id!r}: on simulated time the one every-frame service is "
                    f"{SERVICE}; a service of yours may follow it"
                )
            self.vehicles[vehicle.id] = HeldVehicle(
                self.loop, spec, links, services, eyes[vehicle.id], config.seed
            )
        for held in self.vehicles.values():
            held.start()

    def _link(
        self, vehicle_id: str, link_id: str, traces: Mapping[tuple[str, str], Trace]
    ) -> VirtualLink:
        radio = self._config.radio(link_id)
        limit_bytes = round(radio.queue_kib * 1024)
        seed = f"{self._config.seed}/{vehicle_id}.{link_id}"
        trace = traces.get((vehicle_id, link_id))
        unit = self.units[paths.unit_of(link_id)]
        if trace is None:
            air = LiveAir(limit_bytes=limit_bytes, outage=registry.outage(radio), seed=seed)
            link = VirtualLink(self.loop, vehicle_id, link_id, unit, air.model, air.refusals)
            self._live[vehicle_id, link_id] = air, link
            return link
        outage = radio.outage or trace.outage or "drop"
        model = LinkModel.of(trace, limit_bytes=limit_bytes, outage=outage, seed=seed)
        refusals = Refusals(trace.directions()[0], is_dropping=outage == "drop")
        return VirtualLink(self.loop, vehicle_id, link_id, unit, model, refusals)

    @property
    def live(self) -> list[tuple[str, str]]:
        """(vehicle, link) of the links that wait for rows."""
        return list(self._live)

    def on_radio(self, vehicle_id: str, link_id: str, state: LinkState) -> None:
        """What a live link carries from now on."""
        air, link = self._live[vehicle_id, link_id]
        air.apply(self.loop.now_ns, state, link)

    def advance(self, until_ns: int) -> dict[str, list[Advised]]:
        """Let simulated time go on; the advisories of each vehicle that left by then."""
        self.loop.run(until_ns)
        return {name: held.believer.take_advised() for name, held in self.vehicles.items()}

    def shutdown(self) -> None:
        """Every open task gets its verdict now."""
        for held in self.vehicles.values():
            held.shutdown()

    def verdicts(self, vehicle_id: str) -> list[Verdict]:
        """All verdicts so far, in order of emission."""
        return self.vehicles[vehicle_id].believer.verdicts


NOWHERE = Trace.of([0.0], [UNKNOWN])  # of a link whose air is given otherwise
