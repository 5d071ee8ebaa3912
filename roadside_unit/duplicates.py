"""One frame over two radios is one piece of work: the copy waits for the first one's answer.

Sans-IO. A copy is a request of the same vehicle, camera, tick, service, model and kind of payload;
it comes over another path, with a session and a number of its own, and is answered there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Generic, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from scheduler.offload_messages import Request, ResultStatus

REMEMBERED_NS = 1_000_000_000  # answers; a copy that comes later is of no use to anybody
MOST_COPIES = 8  # of one request; a vehicle has four paths
MOST_REMEMBERED = 256  # requests, of all vehicles
NO_HEADS: Mapping[str, bytes] = MappingProxyType({})

Ended = TypeVar("Ended")
Work = tuple[str, str, int, str, str, str]  # vehicle, camera, tick, service, model, payload kind


class Outcome(Struct, frozen=True):
    """What became of a request, as its result says it; durations are queue, decode, inference."""

    status: ResultStatus
    reason: str
    durations_ns: tuple[int, int, int]
    detections: bytes = b""
    heads: Mapping[str, bytes] = NO_HEADS

    def within(self, here_ns: int) -> "Outcome":
        """The same for a copy that was here for a part of the work alone, or for none of it.

        Its durations must not exceed its own stay: the vehicle takes them off its round trip.
        """
        return replace(self, durations_ns=shares(here_ns, self.durations_ns))


def shares(here_ns: int, durations_ns: tuple[int, int, int]) -> tuple[int, int, int]:
    """The last `here_ns` of a wait, a decoding and an inference, in that order."""
    queue_ns, decode_ns, infer_ns = durations_ns
    infer_ns = min(here_ns, infer_ns)
    decode_ns = min(here_ns - infer_ns, decode_ns)
    return min(here_ns - infer_ns - decode_ns, queue_ns), decode_ns, infer_ns


@dataclass(slots=True)
class _Job(Generic[Ended]):
    first: Request
    received_ns: int
    copies: list[tuple[Request, int]] = field(default_factory=list)  # with their receipt
    outcome: Ended | None = None


def work_of(request: Request) -> Work:
    """What two copies have in common."""
    return (
        request.vehicle_id,
        request.camera_id,
        request.tick,
        request.service,
        request.model,
        request.payload_kind,
    )


class Duplicates(Generic[Ended]):
    """The requests of the last second, by the work that they ask for, and how they ended."""

    def __init__(self) -> None:
        self._jobs: dict[Work, _Job[Ended]] = {}  # in order of receipt

    def __len__(self) -> int:
        return len(self._jobs)

    def is_copy(self, request: Request, now_ns: int) -> bool:
        """Whether another path brought this work already; remembers it if not.

        The same path brings nothing twice: a repeated tick there is a new request.
        """
        self._forget(now_ns)
        key = work_of(request)
        job = self._jobs.get(key)
        if job is None or job.first.session == request.session:
            self._jobs.pop(key, None)
            self._jobs[key] = _Job(request, now_ns)
            return False
        if job.outcome is None and len(job.copies) < MOST_COPIES:
            job.copies.append((request, now_ns))
        return True

    def outcome(self, request: Request) -> Ended | None:
        """What became of this work, when it is done."""
        job = self._jobs.get(work_of(request))
        return job.outcome if job is not None else None

    def finish(self, request: Request, outcome: Ended) -> list[tuple[Request, int]]:
        """The work is done: the copies that wait for it, with their receipt."""
        if not self._jobs:  # hardly any vehicle has two paths
            return []
        job = self._jobs.get(work_of(request))
        if job is None or job.first.seq != request.seq or job.first.session != request.session:
            return []
        job.outcome = outcome
        copies, job.copies = job.copies, []
        return copies

    def _forget(self, now_ns: int) -> None:
        while self._jobs:
            key = next(iter(self._jobs))
            job = self._jobs[key]
            is_old = now_ns - job.received_ns > REMEMBERED_NS
            if not is_old and len(self._jobs) < MOST_REMEMBERED:
                return
            del self._jobs[key]
