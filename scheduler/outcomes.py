"""Tells a policy that learns what became of the frames that it sent (sans-IO)."""

from collections.abc import Callable

from msgspec import Struct

from scheduler.placement import Outcome, Placement
from scheduler.tasks import Task

LEASE_NS = 500_000_000  # no answer by then is none


class _Sent(Struct, frozen=True):
    task: Task
    placement: Placement
    unit_id: str
    size_bytes: int
    sent_ns: int


class Outcomes:
    """Requests whose outcome the policy does not know yet."""

    def __init__(self, tell: Callable[[Outcome], None] | None) -> None:
        self._tell = tell
        self._sent: dict[int, _Sent] = {}  # by seq, oldest first

    def on_sent(
        self, seq: int, task: Task, placement: Placement, unit_id: str, size_bytes: int, now_ns: int
    ) -> None:
        """A request left."""
        if self._tell is not None:
            self._sent[seq] = _Sent(task, placement, unit_id, size_bytes, now_ns)

    def on_answer(self, seq: int, at_unit_ns: int, is_in_time: bool, now_ns: int) -> None:
        """It was answered, with detections in time or without."""
        sent = self._sent.pop(seq, None)
        if sent is not None:
            self._end(sent, now_ns - sent.sent_ns, at_unit_ns, is_in_time)

    def expire(self, now_ns: int) -> None:
        """What was never answered."""
        while self._sent:
            seq, oldest = next(iter(self._sent.items()))
            if now_ns - oldest.sent_ns < LEASE_NS:
                return
            del self._sent[seq]
            self._end(oldest, None, 0, False)

    def _end(self, sent: _Sent, latency_ns: int | None, at_unit_ns: int, is_in_time: bool) -> None:
        if self._tell is not None:
            self._tell(
                Outcome(
                    sent.task,
                    sent.placement,
                    sent.unit_id,
                    sent.size_bytes,
                    latency_ns,
                    at_unit_ns,
                    is_in_time,
                )
            )
