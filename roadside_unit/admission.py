"""Which request runs next: a newest-frame slot per camera, and no work that would be late anyway.

Sans-IO: it reads no clock and opens no socket. Requests of all vehicles are served in order of
arrival; a newer one of the same vehicle, camera and service takes the place of one that waits.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from scheduler.offload_messages import Request, ResultStatus
from scheduler.placement import split_name

SLOTS_PER_VEHICLE = 16  # cameras times services of one vehicle; more is an attack on memory
LEARNING_RATE = 0.2  # of the durations; raising it follows a busy machine faster, and its noise
# A refused request teaches nothing, so an estimate that became too high must come down by itself,
# to what the model took on an idle machine.
FORGETTING = 0.95
NS_PER_US = 1000

Slot = tuple[str, str, str]  # vehicle, camera, service


@dataclass(frozen=True, slots=True)
class Offer:
    """A request that passed the guards, with its picture or features."""

    request: Request
    payload: bytes
    received_ns: int

    @property
    def is_split(self) -> bool:
        """Whether a model's second half shall finish what the vehicle began."""
        return self.request.payload_kind == "features"

    @property
    def work(self) -> str:
        """What its duration depends on: the model, whole, split or with this many heads."""
        heads = len(self.request.heads)
        name = split_name(self.request.model) if self.is_split else self.request.model
        return f"{name}+{heads} heads" if heads else name

    @property
    def due_ns(self) -> int:
        """When the answer must have been handed to the socket."""
        return self.received_ns + self.request.budget_us * NS_PER_US

    @property
    def slot(self) -> Slot:
        """What a newer frame replaces."""
        return self.request.vehicle_id, self.request.camera_id, self.request.service


@dataclass(frozen=True, slots=True)
class Refused:
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
        self._waiting: dict[Slot, Offer] = {}  # in order of arrival

    def __len__(self) -> int:
        return len(self._waiting)

    def expected_ns(self, work: str) -> int:
        """What such a request takes of late, from worker to answer; 0 = not known yet."""
        return self._expected_ns.get(work, 0)

    def offer(self, offer: Offer, now_ns: int) -> list[Refused]:
        """Queue a request; what is refused for it, itself perhaps."""
        refused: list[Refused] = []
        replaced = self._waiting.pop(offer.slot, None)
        if replaced is not None:
            refused.append(Refused(replaced, "late", "replaced by a newer frame"))
        vehicle_id = offer.request.vehicle_id
        if sum(slot[0] == vehicle_id for slot in self._waiting) >= SLOTS_PER_VEHICLE:
            return [*refused, Refused(offer, "reject", "this vehicle fills its slots")]
        if self._is_hopeless(offer, now_ns):
            return [*refused, self._late(offer, now_ns)]
        self._waiting[offer.slot] = offer
        return refused

    def take(self, now_ns: int) -> tuple[Offer | None, list[Refused]]:
        """The next request to run, and those before it that can no longer be in time."""
        refused: list[Refused] = []
        while self._waiting:
            offer = self._waiting.pop(next(iter(self._waiting)))
            if not self._is_hopeless(offer, now_ns):
                return offer, refused
            refused.append(self._late(offer, now_ns))
        return None, refused

    def refuse_all(self, reason: str) -> list[Refused]:
        """Empty the queue, because nobody will work on it soon."""
        refused = [Refused(offer, "reject", reason) for offer in self._waiting.values()]
        self._waiting.clear()
        return refused

    def learn(self, work: str, duration_ns: int) -> None:
        """What such a request took, by the clock on the wall."""
        known = self._expected_ns.get(work)
        if known:
            duration_ns = round(known + LEARNING_RATE * (duration_ns - known))
        self._expected_ns[work] = duration_ns

    def forget(self, vehicle_id: str) -> int:
        """Drop what a vehicle that left has waiting; how many those were."""
        gone = [slot for slot in self._waiting if slot[0] == vehicle_id]
        for slot in gone:
            del self._waiting[slot]
        return len(gone)

    def _is_hopeless(self, offer: Offer, now_ns: int) -> bool:
        return now_ns + self.expected_ns(offer.work) > offer.due_ns

    def _late(self, offer: Offer, now_ns: int) -> Refused:
        work = offer.work
        needed_ms = self.expected_ns(work) / 1e6
        left_ms = (offer.due_ns - now_ns) / 1e6
        forgotten_ns = round(self.expected_ns(work) * FORGETTING)
        self._expected_ns[work] = max(self._typical_ns.get(work, 0), forgotten_ns)
        return Refused(offer, "late", f"{left_ms:.0f} ms left, {work} takes {needed_ms:.0f} ms")
