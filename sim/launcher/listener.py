"""Hears what the processes publish and keeps it in the run folder, for the summary."""

import contextlib
from pathlib import Path
from types import TracebackType

import msgspec
import zmq

from scheduler import messages, telemetry, transport
from scheduler.clock import NS_PER_S, Clock
from scheduler.errors import WireError
from sim.launcher.plan import Plan

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
        self._sockets = [
            telemetry.subscribe(
                context, plan.config, process, instance.instance_id, topics, name="launcher"
            )
            for process, topics in TOPICS.items()
            for instance in plan.of(process)
        ]

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
