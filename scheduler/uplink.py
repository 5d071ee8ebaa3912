"""One vehicle's end of one link: estimator, credits with leases, newest-frame slot, pings.

Credits, not ZeroMQ's queues, bound what is in flight; a credit is leased, so that a lost answer
returns it (reference network.md 3.2).
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from scheduler.clock_offset import ClockOffset
from scheduler.effects import UnitLoad
from scheduler.link import STALL_NS, LinkEstimator, LinkState
from scheduler.pace import Pace
from scheduler.placement import RemoteModel, Size, split_name
from scheduler.radio_map import RadioMap

MIN_LEASE_NS = 400_000_000
FOREVER_NS = 1 << 62
PING_INTERVAL_NS = 100_000_000  # of silence; 64 B at 10 Hz is 11 kbit/s with headers
EXPECTED_SERVICE_NS = 30_000_000  # of a model that the unit has not measured yet


class Flight(Struct, frozen=True):
    """One request in flight."""

    task_id: int
    model: str
    lease_until_ns: int
    is_split: bool = False
    deadline_ns: int = 0
    is_hedged: bool = False  # another copy of it went over another link


class Uplink:
    """State of one (vehicle, unit) pair on the vehicle."""

    def __init__(
        self,
        unit_id: str,
        window: int,
        accuracies: dict[str, float],
        now_ns: int,
        radio_map: RadioMap | None = None,
        frame_interval_ns: int = 100_000_000,
    ) -> None:
        self.unit_id = unit_id
        self.pace = Pace(frame_interval_ns)
        self.estimator = LinkEstimator(now_ns, radio_map)
        self.clock = ClockOffset()  # the unit's, for displays alone
        self.models: tuple[RemoteModel, ...] = ()
        self.splits: tuple[RemoteModel, ...] = ()  # whose second half runs there
        self.heads: Mapping[str, Sequence[str]] = {}  # further results, by model
        self.flights: dict[int, Flight] = {}
        self.encoding: set[int] = set()  # task ids that hold a credit and are not sent yet
        self.waiting: int | None = None  # newest-frame slot: a task without a credit
        self.retry_at_ns = 0
        self.is_open = True  # its sockets are
        self.is_leaving = False  # it takes nothing new, and closes when nothing is in flight
        self.load = UnitLoad(0, 0, 0.0, window)  # as its last beacon said
        self.pose: tuple[float, float, float, float] | None = None  # x, y in m, heading, speed
        self.snr_db: float | None = None  # where the radio reports it
        self.shrunk: Mapping[str, Mapping[Size, float]] = {}  # F1 of pictures sent smaller
        self._own_window = window
        self._unit_window = window
        self._accuracies = accuracies
        self._next_ping_ns = now_ns
        self._ping_number = 0

    def state(self, now_ns: int) -> LinkState:
        """Of the link; `down` also while it is closed or the unit has asked to be left alone."""
        if now_ns < self.retry_at_ns or self.is_leaving or not self.is_open:
            return "down"
        return self.estimator.state

    @property
    def is_busy(self) -> bool:
        """Whether something is in flight, or is being encoded for it."""
        return bool(self.flights or self.encoding)

    def carries(self, task_id: int) -> bool:
        """Whether a task may still be answered over this link."""
        return task_id in self.encoding or any(
            flight.task_id == task_id for flight in self.flights.values()
        )

    def offers(self, model: str) -> bool:
        """Whether the unit looks at whole pictures with this model."""
        return any(remote.model == model for remote in self.models)

    def bad_within(self, seconds: float, now_ns: int) -> float:
        """Probability that the link breaks in the seconds ahead, as far as places tell."""
        return self.estimator.bad_within(seconds, now_ns)

    def credits_free(self, now_ns: int) -> int:
        """Requests that may be placed now; none while they would only wait at the unit."""
        if self.pace.is_early(now_ns):
            return 0
        window = self._own_window if self._own_window < self._unit_window else self._unit_window
        free = window - len(self.flights) - len(self.encoding)
        return free if free > 0 else 0

    @property
    def window(self) -> int:
        """Requests that may be in flight."""
        return min(self._own_window, self._unit_window)

    def on_welcome(
        self,
        credits: int,
        models: Sequence[tuple[str, int]],
        now_ns: int,
        splits: Sequence[tuple[str, int]] = (),
        heads: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """The unit admitted us and says what it serves: (model, typical inference in ns)."""
        self._unit_window = credits
        self.models = tuple(
            RemoteModel(
                name,
                self._accuracies[name],
                infer_ns or EXPECTED_SERVICE_NS,
                self.shrunk.get(name, {}),
            )
            for name, infer_ns in models
            if name in self._accuracies
        )
        self.splits = tuple(
            RemoteModel(name, self._accuracies[split_name(name)], infer_ns or EXPECTED_SERVICE_NS)
            for name, infer_ns in splits
            if split_name(name) in self._accuracies
        )
        self.heads = dict(heads or {})
        self.estimator.heard_ns = now_ns
        self._next_ping_ns = now_ns

    def on_pose(self, x: float, y: float, heading: float, speed: float, now_ns: int) -> None:
        """Where the vehicle is (world, m, radians, m/s); what an estimator may learn by place."""
        self.pose = (x, y, heading, speed)
        self.estimator.on_pose(x, y, heading, speed, now_ns)

    def service_ns(self, model: str, is_split: bool) -> int:
        """What the unit's model takes of late; 0 where it is not offered."""
        for offered in self.splits if is_split else self.models:
            if offered.model == model:
                return offered.service_ns
        return 0

    def turn_ns(self, model: str, is_split: bool) -> int:
        """How long a request keeps the unit from its next, by its own clock on the wall.

        That is more than the model's computing, which `service_ns` tells: a busy machine, a GPU
        that is waited for.
        """
        told = self.load.splits if is_split else self.load.models
        return told.get(model, 0) or self.service_ns(model, is_split)

    def on_beacon(self, load: UnitLoad, now_ns: int) -> None:
        """The unit says how busy it is, which is fresher than its last answer to us."""
        self.load = load
        if not self.models and not self.splits:
            return  # not admitted yet
        self._unit_window = load.credits
        self.estimator.on_load(float(load.wait_ns), now_ns)
        for model, service_ns in load.models.items():
            if service_ns:
                self.models = _measured(self.models, model, service_ns)
        for model, service_ns in load.splits.items():
            if service_ns:
                self.splits = _measured(self.splits, model, service_ns)

    def on_report(self, flight: Flight, credits: int, service_ns: int) -> None:
        """A unit's answer updates its credits and the time that its model takes."""
        self._unit_window = credits
        if not service_ns:
            return
        if flight.is_split:
            self.splits = _measured(self.splits, flight.model, service_ns)
        else:
            self.models = _measured(self.models, flight.model, service_ns)

    def heads_of(self, model: str, wanted: Sequence[str]) -> tuple[str, ...]:
        """Those of the wanted heads that the unit's model has."""
        offered = self.heads.get(model, ())
        return tuple(head for head in wanted if head in offered)

    def expire(self, now_ns: int) -> list[int]:
        """Give back the credits whose lease ended; the tasks that held them."""
        if not self.flights:
            return []
        ended = [s for s, flight in self.flights.items() if flight.lease_until_ns <= now_ns]
        for seq in ended:
            self.estimator.on_expired(seq, now_ns)
        return [self.flights.pop(seq).task_id for seq in ended]

    def open(self, now_ns: int) -> list[int]:
        """New sockets; the tasks that the old ones were holding."""
        held = [flight.task_id for flight in self.flights.values()]
        held += sorted(self.encoding)
        held += [self.waiting] if self.waiting is not None else []
        self.estimator.on_open(now_ns)
        self.pace.on_open()
        self.flights.clear()
        self.encoding.clear()
        self.waiting = None
        self._next_ping_ns = now_ns
        self.retry_at_ns = 0
        self.models = self.splits = ()
        self.heads = {}
        return held

    def ping_due_ns(self) -> int:
        """When the next ping leaves if nothing is heard until then."""
        silent_ns = self.estimator.heard_ns + PING_INTERVAL_NS
        if silent_ns <= self._next_ping_ns or self.estimator.state == "connecting":
            return self._next_ping_ns
        return silent_ns

    def ping(self, now_ns: int) -> int:
        """Number of the ping that leaves now."""
        self._ping_number += 1
        self._next_ping_ns = now_ns + PING_INTERVAL_NS
        self.estimator.on_ping(self._ping_number, now_ns)
        return self._ping_number

    def on_pong(self, number: int, now_ns: int, there_ns: int = 0) -> None:
        """A ping came back; while connecting, the next one follows at once."""
        rtt_ns = self.estimator.on_pong(number, now_ns, is_admitted=bool(self.models))
        if rtt_ns is not None and there_ns:
            self.clock.add(now_ns - rtt_ns, there_ns, there_ns, now_ns)
        if self.estimator.state == "connecting" and self.models:
            self._next_ping_ns = now_ns

    def next_timer_ns(self) -> int:
        """The earliest of ping, lease and stall."""
        if not self.is_open:
            return FOREVER_NS
        estimator = self.estimator
        heard_ns, due_ns = estimator.heard_ns, self._next_ping_ns  # as `ping_due_ns`
        if due_ns < heard_ns + PING_INTERVAL_NS and estimator.state != "connecting":
            due_ns = heard_ns + PING_INTERVAL_NS
        if due_ns > heard_ns + STALL_NS:  # no stall is sooner than that
            stall_ns = estimator.stall_ns()
            if stall_ns < due_ns:
                due_ns = stall_ns
        if self.flights:
            for flight in self.flights.values():
                if flight.lease_until_ns < due_ns:
                    due_ns = flight.lease_until_ns
        return due_ns


def _measured(models: Sequence[RemoteModel], name: str, service_ns: int) -> tuple[RemoteModel, ...]:
    measured = list(models)
    for index, known in enumerate(models):
        if known.model == name:
            usual_ns = known.service_ns + (service_ns - known.service_ns) // 8
            measured[index] = RemoteModel(name, known.accuracy, usual_ns, known.accuracy_at)
    return tuple(measured)
