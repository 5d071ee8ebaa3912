"""`vdap held CONFIG`: all vehicles of a drive in hold mode, their links and units, in one process.

Pictures come from the bridge, the configured detectors look at them; stage times are those of the
declared profile and the link is its model, in simulated time. So the drive's verdicts do not depend
on how fast this machine is, and two drives of one configuration leave the same.
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

import msgspec
import numpy as np
import zmq

from scheduler import messages, paths, processes, telemetry, transport, wire
from scheduler.config import Config
from scheduler.errors import ConfigError, WireError
from scheduler.messages import VERSION, Advance, Advanced, Feedback
from sim.channel import registry
from sim.channel.base import UNKNOWN, Channel, LinkState, SeesTraffic
from sim.channel.trace import Trace
from sim.emulated_link import Surroundings
from sim.lockstep.believer import Advised
from sim.lockstep.detector_eyes import DetectorEyes, unit_models
from sim.lockstep.held import ROW_NS, HeldDrive
from sim.lockstep.held_record import HeldLink, HeldLog, counters
from vehicle.services.base import Frame

log = logging.getLogger("sim.lockstep.held")

NAME = "held"
QUEUE = 4096  # messages of the bridge that may wait; none may be lost
LIMIT_BYTES = 16_777_216
POLL_MS = 100


class Held:
    """The vehicles between the bridge's messages."""

    def __init__(self, config: Config, run_folder: Path | None) -> None:
        """Loads models, services and channels.

        Raises:
            ConfigError: what the configuration asks cannot be.
        """
        self._config = config
        self._folder = run_folder
        at_units = unit_models(config.roadside_units, config.path)
        self._eyes = {v.id: DetectorEyes(v, at_units, config.path) for v in config.vehicles}
        traces = {
            pair: found for pair in processes.pairs(config) if (found := _trace(config, *pair))
        }
        self.drive = HeldDrive(config, self._eyes, traces=traces)
        places = {unit.id: at for unit in config.roadside_units if (at := unit.place) is not None}
        self._around = Surroundings(places)
        self._channels: dict[tuple[str, str], Channel] = {
            (vehicle_id, link_id): registry.load(
                config.radio(link_id), seed=config.seed, vehicle_id=vehicle_id, unit_id=link_id
            )
            for vehicle_id, link_id in self.drive.live
        }
        self._links = {
            pair: HeldLink(self._csv(*pair), registry.outage(config.radio(pair[1])))
            for pair in self._channels
        }
        self._logs = {v.id: HeldLog(self._mcap(v.id)) for v in config.vehicles if run_folder}
        self._written = dict.fromkeys(self.drive.vehicles, 0)
        self._advised: dict[str, list[Advised]] = {name: [] for name in self.drive.vehicles}
        self._row_ns = -1  # of the last row
        self.until_ns = -1

    def hear(self, message: object, payload: list[bytes]) -> None:
        """A picture, a pose, the site or the traffic."""
        if isinstance(message, messages.Frame):
            self._to(message.sim_ns)
            self._on_frame(message, payload[0])
            return
        self._around.hear(message)
        if isinstance(message, messages.Pose):
            self._to(message.sim_ns)
            self.drive.vehicles[message.vehicle_id].on_pose(message)
        elif isinstance(message, messages.Site):
            for name, held in self.drive.vehicles.items():
                held.believer.on_route(message.routes.get(name, []))

    def advance(self, until_ns: int) -> list[Feedback]:
        """Let simulated time go on; what the vehicles ask meanwhile."""
        now_ns = self.drive.loop.now_ns
        first_ns = -(-now_ns // ROW_NS) * ROW_NS
        for row_ns in range(first_ns, until_ns, ROW_NS):
            if row_ns > self._row_ns:
                self._to(row_ns)
                self._rows(row_ns)
        self._to(until_ns)
        self.until_ns = until_ns
        self._write()
        said = []
        for name, advised in self._advised.items():
            said += [_feedback(name, one) for one in advised]
            advised.clear()
        return said

    def close(self) -> None:
        """Close every open task and leave the records."""
        self.drive.shutdown()
        self._write()
        for each in self._logs.values():
            each.close()
        for link in self._links.values():
            link.close()
        if self._folder is None:
            return
        for name, held in self.drive.vehicles.items():
            made = counters(held, self.drive.verdicts(name))
            text = json.dumps(made, indent=2) + "\n"
            (self._folder / f"vehicle-{name}.json").write_text(text, encoding="utf-8")
        links = {f"{v}.{link}": each.summary() for (v, link), each in self._links.items()}
        text = json.dumps(links, indent=1) + "\n"
        (self._folder / "link.json").write_text(text, encoding="utf-8")

    def _to(self, until_ns: int) -> None:
        if until_ns > self.drive.loop.now_ns:
            for name, advised in self.drive.advance(until_ns).items():
                self._advised[name] += advised

    def _on_frame(self, header: messages.Frame, payload: bytes) -> None:
        image = np.frombuffer(payload, np.uint8).reshape(header.height, header.width, 3)
        self._eyes[header.vehicle_id].show(header.camera_id, header.tick, image)
        frame = Frame(
            vehicle_id=header.vehicle_id,
            camera_id=header.camera_id,
            tick=header.tick,
            sim_ns=header.sim_ns,
            stamp_ns=header.sim_ns,
            image=image,
            intrinsics=header.intrinsics,
            distortion=tuple(header.distortion),
            camera_from_vehicle=header.camera_from_vehicle,
        )
        self.drive.vehicles[header.vehicle_id].on_frame(frame)

    def _rows(self, row_ns: int) -> None:
        self._row_ns = row_ns
        t_s = round(row_ns / 1e9, 3)
        for (vehicle_id, link_id), channel in self._channels.items():
            state = self._state(vehicle_id, link_id, channel, t_s)
            self.drive.on_radio(vehicle_id, link_id, state)
            self._links[vehicle_id, link_id].write(t_s, state)

    def _state(self, vehicle_id: str, link_id: str, channel: Channel, t_s: float) -> LinkState:
        known = self._around.between(vehicle_id, paths.unit_of(link_id))
        if known is None:
            return UNKNOWN
        mover, unit, _ = known
        if self._around.traffic is not None and isinstance(channel, SeesTraffic):
            channel.see(self._around.traffic)
        return channel.row(t_s, mover, unit, self._around.site)

    def _write(self) -> None:
        for name, each in self._logs.items():
            verdicts = self.drive.verdicts(name)
            for verdict in verdicts[self._written[name] :]:
                each.write(verdict)
            self._written[name] = len(verdicts)

    def _csv(self, vehicle_id: str, link_id: str) -> Path | None:
        if self._folder is None:
            return None
        return self._folder / f"link-{vehicle_id}-{paths.file_name(link_id)}.csv"

    def _mcap(self, vehicle_id: str) -> Path:
        assert self._folder is not None
        is_alone = len(self._config.vehicles) == 1
        return self._folder / ("run.mcap" if is_alone else f"run-{vehicle_id}.mcap")


def _trace(config: Config, vehicle_id: str, link_id: str) -> Trace | None:
    name = config.radio(link_id).trace
    if name is None:
        return None
    name = name.replace("{vehicle}", vehicle_id).replace("{unit}", paths.file_name(link_id))
    return Trace(config.path(name))


def _feedback(vehicle_id: str, one: Advised) -> Feedback:
    advisory = one.advisory
    brake = min(1.0, max(0.0, advisory.brake))
    return Feedback(
        VERSION, vehicle_id, one.tick, advisory.valid_for_ms, brake, one.service,
        advisory.reason[:300],
    )  # fmt: skip


def serve(held: Held, config: Config, stop: processes.Stop) -> None:
    """Answer the bridge until told to stop."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context(io_threads=1)
    try:
        ids = [vehicle.id for vehicle in config.vehicles]
        topics = ["advance", "site", "traffic"]
        topics += [f"{kind}/{name}" for kind in ("frame", "pose") for name in ids]
        bridge = telemetry.subscribe(
            context, config, "bridge", "", topics, name=ids[0], limit=LIMIT_BYTES, high_water=QUEUE
        )
        address = processes.address(config, "bridge", "", "feedback")
        answers = transport.connect_dealer(context, address, None, None)
        while not stop:
            if not bridge.poll(POLL_MS):
                continue
            while (parts := transport.receive(bridge)) is not None:
                _hear(held, parts, ids, answers)
    finally:
        context.destroy(linger=0)


def _hear(held: Held, parts: list[bytes], ids: list[str], answers: zmq.Socket[bytes]) -> None:
    try:
        _, message, payload = telemetry.read(parts)
    except WireError as error:
        log.warning("from the bridge: %s", error)
        return
    if not isinstance(message, Advance):
        held.hear(message, payload)
        return
    if message.sim_ns > held.until_ns:
        for feedback in held.advance(message.sim_ns):
            transport.send(answers, wire.pack(feedback))
    for name in ids:  # also when asked again: the first answer may have met nobody
        transport.send(answers, wire.pack(Advanced(VERSION, name, message.sim_ns)))


def main(argv: list[str] | None = None) -> int:
    """The whole life of the process."""
    start = processes.parse(NAME, argv, has_id=True)
    config = start.config
    if not processes.is_held(config):
        raise ConfigError(
            "expected a world and `bridge.pace: hold`: else vehicles run in real time"
        )
    held = Held(config, start.run_folder)
    stop = processes.Stop()
    processes.ready()
    try:
        serve(held, config, stop)
    finally:
        held.close()
    for name, vehicle in held.drive.vehicles.items():
        counts = msgspec.to_builtins(vehicle.dispatcher.counters)
        log.info("%s: %s", name, counts)
    return 0


if __name__ == "__main__":
    sys.exit(processes.entry(main))
