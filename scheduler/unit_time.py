"""How long a unit will take with a request: its queue, and how far its service can be trusted."""

import math

QUEUE_DECAY_NS = 1_500_000_000.0  # a unit's report of its queue is old news after this
FIRST_QUEUE_NS = 5e6
FIRST_DEVIATION_NS = 5e6
DEVIATION_RATE = 0.1  # of its mean; raising it follows a busy unit sooner, and its noise
MOST_DEVIATIONS = 3.0  # of what one answer may add: a single long one is no habit
LEAST_NS = 1_000_000


class UnitTime:
    """What answers and beacons told of one unit (sans-IO).

    Attributes:
        queue_ns: As last told.
        deviation_ns: Of the time at the unit from what was expected, as a standard deviation.
    """

    def __init__(self, now_ns: int) -> None:
        self.queue_ns = FIRST_QUEUE_NS
        self.deviation_ns = FIRST_DEVIATION_NS
        self._stamp_ns = now_ns

    def queue_at(self, now_ns: int) -> float:
        """What is left of the queue that was told."""
        if self.queue_ns == 0.0:
            return 0.0
        age_ns = now_ns - self._stamp_ns
        if age_ns <= 0:
            return self.queue_ns
        return self.queue_ns * math.exp(-age_ns / QUEUE_DECAY_NS)

    def on_load(self, queue_ns: float, now_ns: int) -> None:
        """So long would a request wait now."""
        self.queue_ns, self._stamp_ns = queue_ns, now_ns

    def on_answer(self, at_unit_ns: int, expected_ns: int, now_ns: int) -> None:
        """A request took so long there, of which `expected_ns` was foreseen without the queue."""
        error = 1.25 * abs(at_unit_ns - expected_ns - self.queue_at(now_ns))
        most = MOST_DEVIATIONS * self.deviation_ns + LEAST_NS
        self.deviation_ns += DEVIATION_RATE * (min(most, error) - self.deviation_ns)
