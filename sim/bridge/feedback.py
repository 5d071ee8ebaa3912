"""What vehicles ask of their egos: the newest advisory of each, until it expires."""

from scheduler.clock import NS_PER_MS
from scheduler.messages import Feedback


class FeedbackInbox:
    """The newest feedback of one vehicle.

    Attributes:
        received: accepted messages.
        stale: messages older than one that was already applied; they are dropped.
    """

    def __init__(self) -> None:
        self.received = 0
        self.stale = 0
        self._newest: Feedback | None = None
        self._until_ns = 0
        self._last_tick = -1

    def offer(self, feedback: Feedback, now_ns: int) -> bool:
        """Take a message unless a newer tick's was taken before; returns whether it was taken."""
        if feedback.tick < self._last_tick:
            self.stale += 1
            return False
        self.received += 1
        self._last_tick = feedback.tick
        self._newest = feedback
        self._until_ns = now_ns + feedback.valid_for_ms * NS_PER_MS
        return True

    def brake(self, now_ns: int) -> tuple[float, str]:
        """Share of the service brake that is asked now (0 = none), and why."""
        if self._newest is None or now_ns >= self._until_ns:
            return 0.0, ""
        return self._newest.brake, self._newest.reason
