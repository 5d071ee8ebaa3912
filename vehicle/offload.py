"""The vehicle's end of the offload protocol: one link to one roadside unit.

Two DEALERs, so that a ping does not queue behind a picture: control (hello, pings; results come
back here) and frames. Both are bound to one random session by HELLO; a reopened link has a new
session, and what belongs to another one is counted and dropped.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import zmq
from msgspec import Struct
from zmq.utils.monitor import recv_monitor_message

from scheduler import messages, paths, processes, transport, wire
from scheduler.config import Config
from scheduler.effects import Send, UnitLoad, UnitReport
from scheduler.errors import WireError
from scheduler.offload_messages import Beacon, Bye, Hello, Ping, Pong, Request, Result, Welcome
from scheduler.security import Keys, client_keys
from vehicle.perception.detections import Detections

log = logging.getLogger(__name__)

HELLO_AGAIN_NS = 200_000_000  # until the welcome
BYE_MS = 50  # that a good-bye has to leave; without it the unit keeps the session for 30 s
FASTEST_BEACON_NS = 50_000_000  # a unit that sends more often is not heard more often
MOST_METRES = 1e7  # of a unit's place in the world; more is nonsense
HELLO_SOON_NS = 20_000_000  # while the socket is not connected yet
US = 1000  # ns
MOST_SHRUNK = 64  # requests whose scale is remembered; credits allow fewer in flight


@dataclass(frozen=True, slots=True)
class Welcomed:
    """The unit admits the session; models, and second halves, with their typical ns."""

    credits: int
    models: list[tuple[str, int]]
    splits: list[tuple[str, int]] = field(default_factory=list)
    heads: Mapping[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ponged:
    """A ping came back; `there_ns`: the unit's clock then, 0 = not told."""

    number: int
    there_ns: int = 0


@dataclass(frozen=True, slots=True)
class Beaconed:
    """The unit says how busy it is."""

    load: UnitLoad


class Answered(Struct, frozen=True, eq=False):
    """A request ended; `detections` in frame pixels when the status is ok, and asked heads."""

    seq: int
    report: UnitReport
    detections: Detections | None
    heads: Mapping[str, bytes] = {}


Heard = Welcomed | Ponged | Beaconed | Answered


@dataclass(slots=True)
class LinkFaults:
    """What a unit sent that is not for us or not of the protocol."""

    aliens: int = 0
    malformed: int = 0
    refused: int = 0  # handshakes that the unit's CURVE ended
    flood: int = 0  # beacons beyond any sensible rate, or older than the last


@dataclass(slots=True, eq=False)
class _Sockets:
    control: zmq.Socket[bytes]
    frames: zmq.Socket[bytes]
    monitor: zmq.Socket[bytes]
    session: int
    is_welcome: bool = False
    is_frames_known: bool = False
    hello_due_ns: int = 0
    beacon: int = -1  # number of the last one
    beacon_ns: int = -FASTEST_BEACON_NS


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a link's two sockets connect to, and the keys of both ends (None = no CURVE)."""

    control: str
    frames: str
    keys: Keys | None = None
    server_key: bytes | None = None

    @staticmethod
    def of(config: Config, vehicle_id: str, unit_id: str) -> Addresses:
        """By the configuration: always through the link; `unit_id` may be a link of several.

        Raises:
            CertificateError: a key is missing.
        """
        pair = f"{vehicle_id}.{unit_id}"
        unit_id = paths.unit_of(unit_id)
        control = processes.address(config, "link", pair, "control")
        frames = processes.address(config, "link", pair, "frames")
        return Addresses(control, frames, *client_keys(config, control, vehicle_id, unit_id))


