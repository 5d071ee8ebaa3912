"""`vdap dataset OUT`: drives through the world and writes pictures with their truth, as COCO.

The pictures are recorded in segments. A segment has its own town, looks, sky, traffic and cameras,
all drawn from the seed, so the same command writes the same set, and a stopped one goes on.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2

from scheduler.errors import VdapError
from sim.dataset.plan import SPLITS, Plan, Segment
from sim.dataset.recording import DELTA_S
from sim.dataset.storage import record_all
from sim.world import World
from sim.worlds import town_of


def parser() -> argparse.ArgumentParser:
    """The command line."""
    it = argparse.ArgumentParser(prog="vdap dataset", description=__doc__)
    it.add_argument("out", type=Path, help="folder of the set; a started one goes on")
    it.add_argument("--images", type=int, default=4000)
    it.add_argument(
        "--split", choices=tuple(SPLITS), default="train", help="side of the fixed split"
    )
    it.add_argument("--towns", nargs="+", metavar="TOWN", help="other towns than the split's")
    it.add_argument("--asset-seeds", type=int, nargs="+", metavar="SEED", help="other looks")
    it.add_argument("--weather", choices=("all", "clear"), default="all")
    it.add_argument("--seed", type=int, default=1, help="of traffic, places and cameras")
    it.add_argument("--width", type=int, default=640)
    it.add_argument("--height", type=int, default=384)
    it.add_argument("--workers", type=int, default=1, help="processes that record")
    return it


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns the exit code."""
    arguments = parser().parse_args(argv)
    try:
        split = SPLITS[arguments.split]
        plan = Plan(
            arguments.images,
            tuple(town_of(town, 1) for town in arguments.towns or split.towns),
            tuple(arguments.asset_seeds or split.asset_seeds),
            arguments.seed,
            arguments.width,
            arguments.height,
            arguments.weather,
            split.per_segment,
        )
        pictures, boxes = _with_progress(plan, arguments.out, arguments.workers)
    except VdapError as error:
        sys.stderr.write(f"vdap dataset: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("vdap dataset: stopped; the same command goes on\n")
        return 130
    sys.stdout.write(f"{pictures} pictures with {boxes} boxes in {arguments.out}\n")
    return 0


def _with_progress(plan: Plan, out: Path, workers: int) -> tuple[int, int]:
    from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

    cv2.setNumThreads(1)
    columns = (*Progress.get_default_columns()[:-1], MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress:
        task = progress.add_task("pictures", total=plan.images)

        def report(done: int) -> None:
            progress.update(task, completed=done)

        return record_all(plan, out, _open_world, report, workers)


def _open_world(segment: Segment) -> World:
    from sim.inprocess_world import InprocessWorld

    return InprocessWorld(
        town=segment.town,
        asset_seed=segment.asset_seed,
        seed=segment.traffic_seed,
        fixed_delta_s=DELTA_S,
        with_plates=True,
    )


if __name__ == "__main__":
    sys.exit(main())
