"""How fast requests leave for one unit: not faster than it can look at them.

A request that would wait there for longer than a frame takes to come is overtaken, before its turn,
by a newer picture: it is better not sent. What leaves is thus at most one frame interval old when
its turn comes, however slow the unit is, and the unit is never out of work.
"""

# An eighth of the interval is left to what comes late: a wake-up, a longer turn. A busy unit idles
# for it by up to two in a hundred (`benchmarks/freshness.py`); a larger share costs more of that.
SLACK = 8


class Pace:
    """A clock of the unit's work for us: when it is done with what has left so far."""

    def __init__(self, interval_ns: int) -> None:
        """`interval_ns`: between frames; raising it lets pictures wait at the unit for longer."""
        self._interval_ns = interval_ns
        self._most_ns = interval_ns - interval_ns // SLACK
        self._done_ns = 0  # less the way there, which is the same for all

    def is_early(self, now_ns: int) -> bool:
        """Whether a newer frame will come before the turn of one that is sent now."""
        return self._done_ns - now_ns > self._most_ns

    def is_nearly_due(self, held_ns: int) -> bool:
        """Whether the next frame is about to come after one that was held back for so long."""
        return held_ns > self._most_ns

    def on_open(self) -> None:
        """A new session: of the old one the unit has forgotten what waited."""
        self._done_ns = 0

    def on_sent(self, service_ns: int, now_ns: int) -> None:
        """A request left that takes the unit so long; 0 = not known."""
        self._done_ns = max(self._done_ns, now_ns) + service_ns

    def on_answer(self, waited_ns: int, service_ns: int, in_flight: int, now_ns: int) -> None:
        """A request ended: what is still under way is all that the unit has of ours.

        Args:
            waited_ns: How long it waited there; well above zero we are ahead of the unit, whose
                turns take a little longer than its models.
            service_ns: What each of the others takes.
            in_flight: How many those are.
        """
        self._done_ns = min(self._done_ns, now_ns + service_ns * in_flight)
        ahead_ns = waited_ns - self._interval_ns // 2
        if ahead_ns > 0:
            self._done_ns = max(self._done_ns, now_ns) + min(ahead_ns, self._interval_ns) // 2
