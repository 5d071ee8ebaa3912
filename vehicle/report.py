"""What a vehicle tells about itself: stage times, counters, and the records made of them."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from scheduler import messages
from scheduler.config import Vehicle
from scheduler.dispatcher import Dispatcher
from scheduler.uplink import Uplink
from vehicle.beliefs import LinkBelief, beliefs_of

WINDOW_NS = 10_000_000_000  # of the stage times shown while driving
MAX_SAMPLES = 200_000  # per stage and drive; two hours at 25 Hz
MS = 1e6  # ns
P20 = -0.84  # standard deviations from the median of a normal distribution


def percentile(ordered: list[float], share: float) -> float:
    """The smallest value that `share` of an ordered list does not exceed; 0 of an empty one."""
    if not ordered:
        return 0.0
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


class Stages:
    """Durations of the stages, of the last ten seconds and of the whole drive, in ms."""

    def __init__(self) -> None:
        self._recent: dict[str, deque[tuple[int, float]]] = {}
        self._all: dict[str, list[float]] = {}

    def add(self, stage: str, duration_ms: float, now_ns: int) -> None:
        """One more measurement."""
        recent = self._recent.setdefault(stage, deque())
        recent.append((now_ns, duration_ms))
        while recent[0][0] < now_ns - WINDOW_NS:
            recent.popleft()
        kept = self._all.setdefault(stage, [])
        if len(kept) < MAX_SAMPLES:
            kept.append(duration_ms)

    def recent(self, now_ns: int) -> dict[str, tuple[float, float]]:
        """(p50, p99) of each stage over the last ten seconds."""
        found = {}
        for stage, samples in self._recent.items():
            ordered = sorted(value for at, value in samples if at >= now_ns - WINDOW_NS)
            if ordered:
                found[stage] = (percentile(ordered, 0.5), percentile(ordered, 0.99))
        return found

    def overall(self) -> dict[str, tuple[float, float]]:
        """(p50, p99) of each stage over the drive."""
        ordered = {stage: sorted(samples) for stage, samples in self._all.items()}
        return {s: (percentile(o, 0.5), percentile(o, 0.99)) for s, o in ordered.items()}


@dataclass(slots=True)
class UnitCounts:
    """Requests to one unit, as far as the dispatcher does not count them by unit."""

    sent: int = 0
    ok: int = 0
    late: int = 0
    rejected: int = 0
    reopened: int = 0


@dataclass(slots=True)
class Tally:
    """Counts of a drive.

    Attributes:
        captured: Frames that came from the cameras.
        faults: By cause; nothing here ever cost a verdict.
    """

    captured: int = 0
    first_ns: int = 0
    last_ns: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    units: dict[str, UnitCounts] = field(default_factory=dict)
    recent: deque[int] = field(default_factory=lambda: deque(maxlen=64))

    def on_frame(self, now_ns: int) -> None:
        """One more frame."""
        self.captured += 1
        self.first_ns = self.first_ns or now_ns
        self.last_ns = now_ns
        self.recent.append(now_ns)

    def fps(self, now_ns: int, cameras: int) -> float:
        """Frames a second and camera, over the last frames."""
        if len(self.recent) < 2 or now_ns - self.recent[-1] > 2_000_000_000:
            return 0.0
        span = self.recent[-1] - self.recent[0]
        return (len(self.recent) - 1) * 1e9 / max(span, 1) / cameras

    def overall_fps(self, cameras: int) -> float:
        """The same over the drive."""
        span = self.last_ns - self.first_ns
        return (self.captured - cameras) * 1e9 / span / cameras if span > 0 else 0.0


class Drive(msgspec.Struct, frozen=True):
    """The final record of a vehicle, `vehicle-<id>.json` in the run folder; times in ms.

    `verdicts = captured x every-frame services`; `sent = ok + late + rejected + lost`.
    """

    vehicle_id: str
    policy: str
    deadline_ms: float
    compute: dict[str, float]
    cameras: list[str]
    services: list[str]
    captured: int
    missed_upstream: int
    verdicts: int
    late: int
    answers: dict[str, int]
    offload: dict[str, int]
    units: dict[str, dict[str, int]]
    stages_ms: dict[str, tuple[float, float]]
    faults: dict[str, int]
    fps: float
    worker_restarts: int
    recorder_dropped: int
    links: dict[str, int] = {}  # opened and closed by handover; hedged copies sent, spare answers
    models: dict[str, str] = {}  # what computed each onboard model, in words
    beliefs: dict[str, LinkBelief] = {}  # by link: what was promised of it, against what came


def answers_of(dispatcher: Dispatcher) -> dict[str, int]:
    """Verdicts by kind."""
    counters = dispatcher.counters
    return {
        "onboard": counters.onboard,
        "offloaded": counters.offloaded,
        "carried": counters.carried,
    }


def faults_of(dispatcher: Dispatcher, tally: Tally) -> dict[str, int]:
    """All faults by cause; zero ones are left out."""
    own = {
        "policy": dispatcher.counters.policy_faults,
        "worker": dispatcher.counters.local_faults,
        "duplicates": dispatcher.counters.duplicates,
    }
    return {name: count for name, count in {**tally.faults, **own}.items() if count}


def lost_of(counts: UnitCounts, in_flight: int) -> int:
    """Requests to a unit that ended in no answer at all."""
    return counts.sent - counts.ok - counts.late - counts.rejected - in_flight


def link_status(
    vehicle_id: str, uplink: Uplink, counts: UnitCounts, now_ns: int
) -> messages.LinkStatus:
    """What is known of one link."""
    estimate = uplink.estimator
    return messages.LinkStatus(
        version=messages.VERSION,
        vehicle_id=vehicle_id,
        unit_id=uplink.unit_id,
        stamp_ns=now_ns,
        state=estimate.state if uplink.is_open else "closed",
        rate_mbps=estimate.rate_bps / 1e6,
        rate_p20_mbps=estimate.rate_quantile_bps(P20) / 1e6,
        rtt_ms=estimate.srtt_ns / MS,
        in_flight=len(uplink.flights),
        credits=uplink.window,
        queue_ms=estimate.queue_ns / MS,
        sent=counts.sent,
        ok=counts.ok,
        late=counts.late,
        rejected=counts.rejected,
        lost=lost_of(counts, len(uplink.flights)),
        reopened=counts.reopened,
    )


def vehicle_status(
    vehicle: Vehicle,
    dispatcher: Dispatcher,
    tally: Tally,
    stages: Stages,
    missed_upstream: int,
    pose: messages.Pose | None,
    pose_stamp_ns: int,
    now_ns: int,
) -> messages.VehicleStatus:
    """A vehicle's counters now."""
    return messages.VehicleStatus(
        version=messages.VERSION,
        vehicle_id=vehicle.id,
        policy=vehicle.policy.name,
        deadline_ms=vehicle.deadline_ms,
        slowdown=vehicle.compute.slowdown,
        captured=tally.captured,
        missed_upstream=missed_upstream,
        verdicts=dispatcher.counters.verdicts,
        late=dispatcher.counters.late,
        answers=answers_of(dispatcher),
        fps=tally.fps(now_ns, len(vehicle.cameras)),
        stages_ms=stages.recent(now_ns),
        faults=faults_of(dispatcher, tally),
        pose_age_ms=(now_ns - pose_stamp_ns) / MS if pose else 0.0,
        speed=pose.speed if pose else 0.0,
    )


