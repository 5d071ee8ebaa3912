"""How fast virtual time goes: vehicle-frames per second of a core, and 1,000 vehicles at 50 units.

    python benchmarks/lockstep.py [--seconds 15] [--vehicles 8] [--town-vehicles 100] [--workers 2]
    python benchmarks/lockstep.py --town-vehicles 1000 --town-units 50 --town-seconds 10

Every frame goes through the deployed dispatcher, policy, link estimator and admission. The first
table counts CPU time of one process, the verdicts' rows included, the least of some runs. The
second is the wall's time of all processes, their start left out by a first short run: above 1 it
is faster than real time.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import time
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from sim.channel.trace import Trace
from sim.lockstep import (
    CameraSpec,
    LinkSpec,
    OnboardModel,
    Scenario,
    StageProfile,
    UnitModel,
    UnitSpec,
    VehicleSpec,
    run,
)
from sim.lockstep.many import groups_of

TRACE = Path(__file__).resolve().parents[1] / "configs" / "traces" / "urban_drive.csv"
CASES = (("local_only", 1), ("always_offload", 1), ("deadline", 1), ("deadline", 3))
RATE_HZ = 10.0
ms = StageProfile.of_ms


def town(vehicles: int, units: int, links: int, policy: str, seconds: float) -> Scenario:
    """Vehicles evenly over units; with several links each goes on to the neighbours' units."""
    trace = Trace(TRACE)
    specs = tuple(
        VehicleSpec(
            f"v{index}",
            links=tuple(LinkSpec(f"rsu{(index + k) % units}", trace) for k in range(links)),
            onboard=(OnboardModel("small", 0.5, ms(40.0, 55.0)),),
            policy=policy,
            cameras=(CameraSpec(rate_hz=RATE_HZ),),
        )
        for index in range(vehicles)
    )
    model = UnitModel("large", 0.8, ms(4.0, 6.0), ms(1.0, 1.5))
    sites = tuple(UnitSpec(f"rsu{index}", (model,)) for index in range(units))
    return Scenario(specs, sites, duration_s=seconds)


def on_a_core(vehicles: int, seconds: float, repeats: int) -> Table:
    """CPU time of one process, the least of some runs: the others met busier caches."""
    table = Table("policy", "links", "frames", "events a frame", "us a frame", "frames/s")
    for policy, links in CASES:
        scenario = town(vehicles, links, links, policy, seconds)
        spent = math.inf
        for _ in range(repeats):
            start = time.process_time()
            outcome = run(scenario)
            spent = min(spent, time.process_time() - start)
        frames = len(outcome.verdicts)
        table.add_row(
            policy, str(links), f"{frames:,}", f"{outcome.events / frames:.1f}",
            f"{spent / frames * 1e6:.0f}", f"{frames / spent:,.0f}",
        )  # fmt: skip
    return table


def _drive(group: Scenario) -> tuple[int, float]:
    """Frames of a group, and the CPU time that it took."""
    start = time.process_time()
    frames = len(run(group).verdicts)
    return frames, time.process_time() - start


def by_processes(vehicles: int, units: int, seconds: float, workers: int) -> Table:
    """Each vehicle at one unit: as many groups as units."""
    scenario = town(vehicles, units, 1, "deadline", seconds)
    groups = groups_of(scenario)
    warm = replace(groups[0], duration_s=0.5)
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        pool.map(_drive, [warm] * workers, chunksize=1)
        start = time.perf_counter()
        found = pool.map(_drive, groups, chunksize=1)
        took = time.perf_counter() - start
    frames, spent = sum(f for f, _ in found), sum(s for _, s in found)
    table = Table("vehicles", "units", "virtual s", "frames", "processes", "wall s", "CPU s",
                  "times real time", "by CPU alone")  # fmt: skip
    table.add_row(
        f"{vehicles:,}", str(units), f"{seconds:g}", f"{frames:,}", str(workers), f"{took:.1f}",
        f"{spent:.1f}", f"{seconds / took:.2f}", f"{seconds * workers / spent:.2f}",
    )  # fmt: skip
    return table


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=15.0, help="virtual, of each case")
    parser.add_argument("--vehicles", type=int, default=8, help="of each case")
    parser.add_argument("--repeats", type=int, default=3, help="of each case, the least counts")
    parser.add_argument("--town-vehicles", type=int, default=100)
    parser.add_argument("--town-units", type=int, default=5)
    parser.add_argument("--town-seconds", type=float, default=10.0)
    parser.add_argument("--workers", type=int, default=2)
    flags = parser.parse_args()
    console = Console()
    console.print(on_a_core(flags.vehicles, flags.seconds, flags.repeats))
    town_of = (flags.town_vehicles, flags.town_units, flags.town_seconds, flags.workers)
    console.print(by_processes(*town_of))


if __name__ == "__main__":
    main()
