"""One direction of a radio link: a queue, a server whose rate changes, and the air behind it.

Sans-IO: the time is passed in and the bytes are handed over. All connections of a (vehicle, unit)
pair share one queue per direction, so that a ping waits behind a frame as it does on the air.
"""

import math
import random
from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

PACKET_BYTES = 1448  # TCP payload of an Ethernet packet; what is lost or served in one piece
LEAST_RESEND_NS = 10_000_000  # a loss is noticed by later packets, never sooner than this
NS_PER_S = 1_000_000_000

Flow = TypeVar("Flow")


@dataclass(slots=True)
class _Chunk(Generic[Flow]):
    flow: Flow
    data: bytes
    owed: int  # bit nanoseconds still to serve: bits x 10^9, so that all sums are whole


class LinkQueue(Generic[Flow]):
    """A drop-nothing queue of bytes before a server of piecewise constant rate.

    The rate is integrated exactly: a chunk leaves at the first nanosecond at which the integral
    reaches its last bit. It arrives `delay` later, in order. A lost packet shows as the delay of
    its repetition, because TCP hides the loss itself.
    """

    def __init__(self, limit_bytes: int, seed: str) -> None:
        """An empty queue without a link.

        Args:
            limit_bytes: How much may wait. Raising it hides a slow link longer and then makes
                everything in it older.
            seed: Of the dice that lose packets.
        """
        self.limit_bytes = limit_bytes
        self.waiting_bytes = 0
        self._waiting: deque[_Chunk[Flow]] = deque()
        self._flying: deque[tuple[int, Flow, bytes]] = deque()  # due, whose, what
        self._served_ns = 0
        self._arrives_ns = 0  # of the last chunk: order is kept
        self._bps = 0
        self._delay_ns = 0
        self._loss = 0.0
        self._random = random.Random(seed)

    def set_state(self, now_ns: int, bps: float, delay_ms: float, loss: float) -> None:
        """From now on: rate in bits a second, one-way delay, share of packets lost."""
        self._serve(now_ns)
        self._bps = max(0, round(bps))
        self._delay_ns = round(delay_ms * 1e6)
        self._loss = loss

    def room(self) -> int:
        """Bytes that may still be offered."""
        return max(0, self.limit_bytes - self.waiting_bytes)

    def offer(self, now_ns: int, flow: Flow, data: bytes) -> None:
        """Queue bytes of a flow; no bytes at all are a mark that arrives in its order."""
        self._serve(now_ns)
        self.waiting_bytes += len(data)
        for start in range(0, max(1, len(data)), PACKET_BYTES):
            packet = data[start : start + PACKET_BYTES]
            self._waiting.append(_Chunk(flow, packet, len(packet) * 8 * NS_PER_S))

    def take(self, now_ns: int) -> list[tuple[Flow, bytes]]:
        """What has arrived by now, in order."""
        self._serve(now_ns)
        arrived = []
        while self._flying and self._flying[0][0] <= now_ns:
            _, flow, data = self._flying.popleft()
            arrived.append((flow, data))
        return arrived

    def due_ns(self) -> int | None:
        """When the next chunk arrives if the state stays as it is; None when none will."""
        if self._flying:
            return self._flying[0][0]
        if not self._waiting or self._bps == 0:
            return None
        left_ns = -(-self._waiting[0].owed // self._bps)
        return max(self._arrives_ns, self._served_ns + left_ns + self._delay_ns)

    def clear(self, now_ns: int) -> int:
        """Lose everything that has not arrived; the bytes that were lost."""
        self._serve(now_ns)
        lost = self.waiting_bytes + sum(len(data) for _, _, data in self._flying)
        self._waiting.clear()
        self._flying.clear()
        self.waiting_bytes = 0
        self._arrives_ns = 0  # what comes next waits for nothing that is lost
        return lost

    def _serve(self, now_ns: int) -> None:
        """Bring the server up to now."""
        budget = self._bps * max(0, now_ns - self._served_ns)
        self._served_ns = max(self._served_ns, now_ns)
        while self._waiting and self._bps and self._waiting[0].owed <= budget:
            chunk = self._waiting.popleft()
            budget -= chunk.owed
            self.waiting_bytes -= len(chunk.data)
            left_ns = self._served_ns - budget // self._bps
            self._arrives_ns = max(self._arrives_ns, left_ns + self._delay_ns + self._resend_ns())
            self._flying.append((self._arrives_ns, chunk.flow, chunk.data))
        if self._waiting:
            self._waiting[0].owed -= budget

    def _resend_ns(self) -> int:
        """What the repetition of a packet costs, if this one is lost: a round trip each."""
        if self._loss <= 0.0 or self._loss >= 1.0:
            return 0
        uniform = 1.0 - self._random.random()  # in (0, 1]
        losses = int(math.log(uniform) / math.log(self._loss))
        return losses * max(LEAST_RESEND_NS, 2 * self._delay_ns)
