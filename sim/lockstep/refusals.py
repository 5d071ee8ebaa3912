"""When a link's connections are reset and refused: long outages, where it drops them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from sim.channel.link_model import NS_PER_S, RESET_AFTER_NS, Row

NEVER_NS = 1 << 62


class Refusals:
    """The spans from `RESET_AFTER_NS` after an outage's start to its end, over a looping trace."""

    def __init__(self, rows: Sequence[Row], *, is_dropping: bool) -> None:
        self._spans: list[tuple[int, int]] = []
        last = rows[-1].start_ns
        self._period_ns = last + (last - rows[-2].start_ns if len(rows) > 1 else NS_PER_S)
        self._is_dead = is_dropping and all(row.rate_bps == 0 for row in rows)
        if is_dropping and not self._is_dead:
            self._spans = self._found(rows)
        self._starts = [start for start, _ in self._spans]

    def _found(self, rows: Sequence[Row]) -> list[tuple[int, int]]:
        """Over two periods, so that an outage across the seam is one; starts in the first only."""
        edges: list[tuple[int, bool]] = []
        for lap in (0, self._period_ns):
            edges += [(lap + row.start_ns, row.rate_bps == 0) for row in rows]
        spans: list[tuple[int, int]] = []
        since: int | None = None
        for at_ns, is_out in edges:
            if is_out and since is None:
                since = at_ns
            elif not is_out and since is not None:
                if at_ns - since > RESET_AFTER_NS and since < self._period_ns:
                    spans.append((since + RESET_AFTER_NS, at_ns))
                since = None
        seam = [(s - self._period_ns, e - self._period_ns) for s, e in spans if e > self._period_ns]
        if seam and spans and spans[0][0] < seam[0][1]:
            spans.pop(0)  # the beginning's outage is the end's going on
        return [*seam, *spans]

    def ends_ns(self, now_ns: int) -> int:
        """When connections are taken again, if they are refused now; else 0."""
        if self._is_dead:
            return NEVER_NS
        if not self._spans:
            return 0
        lap_ns = now_ns // self._period_ns * self._period_ns
        index = bisect_right(self._starts, now_ns - lap_ns) - 1
        if index < 0:
            return 0
        end_ns = lap_ns + self._spans[index][1]
        return end_ns if now_ns < end_ns else 0

    def next_ns(self, now_ns: int) -> int:
        """When connections are reset next."""
        if not self._spans:
            return NEVER_NS
        lap_ns = now_ns // self._period_ns * self._period_ns
        for base in (lap_ns, lap_ns + self._period_ns):
            for start_ns in self._starts:
                if base + start_ns > now_ns:
                    return base + start_ns
        return NEVER_NS