def drive(
    vehicle: Vehicle,
    services: list[str],
    dispatcher: Dispatcher,
    tally: Tally,
    stages: Stages,
    missed_upstream: int,
    worker_restarts: int,
    recorder_dropped: int,
    models: dict[str, str],
    now_ns: int,
) -> Drive:
    """The final record, after the dispatcher's shutdown."""
    offload = dispatcher.counters.offload
    compute = vehicle.compute
    return Drive(
        vehicle_id=vehicle.id,
        policy=vehicle.policy.name,
        deadline_ms=vehicle.deadline_ms,
        compute={
            "slowdown": compute.slowdown, "threads": compute.threads, "watts": compute.watts,
        },
        cameras=[camera.id for camera in vehicle.cameras],
        services=services,
        captured=tally.captured,
        missed_upstream=missed_upstream,
        verdicts=dispatcher.counters.verdicts,
        late=dispatcher.counters.late,
        answers=answers_of(dispatcher),
        offload={
            "sent": offload.sent, "ok": offload.ok, "late": offload.late,
            "rejected": offload.rejected, "lost": offload.lost,
        },
        units={
            unit: {
                "sent": counts.sent, "ok": counts.ok, "late": counts.late,
                "rejected": counts.rejected, "lost": lost_of(counts, 0),
                "reopened": counts.reopened,
            }
            for unit, counts in tally.units.items()
        },
        stages_ms=stages.overall(),
        faults=faults_of(dispatcher, tally),
        fps=tally.overall_fps(len(vehicle.cameras)),
        worker_restarts=worker_restarts,
        recorder_dropped=recorder_dropped,
        links={
            "opened": offload.opened, "closed": offload.closed, "hedged": offload.hedged,
            "spare": offload.spare,
        },
        models=models,
        beliefs=beliefs_of(dispatcher.uplinks, now_ns),
    )  # fmt: skip


def write_json(path: Path, record: Mapping[str, object] | msgspec.Struct) -> None:
    """A readable JSON file, replaced as a whole."""
    scratch = path.with_suffix(".part")
    scratch.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n")
    scratch.replace(path)