@dataclass(slots=True, eq=False)
class OffloadLink:
    """One vehicle's link to one unit; `path` names its radio where several lead there."""

    context: zmq.Context[zmq.Socket[bytes]]
    vehicle_id: str
    unit_id: str
    addresses: Addresses
    path: str = ""
    faults: LinkFaults = field(default_factory=LinkFaults)
    generation: int = 0  # changes whenever `control` does
    _sockets: _Sockets | None = None
    _shrunk: dict[int, tuple[float, float]] = field(default_factory=dict)  # seq -> frame pixels
    # per encoded pixel, x and y, of pictures that were sent smaller

    @property
    def control(self) -> zmq.Socket[bytes]:
        """Of the open sockets."""
        assert self._sockets is not None
        return self._sockets.control

    @property
    def pollable(self) -> zmq.Socket[bytes] | None:
        """To be polled for reading; None while the link is closed."""
        return self._sockets.control if self._sockets is not None else None

    @property
    def session(self) -> int:
        """Of the open sockets."""
        assert self._sockets is not None
        return self._sockets.session

    def reopen(self, now_ns: int) -> None:
        """Close both sockets and open new ones with a new session."""
        self.close()
        where = self.addresses
        control = transport.connect_dealer(
            self.context, where.control, where.keys, where.server_key, tos=transport.CONTROL_TOS
        )
        frames = transport.connect_dealer(
            self.context, where.frames, where.keys, where.server_key, tos=transport.FRAMES_TOS
        )
        monitor = control.get_monitor_socket(zmq.EVENT_HANDSHAKE_FAILED_AUTH)
        self._sockets = _Sockets(control, frames, monitor, secrets.randbits(63))
        self.generation += 1
        self.greet(now_ns)

    def next_hello_ns(self) -> int | None:
        """When `greet` is due; None once both sockets are bound to the session."""
        sockets = self._sockets
        if sockets is None or (sockets.is_welcome and sockets.is_frames_known):
            return None
        return sockets.hello_due_ns

    def greet(self, now_ns: int) -> None:
        """Say HELLO on both sockets, as long as the unit has not answered."""
        sockets = self._sockets
        due_ns = self.next_hello_ns()
        if sockets is None or due_ns is None or now_ns < due_ns:
            return
        is_known = sockets.is_welcome or self._hello(sockets.control, "control")
        sockets.is_frames_known = self._hello(sockets.frames, "frames")
        is_out = is_known and sockets.is_frames_known
        sockets.hello_due_ns = now_ns + (HELLO_AGAIN_NS if is_out else HELLO_SOON_NS)

    def ping(self, number: int) -> bool:
        """Send a ping; False when the socket is not connected."""
        message = Ping(messages.VERSION, self.vehicle_id, self.session, number)
        return transport.send(self.control, wire.pack(message))

    def send(self, effect: Send, payload: bytes, now_ns: int) -> bool:
        """Send a request; False when the socket is full or away."""
        assert self._sockets is not None
        task = effect.task
        scale = task.width / effect.width if effect.width else 1.0
        request = Request(
            version=messages.VERSION,
            vehicle_id=self.vehicle_id,
            session=self.session,
            seq=effect.seq,
            camera_id=task.camera_id,
            tick=task.tick,
            sim_ns=task.sim_ns,
            service=task.service,
            model=effect.model,
            age_us=max(0, now_ns - task.stamp_ns) // US,
            budget_us=max(0, effect.budget_ns) // US,
            width=effect.width or task.width,
            height=effect.height or task.height,
            scale=scale,
            size=len(payload),
            crc32=wire.crc32(payload) if self.addresses.keys is None else 0,
            payload_kind=effect.payload_kind,
            heads=list(effect.heads),
        )
        parts = wire.pack(request, payload)
        if sum(map(len, parts)) > wire.MAX_OFFLOAD_BYTES:
            return False
        if effect.width:
            self._shrunk[effect.seq] = scale, task.height / effect.height
            if len(self._shrunk) > MOST_SHRUNK:
                del self._shrunk[next(iter(self._shrunk))]
        return transport.send(self._sockets.frames, parts)

    def receive(self, now_ns: int) -> list[Heard]:
        """Everything that came, validated."""
        heard: list[Heard] = []
        while self._sockets is not None:
            # Called when there is something; only what comes after it is asked for first.
            parts = transport.receive(self._sockets.control, is_likely=not heard)
            if parts is None:
                break
            try:
                found = self._read(parts, now_ns)
            except WireError as error:
                self.faults.malformed += 1
                log.debug("%s: %s", self.unit_id, error)
                continue
            if found is not None:
                heard.append(found)
        return heard

    def watch_handshakes(self) -> int:
        """Handshakes that the unit refused since the last look: it does not know our key."""
        refused = 0
        while self._sockets is not None and self._sockets.monitor.poll(0):
            event = recv_monitor_message(self._sockets.monitor)
            refused += event["event"] == zmq.EVENT_HANDSHAKE_FAILED_AUTH
        self.faults.refused += refused
        return refused

    def leave(self) -> None:
        """Tell the unit and close."""
        if self._sockets is not None:
            bye = Bye(messages.VERSION, self.vehicle_id, self.session)
            transport.send(self.control, wire.pack(bye))
        self.close(linger_ms=BYE_MS)

    def close(self, linger_ms: int = 0) -> None:
        """Close both sockets; what is in flight is lost, but for control's for so long."""
        if self._sockets is not None:
            self._sockets.control.disable_monitor()
            self._sockets.monitor.close()
            self._sockets.control.close(linger_ms)
            self._sockets.frames.close()
            self._sockets = None
            self.generation += 1

    def _hello(self, socket: zmq.Socket[bytes], channel: str) -> bool:
        checked = "control" if channel == "control" else "frames"
        hello = Hello(
            messages.VERSION,
            self.vehicle_id,
            self.session,
            checked,  # type: ignore[arg-type]
            self.path,
            wants_beacons=True,
        )
        return transport.send(socket, wire.pack(hello))

    def _read(self, parts: list[bytes], now_ns: int) -> Heard | None:
        kinds = (
            Welcome,
            Result,
            Pong,
            Beacon,
            Bye,
        )
        message, payload = wire.unpack(parts, *kinds)
        assert isinstance(message, kinds) and self._sockets is not None
        name = message.name if isinstance(message, Bye) else message.unit_id
        if message.session != self._sockets.session or name != self.unit_id:
            self.faults.aliens += 1
            return None
        if isinstance(message, Welcome):
            if len(message.infer_us) != len(message.models):
                raise WireError("expected one inference time for each model of the welcome")
            self._sockets.is_welcome = True
            models = zip(message.models, (us * US for us in message.infer_us), strict=True)
            splits = [(name, us * US) for name, us in message.splits.items()]
            return Welcomed(message.credits, list(models), splits, message.heads)
        if isinstance(message, Pong):
            return Ponged(message.number, message.clock_us * US)
        if isinstance(message, Beacon):
            return self._beaconed(message, now_ns)
        if isinstance(message, Result):
            return self._answered(message, payload)
        return None  # it leaves: what is in flight runs into its leases

    def _beaconed(self, message: Beacon, now_ns: int) -> Beaconed | None:
        sockets = self._sockets
        assert sockets is not None
        place = message.position
        if place is not None and not all(abs(metres) < MOST_METRES for metres in place):
            raise WireError(f"expected a unit's place in metres, got {place}")
        is_early = now_ns - sockets.beacon_ns < FASTEST_BEACON_NS
        if message.number <= sockets.beacon or is_early:
            self.faults.flood += 1
            return None
        sockets.beacon, sockets.beacon_ns = message.number, now_ns
        return Beaconed(
            UnitLoad(
                message.queue_length,
                message.wait_us * US,
                message.busy_share,
                message.credits,
                {model: us * US for model, us in message.models.items()},
                {model: us * US for model, us in message.splits.items()},
                place[:2] if place is not None else None,
            )
        )

    def _answered(self, message: Result, payload: list[bytes]) -> Answered:
        status, reason, found = message.status, message.reason, None
        heads: dict[str, bytes] = {}
        scale = self._shrunk.pop(message.seq, None)
        if status == "ok":
            try:
                heads = _heads(message, payload)
                found = Detections.from_bytes(payload[0])
                if scale is not None:
                    found = _enlarged(found, scale)
            except WireError as error:
                self.faults.malformed += 1
                status, reason = "bad", str(error)[:300]
        report = UnitReport(
            status,
            message.queue_us * US,
            message.decode_us * US,
            message.infer_us * US,
            message.credits,
            message.retry_after_us * US,
            reason,
        )
        return Answered(message.seq, report, found, heads if found is not None else {})


def _enlarged(found: Detections, scale: tuple[float, float]) -> Detections:
    """Boxes of a picture that was sent smaller, in pixels of its frame."""
    xyxy = found.xyxy * np.array([*scale, *scale], np.float32)
    return Detections(xyxy, found.score, found.class_id)


def _heads(message: Result, payload: list[bytes]) -> dict[str, bytes]:
    """The parts after the detections, each as long as the header says."""
    if len(payload) != 1 + len(message.heads):
        expected = f"detections and {len(message.heads)} head(s)"
        raise WireError(f"expected a payload of {expected}, got {len(payload)} part(s)")
    heads = dict(zip(message.heads, payload[1:], strict=True))
    for name, size in message.heads.items():
        if len(heads[name]) != size:
            raise WireError(f"expected {size} bytes of {name}, got {len(heads[name])}")
    return heads
