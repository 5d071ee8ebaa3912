"""Prints what each channel carries along the synthetic drives: `python -m sim.channel.survey`.

The first three rows are the ones that a vehicular radio is checked by: past a unit on a motorway
within 500 m, along its street in a town as far as 710 m, and past one that is seen for 60 m round a
corner. Outages by the model leave out the gaps of handovers, which it does not foresee.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from scheduler.config import Options, Radio
from scheduler.messages import VERSION, Site, Unit
from sim.channel import registry
from sim.channel.base import LinkState
from sim.channel.synthetic_drive import STEP_S, Road, blocks, corner, motorway
from sim.channel.trace_figures import quantiles

BESIDE_M = 10.0  # of the unit from the middle of the road


def _passing(speed: float, before_m: float, after_m: float) -> Road:
    site = Site(VERSION, "open", [Unit("rsu1", (0.0, BESIDE_M, 5.0))], [], {})
    return Road(site, ((-before_m, 0.0), (after_m, 0.0)), speed)


@dataclass(frozen=True, slots=True)
class Survey:
    """One row of the table: a channel on a road."""

    what: str
    model: str
    road: Road
    options: Options


def surveys() -> list[Survey]:
    """The rows, in order."""
    return [
        Survey("motorway, one unit", "highway_80211p", _passing(30.0, 500.0, 500.0), {}),
        Survey("town, same street", "urban_80211p", _passing(12.0, 250.0, 710.0), {}),
        Survey("town, by WINNER+ B1", "urban_80211p", _passing(12.0, 250.0, 710.0),
               {"path_loss": "winner_b1"}),
        Survey("unit round a corner", "urban_80211p", corner(), {}),
        Survey("town, two street cells", "nr_uu", blocks(), {}),
        Survey("town, macro cells", "nr_uma", blocks(), {}),
        Survey("motorway, LTE", "lte_cloud", motorway(), {}),
        Survey("motorway, LTE in the car", "lte_cloud", motorway(), {"antenna": "inside"}),
    ]  # fmt: skip


def rows(survey: Survey, seed: int, step_s: float = STEP_S) -> Iterator[LinkState]:
    """The link to the first unit all along the road."""
    radio = Radio(model=survey.model, options=survey.options)
    unit = survey.road.site.units[0]
    link = registry.load(radio, seed=seed, vehicle_id="ego", unit_id=unit.unit_id)
    for step in range(int(survey.road.length_m / survey.road.speed / step_s)):
        vehicle = survey.road.at(step * step_s * survey.road.speed)
        yield link.row(step * step_s, vehicle, unit.position, survey.road.site)


def line(survey: Survey, seeds: int, step_s: float) -> str:
    """One row of the table, over so many drives."""
    seen = [state for seed in range(seeds) for state in rows(survey, seed, step_s)]
    up = quantiles((1.0, state.up_bps / 1e6) for state in seen)
    delay = quantiles((1.0, state.up_delay_ms) for state in seen if not state.is_outage)
    states = Counter(state.state for state in seen)
    outage = sum(state.is_outage for state in seen) / len(seen)
    expected = sum(state.expected_outage or 0.0 for state in seen) / len(seen)
    shares = " ".join(f"{name} {count / len(seen):.0%}" for name, count in sorted(states.items()))
    return (
        f"{survey.what:<26}{survey.model:<16}"
        + "".join(f"{value:6.1f}" for value in up)
        + f"{delay[2]:8.1f}{outage:8.1%}{expected:9.1%}  {shares}"
    )


def main(argv: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="sim.channel.survey", description=main.__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="drives a row; default 5")
    parser.add_argument("--step-s", type=float, default=STEP_S, help="between rows; default 0.1")
    flags = parser.parse_args(argv)
    head = "".join(f"{name:>6}" for name in ("p5", "p25", "p50", "p75", "p95"))
    sys.stdout.write(f"{'':<42}{'Mbit/s up':^30}{'delay':>8}{'outage':>8}{'by model':>9}\n")
    sys.stdout.write(f"{'road':<26}{'channel':<16}{head}{'ms p50':>8}{'':>17}  state\n")
    for survey in surveys():
        sys.stdout.write(f"{line(survey, flags.seeds, flags.step_s)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
