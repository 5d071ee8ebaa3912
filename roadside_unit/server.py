"""The roadside unit's process: two ROUTERs, the inference worker and telemetry in one thread."""

import json
import logging
from pathlib import Path

import zmq

from roadside_unit.admission import Admission
from roadside_unit.desk import Desk
from scheduler import processes, telemetry, transport, wire
from scheduler.clock import Clock
from scheduler.config import Config, Unit
from scheduler.placement import split_name
from scheduler.security import Keys, Site, is_guarded, start_authenticator
from vehicle.perception.abilities import Wanted
from vehicle.perception.detector import DetectorSpec
from vehicle.perception.worker import Worker

log = logging.getLogger(__name__)

STATUS_NS = 500_000_000
LONGEST_WAIT_MS = 50  # the worker's watchdog and restarts are looked at this often
_DONTWAIT = int(zmq.DONTWAIT)
ALLOW_LIST_NS = 100_000_000  # a look takes as long as the rest of the check of a frame
LOADING_S = 60.0  # for the models, at start


class Server:
    """Owns every socket of a roadside unit."""

    def __init__(
        self, config: Config, unit: Unit, clock: Clock, worker: Worker, run_folder: Path | None
    ) -> None:
        """Binds.

        Raises:
            PortInUseError: another process listens there.
            CertificateError: our key or the allow-list is missing.
        """
        self._clock = clock
        self._worker = worker
        self._run_folder = run_folder
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context(io_threads=1)
        self._authenticator = None
        site, keys = None, None
        try:
            control = processes.address(config, "rsu", unit.id, "control", is_bind=True)
            if is_guarded(config, control):
                folder = config.path(config.security.certificates)
                site = Site(folder, look_every_ns=ALLOW_LIST_NS)
                keys = site.keys(unit.id)
                self._authenticator = start_authenticator(self._context, site)
            self._control = self._bind_router(config, unit, "control", keys)
            self._frames = self._bind_router(config, unit, "frames", keys)
            address = processes.address(config, "rsu", unit.id, "telemetry", is_bind=True)
            publish_keys = keys if address.startswith("tcp://") else None
            self._publisher = telemetry.Publisher(
                transport.bind_publisher(self._context, address, publish_keys), unit.id
            )
        except BaseException:
            self.close()
            raise
        self.desk = Desk(
            unit_id=unit.id,
            credits=unit.credits,
            models=[detector.id for detector in unit.detectors],
            worker=worker,
            site=site,
            send=self._send,
            position=unit.at if unit.kind == "roadside" else None,
            say=lambda level, text: self._publisher.event(level, f"{unit.id}: {text}"),
        )
        self._poller = zmq.Poller()
        self._poller.register(self._control, zmq.POLLIN)
        self._poller.register(self._frames, zmq.POLLIN)
        self._watched: tuple[int, int] = (-1, -1)  # the worker's generation and descriptor
        self._is_worker_away = False
        self._status_due_ns = clock.now_ns()

    def open_desk(self) -> None:
        """The models are loaded: what they can do and what that takes is known."""
        loaded = self._worker.loaded
        halves = {split_name(model): ns for model, ns in loaded.decode_ns.items()}
        self.desk.admission = Admission({**self._worker.typical_ns, **halves})
        self.desk.splits = tuple(loaded.decode_ns)
        self.desk.heads = loaded.heads

    def turn(self) -> None:
        """Wait for something, and do it."""
        self._watch_worker()
        ready = [opened for opened, _ in self._poller.poll(LONGEST_WAIT_MS)]
        for socket in (self._control, self._frames):
            if socket in ready:
                self._receive(socket)
        now_ns = self._clock.now_ns()
        self.desk.on_answers(self._worker.poll(now_ns), now_ns)
        self._tell_of_worker()
        self.desk.tell(now_ns)
        if now_ns >= self._status_due_ns:
            self._status_due_ns = now_ns + STATUS_NS
            self._publish(now_ns)

    def close(self) -> None:
        """Close every socket; leave the counters in the run folder."""
        if self._authenticator is not None:
            self._authenticator.stop()
        self._context.destroy(linger=0)

    def report(self) -> None:
        """Write the counters to `rsu-ID.json` in the run folder."""
        counted = self.desk.report()
        log.info("%s", counted)
        if self._run_folder is not None:
            path = self._run_folder / f"rsu-{self.desk.unit_id}.json"
            counted["worker_restarts"] = self._worker.restarts
            told = {**counted, "models": self._worker.loaded.backends}
            path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")

    def _bind_router(
        self, config: Config, unit: Unit, name: str, keys: Keys | None
    ) -> "zmq.Socket[bytes]":
        address = processes.address(config, "rsu", unit.id, name, is_bind=True)
        return transport.bind_router(self._context, address, keys)

    def _receive(self, socket: "zmq.Socket[bytes]") -> None:
        """One message: the poller is level-triggered, and so each socket has its turn."""
        try:
            frame = socket.recv(_DONTWAIT, copy=False)
        except zmq.Again:
            return
        connection = frame.bytes
        parts = []
        while frame.more:
            frame = socket.recv(_DONTWAIT, copy=False)
            parts.append(frame.bytes)
        key = _key_of(frame) if self.desk.site is not None else None
        self.desk.on_message(connection, key, parts, self._clock.now_ns())

    def _send(self, connection: bytes, parts: list[bytes]) -> bool:
        return transport.send(self._control, [connection, *parts])

    def _watch_worker(self) -> None:
        """Poll the worker's present descriptor, which changes with its process."""
        now = (self._worker.generation, self._worker.fileno())
        if now == self._watched:
            return
        if self._watched[1] >= 0:
            self._poller.unregister(self._watched[1])
        if now[1] >= 0:
            self._poller.register(now[1], zmq.POLLIN)
        self._watched = now

    def _publish(self, now_ns: int) -> None:
        status = self.desk.status(STATUS_NS, now_ns)
        self._publisher.publish(status, status.unit_id)

    def _tell_of_worker(self) -> None:
        is_away = not self._worker.is_ready
        if is_away == self._is_worker_away:
            return
        self._is_worker_away = is_away
        if is_away:
            self.desk.say("warning", "the inference worker is away: requests are refused")
        else:
            self.desk.say("info", "the inference worker is back")


def _key_of(frame: zmq.Frame) -> bytes | None:
    """The public key that this connection proved, z85."""
    try:
        value = frame.get("User-Id")
    except zmq.ZMQError:
        return None
    return value.encode() if isinstance(value, str) else None


def serve(start: processes.Start, clock: Clock) -> None:
    """Run one roadside unit until told to stop."""
    config = start.config
    unit = config.unit(start.instance_id) if start.instance_id else config.roadside_units[0]
    specs = [DetectorSpec.of(detector, config.path) for detector in unit.detectors]
    worker = Worker(
        unit.id,
        specs,
        threads=unit.threads,
        slowdown=unit.slowdown,
        max_frame_bytes=wire.MAX_OFFLOAD_BYTES,
        clock=clock,
        wanted=Wanted(decode=True, heads=("*",)),
    )
    try:
        worker.start()
        server = Server(config, unit, clock, worker, start.run_folder)
        try:
            worker.wait_ready(LOADING_S)
            server.open_desk()
            stop = processes.Stop()  # until here a signal ends us at once, and the worker with us
            processes.ready()
            while not stop:
                server.turn()
            server.report()
        finally:
            server.close()
    finally:
        worker.stop()
