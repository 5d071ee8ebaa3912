"""Events in order of virtual time; equal instants in order of their making."""

import heapq
from collections.abc import Callable
from typing import Any

Event = tuple[int, int, Callable[..., None], tuple[Any, ...]]


class Loop:
    """The clock of a virtual drive.

    Attributes:
        now_ns: Virtual time.
        events: How many were carried out.
    """

    __slots__ = ("_heap", "_number", "events", "now_ns")

    def __init__(self) -> None:
        self.now_ns = 0
        self.events = 0
        self._heap: list[Event] = []
        self._number = 0

    def at(self, when_ns: int, call: Callable[..., None], *arguments: object) -> None:
        """Call then; an instant that has passed means now."""
        self._number += 1
        heapq.heappush(self._heap, (when_ns, self._number, call, arguments))

    def run(self, until_ns: int) -> None:
        """Carry out what is due until an instant, that one included."""
        heap, pop = self._heap, heapq.heappop
        count = 0
        while heap and heap[0][0] <= until_ns:
            when_ns, _, call, arguments = pop(heap)
            if when_ns > self.now_ns:
                self.now_ns = when_ns
            call(*arguments)
            count += 1
        self.events += count
        self.now_ns = max(self.now_ns, until_ns)
