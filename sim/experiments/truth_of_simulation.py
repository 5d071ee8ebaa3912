"""`vdap experiment truth`: whether lockstep tells what a deployed vehicle does over the same link.

For three policies: a drive in real time (vehicle, link emulator, unit as processes; pictures and
models that cost nothing) and the same in virtual time. They agree where the share of frames that a
model looked at in time differs by at most 3 points and the median age by at most 10 %. Leave the
machine alone meanwhile.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scheduler.errors import ConfigError
from scheduler.processes import entry

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from scheduler.messages import Verdict

MOST_POINTS = 0.03  # of the share in time
MOST_AGE = 0.10  # of the median age
POLICIES = ("deadline", "always_offload", "ewma_latency")
STAGES = ("local", "encode", "uplink", "queue", "decode", "infer", "downlink")
BUSY_SHARE = 0.005  # of verdicts after their deadline that only a starved machine explains
MISSED = 1


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two drives."""

    frames: int
    in_time: float
    offloaded: float
    late: float
    age_p50_ms: float
    age_p99_ms: float
    stages_ms: dict[str, tuple[float, float]]  # median and 90th percentile

    @staticmethod
    def of(verdicts: Sequence[Verdict]) -> Side:
        """The figures of its verdicts."""
        from sim.experiments.statistics import percentile

        count = max(1, len(verdicts))
        ages = [verdict.age_ms for verdict in verdicts]
        return Side(
            len(verdicts),
            sum(v.answer != "carried" and not v.is_late for v in verdicts) / count,
            sum(v.answer == "offloaded" for v in verdicts) / count,
            sum(v.is_late for v in verdicts) / count,
            percentile(ages, 0.5),
            percentile(ages, 0.99),
            {
                stage: (percentile(times, 0.5), percentile(times, 0.9))
                for stage in STAGES
                if (times := [v.stages_ms[stage] for v in verdicts if stage in v.stages_ms])
            },
        )


@dataclass(frozen=True, slots=True)
class Pair:
    """A policy's two drives."""

    policy: str
    real: Side
    virtual: Side

    @property
    def points(self) -> float:
        """Share in time, virtual less real."""
        return self.virtual.in_time - self.real.in_time

    @property
    def age(self) -> float:
        """Median age, virtual over real, less 1."""
        return self.virtual.age_p50_ms / self.real.age_p50_ms - 1.0

    @property
    def agrees(self) -> bool:
        """Within both bounds."""
        return abs(self.points) <= MOST_POINTS and abs(self.age) <= MOST_AGE

    @property
    def line(self) -> str:
        """The verdict in words."""
        word = "agree" if self.agrees else "DIFFER"
        return (
            f"{self.policy}: {word}: in time {100 * self.points:+.1f} points (3 allowed), "
            f"age p50 {100 * self.age:+.1f} % (10 allowed)"
        )


def parser() -> argparse.ArgumentParser:
    """The command line."""
    it = argparse.ArgumentParser(
        prog="vdap experiment truth",
        description=(__doc__ or "").partition("\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    it.add_argument("--policies", default=",".join(POLICIES), help="three or more")
    it.add_argument("--trace", default="urban_drive", help="a CSV, or the name of a shipped one")
    it.add_argument("--seconds", type=float, default=40.0, help="of each drive")
    it.add_argument("--out", type=Path, default=Path("experiments/truth"))
    it.add_argument("--quick", action="store_true", help="12 s each")
    it.add_argument("--workers", type=int, default=1, help="ignored: real time has one clock")
    it.add_argument("--strict", action="store_true", help="exit with 1 where they differ")
    return it


def main(argv: Sequence[str] | None = None) -> int:
    """Drives, compares, prints."""
    flags = parser().parse_args(argv)
    from rich.console import Console

    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    seconds = 12.0 if flags.quick else flags.seconds
    names = [name for name in flags.policies.split(",") if name]
    pairs = [_pair(name, _trace(flags.trace), seconds, flags.out, console) for name in names]
    _show(console, pairs, flags.trace, seconds)
    flags.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps([asdict(pair) for pair in pairs], indent=1) + "\n"
    (flags.out / "truth.json").write_text(text, encoding="utf-8")
    console.print(f"everything is in {flags.out}", soft_wrap=True)
    return MISSED if flags.strict and not all(pair.agrees for pair in pairs) else 0


def _trace(name: str) -> Path:
    from sim.experiments.roads import find_trace

    found = find_trace(name, Path.cwd())
    if not found.is_file():
        raise ConfigError(f"--trace: expected a CSV or the name of a shipped one, got {name!r}")
    return found


def _pair(name: str, trace: Path, seconds: float, out: Path, console: Console) -> Pair:
    import shutil

    from scheduler.config import Policy
    from scheduler.policies import load_policy
    from sim.channel.trace import Trace
    from sim.experiments import truth_runs

    load_policy(name, {})
    folder = out / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    config = truth_runs.config_of(Policy(name=name), trace, seconds, folder)
    console.print(f"{name}: {seconds:g} s in real time", soft_wrap=True)
    real = truth_runs.in_real_time(config, folder)
    times = truth_runs.measured(real)
    virtual = truth_runs.in_virtual_time(config, Trace(trace), times)
    return Pair(name, Side.of(real), Side.of(virtual))


def _show(console: Console, pairs: Sequence[Pair], trace: str, seconds: float) -> None:
    from rich.table import Table

    title = f"the same drive twice: {trace}, {seconds:g} s each"
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    heads = ("policy", "", "frames", "in time", "offloaded", "late", "age p50 / p99 ms")
    for number, head in enumerate(heads):
        table.add_column(head, justify="left" if number < 2 else "right", no_wrap=True)
    for pair in pairs:
        for what, side in (("real time", pair.real), ("lockstep", pair.virtual)):
            table.add_row(
                pair.policy if what == "real time" else "", what, str(side.frames),
                f"{side.in_time:.1%}", f"{side.offloaded:.1%}", f"{side.late:.1%}",
                f"{side.age_p50_ms:.1f} / {side.age_p99_ms:.1f}",
            )  # fmt: skip
    console.print(table)
    console.print(_stages(pairs))
    for pair in pairs:
        console.print(pair.line, soft_wrap=True)
    worst = max(pair.real.late - pair.virtual.late for pair in pairs)
    if worst > BUSY_SHARE:
        console.print(
            f"the machine was busy: up to {worst:.1%} of the real verdicts left after their "
            "deadline, and none should; run it again on an idle one",
            soft_wrap=True,
        )


def _stages(pairs: Sequence[Pair]) -> Table:
    """Where the two differ: each stage, real time against lockstep."""
    from rich.table import Table

    title = "stages, ms: p50 / p90 in real time > in lockstep"
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for head in ("stage", *(pair.policy for pair in pairs)):
        table.add_column(head, no_wrap=True)
    for stage in STAGES:
        table.add_row(stage, *(_stage(pair, stage) for pair in pairs))
    return table


def _stage(pair: Pair, stage: str) -> str:
    sides = [side.stages_ms.get(stage) for side in (pair.real, pair.virtual)]
    return " > ".join("-" if each is None else f"{each[0]:.1f} / {each[1]:.1f}" for each in sides)


if __name__ == "__main__":
    sys.exit(entry(main))
