"""What waits and flies in one direction of a radio link, bytes and all.

Sans-IO: the time is passed in and the data are handed over. All connections of a (vehicle, unit)
pair share one queue per direction, so that a ping waits behind a frame as it does on the air. When
anything comes out is for `sim.channel.link_model` to say; nothing is asked of it before it is
certain, so that rows may come as time passes.
"""

from collections import deque
from typing import Generic, TypeVar

from sim.channel.link_model import PACKET_BYTES, Direction, Row

Flow = TypeVar("Flow")


class LinkQueue(Generic[Flow]):
    """The data in one direction of a link."""

    def __init__(
        self,
        direction: Direction,
        limit_bytes: int,
        *,
        is_reliable: bool,
        start_ns: int | None = None,
    ) -> None:
        """An empty queue.

        Args:
            direction: When what comes out; its `limit_bytes` binds packets, not bytes.
            limit_bytes: How much may wait (see `room`). Raising it hides a slow link longer and
                then makes everything in it older.
            is_reliable: A byte stream, whose losses show as delay and which waits through an
                outage; else each piece offered is a packet and may be lost.
            start_ns: The instant of the caller's clock at which the direction's rows begin;
                None = not known yet, see `begin`.
        """
        self.limit_bytes = limit_bytes
        self.waiting_bytes = 0
        self.direction = direction
        self._is_reliable = is_reliable
        self._start_ns = start_ns
        self._waiting: deque[tuple[int, Flow, bytes]] = deque()  # place, whose, what
        self._flying: deque[tuple[int, Flow, bytes]] = deque()  # due, whose, what
        self._row = Row(-1, 0, 0, 0.0)

    def begin(self, start_ns: int) -> None:
        """The direction's rows begin at this instant; nothing has left before."""
        self._start_ns = start_ns

    def set_state(self, now_ns: int, row: Row) -> None:
        """What holds from now on; without effect where all rows were known beforehand."""
        self._serve(now_ns)
        row = row._replace(start_ns=self._row.start_ns)
        if not self.direction.is_live() or row == self._row:
            return
        self._row = row._replace(start_ns=max(self._at(now_ns), row.start_ns + 1))
        self.direction.append(self._row)
        if row.rate_bps == 0 and self.direction.is_dropping and not self._is_reliable:
            self.direction.lost += len(self._waiting)
            self._waiting.clear()
            self.waiting_bytes = 0
            self.direction.forget_waiting(self._at(now_ns))

    def __len__(self) -> int:
        """Pieces that have not arrived."""
        return len(self._waiting) + len(self._flying)

    def room(self) -> int:
        """Bytes that may still be offered."""
        return max(0, self.limit_bytes - self.waiting_bytes)

    def offer(self, now_ns: int, flow: Flow, data: bytes, size_bytes: int | None = None) -> None:
        """Queue bytes of a flow; no bytes at all are a mark that arrives in its order.

        A packet that finds no room, or no link, is lost here.

        Args:
            size_bytes: What a packet counts, where that is not its length.
        """
        self._serve(now_ns)
        at_ns = self._at(now_ns)
        if not self._is_reliable:
            place = self.direction.admit(len(data) if size_bytes is None else size_bytes, at_ns)
            if place is not None:
                self.waiting_bytes += len(data)
                self._waiting.append((place, flow, data))
            return
        self.waiting_bytes += len(data)
        for start in range(0, max(1, len(data)), PACKET_BYTES):
            packet = data[start : start + PACKET_BYTES]
            self._waiting.append((self.direction.enter(len(packet), at_ns), flow, packet))

    def take(self, now_ns: int) -> list[tuple[Flow, bytes]]:
        """What has arrived by now, in order."""
        self._serve(now_ns)
        arrived = []
        while self._flying and self._flying[0][0] <= now_ns:
            _, flow, data = self._flying.popleft()
            arrived.append((flow, data))
        return arrived

    def due_ns(self) -> int | None:
        """When the next piece arrives if the state stays as it is; None when none will."""
        if self._flying:
            return self._flying[0][0]
        if not self._waiting:
            return None
        due_ns = self.direction.due_ns(self._waiting[0][0])
        return None if due_ns is None or self._start_ns is None else due_ns + self._start_ns

    def clear(self, now_ns: int) -> int:
        """Lose everything that has not arrived; the bytes that were lost."""
        self._serve(now_ns)
        lost = self.waiting_bytes + sum(len(data) for _, _, data in self._flying)
        self._waiting.clear()
        self._flying.clear()
        self.waiting_bytes = 0
        self.direction.clear(self._at(now_ns))
        return lost

    def _at(self, now_ns: int) -> int:
        """The instant by the direction's clock; its beginning until then."""
        return 0 if self._start_ns is None else max(0, now_ns - self._start_ns)

    def _serve(self, now_ns: int) -> None:
        """Send what is served by now through the air."""
        start_ns = self._start_ns
        while self._waiting and start_ns is not None:
            place, flow, data = self._waiting[0]
            served_ns = self.direction.served_ns(place)
            if served_ns is None or served_ns + start_ns > now_ns:
                return
            self._waiting.popleft()
            self.waiting_bytes -= len(data)
            leaves_ns: int | None
            if self._is_reliable:
                leaves_ns = self.direction.leave_ns(place)
            else:
                leaves_ns = self.direction.fate_ns(place)
            if leaves_ns is not None:
                self._flying.append((leaves_ns + start_ns, flow, data))
