"""`vdap dataset OUT`: drives through the world and writes pictures with their truth, as COCO.

The pictures are recorded in segments. A segment has its own town, looks, sky, traffic and cameras,
all drawn from the seed, so the same command writes the same set, and a stopped one goes on.
"""

from __future__ import annotations

import argparse
import functools
import shlex
import signal
import sys
from pathlib import Path

from scheduler.errors import ConfigError
from scheduler.processes import entry, set_up_logging
from sim.dataset.splits import SPLITS

STOPPED = 130
KINDS = ("clear", "cloudy", "low sun", "rain", "fog", "night")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    it = argparse.ArgumentParser(
        prog="vdap dataset",
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    it.add_argument("out", type=Path, nargs="?", help="folder of the set; a started one goes on")
    it.add_argument("--images", type=int, default=4000, help="pictures in all")
    it.add_argument(
        "--split", choices=tuple(SPLITS), default="train", help="side of the fixed split"
    )
    it.add_argument("--towns", nargs="+", metavar="TOWN", help="other towns than the split's")
    it.add_argument("--asset-seeds", type=int, nargs="+", metavar="SEED", help="other looks")
    it.add_argument(
        "--weather",
        choices=("all", *KINDS),
        default="all",
        help="all draws a sky for each segment; clear is the clear noon; others one kind",
    )
    it.add_argument("--seed", type=int, default=1, help="of traffic, places and cameras")
    it.add_argument(
        "--cameras",
        default="1",
        metavar="N|CONFIG",
        help="of each vehicle: 1 to 4 (front, left, right, rear), or those of a drive's config",
    )
    it.add_argument("--width", type=int, default=640, help="of a picture, pixels")
    it.add_argument("--height", type=int, default=384, help="of a picture, pixels")
    it.add_argument(
        "--spacing", type=float, default=0.6, help="seconds between two pictures of a camera"
    )
    it.add_argument("--quality", type=int, default=95, help="of the JPEGs")
    it.add_argument("--min-height", type=float, default=5.0, help="pixels of the least box")
    it.add_argument("--workers", type=int, default=1, help="processes that record")
    it.add_argument("--world", metavar="HOST:PORT", help="a running CARLA server; default: ours")
    it.add_argument("--stats", action="store_true", help="print what OUT holds and end")
    it.add_argument("--list-splits", action="store_true", help="print towns and looks and end")
    return it


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns the exit code."""
    arguments = parser().parse_args(argv)
    if arguments.list_splits:
        return _list_splits()
    if arguments.out is None:
        raise ConfigError("expected the folder of the set: vdap dataset OUT")
    if arguments.stats:
        _show(arguments.out)
        return 0
    set_up_logging()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # workers must not be left behind
    try:
        _record(arguments, shlex.join(["vdap", "dataset", *(argv or sys.argv[1:])]))
    except KeyboardInterrupt:
        sys.stderr.write("vdap dataset: stopped; the same command goes on\n")
        return STOPPED
    return 0


def _list_splits() -> int:
    for name, split in SPLITS.items():
        seeds = split.asset_seeds
        looks = f"{seeds[0]} to {seeds[-1]}" if len(seeds) > 5 else ", ".join(map(str, seeds))
        sys.stdout.write(f"{name}: towns {', '.join(split.towns)}; asset seeds {looks}\n")
    return 0


def _show(out: Path) -> None:
    from rich.console import Console

    from sim.dataset import stats

    Console(highlight=False).print(stats.rich_table(stats.stats_of(stats.read(out))))


def _record(arguments: argparse.Namespace, command: str) -> None:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from sim.dataset import stats, worlds
    from sim.dataset.request import plan_of
    from sim.dataset.storage import record_all

    plan = plan_of(arguments)
    workers = arguments.workers if arguments.workers > 1 else 0
    open_world: worlds.OpenSegment = worlds.open_embedded
    if arguments.world:
        open_world, workers = functools.partial(worlds.open_server, arguments.world), 1
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn()) as progress:
        task = progress.add_task(arguments.out.name, total=plan.images)

        def report(done: int) -> None:
            progress.update(task, completed=done)

        table = record_all(plan, arguments.out, open_world, report, workers)
    text = stats.readme(stats.stats_of(table), command, f"split {arguments.split}", table["info"])
    (arguments.out / "README.md").write_text(text, encoding="utf-8")
    _show(arguments.out)


if __name__ == "__main__":
    sys.exit(entry(main))
