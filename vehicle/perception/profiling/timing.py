"""Times several ways to do one thing against each other, so that a busy moment hits all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

WARM_UP = 2  # runs of each at first; runtimes prepare things in them
LEAST_ROUNDS = 5
MOST_RUNS = 5  # of one way in a row
PATIENCE = 8  # with a machine that others keep busy
TURN_S = 0.05  # that a turn aims for; a shorter one measures the change of turns
MS = 1e-6  # ns


@dataclass(frozen=True, slots=True)
class Reading:
    """Of the clocks, nanoseconds: the wall's, and the CPU time of this process."""

    wall_ns: int
    cpu_ns: int


@dataclass(frozen=True, slots=True)
class Timing:
    """What one run takes, milliseconds: medians over the rounds.

    Attributes:
        ms: Compute time: CPU time, at most the wall time; the wall time where a GPU computes.
        spread: Half the distance between the quartiles of the rounds, as a share of `ms`.
    """

    ms: float
    cpu_ms: float
    wall_ms: float
    spread: float
    rounds: int


@dataclass(frozen=True, slots=True)
class Way:
    """One way to do it.

    Attributes:
        run: Does it once.
        is_elsewhere: Whether a GPU computes, so that CPU time says nothing.
    """

    run: Callable[[], object]
    is_elsewhere: bool = False


@dataclass(slots=True)
class _Turns:
    wall_ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    runs: int = 1
    spent_ns: int = 0


def now() -> Reading:
    """Both clocks."""
    return Reading(time.perf_counter_ns(), time.process_time_ns())


def against_each_other(
    ways: Mapping[str, Way], seconds: float, read: Callable[[], Reading] = now
) -> dict[str, Timing]:
    """Gives the ways turns, round after round, each round beginning with another one.

    The first run of a turn is not counted: it finds the caches full of another's weights, which a
    vehicle that runs one model does not. A turn's value is the median of its runs.

    Args:
        ways: By name.
        seconds: Of compute time of each way; at least `LEAST_ROUNDS` rounds are made, and no more
            where that took `PATIENCE` times as long by the wall.
        read: The clocks.
    """
    names = list(ways)
    turns = {name: _Turns() for name in names}
    for name in names:
        for _ in range(WARM_UP):
            took_ns = _took(ways[name], read).wall_ns
        turns[name].runs = max(1, min(MOST_RUNS, round(TURN_S * 1e9 / max(took_ns, 1))))
    done, began_ns = 0, read().wall_ns
    last_ns = began_ns + PATIENCE * len(names) * seconds * 1e9
    while done < LEAST_ROUNDS or (
        min(t.spent_ns for t in turns.values()) < seconds * 1e9 and read().wall_ns < last_ns
    ):
        for index in range(len(names)):
            name = names[(index + done) % len(names)]
            _turn(ways[name], turns[name], read)
        done += 1
    return {name: _timing(turns[name], ways[name].is_elsewhere) for name in names}


def _took(way: Way, read: Callable[[], Reading]) -> Reading:
    before = read()
    way.run()
    after = read()
    return Reading(after.wall_ns - before.wall_ns, after.cpu_ns - before.cpu_ns)


def _turn(way: Way, turns: _Turns, read: Callable[[], Reading]) -> None:
    first = _took(way, read)
    runs = [_took(way, read) for _ in range(turns.runs)]
    turns.wall_ms.append(statistics.median(run.wall_ns for run in runs) * MS)
    turns.cpu_ms.append(statistics.median(run.cpu_ns for run in runs) * MS)
    turns.spent_ns += sum(_compute(run, way.is_elsewhere) for run in (first, *runs))


def _compute(took: Reading, is_elsewhere: bool) -> int:
    return took.wall_ns if is_elsewhere else min(took.wall_ns, took.cpu_ns)


def _timing(turns: _Turns, is_elsewhere: bool) -> Timing:
    compute = [
        wall if is_elsewhere else min(wall, cpu)
        for wall, cpu in zip(turns.wall_ms, turns.cpu_ms, strict=True)
    ]
    ms = statistics.median(compute)
    low, _, high = statistics.quantiles(compute, n=4, method="inclusive")
    return Timing(
        ms,
        statistics.median(turns.cpu_ms),
        statistics.median(turns.wall_ms),
        (high - low) / 2 / ms if ms else 0.0,
        len(compute),
    )
