"""Makes a link trace without a world: a drive through blocks, on a motorway or past a corner.

`python -m sim.channel.synthetic_drive --scenario NAME --seed N --out FILE`; the first lines of each
shipped trace hold the command that made it.
"""

import argparse
import itertools
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scheduler.config import Options, Radio
from scheduler.messages import VERSION, Metres3, Site, Unit
from sim.channel import registry
from sim.channel.base import LinkState, Mover, outage_of
from sim.channel.link_model import Outage
from sim.channel.trace import Trace, TraceWriter
from sim.channel.trace_figures import in_words

BLOCK_M = 120.0  # from street to street
STREET_M = 20.0  # between the houses
BLOCKS = 8  # in a row
SPEED = 12.0  # m/s in town
MOTORWAY_SPEED = 30.0
STEP_S = 0.1
# Corners of the route, in blocks; the units stand at two of its junctions.
ROUTE = ((1, 1), (2, 1), (2, 3), (5, 3), (5, 5))
UNITS = ((1, 1), (4, 3))
UNIT_HEIGHT_M = 5.0
GANTRY_M = 6.0  # height of a unit over a motorway
GANTRIES_M = (600.0, 1800.0)  # along it
MOTORWAY_M = 2400.0
CORNER_AT_M = 480.0  # along the street, where another crosses it
CORNER_STREET_M = 960.0
BEHIND_CORNER_M = 12.0  # up the other street: seen from 60 m each side of the crossing


@dataclass(frozen=True, slots=True)
class Road:
    """Where a drive goes.

    Attributes:
        site: Buildings and units.
        corners: Its way, metres.
        speed: m/s.
    """

    site: Site
    corners: tuple[tuple[float, float], ...]
    speed: float

    @property
    def length_m(self) -> float:
        """Of the way."""
        return sum(math.dist(a, b) for a, b in itertools.pairwise(self.corners))

    def at(self, metres: float) -> Mover:
        """The vehicle so many metres along the way; it stands at its end."""
        for start, end in itertools.pairwise(self.corners):
            length = math.dist(start, end)
            if metres <= length:
                ux, uy = (end[0] - start[0]) / length, (end[1] - start[1]) / length
                x, y = start[0] + ux * metres, start[1] + uy * metres
                return Mover(x, y, 0.0, self.speed * ux, self.speed * uy)
            metres -= length
        return Mover(*self.corners[-1], 0.0, 0.0, 0.0)


def town() -> Site:
    """Square houses between straight streets that cross at multiples of `BLOCK_M`."""
    half = STREET_M / 2
    houses = []
    for column in range(-1, BLOCKS):
        for row in range(-1, BLOCKS):
            west, south = column * BLOCK_M + half, row * BLOCK_M + half
            east, north = west + BLOCK_M - STREET_M, south + BLOCK_M - STREET_M
            houses.append([(west, south), (east, south), (east, north), (west, north)])
    return Site(VERSION, "blocks", [], houses, {})


def _site(houses: list[list[tuple[float, float]]], places: list[Metres3]) -> Site:
    units = [Unit(f"rsu{index + 1}", place) for index, place in enumerate(places)]
    return Site(VERSION, "synthetic", units, houses, {})


def blocks() -> Road:
    """Through a town, past two units."""
    places: list[Metres3] = [(x * BLOCK_M + 8, y * BLOCK_M + 8, UNIT_HEIGHT_M) for x, y in UNITS]
    corners = tuple((x * BLOCK_M, y * BLOCK_M) for x, y in ROUTE)
    return Road(_site(town().buildings, places), corners, SPEED)


def motorway() -> Road:
    """Straight on, under a unit each 1,200 m."""
    places: list[Metres3] = [(x, 8.0, GANTRY_M) for x in GANTRIES_M]
    return Road(_site([], places), ((0.0, 0.0), (MOTORWAY_M, 0.0)), MOTORWAY_SPEED)


