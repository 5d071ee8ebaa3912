"""What a watcher knows of a drive, gathered from telemetry; it reads no clock and no socket."""

from collections import deque
from dataclasses import dataclass, field

from scheduler import wire
from scheduler.clock import NS_PER_MS, NS_PER_S
from scheduler.messages import (
    Event,
    LinkRow,
    LinkStatus,
    Pose,
    ProcessStatus,
    UnitStatus,
    VehicleStatus,
    Verdict,
    WorldStatus,
)

STRIP = 400  # answers kept per service: 40 s at 10 fps
HISTORY = 240  # rates kept per link: two minutes
HISTORY_NS = 500 * NS_PER_MS  # between two of them
RECENT_NS = 10 * NS_PER_S  # what shares are told of
STALE_NS = 2 * NS_PER_S  # a publisher that is silent for this long is shown as such


@dataclass(slots=True)
class ServiceView:
    """One service on one camera: its last verdict and who answered before."""

    last: Verdict
    heard_ns: int
    answers: deque[tuple[int, str, str]] = field(default_factory=lambda: deque(maxlen=STRIP))
    # (when heard, answer, unit)

    def share(self, answer: str, now_ns: int) -> float:
        """Of the last ten seconds' verdicts, those of this kind."""
        recent = [kind for heard_ns, kind, _ in self.answers if now_ns - heard_ns <= RECENT_NS]
        return recent.count(answer) / len(recent) if recent else 0.0


@dataclass(slots=True)
class LinkView:
    """One link: what the vehicle thinks of it, and the emulated channel where there is one."""

    status: LinkStatus | None = None
    channel: LinkRow | None = None
    heard_ns: int = 0
    history: deque[float] = field(default_factory=lambda: deque(maxlen=HISTORY))  # Mbit/s
    noted_ns: int = 0

    def rate_mbps(self) -> float:
        """The channel's uplink rate, or the vehicle's estimate where no channel is emulated."""
        if self.channel is not None:
            return self.channel.up_bps / 1e6
        if self.status is not None and self.status.state == "up":
            return self.status.rate_mbps
        return 0.0


class State:
    """All that was heard, newest first where it matters."""

    def __init__(self, started_ns: int) -> None:
        self.started_ns = started_ns
        self.services: dict[tuple[str, str, str], ServiceView] = {}
        self.links: dict[tuple[str, str], LinkView] = {}
        self.vehicles: dict[str, VehicleStatus] = {}
        self.speeds: dict[str, Pose] = {}
        self.units: dict[str, UnitStatus] = {}
        self.processes: dict[str, ProcessStatus] = {}
        self.world: WorldStatus | None = None
        self.events: deque[tuple[int, Event]] = deque(maxlen=100)

    def take(self, message: wire.AnyMessage, now_ns: int) -> None:
        """Note one message."""
        if isinstance(message, Verdict):
            self._take_verdict(message, now_ns)
        elif isinstance(message, LinkStatus | LinkRow):
            self._take_link(message, now_ns)
        elif isinstance(message, VehicleStatus):
            self.vehicles[message.vehicle_id] = message
        elif isinstance(message, UnitStatus):
            self.units[message.unit_id] = message
        elif isinstance(message, ProcessStatus):
            self.processes[message.name] = message
        elif isinstance(message, WorldStatus):
            self.world = message
        elif isinstance(message, Pose):
            self.speeds[message.vehicle_id] = message
        elif isinstance(message, Event):
            self.events.appendleft((now_ns, message))

    def _take_verdict(self, verdict: Verdict, now_ns: int) -> None:
        key = (verdict.vehicle_id, verdict.camera_id, verdict.service)
        view = self.services.get(key)
        if view is None:
            view = self.services[key] = ServiceView(verdict, now_ns)
        view.last, view.heard_ns = verdict, now_ns
        view.answers.append((now_ns, verdict.answer, verdict.unit_id))

    def _take_link(self, message: LinkStatus | LinkRow, now_ns: int) -> None:
        view = self.links.setdefault((message.vehicle_id, message.unit_id), LinkView())
        view.heard_ns = now_ns
        if isinstance(message, LinkRow):
            view.channel = message
        else:
            view.status = message
        if now_ns - view.noted_ns >= HISTORY_NS:
            view.history.append(view.rate_mbps())
            view.noted_ns = now_ns
