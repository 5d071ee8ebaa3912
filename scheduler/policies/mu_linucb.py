"""Baseline: a linear bandit on latency with forced samples (Zhang et al., ANS, WWW 2021).

Per link, latency is a linear function of a small context; the frame goes where the optimistic
latency is within the deadline and the accuracy is highest. At home nothing is learned of links, so
every n-th frame is sent anyway.
"""

import math

from scheduler.in_flight import bits_of
from scheduler.placement import Encoding, LinkView, Options, Outcome, Placement, View
from scheduler.plugins import check_options
from scheduler.policies.choices import best_model, on_board, open_links, send
from scheduler.tasks import Task

UNIT_NS = 5e7  # of latency and context: 50 ms
NOMINAL_BPS = 4e6  # the context's transfer time is at this rate
LOST_NS = 500_000_000  # what an answer that never came is taken for
Vector = tuple[float, float, float]


class _Arm:
    """Ridge regression of latency on a context, with forgetting: A^-1 by Sherman-Morrison."""

    def __init__(self) -> None:
        self.inverse = [[10.0 * (i == j) for j in range(3)] for i in range(3)]
        self.b = [0.0, 0.0, 0.0]

    def bound(self, x: Vector, alpha: float) -> float:
        """The least latency that is plausible."""
        ax = [sum(row[j] * x[j] for j in range(3)) for row in self.inverse]
        mean = sum(ax[i] * self.b[i] for i in range(3))
        return mean - alpha * math.sqrt(max(0.0, sum(ax[i] * x[i] for i in range(3))))

    def learn(self, x: Vector, y: float, forget: float) -> None:
        """One more sample."""
        a = [[value / forget for value in row] for row in self.inverse]
        ax = [sum(row[j] * x[j] for j in range(3)) for row in a]
        scale = 1.0 + sum(ax[i] * x[i] for i in range(3))
        self.inverse = [
            [min(10.0, a[i][j] - ax[i] * ax[j] / scale) for j in range(3)] for i in range(3)
        ]
        self.b = [forget * self.b[i] + y * x[i] for i in range(3)]


class MuLinUcb:
    """One arm per link.

    Options:
        alpha: Standard deviations of optimism; more tries more.
        forget: Of the past at each sample; less follows the road faster.
        every: Each so many frames one is sent in any case.
    """

    name = "mu_linucb"

    def __init__(self, options: Options) -> None:
        self._o = check_options(options, {"alpha": 0.4, "forget": 0.98, "every": 30})
        self._arms: dict[str, _Arm] = {}
        self._contexts: dict[tuple[int, str], Vector] = {}  # of what is on its way
        self._frames = 0

    def on_outcome(self, outcome: Outcome) -> None:
        """A sample of its link's latency."""
        x = self._contexts.pop((outcome.task.task_id, outcome.unit_id), None)
        if x is not None:
            latency_ns = LOST_NS if outcome.latency_ns is None else outcome.latency_ns
            y = min(LOST_NS, latency_ns) / UNIT_NS
            self._arms[outcome.unit_id].learn(x, y, self._o["forget"])

    def place(self, task: Task, view: View) -> Placement:
        """The most accurate action whose optimistic latency is within the deadline."""
        self._frames += 1
        best, context = on_board(task, view, "no link is fast enough"), None
        links = open_links(view)
        if links and self._frames % int(self._o["every"]) == 0:
            link = links[self._frames // int(self._o["every"]) % len(links)]
            encoding = view.encodings[-1]
            best = send(link, best_model(link), encoding, "its turn to be sampled")
            return self._sent(task, best, _context(encoding, link))
        left_ns = task.deadline_ns - view.margin_ns - view.now_ns
        for link in links:
            arm = self._arms.setdefault(link.unit_id, _Arm())
            for encoding in view.encodings:
                x = _context(encoding, link)
                latency_ns = arm.bound(x, self._o["alpha"]) * UNIT_NS + encoding.encode_ns
                for model in link.models:
                    is_better = round(model.accuracy_of(encoding) - best.utility, 6) > 0.0
                    if is_better and latency_ns <= left_ns:
                        reason = f"may take {latency_ns / 1e6:.0f} ms"
                        best, context = send(link, model, encoding, reason), x
        return best if context is None else self._sent(task, best, context)

    def _sent(self, task: Task, placed: Placement, context: Vector) -> Placement:
        self._arms.setdefault(placed.unit_id, _Arm())
        self._contexts[task.task_id, placed.unit_id] = context
        if len(self._contexts) > 64:
            del self._contexts[next(iter(self._contexts))]
        return placed


def _context(encoding: Encoding, link: LinkView) -> Vector:
    """One, what is to cross the link, its round trip."""
    bits = bits_of(encoding.size_bytes + link.estimate.bytes_in_flight)
    return 1.0, bits * 1e9 / NOMINAL_BPS / UNIT_NS, link.estimate.srtt_ns / UNIT_NS
