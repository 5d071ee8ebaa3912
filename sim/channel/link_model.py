"""When each packet or message that enters one direction of a link comes out of it.

A drop-tail queue, a server whose rate is piecewise constant, loss, and the delay of the air.
Sans-IO and closed form: with C(t) the integral of the rate, a packet's last bit is served at
C^-1(max(C(now), end of the one before it) + bits). All of it in whole numbers, so that it is exact
across changes of the rate and through outages. The TUN emulator, the proxy and lockstep all take
their times of release from here.
"""

import bisect
import math
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from sim.channel.trace import Trace

PACKET_BYTES = 1448  # TCP payload of an Ethernet packet; what is lost or repeated in one piece
LEAST_RESEND_NS = 10_000_000  # a loss is noticed by later packets, never sooner than this
# The radio repeats across a gap of a few rows, as TCP would; a longer one ends the connections.
RESET_AFTER_NS = 300_000_000
NS_PER_S = 1_000_000_000
BYTE = 8 * NS_PER_S  # of work: rate [bit/s] x time [ns], so that all sums are whole
MOST_LOSS = 0.9  # share of packets; above it a reliable transport would not get through at all
FOREVER_NS = 1 << 62
KEPT_ROWS = 6000  # of a live link: ten minutes, far longer than anything waits

Outage = Literal["hold", "drop"]


class Row(NamedTuple):
    """What one direction carries from `start_ns` until the next row.

    Attributes:
        start_ns: From when on; increasing.
        rate_bps: Bits of payload a second; 0 = outage.
        delay_ns: One way, without the time in the queue.
        loss: Share of packets lost, 0..1.
    """

    start_ns: int
    rate_bps: int
    delay_ns: int
    loss: float


class _Outages:
    """The spans without a link that are longer than a limit."""

    def __init__(self, longer_than_ns: int) -> None:
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.works: list[int] = []  # C at the outage
        self._longer_than_ns = longer_than_ns

    def open(self, start_ns: int, work: int) -> None:
        """One begins; for all that is known it lasts."""
        self.starts.append(start_ns)
        self.ends.append(FOREVER_NS)
        self.works.append(work)

    def close(self, end_ns: int, before_ns: int = 0) -> None:
        """The last one ends; `before_ns` is what it lasted before its start (a loop's seam)."""
        self.ends[-1] = end_ns
        if end_ns - self.starts[-1] + before_ns <= self._longer_than_ns:
            for values in (self.starts, self.ends, self.works):
                values.pop()


