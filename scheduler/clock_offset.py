"""How far another host's monotonic clock is from ours, with its bound, for displays (sans-IO).

Four timestamps give an offset that is wrong by at most half the time on the way (RFC 5905, section
8); of the last exchanges the one with the least delay is believed, and its bound grows with the
drift that is possible since. Deadlines, ages and decisions never use it: they need no other clock.
"""

from collections import deque
from typing import NamedTuple

KEPT = 8  # exchanges, as NTP's clock filter; more finds quicker ones and believes older ones
ROUNDING_NS = 2_000  # clocks travel in microseconds
DRIFT = 50e-6  # of crystals, s/s: two hosts may part by 25 ppm each


class Offset(NamedTuple):
    """The other clock less ours.

    Attributes:
        offset_ns: Best guess.
        bound_ns: The truth lies within this of it.
    """

    offset_ns: int
    bound_ns: int


class ClockOffset:
    """The clock of one other host."""

    def __init__(self, drift: float = DRIFT) -> None:
        """Nothing is known yet; `drift`: how fast the two may part, seconds a second."""
        self._drift = drift
        self._exchanges: deque[tuple[int, int, int]] = deque(maxlen=KEPT)  # left, offset, delay

    def add(self, left_ns: int, there_ns: int, answered_ns: int, back_ns: int) -> None:
        """One exchange: it left here, came there, was answered there, was back here.

        The middle two are on the other host's clock. What does not add up (an answer before its
        question, or a stay longer than the whole way) is left out. What contradicts all that is
        known comes from a clock that began anew: then that is forgotten.
        """
        delay_ns = (back_ns - left_ns) - (answered_ns - there_ns)
        if answered_ns < there_ns or delay_ns < 0:
            return
        offset_ns = ((there_ns - left_ns) + (answered_ns - back_ns)) // 2
        known = self.at(back_ns)
        bound_ns = delay_ns // 2 + int(self._drift * (back_ns - left_ns)) + ROUNDING_NS
        if known is not None and abs(offset_ns - known.offset_ns) > known.bound_ns + bound_ns:
            self._exchanges.clear()
        self._exchanges.append((left_ns, offset_ns, delay_ns))

    def at(self, now_ns: int) -> Offset | None:
        """The offset now, by the exchange with the smallest bound; None before the first."""
        best: Offset | None = None
        for left_ns, offset_ns, delay_ns in self._exchanges:
            drifted_ns = int(self._drift * max(0, now_ns - left_ns))
            bound_ns = (delay_ns + 1) // 2 + drifted_ns
            if best is None or bound_ns <= best.bound_ns:
                best = Offset(offset_ns, bound_ns)
        return best
