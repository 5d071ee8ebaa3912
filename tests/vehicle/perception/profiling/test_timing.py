"""Timing in turns, on clocks that the test moves."""

from dataclasses import dataclass, field

import pytest

from vehicle.perception.profiling.timing import MOST_RUNS, Reading, Way, against_each_other

MS = 1_000_000


@dataclass
class Bench:
    """Clocks, and ways that move them."""

    wall_ns: int = 0
    cpu_ns: int = 0
    log: list[str] = field(default_factory=list)

    def read(self) -> Reading:
        return Reading(self.wall_ns, self.cpu_ns)

    def way(self, name: str, cpu_ms: float, wait_ms: float = 0.0, **more: bool) -> Way:
        def run() -> None:
            self.log.append(name)
            self.cpu_ns += round(cpu_ms * MS)
            self.wall_ns += round((cpu_ms + wait_ms) * MS)

        return Way(run, **more)


def test_compute_time_is_cpu_time_and_not_what_others_took_of_the_machine():
    bench = Bench()
    found = against_each_other({"a": bench.way("a", 2.0, wait_ms=7.0)}, 0.1, bench.read)["a"]
    assert (found.ms, found.cpu_ms, found.wall_ms) == pytest.approx((2.0, 2.0, 9.0))
    assert found.spread == 0.0


def test_several_threads_count_by_the_wall_and_so_does_a_gpu():
    bench = Bench()

    def two_threads() -> None:
        bench.cpu_ns += 8 * MS
        bench.wall_ns += 4 * MS

    ways = {"cpu": Way(two_threads), "gpu": bench.way("gpu", 0.1, 2.9, is_elsewhere=True)}
    found = against_each_other(ways, 0.05, bench.read)
    assert found["cpu"].ms == pytest.approx(4.0)
    assert found["gpu"].ms == pytest.approx(3.0)


def test_the_ways_take_turns_and_each_round_begins_with_another():
    bench = Bench()
    ways = {name: bench.way(name, 30.0) for name in "abc"}
    against_each_other(ways, 0.0, bench.read)
    turns = [name for i, name in enumerate(bench.log[6:]) if i % 3 == 0]  # 1 uncounted and 2 runs
    assert "".join(turns[:9]) == "abcbcacab"


def test_a_fast_way_runs_often_enough_in_a_turn_and_not_too_often():
    bench = Bench()
    against_each_other({"a": bench.way("a", 0.1), "b": bench.way("b", 0.1)}, 0.0, bench.read)
    first = "".join(bench.log[4:]).split("b")[0]
    assert len(first) == 1 + MOST_RUNS


def test_a_noisy_moment_moves_no_median_but_the_spread():
    bench = Bench()
    calls = {"n": 0}

    def run() -> None:
        calls["n"] += 1
        took = 40 * MS if calls["n"] % 10 < 3 else 10 * MS
        bench.cpu_ns += took
        bench.wall_ns += took

    found = against_each_other({"a": Way(run)}, 2.0, bench.read)["a"]
    assert found.ms == pytest.approx(10.0)
    assert found.rounds >= 5


def test_each_way_gets_its_seconds():
    bench = Bench()
    found = against_each_other(
        {"slow": bench.way("slow", 50.0), "fast": bench.way("fast", 5.0)}, 1.0, bench.read
    )
    assert bench.log.count("fast") * 5.0 >= 1000.0
    assert found["fast"].rounds == found["slow"].rounds


def test_a_machine_that_others_keep_busy_does_not_keep_it_for_ever():
    bench = Bench()
    found = against_each_other({"a": bench.way("a", 1.0, wait_ms=999.0)}, 1.0, bench.read)["a"]
    assert found.rounds == 5  # and not the five hundred that a second of compute would take
    assert found.ms == pytest.approx(1.0)
