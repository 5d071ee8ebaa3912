"""How fast simulated time passes, measured over the last seconds and over the whole drive."""

from collections import deque

from scheduler.clock import NS_PER_S

WINDOW_NS = 5 * NS_PER_S


class Pace:
    """The real-time factor: simulated seconds per second of the clock.

    Args:
        now_ns: the clock now.
        sim_ns: simulated time now.
    """

    def __init__(self, now_ns: int, sim_ns: int) -> None:
        self._start = (now_ns, sim_ns)
        self._marks: deque[tuple[int, int]] = deque([self._start])

    def mark(self, now_ns: int, sim_ns: int) -> None:
        """Note where simulated time stands."""
        self._marks.append((now_ns, sim_ns))
        while len(self._marks) > 2 and now_ns - self._marks[1][0] > WINDOW_NS:
            self._marks.popleft()

    def recent(self) -> float:
        """Over the last five seconds; 1.0 before anything was marked."""
        return _factor(self._marks[0], self._marks[-1])

    def overall(self) -> float:
        """Since the start."""
        return _factor(self._start, self._marks[-1])


def _factor(a: tuple[int, int], b: tuple[int, int]) -> float:
    return (b[1] - a[1]) / (b[0] - a[0]) if b[0] > a[0] else 1.0
