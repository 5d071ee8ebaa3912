"""Builds a vehicle's parts from the configuration, and gives them back in reverse order."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import zmq

from scheduler import paths, processes, security, transport
from scheduler.clock import Clock
from scheduler.config import Config, Unit, Vehicle
from scheduler.handover import FIRST_RANGE_M, Candidate, Handover
from scheduler.radio_map import RadioMaps
from scheduler.telemetry import Publisher
from vehicle.camera.base import Camera
from vehicle.camera.bridge import BridgeFeed
from vehicle.camera.registry import load_camera
from vehicle.camera.replay_feed import ReplayFeed
from vehicle.data.recorder import Recorder
from vehicle.encoder import Encoder
from vehicle.feedback import FeedbackSender
from vehicle.offload import Addresses, OffloadLink
from vehicle.outlet import Outlet
from vehicle.parts import Feed
from vehicle.perception.abilities import Wanted
from vehicle.perception.detector import DetectorSpec
from vehicle.perception.worker import Worker
from vehicle.services.base import Advisory
from vehicle.services.registry import ServiceSet

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Assembly:
    """Makes parts; `close` closes all that were made, the last first."""

    config: Config
    vehicle: Vehicle
    run_folder: Path | None
    clock: Clock
    context: zmq.Context[zmq.Socket[bytes]] = field(
        default_factory=lambda: zmq.Context(io_threads=1)
    )
    _closing: list[Callable[[], None]] = field(default_factory=list)

    def services(self) -> dict[str, ServiceSet]:
        """The services of each camera."""
        vehicle = self.vehicle
        return {c.id: ServiceSet(vehicle.services, vehicle.id, c.id) for c in vehicle.cameras}

    def cameras(self) -> dict[str, Camera]:
        """The cameras, not opened yet."""
        made: dict[str, Camera] = {}
        for section in self.vehicle.cameras:
            camera = load_camera(self.config, self.vehicle, section, self.context)
            made[section.id] = camera
            self._closing.append(camera.close)
        return made

    def worker(self, heads: Sequence[str] = ()) -> Worker:
        """The inference worker, loading its models and what services ask of them."""
        vehicle = self.vehicle
        worker = Worker(
            vehicle.id,
            [DetectorSpec.of(section, self.config.path) for section in vehicle.detectors],
            threads=vehicle.compute.threads,
            slowdown=vehicle.compute.slowdown,
            max_frame_bytes=max(c.width * c.height * 3 for c in vehicle.cameras),
            clock=self.clock,
            wanted=Wanted(encode="split" in vehicle.pipelines, heads=heads),
        )
        self._closing.append(worker.stop)
        worker.start()
        return worker

    def encoder(self) -> Encoder:
        """The thread that writes JPEGs."""
        encoder = Encoder()
        self._closing.append(encoder.close)
        return encoder

    def recorder(self) -> Recorder | None:
        """The recorder's process; None without a run folder."""
        config, vehicle = self.config, self.vehicle
        if self.run_folder is None:
            return None
        is_alone = len(config.vehicles) == 1
        recorder = Recorder(
            self.context,
            f"ipc://{config.ipc_folder}/vehicle-{vehicle.id}-recorder",
            self.run_folder / ("run.mcap" if is_alone else f"run-{vehicle.id}.mcap"),
            max_bytes=int(config.record.max_gib * 2**30),
            is_keeping_frames={"all": True, "none": False}.get(
                config.record.frames, self.is_simulated
            ),
        )
        self._closing.append(recorder.stop)
        return recorder

    def outlet(self, recorder: Recorder | None) -> Outlet:
        """The telemetry socket, and the log beside it."""
        config, vehicle = self.config, self.vehicle
        address = processes.address(config, "vehicle", vehicle.id, "telemetry", is_bind=True)
        keys = None
        if security.is_guarded(config, address):
            site = security.Site(config.path(config.security.certificates))
            keys = site.keys(vehicle.id)
            authenticator = security.start_authenticator(self.context, site)
            self._closing.append(authenticator.stop)
        socket = transport.bind_publisher(self.context, address, keys)
        self._closing.append(socket.close)
        return Outlet(Publisher(socket, f"vehicle-{vehicle.id}"), recorder, self.clock)

    def links(self) -> dict[str, OffloadLink]:
        """A link to each roadside unit, not opened yet; none where nothing may be sent."""
        links: dict[str, OffloadLink] = {}
        ways = set(self.vehicle.pipelines) - {"onboard"}
        if self.vehicle.stays_on_board:
            ways &= {"split"}  # features are no pixels, and only what is listed may leave
        if self.config.link is None or not ways:
            return links
        for unit in self.config.roadside_units:
            for link_id in paths.link_ids(unit.id, unit.radios):
                where = Addresses.of(self.config, self.vehicle.id, link_id)
                path = paths.radio_of(link_id)
                link = OffloadLink(self.context, self.vehicle.id, unit.id, where, path)
                links[link_id] = link
                self._closing.append(link.leave)
        return links

    def radio_maps(self) -> RadioMaps | None:
        """What earlier drives learned of places, kept up in its file; None where none is named.

        Raises:
            ConfigError: the file is no radio map of this version.
        """
        if self.vehicle.radio_map is None:
            return None
        path = self.config.path(self.vehicle.radio_map)
        maps = RadioMaps.from_bytes(path.read_bytes(), str(path)) if path.is_file() else RadioMaps()
        self._closing.append(lambda: _replace(path, maps.to_bytes()))
        return maps

    def handover(self, links: Sequence[str]) -> Handover:
        """Which of the links are open; where units stand is known if the file says it."""
        return Handover(
            [candidate_of(self.config.unit(paths.unit_of(link)), link) for link in links],
            self.vehicle.max_links,
        )

    @property
    def is_simulated(self) -> bool:
        """Whether a bridge owns this vehicle: it gives poses and obeys feedback."""
        has_bridge = any(camera.source == "bridge" for camera in self.vehicle.cameras)
        return self.config.world is not None and has_bridge

    def feed(self) -> Feed | None:
        """Poses and route; None where nobody tells of them."""
        sources = [camera.source.partition(":") for camera in self.vehicle.cameras]
        recorded = [path for name, _, path in sources if name == "replay"]
        if self.config.replay is not None and recorded:
            replayed = ReplayFeed(self.config, self.vehicle, self.config.path(recorded[0]))
            self._closing.append(replayed.close)
            return replayed
        if not self.is_simulated:
            return None
        feed = BridgeFeed(self.config, self.vehicle, self.context)
        self._closing.append(feed.close)
        return feed

    def brake(self) -> Callable[[int, str, Advisory], None] | None:
        """Where advisories go; None where nothing can be braked."""
        if not self.is_simulated:
            return None
        sender = FeedbackSender(self.context, self.config, self.vehicle.id)
        self._closing.append(sender.close)
        return sender.send

    def close(self) -> None:
        """Give everything back; a second call does nothing."""
        for call in reversed(self._closing):
            try:
                call()
            except (OSError, zmq.ZMQError) as error:
                log.warning("while closing: %s", error)
        self._closing.clear()
        self.context.destroy(linger=0)


def _replace(path: Path, data: bytes) -> None:
    """Write a file as a whole, and its folder where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".part")
    scratch.write_bytes(data)
    scratch.replace(path)


def candidate_of(unit: Unit, link_id: str) -> Candidate:
    """A link as handover sees it, by what the file says of its unit."""
    is_cloud = unit.kind == "cloud"
    return Candidate(
        link_id,
        unit.at[:2] if unit.at is not None and not is_cloud else None,
        unit.range_m or FIRST_RANGE_M,
        is_everywhere=is_cloud,
        is_learning=unit.range_m is None,
    )
