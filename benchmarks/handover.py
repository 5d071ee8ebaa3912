"""What a choice of links brings, and a second radio: drives through a town in virtual time.

    python benchmarks/handover.py [--seeds 2] [--units 6]

The first table drives past units by 802.11p with a cloud by LTE and lets 1, 2, 3 or all links be
open. The second drives past one chain of units over 5G, over 802.11p and over both at once: each
unit is one, the paths are two. Everything that decides is deployed code; links follow the models of
`sim.channel` along the drive.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from rich.console import Console
from rich.table import Table

from scheduler.config import Options, Radio
from scheduler.messages import VERSION, Metres3, Site, Unit
from scheduler.placement import Placement, View
from scheduler.tasks import Task
from sim.channel import registry
from sim.channel.base import outage_of
from sim.channel.synthetic_drive import BLOCK_M, STEP_S, UNIT_HEIGHT_M, Road, town
from sim.channel.trace import Trace
from sim.lockstep import (
    LinkSpec,
    OnboardModel,
    Outcome,
    Scenario,
    StageProfile,
    UnitModel,
    UnitSpec,
    VehicleSpec,
    run,
)
from sim.lockstep.scenario import PoseAt

ROUTE = ((0, 0), (3, 0), (3, 2), (1, 2), (1, 4), (4, 4), (4, 5), (6, 5))  # corners, in blocks
SPEED = 12.0  # m/s
DEADLINE_MS = 150.0
LEAD_S = 0.5
RADIOS: dict[str, tuple[str, Options]] = {
    "11p": ("urban_80211p", {"tx_power_dbm": 14}),
    "5g": ("nr_uu", {"cell_share": 0.5}),
    "lte": ("lte_cloud", {}),
}
ms = StageProfile.of_ms


class OverRadios:
    """Every frame over the path of one radio that is up, and a duplicate over the other's.

    Options: `radios`, one or two; a frame without a path stays on board.
    """

    name = "over_radios"

    def __init__(self, options: Mapping[str, object]) -> None:
        radios = options["radios"]
        assert isinstance(radios, (list, tuple))
        self._radios = [str(radio) for radio in radios]

    def place(self, task: Task, view: View) -> Placement:
        """Ask the nearest unit by its paths' round trips."""
        ups = [link for link in view.usable_links() if link.models]
        paths = [
            min(found, key=lambda link: link.estimate.srtt_ns).unit_id
            for radio in self._radios
            if (found := [link for link in ups if link.unit_id.endswith(f"/{radio}")])
        ]
        if not paths:
            return Placement("onboard", view.rungs[0].model)
        return Placement("offload", "medium", paths[0], 60, hedge="".join(paths[1:2]))


@dataclass(frozen=True, slots=True)
class Drive:
    """A way through the town, with units at equal distances beside it."""

    road: Road
    units: tuple[Metres3, ...]

    @property
    def seconds(self) -> float:
        """How long it takes."""
        return self.road.length_m / self.road.speed

    @staticmethod
    def past(count: int) -> Drive:
        """Past so many units."""
        corners = tuple((x * BLOCK_M, y * BLOCK_M) for x, y in ROUTE)
        way = Road(Site(VERSION, "", [], [], {}), corners, SPEED)
        along = [way.at(way.length_m * (k + 0.5) / count) for k in range(count)]
        units = tuple((mover.x + 8.0, mover.y + 8.0, UNIT_HEIGHT_M) for mover in along)
        listed = [Unit(f"rsu{k + 1}", place) for k, place in enumerate(units)]
        site = Site(VERSION, "blocks", listed, town().buildings, {})
        return Drive(Road(site, corners, SPEED), units)

    def poses(self) -> tuple[PoseAt, ...]:
        """Ten a second."""
        poses = []
        for step in range(int(self.seconds * 10)):
            at = self.road.at(step * SPEED / 10)
            heading = math.atan2(at.vy, at.vx)
            poses.append(PoseAt(step * 100_000_000, at.x, at.y, heading, SPEED))
        return tuple(poses)

    def link(self, radio: str, unit_id: str, place: Metres3, seed: int, name: str = "") -> LinkSpec:
        """What a radio carries to a unit along the way; it begins before the first frame."""
        model, options = RADIOS[radio]
        channel = registry.load(
            Radio(model=model, options=options), seed=seed, vehicle_id="ego", unit_id=name + unit_id
        )
        times, states = [0.0], []
        for step in range(int(self.seconds / STEP_S)):
            mover = self.road.at(step * STEP_S * SPEED)
            states.append(channel.row(step * STEP_S, mover, place, self.road.site))
            times.append(LEAD_S + (step + 1) * STEP_S)
        trace = Trace.of(times[:-1], states)
        return LinkSpec(unit_id, trace, name, outage_of(channel, None), 128.0, place[:2])


def past_units(count: int, seed: int) -> Scenario:
    """Units by 802.11p, and a cloud."""
    drive = Drive.past(count)
    links = [drive.link("11p", f"rsu{k + 1}", at, seed) for k, at in enumerate(drive.units)]
    cloud = drive.link("lte", "cloud", (0.0, 0.0, 25.0), seed)
    return _scenario(drive, [*links, replace(cloud, is_everywhere=True, place=None)], seed)