def corner() -> Road:
    """Along a street; the one unit stands round a corner, in sight for 120 m."""
    half = STREET_M / 2
    sides = ((0.0, CORNER_AT_M - half), (CORNER_AT_M + half, CORNER_STREET_M))
    houses = [[(w, half), (e, half), (e, 200.0), (w, 200.0)] for w, e in sides]
    place = (CORNER_AT_M, BEHIND_CORNER_M, UNIT_HEIGHT_M)
    return Road(_site(houses, [place]), ((0.0, 0.0), (CORNER_STREET_M, 0.0)), SPEED)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A drive that traces are made of.

    Attributes:
        what: In words.
        road: Where.
        model: The channel, by its name in YAML.
        share: The option that says how much of the radio is ours.
        options: Further ones.
    """

    what: str
    road: Callable[[], Road]
    model: str
    share: str
    options: Options


SCENARIOS = {
    "urban": Scenario("802.11p past two units in town", blocks, "urban_80211p", "share", {}),
    "highway": Scenario(
        "802.11p past two units on a motorway", motorway, "highway_80211p", "share", {}
    ),
    "corner": Scenario("802.11p, the unit round a corner", corner, "urban_80211p", "share", {}),
    "nr_urban": Scenario("5G street cells in town", blocks, "nr_uu", "cell_share", {}),
    "nr_cloud": Scenario("5G macro cells to a cloud, in town", blocks, "nr_uma", "cell_share", {}),
    "lte_cloud": Scenario(
        "LTE to a cloud, the antenna inside the car", motorway, "lte_cloud", "cell_share",
        {"antenna": "inside"},
    ),
}  # fmt: skip


def drive(scenario: Scenario, seed: int, share: float | None) -> tuple[list[LinkState], Outage]:
    """A row each `STEP_S`, the best of the links to all units, and the outage mode."""
    road = scenario.road()
    options = dict(scenario.options)
    if share is not None:
        options[scenario.share] = share
    radio = Radio(model=scenario.model, options=options)
    links = [
        (registry.load(radio, seed=seed, vehicle_id="ego", unit_id=unit.unit_id), unit.position)
        for unit in road.site.units
    ]
    rows = []
    for step in range(int(road.length_m / road.speed / STEP_S)):
        vehicle = road.at(step * STEP_S * road.speed)
        states = [link.row(step * STEP_S, vehicle, place, road.site) for link, place in links]
        rows.append(max(states, key=lambda state: state.up_bps))
    return rows, outage_of(links[0][0], None)


def black_out(rows: list[LinkState], start_s: float, end_s: float) -> list[LinkState]:
    """The same with no link from one instant to the other."""
    out = LinkState(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    first, last = round(start_s / STEP_S), round(end_s / STEP_S)
    return [out if first <= index < last else row for index, row in enumerate(rows)]


def _span(text: str) -> tuple[float, float]:
    start, _, end = text.partition(":")
    return float(start), float(end)


def main(argv: list[str] | None = None) -> int:
    """Write the trace of one drive, and say what is in it."""
    parser = argparse.ArgumentParser(prog="sim.channel.synthetic_drive", description=main.__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--scenario", choices=SCENARIOS, default="urban")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--share", type=float, help="of the radio that is ours; default: all of it")
    parser.add_argument(
        "--blackout", type=_span, metavar="START:END", help="seconds without a link"
    )
    parser.add_argument("--outage", choices=("hold", "drop"), help="default: as the radio is")
    flags = parser.parse_args(argv)
    scenario = SCENARIOS[flags.scenario]
    rows, own = drive(scenario, flags.seed, flags.share)
    outage: Outage = flags.outage or own
    words = f"python -m sim.channel.synthetic_drive --scenario {flags.scenario} --seed {flags.seed}"
    if flags.share is not None:
        words += f" --share {flags.share:g}"
    if flags.blackout is not None:
        rows = black_out(rows, *flags.blackout)
        words += " --blackout {:g}:{:g}".format(*flags.blackout)
    if flags.outage is not None:
        words += f" --outage {flags.outage}"
    comment = f"A simulated drive, {scenario.what}, a row each 100 ms; made by\n{words} --out FILE"
    with TraceWriter(flags.out, comment, outage) as writer:
        for step, state in enumerate(rows):
            writer.write(step * STEP_S, state)
    sys.stdout.write(f"{flags.out}: {in_words(Trace(flags.out))}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
