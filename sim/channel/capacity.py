"""C(t): what a link of piecewise constant rate can have carried by an instant, and its inverse.

Whole numbers only: work is rate [bit/s] x time [ns], so that every sum is exact.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import NamedTuple

NS_PER_S = 1_000_000_000
BYTE = 8 * NS_PER_S  # of work
FOREVER_NS = 1 << 62
ONLY_ROW_NS = 100_000_000  # length of the last row of a loop where there is no row before it
KEPT_ROWS = 6000  # of a live link: ten minutes, far longer than anything waits


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


class Outages:
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


class Capacity:
    """The rows of one direction; they may loop, or come as time passes.

    Attributes:
        rows: All that are kept.
        gaps: Outages of any length.
        breaks: Outages longer than a connection survives.
    """

    def __init__(self, rows: Sequence[Row], *, loops: bool, breaks_ns: int) -> None:
        """As `Direction`, which tells what the arguments are; errors too."""
        self.rows: list[Row] = []
        self.gaps = Outages(0)
        self.breaks = Outages(breaks_ns)
        self.period_ns = 0  # 0 = does not loop
        self.is_lossy = False
        self.breaks_ns = breaks_ns
        self._starts: list[int] = []
        self._works: list[int] = []  # C at the start of each row
        self._lap = 0  # C of a whole period
        self._is_known = True  # what is known beforehand is kept, however long
        for row in rows:
            self.append(row)
        self._is_known = bool(rows)
        if loops:
            self._close_loop()

    def append(self, row: Row) -> None:
        """What holds from `row.start_ns` on, in place of the last row.

        Raises:
            ValueError: the row does not begin after the last, or the rows loop.
        """
        work = 0
        if self.rows:
            last = self.rows[-1]
            if self.period_ns or row.start_ns <= last.start_ns:
                raise ValueError(f"expected a row after {last.start_ns} ns, got {row.start_ns} ns")
            work = self._works[-1] + last.rate_bps * (row.start_ns - last.start_ns)
            if last.rate_bps == 0 and row.rate_bps:
                self.gaps.close(row.start_ns)
                self.breaks.close(row.start_ns)
        if row.rate_bps == 0 and (not self.rows or self.rows[-1].rate_bps):
            self.gaps.open(row.start_ns, work)
            self.breaks.open(row.start_ns, work)
        self._starts.append(row.start_ns)
        self._works.append(work)
        self.rows.append(row)
        self.is_lossy = self.is_lossy or row.loss > 0.0
        if len(self.rows) > 2 * KEPT_ROWS and not self._is_known:
            del self._starts[:KEPT_ROWS], self._works[:KEPT_ROWS]
            del self.rows[:KEPT_ROWS]

    def work_at(self, now_ns: int) -> int:
        """C(now)."""
        lap = 0
        if self.period_ns:
            laps, now_ns = divmod(now_ns, self.period_ns)
            lap = laps * self._lap
        index = bisect_right(self._starts, now_ns) - 1
        if index < 0:
            return lap
        start_ns, rate_bps, _, _ = self.rows[index]
        return lap + self._works[index] + rate_bps * (now_ns - start_ns)

    def served(self, work: int) -> tuple[int, int] | None:
        """C^-1(work): the first nanosecond by which so much is served, and the row it was in."""
        lap_ns = 0
        if self.period_ns:
            if self._lap == 0:
                return None
            laps, work = divmod(work - 1, self._lap)
            work += 1
            lap_ns = laps * self.period_ns
        index = bisect_left(self._works, work) - 1
        if index < 0:
            index = 0
        if index >= len(self.rows):
            return None
        start_ns, rate_bps, _, _ = self.rows[index]
        if rate_bps == 0:
            return None
        return lap_ns + start_ns - (self._works[index] - work) // rate_bps, index

    def row_begin(self, index: int, at_ns: int) -> int:
        """C at the start of a row in the lap that holds `at_ns`."""
        lap = (at_ns - 1) // self.period_ns * self._lap if self.period_ns else 0
        return lap + self._works[index]

    def row_end(self, index: int, at_ns: int) -> int | None:
        """C at the end of a row in the lap that holds `at_ns`; None = it never ends."""
        lap = (at_ns - 1) // self.period_ns * self._lap if self.period_ns else 0
        if index + 1 < len(self._works):
            return lap + self._works[index + 1]
        return lap + self._lap if self.period_ns else None

    def next_outage(self, outages: Outages, now_ns: int) -> tuple[bool, int] | None:
        """Whether it is on now, and C at it, of the outage that now is in or that comes next."""
        lap = 0
        if self.period_ns:
            laps, now_ns = divmod(now_ns, self.period_ns)
            lap = laps * self._lap
        if not outages.ends:
            return None if self.rows else (True, 0)
        index = bisect_right(outages.ends, now_ns)
        if index == len(outages.ends):
            if not self.period_ns:
                return None
            index, lap, now_ns = 0, lap + self._lap, now_ns - self.period_ns
        return outages.starts[index] <= now_ns, lap + outages.works[index]

    def _close_loop(self) -> None:
        if not self.rows or self._starts[0] != 0:
            raise ValueError("expected rows from 0 ns on for a link that loops")
        last = self.rows[-1]
        tail_ns = last.start_ns - self._starts[-2] if len(self.rows) > 1 else ONLY_ROW_NS
        self.period_ns = last.start_ns + tail_ns
        self._lap = self._works[-1] + last.rate_bps * tail_ns
        if last.rate_bps:
            return
        # The outage at the end goes on into the one at the beginning, if there is one.
        head_ns = next((r.start_ns for r in self.rows if r.rate_bps), self.period_ns)
        self.gaps.close(self.period_ns, before_ns=head_ns)
        self.breaks.close(self.period_ns, before_ns=head_ns)
        begins_out = self.rows[0].rate_bps == 0 and self._lap > 0
        whole_ns = self.period_ns - self._tail_start_ns() + head_ns
        if begins_out and whole_ns > self.breaks_ns and self.breaks.starts[:1] != [0]:
            self.breaks.starts.insert(0, 0)
            self.breaks.ends.insert(0, head_ns)
            self.breaks.works.insert(0, 0)

    def _tail_start_ns(self) -> int:
        """Where the outage at the end begins."""
        for index in range(len(self.rows) - 1, -1, -1):
            if self.rows[index].rate_bps:
                return self._starts[index + 1]
        return 0
