"""How busy a unit is, told to vehicles that asked for it: what it says, to whom and how often.

Sans-IO. A vehicle that has fallen silent is told nothing: it is out of range or gone, and what is
sent into a dead connection only waits there.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from roadside_unit.session import Session
from scheduler.effects import UnitLoad
from scheduler.messages import VERSION, Metres3
from scheduler.offload_messages import MOST_MODELS, Beacon

PERIOD_NS = 250_000_000  # 4 Hz: about 150 bytes each, 5 kbit/s a vehicle
SILENT_NS = 1_000_000_000  # a vehicle pings ten times a second when it has nothing else to say
NS_PER_US = 1000
MOST_US = 3_600_000_000  # the wire's bound of a duration


@dataclass(slots=True)
class Waits:
    """Mean wait of the requests that were answered since the last beacon."""

    count: int = 0
    total_ns: int = 0

    def add(self, wait_ns: int) -> None:
        """One request waited so long."""
        self.count += 1
        self.total_ns += wait_ns

    def take_ns(self) -> int:
        """The mean, and begin anew; 0 when nobody asked: who asks now does not wait."""
        mean_ns = self.total_ns // self.count if self.count else 0
        self.count = self.total_ns = 0
        return mean_ns


class Beacons:
    """Numbers and paces a unit's beacons."""

    def __init__(self, unit_id: str, position: Metres3 | None = None) -> None:
        """`position`: of the antenna in the world, metres; None where nobody told the unit."""
        self.waits = Waits()
        self._unit_id = unit_id
        self._position = position
        self._number = 0
        self._busy_ns = 0
        self._begin_ns: int | None = None
        self._working_ns: int | None = None  # since when, within the period

    def on_begin(self, now_ns: int) -> None:
        """The unit's worker was given something."""
        self._working_ns = now_ns

    def on_end(self, now_ns: int) -> None:
        """It has done it, or failed."""
        if self._working_ns is not None:
            self._busy_ns += now_ns - self._working_ns
            self._working_ns = None

    def is_due(self, now_ns: int) -> bool:
        """Whether the next beacon is; the first call begins the first period."""
        if self._begin_ns is None:
            self._begin_ns = now_ns
        return now_ns - self._begin_ns >= PERIOD_NS

    def load(
        self,
        queue_length: int,
        credits: int,
        models: Mapping[str, int],
        splits: Mapping[str, int],
        now_ns: int,
    ) -> UnitLoad:
        """How busy the unit was in the period that ends now; the next one begins.

        Args:
            queue_length: Requests that wait or are in work.
            credits: Requests in flight that each vehicle may have.
            models: What each whole model takes of late, ns; 0 = not known.
            splits: What each second half takes.
            now_ns: Now.
        """
        period_ns = now_ns - self._begin_ns if self._begin_ns is not None else PERIOD_NS
        if self._working_ns is not None:  # what is not done yet is work too
            self.on_end(now_ns)
            self.on_begin(now_ns)
        busy_share = min(1.0, self._busy_ns / max(1, period_ns))
        self._begin_ns, self._busy_ns = now_ns, 0
        self._number += 1
        place = self._position[:2] if self._position is not None else None
        wait_ns = self.waits.take_ns()
        return UnitLoad(queue_length, wait_ns, busy_share, credits, models, splits, place)

    def message(self, session: int, load: UnitLoad) -> Beacon:
        """The newest load as one session hears it."""
        return Beacon(
            VERSION,
            self._unit_id,
            session,
            self._number,
            load.queue_length,
            load.busy_share,
            _micros(load.wait_ns),
            load.credits,
            _loads(load.models),
            _loads(load.splits),
            self._position,
        )


def listeners(sessions: Iterable[Session], now_ns: int) -> list[Session]:
    """Those who want beacons and have been heard of late."""
    return [
        session
        for session in sessions
        if session.wants_beacons and session.is_bound and now_ns - session.heard_ns < SILENT_NS
    ]


def _micros(duration_ns: int) -> int:
    return min(MOST_US, max(0, duration_ns) // NS_PER_US)


def _loads(durations_ns: Mapping[str, int]) -> dict[str, int]:
    named = list(durations_ns.items())[:MOST_MODELS]
    return {model: _micros(duration_ns) for model, duration_ns in named}
