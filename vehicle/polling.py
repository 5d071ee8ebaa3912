"""What the main loop waits for: readable sources, and turns that are due every so often."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import zmq

LEAD_WINDOW = 64  # timers
MOST_LEAD_NS = 8_000_000


@dataclass(slots=True)
class Periodic:
    """Something that is due every so often; missed turns are not made up for."""

    period_ns: int
    due_ns: int = 0

    def is_due(self, now_ns: int) -> bool:
        """Whether it is, and then it is due again a period later."""
        if now_ns < self.due_ns:
            return False
        self.due_ns += self.period_ns
        if self.due_ns <= now_ns:
            self.due_ns = now_ns + self.period_ns
        return True


class Lead:
    """How much earlier than due a timer is aimed at, from how late timers fired before.

    On a busy machine a thread that sleeps is woken milliseconds late. The 95th percentile of the
    last timers is allowed for, up to `MOST_LEAD_NS`; a timer that is woken on time fires early by
    that, which costs an answer a few milliseconds of waiting and saves a late verdict.
    """

    def __init__(self) -> None:
        self.ns = 0
        self._late_ns: deque[int] = deque(maxlen=LEAD_WINDOW)

    def is_due(self, timer_ns: int, now_ns: int) -> bool:
        """Whether to fire now; if so, learns how late it is."""
        late_ns = now_ns - (timer_ns - self.ns)
        if late_ns < 0:
            return False
        self._late_ns.append(late_ns)
        ordered = sorted(self._late_ns)
        self.ns = min(MOST_LEAD_NS, ordered[int(0.95 * (len(ordered) - 1))])
        return True


class Polled:
    """The poller, with sources whose descriptor changes when what is behind them is replaced."""

    def __init__(self) -> None:
        self._poller = zmq.Poller()
        self._by_source: dict[zmq.Socket[bytes] | int, Callable[[], None]] = {}
        self._replaced: dict[str, tuple[int, zmq.Socket[bytes] | int]] = {}

    def add(self, source: zmq.Socket[bytes] | int, call: Callable[[], None]) -> None:
        """Call when readable."""
        self._by_source[source] = call
        self._poller.register(source, zmq.POLLIN)

    def remove(self, source: zmq.Socket[bytes] | int) -> None:
        """Forget a source."""
        if self._by_source.pop(source, None) is not None:
            with contextlib.suppress(KeyError):
                self._poller.unregister(source)

    def follow(
        self,
        name: str,
        generation: int,
        source: zmq.Socket[bytes] | int | None,
        call: Callable[[], None],
    ) -> None:
        """Keep up with a source that changes with its generation; None or -1 = none now."""
        known = self._replaced.get(name)
        if known is not None and known[0] == generation:
            return
        if known is not None:
            self.remove(known[1])
        now = -1 if source is None else source
        self._replaced[name] = (generation, now)
        if now != -1:
            self.add(now, call)

    def wait(self, timeout_ns: int) -> None:
        """Wait for something readable and call for it; up to a millisecond early or late."""
        for source, _ in self._poller.poll(max(0, round(timeout_ns / 1_000_000))):
            call = self._by_source.get(source)
            if call is not None:
                call()
