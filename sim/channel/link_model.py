"""When each packet or message that enters one direction of a link comes out of it.

A drop-tail queue, a server whose rate is piecewise constant, loss, and the delay of the air.
Sans-IO and closed form: with C(t) the integral of the rate, a packet's last bit is served at
C^-1(max(C(now), end of the one before it) + bits). All of it in whole numbers, so that it is exact
across changes of the rate and through outages. The TUN emulator, the proxy and lockstep all take
their times of release from here.
"""

import math
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from sim.channel.capacity import BYTE, NS_PER_S, Capacity, Outages, Row

if TYPE_CHECKING:
    from sim.channel.trace import Trace

PACKET_BYTES = 1448  # TCP payload of an Ethernet packet; what is lost or repeated in one piece
LEAST_RESEND_NS = 10_000_000  # a loss is noticed by later packets, never sooner than this
# The radio repeats across a gap of a few rows, as TCP would; a longer one ends the connections.
RESET_AFTER_NS = 300_000_000
ONE_PACKET = PACKET_BYTES * BYTE
MOST_LOSS = 0.9  # share of packets; above it a reliable transport would not get through at all

Outage = Literal["hold", "drop"]
__all__ = ["NS_PER_S", "PACKET_BYTES", "RESET_AFTER_NS", "Direction", "LinkModel", "Outage", "Row"]