def two_radios(count: int, radios: Sequence[str], seed: int) -> Scenario:
    """Each unit over each radio."""
    drive = Drive.past(count)
    links = [
        drive.link(radio, f"rsu{k + 1}", at, seed, f"rsu{k + 1}/{radio}")
        for k, at in enumerate(drive.units)
        for radio in radios
    ]
    return _scenario(drive, links, seed)


def _scenario(drive: Drive, links: Sequence[LinkSpec], seed: int) -> Scenario:
    vehicle = VehicleSpec(
        "ego",
        tuple(links),
        (OnboardModel("small", 0.5, ms(55, 75)),),
        deadline_ms=DEADLINE_MS,
        poses=drive.poses(),
    )
    medium = UnitModel("medium", 0.7, ms(14, 22), ms(2, 3))
    units = tuple(UnitSpec(unit, (medium,)) for unit in dict.fromkeys(k.unit_id for k in links))
    return Scenario((vehicle,), units, seed=seed, duration_s=drive.seconds, lead_s=LEAD_S)


def with_vehicle(scenario: Scenario, **changes: object) -> Scenario:
    """The same with another vehicle."""
    vehicle = replace(scenario.vehicles[0], **changes)  # type: ignore[arg-type]
    return replace(scenario, vehicles=(vehicle,))


@dataclass(slots=True)
class Sum:
    """Drives of one row, added up."""

    frames: int = 0
    offloaded: int = 0
    late: int = 0
    sent: int = 0
    lost: int = 0
    hedged: int = 0
    changes: int = 0
    handshakes: int = 0
    megabytes: float = 0.0
    cpu_s: float = 0.0
    ages_ms: tuple[float, ...] = ()

    def add(self, outcome: Outcome, cpu_s: float) -> None:
        """One more drive."""
        totals = outcome.vehicles["ego"]
        counters, offload = totals.counters, totals.counters.offload
        self.frames += counters.tasks
        self.offloaded += counters.offloaded
        self.late += counters.late
        self.sent += offload.sent
        self.lost += offload.lost
        self.hedged += offload.hedged
        self.changes += offload.opened + offload.closed
        self.handshakes += offload.opened + offload.reopened
        self.megabytes += (totals.up_bytes + totals.dn_bytes) / 1e6
        self.cpu_s += cpu_s
        ages = ((row.emitted_ns - row.stamp_ns) / 1e6 for row in outcome.verdicts)
        self.ages_ms += tuple(ages)

    def age_ms(self, share: float) -> float:
        """The age that this share of the verdicts does not exceed."""
        ordered = sorted(self.ages_ms)
        return ordered[math.ceil(share * len(ordered)) - 1]


def measured(scenarios: Sequence[Scenario], **changes: object) -> Sum:
    """All of these with the same vehicle."""
    total = Sum()
    for scenario in scenarios:
        begin = time.process_time()
        outcome = run(with_vehicle(scenario, **changes))
        total.add(outcome, time.process_time() - begin)
    return total


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--units", type=int, default=6)
    arguments = parser.parse_args()
    console = Console(width=110)
    seeds = range(1, arguments.seeds + 1)
    _print_choice(console, [past_units(arguments.units, seed) for seed in seeds])
    _print_radios(console, arguments.units, seeds)


def _print_choice(console: Console, scenarios: list[Scenario]) -> None:
    links = len(scenarios[0].vehicles[0].links)
    table = Table(title=f"{links - 1} units by 802.11p and a cloud by LTE, policy deadline")
    for name in ("links open", "offloaded", "late", "lost", "changes", "handshakes", "MB", "CPU s"):
        table.add_column(name, justify="right")
    for most in (1, 2, 3, links):
        row = measured(scenarios, max_links=most)
        table.add_row(
            str(most) if most < links else f"all {links}", f"{row.offloaded / row.frames:.1%}",
            str(row.late), str(row.lost), str(row.changes), str(row.handshakes),
            f"{row.megabytes:.1f}", f"{row.cpu_s:.1f}",
        )  # fmt: skip
    console.print(table)


def _print_radios(console: Console, count: int, seeds: range) -> None:
    table = Table(title=f"{count} units over two radios; deadline {DEADLINE_MS:.0f} ms")
    for name in ("policy", "radios", "offloaded", "age p50", "p99 ms", "sent", "hedged", "MB"):
        table.add_column(name, justify="left" if name in ("policy", "radios") else "right")
    for policy in ("deadline", "handover:OverRadios"):
        for radios in (["5g"], ["11p"], ["5g", "11p"]):
            options = {"radios": radios} if policy != "deadline" else {}
            scenarios = [two_radios(count, radios, seed) for seed in seeds]
            row = measured(scenarios, policy=policy, options=options, max_links=4)
            table.add_row(
                "deadline" if policy == "deadline" else "always", " + ".join(radios),
                f"{row.offloaded / row.frames:.1%}", f"{row.age_ms(0.5):.0f}",
                f"{row.age_ms(0.99):.0f}", str(row.sent), str(row.hedged), f"{row.megabytes:.1f}",
            )  # fmt: skip
    console.print(table)


if __name__ == "__main__":
    main()
