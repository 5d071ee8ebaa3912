"""The round trip of one link from its pings: least, smoothed, and what it varies by (sans-IO)."""

from collections import deque

WINDOW_NS = 10_000_000_000  # of the least one
MOST_PINGS = 64  # that wait for an answer
CLEAN_RATE = 0.125  # of the mean over pings that waited behind nothing of ours
QUICK_RATE = 0.4
MOST_JITTERS = 2.0  # of what one ping may add: one that sat through an outage is no jitter
LEAST_JITTER_NS = 1e6
OVERUSE_NS = 12_500_000.0  # GCC's threshold for queueing that is not ours
OVERUSE_FOR_NS = 100_000_000


class RoundTrip:
    """Two views: RFC 6298 over every ping, for patience; clean pings alone, for predictions.

    A ping behind a frame of ours measures our own queue, which is predicted apart.
    """

    def __init__(self) -> None:
        self.srtt_ns = 20e6
        self.rttvar_ns = 10e6
        self.is_known = False
        self.patience_ns = 0  # four smoothed round trips and deviations, once they are known
        self.typical_ns = 20e6  # of clean pings
        self.jitter_ns = 10e6  # standard deviation of the same
        self._quick_ns = 20e6
        self._over_since_ns: int | None = None
        self._has_reacted = False
        self._has_clean = False
        self._least: deque[tuple[int, int]] = deque()  # (when, ns): both increase
        self._pings: dict[int, tuple[int, bool]] = {}

    @property
    def least_ns(self) -> int:
        """Least round trip of the last ten seconds in which there was one."""
        return self._least[0][1] if self._least else int(self.srtt_ns)

    def on_ping(self, number: int, is_clean: bool, now_ns: int) -> None:
        """A ping left; clean: nothing of ours was in flight."""
        self._pings[number] = (now_ns, is_clean)
        if len(self._pings) > MOST_PINGS:
            del self._pings[next(iter(self._pings))]

    def on_pong(self, number: int, now_ns: int, *, is_settled: bool = True) -> int | None:
        """A ping came back: its round trip; None when it is not known. Older ones are given up.

        Args:
            is_settled: Nothing else, such as the opening of connections, is on the link.
        """
        sent = self._pings.pop(number, None)
        if sent is None:
            return None
        sent_ns, is_clean = sent
        while self._pings:
            oldest = next(iter(self._pings))
            if self._pings[oldest][0] > sent_ns:
                break
            del self._pings[oldest]
        rtt_ns = now_ns - sent_ns
        self._smooth(rtt_ns, now_ns)
        if is_clean and (is_settled or not self._has_clean):
            self._learn_clean(rtt_ns)
        return rtt_ns

    def owed_since_ns(self) -> int | None:
        """When the oldest ping without an answer left."""
        for sent_ns, _ in self._pings.values():
            return sent_ns
        return None

    def clear(self) -> int:
        """Forget the pings that wait; how many those were."""
        count = len(self._pings)
        self._pings.clear()
        self._over_since_ns = None
        return count

    def is_overused(self, now_ns: int) -> bool:
        """Whether a queue that is not ours has begun; true once for each."""
        if self._quick_ns - self.typical_ns <= OVERUSE_NS:
            self._over_since_ns, self._has_reacted = None, False
        elif self._over_since_ns is None:
            self._over_since_ns = now_ns
        elif now_ns - self._over_since_ns >= OVERUSE_FOR_NS and not self._has_reacted:
            self._has_reacted = True
            return True
        return False

    def _smooth(self, rtt_ns: int, now_ns: int) -> None:
        least = self._least
        while least and least[-1][1] >= rtt_ns:
            least.pop()
        least.append((now_ns, rtt_ns))
        while now_ns - least[0][0] > WINDOW_NS:
            least.popleft()
        if not self.is_known:
            self.srtt_ns, self.rttvar_ns, self.is_known = float(rtt_ns), rtt_ns / 2.0, True
        else:
            self.rttvar_ns += 0.25 * (abs(self.srtt_ns - rtt_ns) - self.rttvar_ns)  # RFC 6298
            self.srtt_ns += 0.125 * (rtt_ns - self.srtt_ns)
        self.patience_ns = int(4 * self.srtt_ns + 4 * self.rttvar_ns)

    def _learn_clean(self, rtt_ns: int) -> None:
        if not self._has_clean:
            self.typical_ns = self._quick_ns = float(rtt_ns)
            self.jitter_ns = 0.25 * rtt_ns
            self._has_clean = True
            return
        most_ns = self.typical_ns + MOST_JITTERS * self.jitter_ns + LEAST_JITTER_NS
        error = min(rtt_ns, most_ns) - self.typical_ns
        self.typical_ns += CLEAN_RATE * error
        self.jitter_ns += CLEAN_RATE * (1.25 * abs(error) - self.jitter_ns)
        self._quick_ns += QUICK_RATE * (rtt_ns - self._quick_ns)
