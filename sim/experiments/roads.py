"""The links of one drive through a study's road: radio models along it, or traces, by seed."""

import itertools
import math
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Literal, NamedTuple

from scheduler.config import Radio
from scheduler.errors import ConfigError
from scheduler.messages import VERSION, Metres3, Site
from sim.channel import registry
from sim.channel.base import LinkState, Mover
from sim.channel.synthetic_drive import BLOCK_M, ROUTE, town
from sim.channel.trace import Trace
from sim.experiments.config import Bursts, Leg, Road
from sim.lockstep.scenario import PoseAt

STEP_S = 0.1  # between the rows of a channel
ASIDE_M = 8.0  # of a unit from the middle of the road, to the right
HEIGHT_M = 5.0  # of its antenna
VEHICLE_ID = "ego"
NS_PER_S = 1_000_000_000


class Air(NamedTuple):
    """What a vehicle's link to one unit is in a drive.

    Attributes:
        place: Of the unit's antenna; None where a trace does not say.
    """

    trace: Trace
    outage: Literal["hold", "drop"]
    queue_kib: float
    place: Metres3 | None


class Way:
    """Where the vehicle is: along a straight road, or through streets; it stands at the end."""

    def __init__(self, road: Road) -> None:
        self._speed = road.speed
        self._corners: list[tuple[float, float]] | None = None
        self.site = Site(VERSION, "road", [], [], {})
        if road.shape == "blocks":
            self._corners = [(x * BLOCK_M, y * BLOCK_M) for x, y in ROUTE]
            self.site = town()

    def at(self, metres: float) -> Mover:
        """The vehicle so many metres along the way."""
        if self._corners is None:
            return Mover(metres, 0.0, 0.0, self._speed, 0.0)
        for start, end in itertools.pairwise(self._corners):
            length = math.dist(start, end)
            if metres <= length:
                ux, uy = (end[0] - start[0]) / length, (end[1] - start[1]) / length
                x, y = start[0] + ux * metres, start[1] + uy * metres
                return Mover(x, y, 0.0, self._speed * ux, self._speed * uy)
            metres -= length
        return Mover(*self._corners[-1], 0.0, 0.0, 0.0)

    def beside(self, metres: float) -> Metres3:
        """Where a unit stands: on the right of the vehicle that is so far along the way."""
        place = self.at(metres)
        speed = math.hypot(place.vx, place.vy)
        right = (place.vy / speed, -place.vx / speed) if speed else (0.0, -1.0)
        return (place.x + ASIDE_M * right[0], place.y + ASIDE_M * right[1], HEIGHT_M)


def airs(road: Road, seed: int, length_s: float, folder: Path) -> dict[str, Air]:
    """The links of a drive by unit id; the same road, seed and length give the same rows.

    Args:
        folder: Of the study: traces are looked up there too.

    Raises:
        ConfigError: an unknown channel or trace, or wrong options.
    """
    return {
        unit_id: _air(leg, unit_id, road, seed, length_s, folder)
        for unit_id, leg in road.legs.items()
    }


def _air(leg: Leg, unit_id: str, road: Road, seed: int, length_s: float, folder: Path) -> Air:
    if leg.trace is not None:
        trace = _entered(Trace(find_trace(leg.trace, folder)), f"{road.name}/{unit_id}/{seed}")
        return Air(trace, leg.outage or trace.outage or "drop", leg.queue_kib, None)
    if leg.steady is not None:
        bps, delay_ms = leg.steady.mbps * 1e6, leg.steady.delay_ms
        state = LinkState(bps, delay_ms, leg.steady.loss, bps, delay_ms, leg.steady.loss)
        return Air(Trace.of([0.0], [state]), leg.outage or "drop", leg.queue_kib, None)
    assert leg.model is not None  # the study's checks see to it
    dice = Random(f"{road.name}/{unit_id}/{seed}/options")
    options = dict(leg.options)
    options |= {name: round(dice.uniform(*span), 3) for name, span in leg.draws.items()}
    radio = Radio(model=leg.model, options=options)
    channel = registry.load(
        radio, seed=seed, vehicle_id=f"{road.name}-{VEHICLE_ID}", unit_id=unit_id
    )
    way = Way(road)
    place = leg.at or way.beside(leg.along * road.speed * length_s)
    times = [round(step * STEP_S, 3) for step in range(math.ceil(length_s / STEP_S) + 1)]
    states = [channel.row(t, way.at(t * road.speed), place, way.site) for t in times]
    outage = leg.outage or getattr(channel, "outage", None) or "drop"
    return Air(Trace.of(times, states), outage, leg.queue_kib, place)


def poses(road: Road, lead_s: float, length_s: float) -> tuple[PoseAt, ...]:
    """Where the vehicle is from the first frame on, every `STEP_S`."""
    way = Way(road)
    found = []
    for step in range(math.ceil((length_s - lead_s) / STEP_S)):
        place = way.at((lead_s + step * STEP_S) * road.speed)
        heading, speed = math.atan2(place.vy, place.vx), math.hypot(place.vx, place.vy)
        found.append(PoseAt(round(step * STEP_S * NS_PER_S), place.x, place.y, heading, speed))
    return tuple(found)


def find_trace(name: str, folder: Path) -> Path:
    """A trace's file: a path, one beside the study, or a shipped one by name.

    Raises:
        ConfigError: no such file.
    """
    here = Path(__file__).resolve().parents[2]
    path = Path(name).expanduser()
    places = [path, folder / path]
    places += [place / "configs" / "traces" / f"{name}.csv" for place in (here, here / "scheduler")]
    for place in places:
        if place.is_file():
            return place
    raise ConfigError(f"links: expected the trace {name!r} at one of {', '.join(map(str, places))}")


def _entered(trace: Trace, seed: str) -> Trace:
    """The trace from a seeded row on; its beginning follows its end."""
    rows = trace.rows
    first = Random(f"{seed}/entry").randrange(len(rows))
    start_s = rows[first][0]
    turned = [(at_s - start_s, state) for at_s, state in rows[first:]]
    turned += [(at_s - start_s + trace.length_s, state) for at_s, state in rows[:first]]
    times = [round(at_s, 6) for at_s, _ in turned]
    return Trace.of(times, [state for _, state in turned], trace.outage)


def taken(
    bursts: Mapping[str, Bursts], seed: int, length_s: float
) -> dict[str, tuple[tuple[int, int], ...]]:
    """By unit id: the spans in ns in which others' requests hold its worker."""
    return {
        unit_id: _taken(each, f"{unit_id}/{seed}", length_s) for unit_id, each in bursts.items()
    }


def _taken(bursts: Bursts, seed: str, length_s: float) -> tuple[tuple[int, int], ...]:
    dice = Random(f"{seed}/bursts")
    spans: list[tuple[int, int]] = []
    rate = bursts.per_minute / 60.0
    at_s = dice.expovariate(rate) if rate else length_s
    while at_s < length_s:
        until_s = at_s + dice.uniform(*bursts.length_s)
        busy_s = dice.uniform(*bursts.busy_ms) / 1e3
        while at_s < until_s:
            spans.append((round(at_s * NS_PER_S), round((at_s + busy_s) * NS_PER_S)))
            at_s += busy_s + bursts.free_ms / 1e3
        at_s += dice.expovariate(rate)
    return tuple(spans)
