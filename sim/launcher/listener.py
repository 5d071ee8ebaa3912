"""Hears what the processes publish and keeps it in the run folder, for the summary."""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import msgspec
import zmq

from scheduler import messages, telemetry, transport
from scheduler.clock import NS_PER_S, Clock
from scheduler.errors import CertificateError, WireError
from sim.launcher.plan import Plan
from sim.launcher.ports import bind_of

log = logging.getLogger(__name__)

FILE = "telemetry.jsonl"
TOPICS = {
    "bridge": ("world",),
    "link": ("channel/", "event/"),
    "vehicle": ("status/", "event/"),
    "rsu": ("unit/", "event/"),
}


class Listener:
    """Appends `[t_ns, kind, message]` to `telemetry.jsonl`, a line each.

    `t_ns` is this machine's monotonic clock, which is also that of a vehicle on it.
    """

    def __init__(
        self, context: "zmq.Context[zmq.Socket[bytes]]", plan: Plan, folder: Path, clock: Clock
    ) -> None:
        self._clock = clock
        self._file = (folder / FILE).open("ab")
        self._captured: dict[str, int] = {}
        self._changed_ns: int | None = None
        self._sockets = list(_sockets(context, plan))

    def __enter__(self) -> "Listener":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.poll()
        self._file.close()
        for socket in self._sockets:
            socket.close()

    def poll(self) -> None:
        """Take in and keep what was published."""
        for socket in self._sockets:
            while (parts := transport.receive(socket)) is not None:
                with contextlib.suppress(WireError):
                    self._keep(parts)
        self._file.flush()

    def _keep(self, parts: list[bytes]) -> None:
        _, message, _ = telemetry.read(parts)
        now_ns = self._clock.now_ns()
        self._file.write(msgspec.json.encode((now_ns, parts[1].decode(), message)) + b"\n")
        if isinstance(message, messages.VehicleStatus):
            if message.captured > self._captured.get(message.vehicle_id, 0):
                self._changed_ns = now_ns
            self._captured[message.vehicle_id] = message.captured

    def is_silent(self, seconds: float) -> bool:
        """Whether frames came to our vehicles and then stopped for this long."""
        if self._changed_ns is None:
            return False
        return self._clock.now_ns() - self._changed_ns > seconds * NS_PER_S


def _sockets(
    context: "zmq.Context[zmq.Socket[bytes]]", plan: Plan
) -> Iterator["zmq.Socket[bytes]"]:
    """One to each process here, and to each of the other machines' that we have the keys for."""
    here = {(instance.process.name, instance.instance_id) for instance in plan.instances}
    for process, instance_id in telemetry.publishers(plan.config):
        bind = bind_of(plan.config, process, instance_id)
        if (process, instance_id) not in here and bind.host is None:
            continue
        try:
            yield telemetry.subscribe(
                context, plan.config, process, instance_id, TOPICS[process], name="launcher"
            )
        except CertificateError as error:
            log.info("%s %s is not listened to: %s", process, instance_id, error)
