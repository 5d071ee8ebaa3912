"""What a decision costs: the policy's choice among 3 links x 12 pipelines, its view included.

    python benchmarks/decision.py [--decisions 2000] [--links 3] [--policy deadline ...]

CPU time of the thread; p50 and p99 are the medians of some runs', and the goal is judged by that
p99. Beside it stands the p99 of what each decision took at least, over runs that decide the same:
interruptions are out of that, but so is the garbage collector. Between two decisions the links
are answered, pinged and measured as in a drive, so nothing is cached that would not be there.
A reference loop of plain Python stands beside: compare machines by it.
"""

from __future__ import annotations

import argparse
import math
import random
import time
from statistics import median

from rich.console import Console
from rich.table import Table

from scheduler.dispatcher import Dispatcher
from scheduler.effects import Encode, Ping, Send, UnitReport
from scheduler.onboard import RungSpec
from scheduler.policies import SHORT_NAMES, load_policy
from scheduler.tasks import Task

MS = 1_000_000
INTERVAL_NS = 33 * MS
MODELS = {"medium": 0.7, "large": 0.8}  # with 2 sizes x 3 qualities: 12 pipelines a link
SIZES = ((640, 384), (320, 192))
GOAL_US = 100.0


class Vehicle:
    """A dispatcher whose links are up; answers come after a while."""

    def __init__(self, policy: str, links: int) -> None:
        self.now_ns = 0
        self._random = random.Random(1)
        names = [f"rsu{index}" for index in range(links)]
        self.dispatcher = Dispatcher(
            load_policy(policy, {}),
            [RungSpec("small", 0.5, 40 * MS)],
            names,
            accuracies=MODELS,
            now_ns=0,
            qualities=(80, 60, 40),
            resolutions=SIZES,
            shrunk={model: {SIZES[1]: value - 0.1} for model, value in MODELS.items()},
            frame_interval_ns=INTERVAL_NS,
        )
        self.dispatcher.on_worker(True, 0)
        for name in names:
            models = [(model, 10 * MS) for model in MODELS]
            self.dispatcher.on_welcome(name, 2, models, self.now_ns)
        while any(uplink.state(self.now_ns) != "up" for uplink in self._uplinks):
            self.now_ns += 10 * MS
            for effect in self.dispatcher.on_timer(self.now_ns):
                if isinstance(effect, Ping):
                    self.dispatcher.on_pong(effect.unit_id, effect.number, self.now_ns + 8 * MS)

    @property
    def _uplinks(self):  # type: ignore[no-untyped-def]
        return self.dispatcher.uplinks.values()

    def frame(self, tick: int) -> tuple[int, int]:
        """One frame from its arrival to its answer: ns of the decision, ns of all the rest."""
        self.now_ns += INTERVAL_NS
        now_ns = self.now_ns
        task = Task(tick, "ego", "front", tick, now_ns, "object_detection", now_ns,
                    now_ns + 100 * MS, 640, 384)  # fmt: skip
        self._answer_all(tick, now_ns)
        start = time.thread_time_ns()
        self.dispatcher.placer.place(task, now_ns)
        decided = time.thread_time_ns()
        effects = list(self.dispatcher.on_frame(task, now_ns))
        while effects:
            effect = effects.pop(0)
            if isinstance(effect, Encode):
                size = int(10_000 * math.exp(self._random.gauss(0.0, 0.2)))
                effects += self.dispatcher.on_encoded(tick, size, 3 * MS, now_ns + 3 * MS)
            elif isinstance(effect, Send):
                effects += self._answer(effect, now_ns + 3 * MS)
        effects = list(self.dispatcher.on_timer(now_ns + 30 * MS))
        for effect in effects:
            if isinstance(effect, Ping):
                self.dispatcher.on_pong(effect.unit_id, effect.number, now_ns + 31 * MS)
        return decided - start, time.thread_time_ns() - decided

    def _answer_all(self, tick: int, now_ns: int) -> None:
        """Every link has just brought an answer: none of them is left out as out of date."""
        for uplink in self._uplinks:
            took_ns = int(22 * MS * math.exp(self._random.gauss(0.0, 0.2)))
            sent_ns = now_ns - took_ns - 11 * MS
            uplink.estimator.on_sent(-tick, 10_000, sent_ns, now_ns, 10 * MS, 0.9)
            uplink.estimator.on_answer(-tick, 11 * MS, MS, now_ns)

    def _answer(self, effect: Send, sent_ns: int):  # type: ignore[no-untyped-def]
        effects = self.dispatcher.on_sent(effect, True, sent_ns)
        there_ns = sent_ns + int(20 * MS * math.exp(self._random.gauss(0.0, 0.2)))
        report = UnitReport("ok", MS, 2 * MS, 8 * MS, 2)
        done = self.dispatcher.on_result(effect.unit_id, effect.seq, report, (), there_ns)
        return [*effects, *done]


def loop_us() -> float:
    """A fixed piece of plain Python, as a yardstick of the machine: its median."""
    spent = []
    for _ in range(200):
        start = time.thread_time_ns()
        total = 0.0
        for k in range(1, 1001):
            total += math.exp(-1.0 / k)
        spent.append(time.thread_time_ns() - start)
    return sorted(spent)[100] / 1e3


def at(share: float, ordered: list[int]) -> int:
    """The quantile of what is in order."""
    return ordered[int(share * len(ordered))]


def drive(policy: str, links: int, decisions: int) -> list[tuple[int, int]]:
    """`Vehicle.frame` of each decision; the first 200 warm up."""
    vehicle = Vehicle(policy, links)
    return [vehicle.frame(tick) for tick in range(1, decisions + 200)][199:]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--decisions", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=7, help="of the same drive")
    parser.add_argument("--links", type=int, default=3)
    known = ", ".join(SHORT_NAMES)
    usual = ["deadline", "local_only"]
    parser.add_argument(
        "--policy", nargs="*", default=usual, help=f"of {known}, or module:Class; none = all"
    )
    flags = parser.parse_args()
    table = Table(
        "policy", "links x pipelines", "p50 us", "p99 us", "goal", "p99 us, least", "rest, p50 us"
    )
    pipelines = len(MODELS) * len(SIZES) * 3
    for policy in flags.policy or list(SHORT_NAMES):
        runs = [drive(policy, flags.links, flags.decisions) for _ in range(flags.repeats)]
        decided = [sorted(d for d, _ in run) for run in runs]
        p50, p99 = (median([at(share, run) for run in decided]) / 1e3 for share in (0.5, 0.99))
        least = sorted(min(same)[0] for same in zip(*runs, strict=True))
        rest = median([at(0.5, sorted(r for _, r in run)) for run in runs])
        verdict = "met" if p99 <= GOAL_US else "not met"
        table.add_row(
            policy, f"{flags.links} x {pipelines}", f"{p50:.1f}", f"{p99:.1f}",
            f"p99 <= {GOAL_US:.0f}: {verdict}", f"{at(0.99, least) / 1e3:.1f}",
            f"{rest / 1e3:.0f}",
        )  # fmt: skip
    console = Console()
    console.print(table)
    console.print(f"1,000 x exp in plain Python: {loop_us():.0f} us")


if __name__ == "__main__":
    main()
