"""Which request runs next, and no work that would be late anyway.

Sans-IO: it reads no clock and opens no socket. Requests of all vehicles are served in order of
arrival; a newer one of the same vehicle, camera and service takes the place and the turn of one
that waits, unless there is time for both: each of them owes its vehicle a verdict of its own.
"""

from collections.abc import Mapping

from msgspec import Struct

from scheduler.offload_messages import Request, ResultStatus
from scheduler.placement import split_name

MOST_WAITING = 16  # of one vehicle: its cameras times services; more is an attack on memory
LEARNING_RATE = 0.2  # of the durations; raising it follows a busy machine faster, and its noise
# A refused request teaches nothing, so an estimate that became too high must come down by itself,
# to what the model took on an idle machine.
FORGETTING = 0.95
NS_PER_US = 1000

Slot = tuple[str, str, str]  # vehicle, camera, service


class Offer:
    """A request that passed the guards, with its picture or features.

    Attributes:
        is_split: A model's second half shall finish what the vehicle began.
        work: What its duration depends on: the model, whole, split or with this many heads.
        due_ns: When the answer must have been handed to the socket.
        slot: What a newer frame replaces.
    """

    __slots__ = ("due_ns", "is_split", "payload", "received_ns", "request", "slot", "work")

    def __init__(self, request: Request, payload: bytes, received_ns: int) -> None:
        self.request = request
        self.payload = payload
        self.received_ns = received_ns
        self.is_split = request.payload_kind == "features"
        self.work = _work_of(request)
        self.due_ns = received_ns + request.budget_us * NS_PER_US
        self.slot: Slot = (request.vehicle_id, request.camera_id, request.service)

    @property
    def stamp_ns(self) -> int:
        """When the picture was taken, by the age that it had when it was sent."""
        return self.received_ns - self.request.age_us * NS_PER_US


def _work_of(request: Request) -> str:
    name = split_name(request.model) if request.payload_kind == "features" else request.model
    return f"{name}+{len(request.heads)} heads" if request.heads else name


class Refused(Struct, frozen=True):
    """A request that gets no inference; it is answered at once, so that the vehicle can act."""

    offer: Offer
    status: ResultStatus
    reason: str


class Admission:
    """The waiting requests of one inference worker."""

    def __init__(self, typical_ns: Mapping[str, int]) -> None:
        """An empty queue; `typical_ns`: what `Offer.work` takes on an idle machine, where known."""
        self._typical_ns = dict(typical_ns)
        self._expected_ns = dict(typical_ns)
        self._waiting: list[Offer] = []  # in order of arrival
        self._busy_until_ns = 0  # of the worker, as expected when it took its request

    def __len__(self) -> int:
        return len(self._waiting)

    def expected_ns(self, work: str) -> int:
        """What such a request takes of late, from worker to answer; 0 = not known yet."""
        return self._expected_ns.get(work, 0)

    def offer(self, offer: Offer, now_ns: int) -> list[Refused]:
        """Queue a request; what is refused for it, itself perhaps."""
        if self._is_hopeless(offer, now_ns):
            return [self._late(offer, now_ns)]
        slot = offer.slot
        places = [index for index, each in enumerate(self._waiting) if each.slot == slot]
        if places and not self._is_time_for_all(offer, self._waiting[places[-1]], now_ns):
            # The newer frame has the older one's turn: under overload each camera's turn comes
            # round as often as every other's, and finds its newest frame there.
            refused = [
                Refused(self._waiting[index], "late", "replaced by a newer frame")
                for index in places
            ]
            self._waiting[places[0]] = offer
            for index in reversed(places[1:]):
                del self._waiting[index]
            return refused
        vehicle_id = offer.request.vehicle_id
        if sum(each.request.vehicle_id == vehicle_id for each in self._waiting) >= MOST_WAITING:
            return [Refused(offer, "reject", "this vehicle fills its slots")]
        self._waiting.append(offer)
        return []

    def take(self, now_ns: int) -> tuple[Offer | None, list[Refused]]:
        """The next request to run, and those before it that can no longer be in time."""
        refused: list[Refused] = []
        while self._waiting:
            offer = self._waiting.pop(0)
            if not self._is_hopeless(offer, now_ns):
                self._busy_until_ns = now_ns + self.expected_ns(offer.work)
                return offer, refused
            refused.append(self._late(offer, now_ns))
        return None, refused

    def refuse_all(self, reason: str) -> list[Refused]:
        """Empty the queue, because nobody will work on it soon."""
        refused = [Refused(offer, "reject", reason) for offer in self._waiting]
        self._waiting.clear()
        return refused

    def learn(self, work: str, duration_ns: int) -> None:
        """What such a request took, by the clock on the wall."""
        self._busy_until_ns = 0
        known = self._expected_ns.get(work)
        if known:
            duration_ns = round(known + LEARNING_RATE * (duration_ns - known))
        self._expected_ns[work] = duration_ns

    def forget(self, vehicle_id: str) -> int:
        """Drop what a vehicle that left has waiting; how many those were."""
        before = len(self._waiting)
        self._waiting = [o for o in self._waiting if o.request.vehicle_id != vehicle_id]
        return before - len(self._waiting)

    def _is_time_for_all(self, offer: Offer, older: Offer, now_ns: int) -> bool:
        """Whether a new request is in time behind what runs and what waits, by what those take.

        If it would begin later than the frame after it comes, the unit is overloaded: then that
        one is the better answer, and waiting would make all of them old.
        """
        work_ns = self.expected_ns(offer.work)
        if not work_ns:
            return False
        ahead_ns = sum(self.expected_ns(each.work) for each in self._waiting)
        begin_ns = max(now_ns, self._busy_until_ns) + ahead_ns
        if begin_ns + work_ns > offer.due_ns:
            return False
        ticks = offer.request.tick - older.request.tick
        return ticks <= 0 or begin_ns - now_ns <= (offer.stamp_ns - older.stamp_ns) // ticks

    def _is_hopeless(self, offer: Offer, now_ns: int) -> bool:
        return now_ns + self.expected_ns(offer.work) > offer.due_ns

    def _late(self, offer: Offer, now_ns: int) -> Refused:
        work = offer.work
        needed_ms = self.expected_ns(work) / 1e6
        left_ms = (offer.due_ns - now_ns) / 1e6
        forgotten_ns = round(self.expected_ns(work) * FORGETTING)
        self._expected_ns[work] = max(self._typical_ns.get(work, 0), forgotten_ns)
        return Refused(offer, "late", f"{left_ms:.0f} ms left, {work} takes {needed_ms:.0f} ms")
