"""What the main loop waits for: readable sources, and turns that are due every so often."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import zmq


@dataclass(slots=True)
class Periodic:
    """Something that is due every so often; missed turns are not made up for."""

    period_ns: int
    due_ns: int = 0

    def is_due(self, now_ns: int) -> bool:
        """Whether it is, and then it is due again a period later."""
        if now_ns < self.due_ns:
            return False
        self.due_ns = max(self.due_ns + self.period_ns, now_ns)
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
        """Wait for something readable and call for it; up to a millisecond late."""
        for source, _ in self._poller.poll(max(0, -(-timeout_ns // 1_000_000))):
            call = self._by_source.get(source)
            if call is not None:
                call()
