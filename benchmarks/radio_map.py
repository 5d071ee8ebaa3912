"""Does the radio map foresee breaks on real drives, and does its own score tell whether it does?

    python benchmarks/radio_map.py FOLDER [--horizon-s 1.0]

FOLDER holds round trips in the layout of CICV5G (Tongji University, CC BY 4.0,
github.com/zxr805/CICV5G, its `data`): a folder is a road, a file a run. The runs of a road are
driven one after the other with one map, which learns from each reply when it has come. Counted are
instants at which the link is fine; the question is whether a packet sent within the horizon is
late. Beside the map stands what the round trips alone foresee.
"""

import argparse
import bisect
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from scheduler.errors import ConfigError
from scheduler.radio_map import LEAST_AUC, Pose, RadioMap
from sim.channel.rtt_drive import Sample, samples

LATE_MS = 100.0
LEAST_RUNS = 3
LEAST_ONSETS = 30
STEP = 5  # samples between which the vehicle's motion is taken
RTT_GAIN = 0.2


class Moment(NamedTuple):
    """An instant at which the link was fine."""

    by_map: float
    by_rtt: float
    is_broken: bool  # within the horizon


def area(pairs: Sequence[tuple[float, bool]]) -> float:
    """Under the ROC curve: ranks, ties shared (Mann and Whitney)."""
    ordered = sorted(pairs)
    bad = sum(is_bad for _, is_bad in ordered)
    ranks, index = 0.0, 0
    while index < len(ordered):
        last = index
        while last + 1 < len(ordered) and ordered[last + 1][0] == ordered[index][0]:
            last += 1
        rank = (index + last) / 2.0 + 1.0
        ranks += rank * sum(is_bad for _, is_bad in ordered[index : last + 1])
        index = last + 1
    return (ranks - bad * (bad + 1) / 2.0) / (bad * (len(ordered) - bad))


def pose_of(run: Sequence[Sample], index: int) -> Pose:
    """Where, and how the vehicle has moved of late."""
    here, before = run[index], run[max(0, index - STEP)]
    elapsed = max(0.05, here.t_s - before.t_s)
    vx, vy = (here.x - before.x) / elapsed, (here.y - before.y) / elapsed
    return Pose(here.x, here.y, math.atan2(vy, vx), math.hypot(vx, vy))


def drive(run: Sequence[Sample], radio_map: RadioMap, horizon_s: float) -> Iterator[Moment]:
    """One run: the map is asked when a packet leaves, and taught when its reply is there."""
    replies = sorted(range(len(run)), key=lambda i: run[i].t_s + run[i].rtt_ms / 1e3)
    sent_s = [sample.t_s for sample in run]
    was_fine: dict[int, bool] = {}
    taught, usual_ms, newest_s = 0, 20.0, run[0].t_s
    for index, sample in enumerate(run):
        while taught < len(replies):
            reply = run[replies[taught]]
            if reply.t_s + reply.rtt_ms / 1e3 > sample.t_s:
                break
            is_late = reply.rtt_ms > LATE_MS
            radio_map.learn_fate(
                pose_of(run, replies[taught]), is_late, was_fine.pop(replies[taught], False)
            )
            usual_ms += RTT_GAIN * (reply.rtt_ms - usual_ms)
            newest_s = max(newest_s, reply.t_s)
            taught += 1
        silent_ms = (sample.t_s - newest_s) * 1e3
        is_fine = silent_ms <= LATE_MS and usual_ms <= LATE_MS
        was_fine[index] = is_fine
        end = bisect.bisect_right(sent_s, sample.t_s + horizon_s)
        if index < STEP or not is_fine or end >= len(run):
            continue
        is_broken = any(later.rtt_ms > LATE_MS for later in run[index + 1 : end])
        by_map = radio_map.within(pose_of(run, index), horizon_s)
        yield Moment(by_map, max(usual_ms, silent_ms), is_broken)


def road(runs: Sequence[Sequence[Sample]], horizon_s: float) -> tuple[list[Moment], RadioMap]:
    """All runs of a road; the moments of the first, when the map is empty, are left out."""
    radio_map = RadioMap()
    moments: list[Moment] = []
    for number, run in enumerate(runs):
        seen = list(drive(run, radio_map, horizon_s))
        moments += seen if number else []
    return moments, radio_map


def roads(folder: Path) -> Iterator[tuple[str, list[list[Sample]]]]:
    """(name, runs) of each folder with enough of them."""
    for place in sorted({path.parent for path in folder.rglob("*.txt")}):
        runs: list[list[Sample]] = []
        for path in sorted(place.glob("*.txt")):
            if path.stem == "all":  # the others once more
                continue
            try:
                run = [s for s in samples(path) if math.isfinite(s.x) and math.isfinite(s.y)]
            except ConfigError:
                continue
            if len(run) > 300:
                runs.append(run)
        if len(runs) >= LEAST_RUNS:
            yield str(place.relative_to(folder)), runs


def main(argv: list[str] | None = None) -> int:
    """A line per road with enough onsets."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="round trips in the layout of CICV5G")
    parser.add_argument("--horizon-s", type=float, default=1.0)
    flags = parser.parse_args(argv)
    write = sys.stdout.write
    write(f"{'road':<28}{'runs':>5}{'fine moments':>14}{'before a break':>16}")
    write(f"{'AUC by RTT':>12}{'by map':>8}{'own score':>11}  acted on\n")
    for name, runs in roads(flags.folder):
        moments, radio_map = road(runs, flags.horizon_s)
        broken = sum(moment.is_broken for moment in moments)
        if broken < LEAST_ONSETS:
            continue
        by_rtt = area([(moment.by_rtt, moment.is_broken) for moment in moments])
        by_map = area([(moment.by_map, moment.is_broken) for moment in moments])
        write(f"{name:<28}{len(runs):>5}{len(moments):>14}{broken:>16}{by_rtt:>12.2f}")
        score = radio_map.onsets.auc
        write(f"{by_map:>8.2f}{score:>11.2f}  {'yes' if score >= LEAST_AUC else 'no'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
