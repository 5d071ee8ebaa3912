"""Monotonic time, and the helper that keeps a loop at its rate."""

import time
from typing import Protocol

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000


class Clock(Protocol):
    """What a driver asks for the time; tests pass their own."""

    def now_ns(self) -> int:
        """Nanoseconds on a clock that never jumps; only differences mean anything."""
        ...


class MonotonicClock:
    """The machine's monotonic clock."""

    def now_ns(self) -> int:
        """Nanoseconds since an arbitrary start."""
        return time.monotonic_ns()


class Ratekeeper:
    """Keeps a loop at a fixed rate and reports how far it lags.

    A loop that falls behind by more than one period drops the missed periods instead of
    catching up, so that a pause is not followed by a burst.
    """

    def __init__(self, period_ns: int, clock: Clock) -> None:
        self._period_ns = period_ns
        self._clock = clock
        self._due_ns: int | None = None

    def wait_ns(self) -> int:
        """Nanoseconds to sleep until the next period starts (0 when it is already due)."""
        now = self._clock.now_ns()
        if self._due_ns is None:
            self._due_ns = now
        self._due_ns += self._period_ns
        if now - self._due_ns > self._period_ns:
            self._due_ns = now
        return max(0, self._due_ns - now)

    def lag_ns(self) -> int:
        """How late the current period is (0 when on time)."""
        return 0 if self._due_ns is None else max(0, self._clock.now_ns() - self._due_ns)

    def keep(self) -> None:
        """Sleep until the next period starts."""
        wait = self.wait_ns()
        if wait:
            time.sleep(wait / NS_PER_S)
