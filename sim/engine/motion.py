"""One tick of all bodies: who can meet whom, steps for each, contacts where there may be any."""

from __future__ import annotations

import math
from collections.abc import Callable
from operator import itemgetter

from sim.engine.actors import ZERO, Actor
from sim.engine.body import Body
from sim.engine.collisions import Collision, Contacts, gap, overlap
from sim.engine.dynamics import drive, settle
from sim.engine.geometry import wrap
from sim.engine.level import LOOK, Level, Wall
from sim.engine.town import Town
from sim.engine.walking import walk

SUBSTEP = 0.01  # s, of bodies that may touch something; CARLA's max_substep_delta_time
FREE_STEP = 0.051  # s at most, of bodies that can touch nothing in the tick
TURNING_STEP = 0.026  # s at most, of those that turn
CALM_SPIN = 0.1  # rad/s up to which a body counts as going straight on
HARDEST = 10.0  # m/s^2 that a body may gain within a tick
MARGIN = 0.05  # m
SLIDING = 6.0  # m/s^2 that slows a prop that was pushed

Span = tuple[float, float, float, Body]


class Motion:
    """The bodies of an engine's actors; what stands still costs next to nothing."""

    def __init__(self, town: Town, level: Level) -> None:
        self._town = town
        self._level = level
        self._bodies: dict[int, Body] = {}

    def add(self, actor: Actor) -> None:
        """Move an actor from now on."""
        self._bodies[actor.id] = body = Body(actor)
        body.ground = self._town.ground_height(body.x, body.y)

    def remove(self, actor_id: int) -> None:
        """Move it no more."""
        self._bodies.pop(actor_id, None)

    def body(self, actor_id: int) -> Body | None:
        """The body of an actor that has one."""
        return self._bodies.get(actor_id)

    def advance(self, delta_s: float) -> list[Collision]:
        """Move every body by `delta_s` seconds; returns the contacts."""
        awake: list[Body] = []
        for body in self._bodies.values():
            is_moved = body.load()
            if body.is_driven:
                body.ground, body.slope = body.actor.ground, body.actor.slope
            elif is_moved or not body.is_asleep:
                body.ground = self._town.ground_height(body.x, body.y)
            body.is_asleep = body.rests()
            body.pace = 0.0
            if not body.is_asleep:
                body.pace = body.fastest()
                awake.append(body)
            elif body.actor.acceleration != ZERO:
                body.actor.acceleration = ZERO
        if not awake:
            return []
        pairs = self._pairs(delta_s)
        walls = self._walls(awake, delta_s)
        return self._step(awake, pairs, walls, delta_s)

    def _step(
        self,
        awake: list[Body],
        pairs: list[tuple[Body, Body]],
        walls: list[tuple[Body, list[Wall]]],
        delta_s: float,
    ) -> list[Collision]:
        close = {id(body): body for pair in pairs for body in pair}
        close.update((id(body), body) for body, _ in walls)
        calm = max(1, math.ceil(delta_s / FREE_STEP))
        turning = max(1, math.ceil(delta_s / TURNING_STEP))
        for body in awake:
            if id(body) not in close:
                move = _mover(body)
                steps = calm if abs(body.spin) < CALM_SPIN else turning
                for _ in range(steps):
                    move(body, delta_s / steps)
                body.write_back(delta_s)
        if not close:
            return []
        contacts = Contacts(pairs, walls)
        steps = max(1, math.ceil(delta_s / SUBSTEP - 1e-9))
        for _ in range(steps):
            for body in close.values():
                if not body.is_asleep:
                    _mover(body)(body, delta_s / steps)
            contacts.resolve()
        for body in close.values():
            if not body.is_asleep and body.inverse_mass:
                body.write_back(delta_s)
        return contacts.collisions()

    def _pairs(self, delta_s: float) -> list[tuple[Body, Body]]:
        """Bodies that may touch in this tick, found by a sweep along x."""
        spans: list[Span] = []
        gain = 0.5 * HARDEST * delta_s * delta_s + MARGIN
        for body in self._bodies.values():
            if not body.actor.does_collide:
                continue
            go = body.radius + gain + body.pace * delta_s
            spans.append((body.x - go, body.x + go, go, body))
        spans.sort(key=itemgetter(0))
        found = []
        for i, (_, right, go, a) in enumerate(spans):
            for k in range(i + 1, len(spans)):
                left, _, other, b = spans[k]
                if left > right:
                    break
                if abs(a.y - b.y) < go + other and _may_meet(a, b, delta_s):
                    # who was there first goes first: the order of the sweep may change by a hair
                    found.append((a, b) if a.actor.id < b.actor.id else (b, a))
        found.sort(key=lambda pair: (pair[0].actor.id, pair[1].actor.id))
        return [(a, b) if a.inverse_mass else (b, a) for a, b in found]

    def _walls(self, awake: list[Body], delta_s: float) -> list[tuple[Body, list[Wall]]]:
        """Bodies with the walls that they may touch in this tick."""
        found = []
        gain = 0.5 * HARDEST * delta_s
        for body in awake:
            if not body.actor.does_collide:
                continue
            go = (body.pace + gain + body.radius * abs(body.spin)) * delta_s + MARGIN
            body.clear -= go
            if body.clear > 0.0:
                continue
            complete = LOOK - body.radius  # m from the body's edge up to which walls are known
            if go > complete:
                near = [Wall(one) for one in self._level.near(body.x, body.y, go + body.radius)]
            else:
                near = self._level.walls(body.x, body.y)
            body.clear = clearance(body, near, complete) - go
            if body.clear <= 0.0:
                near = [wall for wall in near if overlap(body, wall, go) is not None]
                if near:
                    found.append((body, near))
        return found