class Direction:
    """One direction of a link.

    Calls come with times that do not go back. A trace known beforehand is asked with `packet` or
    `message`, which answer at once. Where the rows come as time passes (`append`), those answers
    hold only as long as the last row does: `sim.channel.queue.LinkQueue` asks `enter` and, once
    the rows are known, `leave_ns`.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        *,
        limit_bytes: int,
        outage: Outage,
        seed: str,
        loops: bool = True,
    ) -> None:
        """An empty queue.

        Args:
            rows: At least one if it loops, from 0 on; before the first there is no link. The last
                is as long as the one before it if it loops, else it holds for ever.
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
        self._is_dropping = outage == "drop"
        self._starts: list[int] = []
        self._works: list[int] = []  # C at the start of each row
        self._rows: list[Row] = []
        self._hazards: list[float] = []  # -ln(1 - loss), so that losses are events of a Poisson
        self._gaps = _Outages(0)  # what ends packets
        self._breaks = _Outages(RESET_AFTER_NS)  # what ends connections
        self._period_ns = 0  # 0 = does not loop
        self._lap = 0  # C of a whole period
        self._free = 0  # C at which the server is done with what it has
        self._last_ns = 0  # when the last one came out: order is kept
        self._random = random.Random(seed)
        self._calm = self._random.expovariate(1.0)  # hazard left before the next loss
        for row in rows:
            self.append(row)
        if loops:
            self._close_loop()

    def append(self, row: Row) -> None:
        """What holds from `row.start_ns` on, in place of the last row.

        Raises:
            ValueError: the row does not begin after the last, or the rows loop.
        """
        work = 0
        if self._rows:
            last = self._rows[-1]
            if self._period_ns or row.start_ns <= last.start_ns:
                raise ValueError(f"expected a row after {last.start_ns} ns, got {row.start_ns} ns")
            work = self._works[-1] + last.rate_bps * (row.start_ns - last.start_ns)
            if last.rate_bps == 0 and row.rate_bps:
                self._gaps.close(row.start_ns)
                self._breaks.close(row.start_ns)
        if row.rate_bps == 0 and (not self._rows or self._rows[-1].rate_bps):
            self._gaps.open(row.start_ns, work)
            self._breaks.open(row.start_ns, work)
        self._starts.append(row.start_ns)
        self._works.append(work)
        self._rows.append(row)
        self._hazards.append(-math.log1p(-row.loss) if row.loss < 1.0 else math.inf)
        if len(self._rows) > 2 * KEPT_ROWS:
            del self._starts[:KEPT_ROWS], self._works[:KEPT_ROWS]
            del self._rows[:KEPT_ROWS], self._hazards[:KEPT_ROWS]

    def packet(self, size_bytes: int, now_ns: int) -> int | None:
        """When a packet that enters now comes out; None = lost, or the queue was full."""
        begin = self._work_at(now_ns)
        waiting = self._free - begin
        if waiting > 0:
            if waiting + size_bytes * BYTE > self._limit:
                self.full += 1
                return None
            begin = self._free
        end = begin + size_bytes * BYTE
        if self._is_dropping and self._meets(self._gaps, end, now_ns):
            self.lost += 1
            return None
        self._free = end
        served = self._served(end)
        if served is None:
            self.lost += 1
            return None
        at_ns, index = served
        if self._losses(index):
            self.lost += 1
            return None
        return self._out(at_ns + self._rows[index].delay_ns)

    def message(self, size_bytes: int, now_ns: int) -> int | None:
        """When a message over a reliable transport has come out whole.

        A lost packet is repeated after a round trip, and what follows waits for it; nothing is
        dropped by a full queue (its sender waits). None = a `drop` outage of more than 0.3 s ended
        its connection, or the link never comes back.
        """
        begin = max(self._free, self._work_at(now_ns))
        end = begin + size_bytes * BYTE
        if self._is_dropping and self._meets(self._breaks, end, now_ns):
            return None
        self._free = end
        if self._served(end) is None:
            return None
        return self._out(self._whole_ns(begin, end))

    def enter(self, size_bytes: int, now_ns: int) -> int:
        """Take a place in the queue without asking for room; the place, for `leave_ns`."""
        # What has no size has a place of its own too: behind an outage, not before it.
        self._free = max(self._free, self._work_at(now_ns)) + max(1, size_bytes * BYTE)
        return self._free

    def waiting_bytes(self, now_ns: int) -> int:
        """What has entered and is not served yet."""
        return -(-max(0, self._free - self._work_at(now_ns)) // BYTE)

    def served_ns(self, place: int) -> int | None:
        """When the server is done with a place, by the rows so far; None = not for all we know."""
        served = self._served(place)
        return None if served is None else served[0]

    def leave_ns(self, place: int) -> int:
        """When what was served (`served_ns` has passed) comes out; once per place, in order."""
        at_ns, index = self._surely_served(place)
        row = self._rows[index]
        return self._out(at_ns + row.delay_ns + self._losses(index) * _resend_ns(row))

    def clear(self, now_ns: int) -> None:
        """Forget what waits and what is on the air: its connections are gone."""
        self._free = min(self._free, self._work_at(now_ns))
        self._last_ns = 0

    def _close_loop(self) -> None:
        if not self._rows or self._starts[0] != 0:
            raise ValueError("expected rows from 0 ns on for a link that loops")
        last = self._rows[-1]
        tail_ns = last.start_ns - self._starts[-2] if len(self._rows) > 1 else NS_PER_S
        self._period_ns = last.start_ns + tail_ns
        self._lap = self._works[-1] + last.rate_bps * tail_ns
        if last.rate_bps:
            return
        # The outage at the end goes on into the one at the beginning, if there is one.
        head_ns = next((r.start_ns for r in self._rows if r.rate_bps), self._period_ns)
        self._gaps.close(self._period_ns, before_ns=head_ns)
        self._breaks.close(self._period_ns, before_ns=head_ns)
        begins_out = self._rows[0].rate_bps == 0 and self._lap > 0
        whole_ns = self._period_ns - self._tail_start_ns() + head_ns
        if begins_out and whole_ns > RESET_AFTER_NS and self._breaks.starts[:1] != [0]:
            self._breaks.starts.insert(0, 0)
            self._breaks.ends.insert(0, head_ns)
            self._breaks.works.insert(0, 0)

    def _tail_start_ns(self) -> int:
        """Where the outage at the end begins."""
        for index in range(len(self._rows) - 1, -1, -1):
            if self._rows[index].rate_bps:
                return self._starts[index + 1]
        return 0

    def _work_at(self, now_ns: int) -> int:
        """C(now)."""
        lap = 0
        if self._period_ns:
            laps, now_ns = divmod(now_ns, self._period_ns)
            lap = laps * self._lap
        index = bisect.bisect_right(self._starts, now_ns) - 1
        if index < 0:
            return lap
        row = self._rows[index]
        return lap + self._works[index] + row.rate_bps * (now_ns - row.start_ns)

    def _served(self, work: int) -> tuple[int, int] | None:
        """C^-1(work): the first nanosecond by which so much is served, and the row it was in."""
        lap_ns = 0
        if self._period_ns:
            if self._lap == 0:
                return None
            laps, work = divmod(work - 1, self._lap)
            work += 1
            lap_ns = laps * self._period_ns
        index = max(0, bisect.bisect_left(self._works, work) - 1)
        if index >= len(self._rows):
            return None
        row = self._rows[index]
        if row.rate_bps == 0:
            return None
        return lap_ns + row.start_ns - (self._works[index] - work) // row.rate_bps, index

    def _surely_served(self, work: int) -> tuple[int, int]:
        served = self._served(work)
        assert served is not None
        return served

    def _meets(self, outages: _Outages, end: int, now_ns: int) -> bool:
        """Whether an outage comes before the server is done; if so, what waits is lost with it."""
        lap = 0
        if self._period_ns:
            laps, now_ns = divmod(now_ns, self._period_ns)
            lap = laps * self._lap
        if not outages.ends:
            return not self._rows
        index = bisect.bisect_right(outages.ends, now_ns)
        if index == len(outages.ends):
            if not self._period_ns:
                return False
            index, lap, now_ns = 0, lap + self._lap, now_ns - self._period_ns
        at = lap + outages.works[index]
        if outages.starts[index] > now_ns and end <= at:
            return False
        self._free = max(self._free, at)
        return True

    def _whole_ns(self, begin: int, end: int) -> int:
        """When the last packet of a message is there, repetitions included."""
        packet = PACKET_BYTES * BYTE
        latest_ns = 0
        place = begin
        while place < end:  # once per row that the message lies in, and per loss
            at_ns, index = self._surely_served(min(place + packet, end))
            row_end = self._row_end(index, at_ns)
            until = end
            if row_end is not None and row_end < end:
                until = place + max(1, (row_end - place) // packet) * packet
            row = self._rows[index]
            resend_ns = 0
            hazard = self._hazards[index]
            if hazard:
                count = -(-(until - place) // packet)
                for number in range(1, count + 1):
                    if losses := self._losses(index):
                        resend_ns = losses * _resend_ns(row)
                        until = min(place + number * packet, until)
                        break
            if until - place > packet:
                at_ns, _ = self._surely_served(until)
            latest_ns = max(latest_ns, at_ns + row.delay_ns + resend_ns)
            place = until
        return latest_ns

    def _row_end(self, index: int, at_ns: int) -> int | None:
        """C at the end of a row in the lap that holds `at_ns`; None = it never ends."""
        lap = (at_ns - 1) // self._period_ns * self._lap if self._period_ns else 0
        if index + 1 < len(self._works):
            return lap + self._works[index + 1]
        return lap + self._lap if self._period_ns else None

    def _losses(self, index: int) -> int:
        """How often the next packet is lost in a row before it gets through."""
        hazard = self._hazards[index]
        if hazard < self._calm or not hazard:
            self._calm -= hazard
            return 0
        self._calm = self._random.expovariate(1.0)
        loss = min(self._rows[index].loss, MOST_LOSS)
        return 1 + int(math.log(1.0 - self._random.random()) / math.log(loss))

    def _out(self, at_ns: int) -> int:
        self._last_ns = max(self._last_ns, at_ns)
        return self._last_ns


def _resend_ns(row: Row) -> int:
    """What one repetition of a packet costs: a round trip."""
    return max(LEAST_RESEND_NS, 2 * row.delay_ns)


class LinkModel(NamedTuple):
    """Both directions of a link; up = vehicle to unit."""

    up: Direction
    dn: Direction

    @classmethod
    def of(
        cls, trace: "Trace", *, limit_bytes: int, outage: Outage, seed: str, loops: bool = True
    ) -> "LinkModel":
        """The link of a trace; arguments as of `Direction`."""
        up, dn = trace.directions()
        return cls(
            Direction(up, limit_bytes=limit_bytes, outage=outage, seed=f"{seed}/up", loops=loops),
            Direction(dn, limit_bytes=limit_bytes, outage=outage, seed=f"{seed}/dn", loops=loops),
        )
