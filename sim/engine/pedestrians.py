"""The engine's own pedestrians: they walk the pavements and cross where and when they may."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from sim.engine.actors import Actor, WalkerControl
from sim.engine.town import Crossing, Pavement, Town
from sim.engine.traffic_lights import LightCycle

LOOK_AHEAD = 1.0  # m to the point one walks towards
KEEP_RIGHT = 0.25  # m beside the pavement's middle, so that people meeting pass each other
CROSSING_SHARE = 0.5  # of those who come by a crossing take it
CROSSING_RESERVE = 0.5  # s of the pedestrians' phase that has to be left at the far kerb
ARRIVED = 0.3  # m


@dataclass(slots=True)
class Pedestrian:
    """One pedestrian.

    Attributes:
        actor_id: the walker.
        rng: decides.
        pace: m/s.
        ring: index of the pavement it walks on.
        s: metres along that of the point it walks towards.
        way: 1 along the ring, -1 against it.
        crossing: the crossing it waits at or is on, or None.
        side: which end of that it came from.
        is_crossing: it has stepped onto the road.
    """

    actor_id: int
    rng: random.Random
    pace: float
    ring: int
    s: float
    way: int
    crossing: Crossing | None = None
    side: int = 0
    is_crossing: bool = False


class Pedestrians:
    """All pedestrians of a world."""

    def __init__(self, town: Town, seed: int) -> None:
        self._town = town
        self._seed = seed
        self._people: dict[int, Pedestrian] = {}

    def adopt(self, actor: Actor) -> None:
        """Guide a walker from now on, on the pavement nearest to it."""
        rng = random.Random(f"{self._seed} pedestrian {actor.id}")
        ring, s = _nearest(self._town.pavements, actor.pose.x, actor.pose.y)
        pace, way = rng.uniform(1.1, 1.6), rng.choice((-1, 1))
        self._people[actor.id] = Pedestrian(actor.id, rng, pace, ring, s, way)

    def release(self, actor_id: int) -> None:
        """Guide it no more."""
        self._people.pop(actor_id, None)

    def guide(
        self, actors: dict[int, Actor], cycles: dict[int, LightCycle], delta_s: float
    ) -> None:
        """Set every pedestrian's direction and speed for the next tick."""
        for person in self._people.values():
            actor = actors[person.actor_id]
            if person.crossing is None:
                self._stroll(person, actor, delta_s)
            else:
                cycle = cycles.get(person.crossing.junction_id)
                self._cross(person, actor, cycle, actors)

    def _stroll(self, person: Pedestrian, actor: Actor, delta_s: float) -> None:
        ring = self._town.pavements[person.ring]
        target = ring.at(person.s, -KEEP_RIGHT * person.way)
        distance = math.hypot(target.x - actor.pose.x, target.y - actor.pose.y)
        reach = LOOK_AHEAD + person.pace * delta_s
        if distance < reach:
            step = reach - distance + 0.05
            passed = self._passed(person, step)
            person.s += person.way * step
            if ring.is_ring:
                person.s %= ring.length
            elif not 0.0 < person.s < ring.length:  # the end of a stretch: back again
                person.s = min(max(person.s, 0.0), ring.length)
                person.way = -person.way
            if passed is not None and person.rng.random() < CROSSING_SHARE:
                person.crossing, person.side = passed
        _walk_to(actor, target.x, target.y, person.pace)

    def _passed(self, person: Pedestrian, step: float) -> tuple[Crossing, int] | None:
        """The crossing (and its end) that the next `step` metres along the ring pass, if any."""
        length = self._town.pavements[person.ring].length
        for crossing in self._town.crossings:
            for side in (0, 1):
                if crossing.pavements[side] == person.ring:
                    ahead = (crossing.along[side] - person.s) * person.way % length
                    if ahead < step:
                        return crossing, side
        return None

    def _cross(
        self,
        person: Pedestrian,
        actor: Actor,
        cycle: LightCycle | None,
        actors: dict[int, Actor],
    ) -> None:
        crossing = person.crossing
        assert crossing is not None
        here, there = crossing.ends[person.side], crossing.ends[1 - person.side]
        if not person.is_crossing:
            if not _is_at(actor, here[0], here[1]):
                _walk_to(actor, here[0], here[1], person.pace)
                return
            needed = math.dist(here, there) / person.pace + CROSSING_RESERVE
            if cycle is not None:
                person.is_crossing = cycle.walk_left > needed
            else:
                person.is_crossing = _is_road_free(crossing, needed, actors)
            _walk_to(actor, there[0], there[1], person.pace if person.is_crossing else 0.0)
            return
        if _is_at(actor, there[0], there[1]):
            person.ring = crossing.pavements[1 - person.side]
            person.s = crossing.along[1 - person.side]
            person.way = person.rng.choice((-1, 1))
            person.s += person.way * LOOK_AHEAD
            person.crossing, person.is_crossing = None, False
            return
        _walk_to(actor, there[0], there[1], person.pace)


def _is_road_free(crossing: Crossing, needed: float, actors: dict[int, Actor]) -> bool:
    """No vehicle comes to a crossing within the seconds that it takes to cross."""
    (x0, y0, _), (x1, y1, _) = crossing.ends
    x, y, half = (x0 + x1) / 2, (y0 + y1) / 2, math.dist((x0, y0), (x1, y1)) / 2
    for one in actors.values():
        if one.kind != "vehicle":
            continue
        dx, dy = x - one.pose.x, y - one.pose.y
        distance = math.hypot(dx, dy) - half - one.extent[0]
        if distance < 1.0:
            return False
        vx, vy, _ = one.velocity
        closing = (vx * dx + vy * dy) / math.hypot(dx, dy)
        if closing > 0.5 and distance < closing * needed:
            return False
    return True


def _is_at(actor: Actor, x: float, y: float) -> bool:
    return math.hypot(x - actor.pose.x, y - actor.pose.y) < ARRIVED


def _walk_to(actor: Actor, x: float, y: float, pace: float) -> None:
    dx, dy = x - actor.pose.x, y - actor.pose.y
    size = math.hypot(dx, dy)
    direction = (dx / size, dy / size, 0.0) if size > 1e-6 else (1.0, 0.0, 0.0)
    actor.walker_control = WalkerControl(direction, pace)


def _nearest(pavements: list[Pavement], x: float, y: float) -> tuple[int, float]:
    """(index, metres along) of the pavement sample nearest to a point."""
    best = (math.inf, 0, 0.0)
    for index, ring in enumerate(pavements):
        away = ((ring.centre[:, :2] - (x, y)) ** 2).sum(axis=1)
        i = int(away.argmin())
        best = min(best, (float(away[i]), index, float(ring.lengths[i])))
    return best[1], best[2]
