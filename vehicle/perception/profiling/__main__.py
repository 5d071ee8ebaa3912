"""`vdap profile`: measures every model in every runtime here, and writes what "auto" reads."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from scheduler.errors import ConfigError
from scheduler.processes import entry


def parser() -> argparse.ArgumentParser:
    """The flags."""
    it = argparse.ArgumentParser(
        prog="vdap profile",
        description="Measure every rung, resolution, precision, backend and thread count here.",
        epilog="Cells of one model are measured in turns, so that a busy moment hits all alike. "
        "`backend: auto` and the scheduler read the file.",
    )
    it.add_argument("--rungs", nargs="+", default=[], metavar="RUNG", help="default: all shipped")
    it.add_argument(
        "--sizes",
        nargs="+",
        type=input_size,
        default=[],
        metavar="WxH",
        help="input sizes; default: those that the rungs were trained at",
    )
    it.add_argument("--precisions", nargs="+", default=[], choices=("fp32", "int8"))
    it.add_argument(
        "--backends", nargs="+", default=[], metavar="NAME", help="default: all that are installed"
    )
    it.add_argument("--threads", nargs="+", type=int, default=[1], metavar="N")
    it.add_argument("--seconds", type=float, default=2.0, help="of each cell")
    it.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="default: $VDAP_PROFILE, or profile.json in the cache folder",
    )
    return it


def input_size(text: str) -> tuple[int, int]:
    """A (width, height) of a flag."""
    width, cross, height = text.partition("x")
    if not (cross and width.isdigit() and height.isdigit() and int(width) and int(height)):
        raise argparse.ArgumentTypeError(f"{text!r}, expected WIDTHxHEIGHT such as 640x384")
    if int(width) % 32 or int(height) % 32:
        raise argparse.ArgumentTypeError(f"{text!r}, expected multiples of 32")
    return int(width), int(height)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints, writes."""
    given = parser().parse_args(arguments)
    if min(given.threads) < 1 or given.seconds <= 0:
        raise ConfigError("--threads and --seconds: expected numbers above 0")
    from rich.console import Console

    from vehicle.perception import profile
    from vehicle.perception.profiling.cells import Wanted, merged
    from vehicle.perception.profiling.halves import half_cells, rungs_with_halves
    from vehicle.perception.profiling.heads import head_cells, rungs_with_heads
    from vehicle.perception.profiling.table import measure_all, table

    wanted = Wanted(
        given.rungs, given.sizes or Wanted().sizes, given.precisions, given.backends, given.threads
    )
    cells = measure_all(list(wanted.groups()), given.seconds, Console(stderr=True))
    for rung in rungs_with_halves(wanted):
        for size in wanted.sizes:
            cells += [c for n in given.threads for c in half_cells(rung, size, n, given.seconds)]
    for rung in rungs_with_heads(wanted):
        for size in wanted.sizes:
            cells += [c for n in given.threads for c in head_cells(rung, size, n, given.seconds)]
    if not cells:
        raise ConfigError("nothing was measured: no such cell is shipped and runs here")
    path = given.out or profile.default_path()
    here = profile.this_machine()
    kept = profile.read(path) if path.is_file() else None
    old = kept.cells if kept is not None and kept.machine == here else []
    profile.write(profile.Profile(here, merged(old, cells)), path)
    Console().print(table(cells, here.processor))
    sys.stdout.write(f"written: {path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(entry(main))