def clearance(body: Body, walls: list[Wall], clear: float) -> float:
    """Metres, at most `clear`, that a body is apart from the nearest of some walls."""
    x, y, radius = body.x, body.y, body.radius
    reach = radius + clear
    for wall in walls:
        if abs(wall.x - x) - wall.reach_x < reach and abs(wall.y - y) - wall.reach_y < reach:
            apart = gap(body, wall)
            if apart < clear:
                clear, reach = apart, radius + apart
    return clear


def _may_meet(a: Body, b: Body, delta_s: float) -> bool:
    """Two bodies may touch in this tick; what sleeps has met already."""
    if (a.is_asleep and b.is_asleep) or not (a.inverse_mass or b.inverse_mass):
        return False
    if a.is_walker and b.is_walker:  # they step aside for each other
        return False
    closing = math.hypot(a.vx - b.vx, a.vy - b.vy) + HARDEST * delta_s
    closing += a.pace - math.hypot(a.vx, a.vy) + b.pace - math.hypot(b.vx, b.vy)
    turning = (abs(a.spin) * a.radius + abs(b.spin) * b.radius) * delta_s
    return overlap(a, b, closing * delta_s + turning + MARGIN) is not None


def _mover(body: Body) -> Callable[[Body, float], None]:
    if body.is_driven:
        return drive
    return walk if body.is_walker else _slide


def _slide(body: Body, h: float) -> None:
    """Move a prop that physics has been switched on for: it slides and falls."""
    speed = math.hypot(body.vx, body.vy)
    share = max(speed - SLIDING * h, 0.0) / speed if speed else 0.0
    body.vx, body.vy = body.vx * share, body.vy * share
    body.spin *= max(1.0 - 5.0 * h, 0.0) if abs(body.spin) > 0.05 else 0.0
    body.x += body.vx * h
    body.y += body.vy * h
    body.yaw = wrap(body.yaw + body.spin * h)
    body.cos, body.sin = math.cos(body.yaw), math.sin(body.yaw)
    settle(body, h)
