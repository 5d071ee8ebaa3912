"""Makes a link trace without a world: a drive past two units in a town of square blocks.

`python -m sim.channel.synthetic_drive --out configs/traces/urban_drive.csv` writes the shipped one.
"""

import argparse
import itertools
import math
import sys
from pathlib import Path

from scheduler.messages import VERSION, Metres3, Site
from sim.channel.base import LinkState, Mover
from sim.channel.trace import TraceWriter
from sim.channel.urban_80211p import Urban80211p

BLOCK_M = 120.0  # from street to street
STREET_M = 20.0  # between the houses
BLOCKS = 8  # in a row
SPEED = 12.0  # m/s
STEP_S = 0.1
# Corners of the route, in blocks; the units stand at two of its junctions.
ROUTE = ((1, 1), (2, 1), (2, 3), (5, 3), (5, 5))
UNITS = ((1, 1), (4, 3))
UNIT_HEIGHT_M = 5.0


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


def route_at(metres: float) -> Mover:
    """The vehicle so many metres along the route."""
    for start, end in itertools.pairwise(ROUTE):
        length = BLOCK_M * math.dist(start, end)
        if metres <= length:
            east, north = (end[0] - start[0], end[1] - start[1])
            ux, uy = east / math.hypot(east, north), north / math.hypot(east, north)
            x, y = start[0] * BLOCK_M + ux * metres, start[1] * BLOCK_M + uy * metres
            return Mover(x, y, 0.0, SPEED * ux, SPEED * uy)
        metres -= length
    return Mover(ROUTE[-1][0] * BLOCK_M, ROUTE[-1][1] * BLOCK_M, 0.0, 0.0, 0.0)


def drive(seed: int, share: float) -> list[LinkState]:
    """A row each `STEP_S`: the better of the two links along the whole route."""
    site = town()
    options = {"share": share}
    channels = [
        Urban80211p(options, seed=seed, vehicle_id="ego", unit_id=f"rsu{index + 1}")
        for index in range(len(UNITS))
    ]
    places: list[Metres3] = [(x * BLOCK_M + 8, y * BLOCK_M + 8, UNIT_HEIGHT_M) for x, y in UNITS]
    length = sum(BLOCK_M * math.dist(a, b) for a, b in itertools.pairwise(ROUTE))
    rows = []
    for step in range(int(length / SPEED / STEP_S)):
        vehicle = route_at(step * STEP_S * SPEED)
        states = [
            channel.row(step * STEP_S, vehicle, place, site)
            for channel, place in zip(channels, places, strict=True)
        ]
        rows.append(max(states, key=lambda state: state.up_bps))
    return rows


def main(argv: list[str] | None = None) -> int:
    """Write the trace of one drive, and say what is in it."""
    parser = argparse.ArgumentParser(prog="sim.channel.synthetic_drive", description=main.__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--share", type=float, default=1.0, help="of the air time that is ours")
    flags = parser.parse_args(argv)
    rows = drive(flags.seed, flags.share)
    comment = (
        "A simulated 802.11p drive past two roadside units, a row each 100 ms; made by\n"
        "python -m sim.channel.synthetic_drive "
        f"--seed {flags.seed} --share {flags.share:g} --out FILE"
    )
    with TraceWriter(flags.out, comment) as writer:
        for step, state in enumerate(rows):
            writer.write(step * STEP_S, state)
    rates = sorted(state.up_bps / 1e6 for state in rows)
    outage = sum(state.is_outage for state in rows) / len(rows)
    quarters = ", ".join(f"{rates[int(len(rates) * q)]:.1f}" for q in (0.25, 0.5, 0.75))
    sys.stdout.write(
        f"{flags.out}: {len(rows) * STEP_S:.0f} s, outage {outage:.0%}, "
        f"quartiles {quarters} Mbit/s up\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
