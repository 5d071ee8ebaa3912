"""Long-run budgets as virtual queues: drift plus penalty (Neely, Stochastic Network Optimization).

What is spent beyond the budget piles up in a queue; its length is the price of spending more. The
longer a budget has been overdrawn, the dearer it gets, and the average comes back to it.
"""

FRAMES = 50.0  # of budget that cost 1 F1: V; more lets the average drift longer, and gains more


class VirtualQueue:
    """One budget, of energy or of data.

    Args:
        per_second: What may be spent on average; 0 = without bound.
    """

    def __init__(self, per_second: float) -> None:
        self._per_ns = per_second / 1e9
        self._length = 0.0
        self._spent = 0.0
        self._now_ns = -1

    @property
    def length(self) -> float:
        """What is overdrawn."""
        return self._length

    def update(self, spent: float, now_ns: int) -> None:
        """Time passes.

        Args:
            spent: Since the start, all in all.
        """
        if self._now_ns >= 0 and self._per_ns:
            due = self._per_ns * (now_ns - self._now_ns)
            self._length = max(0.0, self._length + spent - self._spent - due)
        self._spent, self._now_ns = spent, now_ns

    def price(self, interval_ns: int) -> float:
        """F1 per unit spent now: both in budgets of one frame, Q e / V."""
        budget = self._per_ns * interval_ns
        return self._length / (budget * budget * FRAMES) if budget else 0.0
