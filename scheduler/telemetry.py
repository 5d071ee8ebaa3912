"""What processes publish: one table of topics, its publishers and subscribers."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import zmq

from scheduler import messages, processes, transport, wire
from scheduler.config import Config
from scheduler.errors import WireError
from scheduler.security import client_keys

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Topic:
    """One kind of published message.

    Attributes:
        prefix: Start of the topic; the ids follow, each after a slash.
        rate_hz: How often a healthy publisher sends it; 0 = on change. Liveness follows from it.
        is_recorded: Whether the vehicle's recorder keeps it.
    """

    prefix: str
    message: type[wire.AnyMessage]
    publisher: str
    rate_hz: float
    is_recorded: bool


TOPICS = (
    Topic("frame", messages.Frame, "bridge", 10.0, True),
    Topic("pose", messages.Pose, "bridge", 10.0, True),
    Topic("site", messages.Site, "bridge", 1.0, True),
    Topic("traffic", messages.Traffic, "bridge", 10.0, False),
    Topic("world", messages.WorldStatus, "bridge", 1.0, True),
    Topic("advance", messages.Advance, "bridge", 0.0, False),  # in hold mode
    Topic("verdict", messages.Verdict, "vehicle", 10.0, True),
    Topic("link", messages.LinkStatus, "vehicle", 10.0, True),
    Topic("status", messages.VehicleStatus, "vehicle", 2.0, True),
    Topic("unit", messages.UnitStatus, "rsu", 2.0, False),
    Topic("channel", messages.LinkRow, "link", 10.0, True),
    Topic("process", messages.ProcessStatus, "launcher", 1.0, False),
    Topic("event", messages.Event, "any", 0.0, True),
)
BY_KIND = {topic.message.kind: topic for topic in TOPICS}


class Publisher:
    """The one PUB socket of a process."""

    def __init__(self, socket: "zmq.Socket[bytes]", process: str) -> None:
        self._socket = socket
        self._process = process

    def publish(
        self, message: wire.AnyMessage, *ids: str, payload: bytes | memoryview | None = None
    ) -> None:
        """Send a message under its topic and ids; a subscriber that is too slow misses it."""
        name = "/".join((BY_KIND[message.kind].prefix, *ids))
        parts: list[bytes | memoryview] = [name.encode(), message.kind, wire.encode(message)]
        if payload is not None:
            parts.append(payload)
        transport.send(self._socket, parts)

    def event(self, level: str, text: str) -> messages.Event:
        """Publish and log something that a watcher wants to read."""
        log.log(getattr(logging, level.upper()), "%s", text)
        checked = level if level in ("info", "warning", "error") else "info"
        event = messages.Event(
            messages.VERSION,
            self._process,
            checked,  # type: ignore[arg-type]
            text[:300],
        )
        self.publish(event, self._process)
        return event


def read(parts: list[bytes]) -> tuple[str, wire.AnyMessage, list[bytes]]:
    """Decode a published message: its topic, the message, its payload parts.

    Raises:
        WireError: not a message of the table.
    """
    if len(parts) < 3 or parts[1] not in BY_KIND:
        raise WireError(f"expected [topic, kind, header, ...] of the table, got {len(parts)} parts")
    message = wire.decode(BY_KIND[parts[1]].message, parts[2])
    return parts[0].decode(errors="replace"), message, list(parts[3:])


def publishers(config: Config) -> list[tuple[str, str]]:
    """(process, instance id) of everybody who publishes in this config, but for the launcher."""
    return [
        *((("bridge", ""),) if config.world is not None else ()),
        *(("vehicle", vehicle.id) for vehicle in config.vehicles),
        *(("rsu", unit.id) for unit in config.roadside_units),
        *((("link", ""),) if processes.pairs(config) else ()),
    ]


def subscribe(
    context: "zmq.Context[zmq.Socket[bytes]]",
    config: Config,
    process: str,
    instance_id: str,
    topics: Sequence[str],
    *,
    name: str,
    limit: int = transport.SUBSCRIBE_LIMIT,
    high_water: int = transport.PUBLISH_HIGH_WATER,
) -> "zmq.Socket[bytes]":
    """A SUB socket to what one process publishes; `name` is whose keys we use over TCP.

    Args:
        instance_id: A vehicle's or unit's id, else empty; the link publishes at its first pair.
        limit: Bytes of the largest message that is taken.
        high_water: Messages that wait to be received; then they are lost.

    Raises:
        CertificateError: over TCP, our own keys or the publisher's are missing.
    """
    socket = "frames" if process == "bridge" else "telemetry"
    if process == "link":
        instance_id = ".".join(processes.pairs(config)[0])
    address = processes.address(config, process, instance_id, socket)
    server = process if process in ("bridge", "link") else instance_id
    keys, server_key = client_keys(config, address, name, server)
    return transport.connect_subscriber(
        context, [address], topics, keys, server_key, limit=limit, high_water=high_water
    )