class Direction:
    """One direction of a link.

    Calls come with times that do not go back. A trace known beforehand is asked with `packet` or
    `message`, which answer at once. Where the rows come as time passes (`append`), those answers
    hold only as long as the last row does: `sim.channel.queue.LinkQueue` asks for a place
    and, once the rows are known, when it leaves.
    """

    def __init__(
        self,
        rows: Sequence[Row] | Capacity,
        *,
        limit_bytes: int,
        outage: Outage,
        seed: str,
        loops: bool = True,
    ) -> None:
        """An empty queue.

        Args:
            rows: At least one if it loops, from 0 on; before the first there is no link. The last
                is as long as the one before it if it loops, else it holds for ever. Or what was
                made of such rows that loop: many links may share it.
            limit_bytes: How much may wait; the packet that finds more is dropped. Raising it hides
                a slow link longer and then makes everything in it older.
            outage: `hold` keeps what waits until the link is back (cellular); `drop` loses it (out
                of the range of 802.11p or PC5).
            seed: Of the dice that lose packets.
            loops: Whether the rows begin anew after the last.

        Raises:
            ValueError: rows that do not increase, or a loop without a beginning at 0.
        """
        self.full = 0  # packets that found no room
        self.lost = 0  # packets that the radio lost, outages included
        self._limit = limit_bytes * BYTE
        self.is_dropping = outage == "drop"
        if not isinstance(rows, Capacity):
            rows = Capacity(rows, loops=loops, breaks_ns=RESET_AFTER_NS)
        self._capacity = rows
        self._rows = self._capacity.rows
        self._work_at = self._capacity.work_at
        self._served = self._capacity.served
        self._free = 0  # C at which the server is done with what it has
        self._last_ns = 0  # when the last one came out: order is kept
        self._random = random.Random(seed)
        self._calm = self._random.expovariate(1.0)  # hazard left before the next loss
        self._is_lossy = self._capacity.is_lossy

    def append(self, row: Row) -> None:
        """What holds from `row.start_ns` on, in place of the last row.

        Raises:
            ValueError: the row does not begin after the last, or the rows loop.
        """
        self._capacity.append(row)
        self._is_lossy = self._capacity.is_lossy

    def packet(self, size_bytes: int, now_ns: int) -> int | None:
        """When a packet that enters now comes out; None = lost, or the queue was full."""
        place = self.admit(size_bytes, now_ns)
        if place is None:
            return None
        if self._served(place) is None:
            self.lost += 1
            return None
        return self.fate_ns(place)

    def message(self, size_bytes: int, now_ns: int) -> int | None:
        """When a message over a reliable transport has come out whole.

        A lost packet is repeated after a round trip, and what follows waits for it; nothing is
        dropped by a full queue (its sender waits). None = a `drop` outage of more than 0.3 s ended
        its connection, or the link never comes back.
        """
        begin = self._work_at(now_ns)
        if begin < self._free:
            begin = self._free
        end = begin + size_bytes * BYTE
        if self.is_dropping and self._meets(self._capacity.breaks, end, now_ns):
            return None
        self._free = end
        served = self._served(end)
        if served is None:
            return None
        at_ns, index = served
        if end - begin <= ONE_PACKET:
            row = self._rows[index]
            at_ns += row.delay_ns
            if row.loss and (losses := self._losses(index)):
                at_ns += losses * _resend_ns(row)
            if at_ns > self._last_ns:  # as `_out`
                self._last_ns = at_ns
            return self._last_ns
        if not self._is_lossy and self._capacity.row_begin(index, at_ns) <= begin:
            return self._out(at_ns + self._rows[index].delay_ns)  # all of it in one row
        return self._out(self._whole_ns(begin, end))

    def enter(self, size_bytes: int, now_ns: int) -> int:
        """Take a place in the queue without asking for room; the place, for `leave_ns`."""
        # What has no size has a place of its own too: behind an outage, not before it.
        self._free = max(self._free, self._work_at(now_ns)) + max(1, size_bytes * BYTE)
        return self._free

    def admit(self, size_bytes: int, now_ns: int) -> int | None:
        """As `enter`, for a packet: None = the queue was full or an outage loses it."""
        begin = self._work_at(now_ns)
        waiting = self._free - begin
        if waiting > 0:
            if waiting + size_bytes * BYTE > self._limit:
                self.full += 1
                return None
            begin = self._free
        end = begin + size_bytes * BYTE
        if self.is_dropping and self._meets(self._capacity.gaps, end, now_ns):
            self.lost += 1
            return None
        self._free = end
        return end

    def waiting_bytes(self, now_ns: int) -> int:
        """What has entered and is not served yet."""
        return -(-max(0, self._free - self._work_at(now_ns)) // BYTE)

    def is_live(self) -> bool:
        """Whether rows may still come."""
        return not self._capacity.period_ns

    def served_ns(self, place: int) -> int | None:
        """When the server is done with a place, by the rows so far; None = not for all we know."""
        served = self._served(place)
        return None if served is None else served[0]

    def leave_ns(self, place: int) -> int:
        """When what was served (`served_ns` has passed) comes out, however often it was lost.

        To be asked once per place, in order: it throws the dice.
        """
        at_ns, index = self._surely_served(place)
        row = self._rows[index]
        return self._out(at_ns + row.delay_ns + self._losses(index) * _resend_ns(row))

    def fate_ns(self, place: int) -> int | None:
        """As `leave_ns`, for a packet: None = lost."""
        at_ns, index = self._surely_served(place)
        if self._losses(index):
            self.lost += 1
            return None
        return self._out(at_ns + self._rows[index].delay_ns)

    def due_ns(self, place: int) -> int | None:
        """When a place comes out if it is not lost, by the rows so far; None = not by these."""
        served = self._served(place)
        if served is None:
            return None
        return max(self._last_ns, served[0] + self._rows[served[1]].delay_ns)

    def clear(self, now_ns: int) -> None:
        """Forget what waits and what is on the air: its connections are gone."""
        self.forget_waiting(now_ns)
        self._last_ns = 0

    def forget_waiting(self, now_ns: int) -> None:
        """Forget what is not served yet; it takes no more of the rate."""
        self._free = min(self._free, self._work_at(now_ns))

    def _surely_served(self, work: int) -> tuple[int, int]:
        served = self._served(work)
        assert served is not None
        return served

    def _meets(self, outages: Outages, end: int, now_ns: int) -> bool:
        """Whether an outage comes before the server is done; if so, what waits is lost with it."""
        coming = self._capacity.next_outage(outages, now_ns)
        if coming is None:
            return False
        is_on, at = coming
        if not is_on and end <= at:
            return False
        self._free = max(self._free, at)
        return True

    def _whole_ns(self, begin: int, end: int) -> int:
        """When the last packet of a message is there, repetitions included."""
        packet = ONE_PACKET
        latest_ns = 0
        place = begin
        while place < end:  # once per row that the message lies in, and per loss
            at_ns, index = self._surely_served(min(place + packet, end))
            row_end = self._capacity.row_end(index, at_ns)
            until = end
            if row_end is not None and row_end < end:
                until = place + max(1, (row_end - place) // packet) * packet
            row = self._rows[index]
            resend_ns = 0
            if row.loss:
                count = -(-(until - place) // packet)
                number = self._spared(index, count) + 1
                if number <= count:
                    resend_ns = self._losses(index) * _resend_ns(row)
                    until = min(place + number * packet, until)
            if until - place > packet:
                at_ns, _ = self._surely_served(until)
            latest_ns = max(latest_ns, at_ns + row.delay_ns + resend_ns)
            place = until
        return latest_ns

    def _spared(self, index: int, count: int) -> int:
        """How many of the next packets get through at once, at most `count`."""
        hazard, calm = _hazard(self._rows[index].loss), self._calm
        for number in range(count):
            if hazard >= calm:
                self._calm = calm
                return number
            calm -= hazard
        self._calm = calm
        return count

    def _losses(self, index: int) -> int:
        """How often the next packet is lost in a row before it gets through."""
        loss = self._rows[index].loss
        if loss == 0.0:
            return 0
        # Losses are events of a Poisson process in the sum of -ln(1 - loss): one throw per loss.
        hazard = _hazard(loss)
        if hazard < self._calm:
            self._calm -= hazard
            return 0
        self._calm = self._random.expovariate(1.0)
        loss = min(loss, MOST_LOSS)
        return 1 + int(math.log(1.0 - self._random.random()) / math.log(loss))

    def _out(self, at_ns: int) -> int:
        if at_ns > self._last_ns:
            self._last_ns = at_ns
        return self._last_ns


def _hazard(loss: float) -> float:
    return -math.log1p(-loss) if loss < 1.0 else math.inf


def _resend_ns(row: Row) -> int:
    """What one repetition of a packet costs: a round trip."""
    return max(LEAST_RESEND_NS, 2 * row.delay_ns)


class LinkModel(NamedTuple):
    """Both directions of a link; up = vehicle to unit."""

    up: Direction
    dn: Direction

    @classmethod
    def of(
        cls,
        trace: "Trace | None",
        *,
        limit_bytes: int,
        outage: Outage,
        seed: str,
        loops: bool = True,
    ) -> "LinkModel":
        """The link of a trace, or without one of rows to be appended; the rest as `Direction`."""
        rows: tuple[Sequence[Row] | Capacity, Sequence[Row] | Capacity] = ([], [])
        if trace is not None:
            rows = trace.capacities(RESET_AFTER_NS) if loops else trace.directions()
        loops = loops and trace is not None
        up, dn = rows
        return cls(
            Direction(up, limit_bytes=limit_bytes, outage=outage, seed=f"{seed}/up", loops=loops),
            Direction(dn, limit_bytes=limit_bytes, outage=outage, seed=f"{seed}/dn", loops=loops),
        )
