"""Contacts between bodies, and with the level: who touches whom, and what that does to them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from sim.engine.dynamics import Body
from sim.engine.geometry import Box, Vector, boxes_touch, overlap

RESTITUTION = 0.1  # share of the closing speed that remains; car bodies crumple
CELL = 32.0  # m, side of a cell of the level's grid
FAR = 500.0  # m from which all cells are looked at: whoever is that fast passes most of a town
REACH_MARGIN = 0.5  # m beyond what a body can travel in a tick
STUN = 2.0  # s for which a walker who was hit slides
STUN_IMPULSE = 60.0  # N s that a walker shrugs off: a nudge at 0.8 m/s


@dataclass(frozen=True, slots=True)
class Collision:
    """One contact in this tick, told once for each actor in it.

    Attributes:
        actor_id: who was hit.
        other_id: by whom; 0 for the level (buildings, trees, poles).
        impulse: N s on `actor_id`, world axes.
        level_tag: CityObjectLabel of what was hit where `other_id` is 0.
    """

    actor_id: int
    other_id: int
    impulse: Vector
    level_tag: int = 0


@dataclass(frozen=True, slots=True)
class Obstacle:
    """A fixed thing of the level."""

    box: Box
    semantic_tag: int


class Level:
    """Fixed obstacles in a grid."""

    def __init__(self, obstacles: Iterable[Obstacle]) -> None:
        self._cells: dict[tuple[int, int], list[Obstacle]] = defaultdict(list)
        for obstacle in obstacles:
            box = obstacle.box
            for key in _cells(box.x, box.y, box.radius):
                self._cells[key].append(obstacle)

    def near(self, x: float, y: float, reach: float) -> list[Obstacle]:
        """Obstacles within `reach` metres of a point, each once."""
        found: dict[int, Obstacle] = {}
        keys = self._cells.keys() if reach > FAR else _cells(x, y, reach)
        for key in keys:
            for obstacle in self._cells.get(key, ()):
                box = obstacle.box
                if math.hypot(box.x - x, box.y - y) <= reach + box.radius:
                    found[id(obstacle)] = obstacle
        return list(found.values())


def _cells(x: float, y: float, reach: float) -> list[tuple[int, int]]:
    low_x, high_x = math.floor((x - reach) / CELL), math.floor((x + reach) / CELL)
    low_y, high_y = math.floor((y - reach) / CELL), math.floor((y + reach) / CELL)
    return [(i, j) for i in range(low_x, high_x + 1) for j in range(low_y, high_y + 1)]


class Contacts:
    """The contacts of one tick: who could meet, found once, and the impulses summed up."""

    def __init__(self, bodies: list[Body], level: Level, delta_s: float) -> None:
        self._impulses: dict[tuple[int, int, int], list[float]] = {}
        bodies = [body for body in bodies if body.actor.does_collide]
        reaches = [_reach(body, delta_s) for body in bodies]
        self._pairs: list[tuple[Body, Body]] = []
        self._walls: list[tuple[Body, Obstacle]] = []
        for i, a in enumerate(bodies):
            if not a.inverse_mass:
                continue
            if not a.is_asleep:
                travel = reaches[i] - math.hypot(a.half_length, a.half_width)
                near = level.near(a.x, a.y, reaches[i])
                self._walls += [(a, one) for one in near if boxes_touch(_box(a), one.box, travel)]
            for j, b in enumerate(bodies):
                if j == i or (b.inverse_mass and j < i):
                    continue
                reach = reaches[i] + reaches[j]
                if abs(a.x - b.x) < reach and abs(a.y - b.y) < reach and _can_meet(a, b):
                    self._pairs.append((a, b))

    def resolve(self) -> None:
        """Part what overlaps now and exchange the impulses."""
        for a, b in self._pairs:
            self._meet(a, b)
        for body, obstacle in self._walls:
            self._hit_wall(body, obstacle)

    def collisions(self) -> list[Collision]:
        """What happened in the tick, in the order it began."""
        found: list[Collision] = []
        for (a, b, tag), (x, y) in self._impulses.items():
            found.append(Collision(a, b, (x, y, 0.0), tag))
            if b:
                found.append(Collision(b, a, (-x, -y, 0.0)))
        return found

    def _meet(self, a: Body, b: Body) -> None:
        box_a, box_b = _box(a), _box(b)
        reach = box_a.radius + box_b.radius
        if abs(a.x - b.x) > reach or abs(a.y - b.y) > reach:
            return
        found = overlap(box_a, box_b)
        if found is None:
            return
        depth, nx, ny = found
        share = a.inverse_mass / (a.inverse_mass + b.inverse_mass)
        a.x, a.y = a.x + nx * depth * share, a.y + ny * depth * share
        b.x, b.y = b.x - nx * depth * (1 - share), b.y - ny * depth * (1 - share)
        size = _bounce(a, b, (nx, ny), _contact_point(box_a, box_b))
        if size > 0.0:
            self._note((a.actor.id, b.actor.id, 0), nx * size, ny * size)
            for body in (a, b):
                if body.actor.kind == "walker" and size > STUN_IMPULSE:
                    body.actor.stunned_s = STUN

    def _hit_wall(self, body: Body, obstacle: Obstacle) -> None:
        box = _box(body)
        wall = obstacle.box
        if math.hypot(body.x - wall.x, body.y - wall.y) > box.radius + wall.radius:
            return
        found = overlap(box, wall)
        if found is None:
            return
        depth, nx, ny = found
        body.x, body.y = body.x + nx * depth, body.y + ny * depth
        size = _bounce(body, None, (nx, ny), _contact_point(box, wall))
        if size > 0.0 and body.actor.kind == "vehicle":
            self._note((body.actor.id, 0, obstacle.semantic_tag), nx * size, ny * size)

    def _note(self, key: tuple[int, int, int], x: float, y: float) -> None:
        total = self._impulses.setdefault(key, [0.0, 0.0])
        total[0] += x
        total[1] += y


def _reach(body: Body, delta_s: float) -> float:
    speed = math.hypot(body.vx, body.vy) + 8.0 * delta_s
    return math.hypot(body.half_length, body.half_width) + speed * delta_s + REACH_MARGIN


def _can_meet(a: Body, b: Body) -> bool:
    """Two walkers step aside for each other, and what sleeps has met already."""
    if a.actor.kind == "walker" and b.actor.kind == "walker":
        return False
    return not (a.is_asleep and b.is_asleep)


def _box(body: Body) -> Box:
    return Box(body.x, body.y, body.yaw, body.half_length, body.half_width)


def _contact_point(a: Box, b: Box) -> tuple[float, float]:
    """The middle of the corners that lie in the other box; of the two centres if none does."""
    points = [p for p in a.corners() if _holds(b, p)] + [p for p in b.corners() if _holds(a, p)]
    if not points:
        points = [(a.x, a.y), (b.x, b.y)]
    return sum(p[0] for p in points) / len(points), sum(p[1] for p in points) / len(points)


def _holds(box: Box, point: tuple[float, float]) -> bool:
    dx, dy = point[0] - box.x, point[1] - box.y
    cos, sin = math.cos(box.yaw), math.sin(box.yaw)
    return (
        abs(dx * cos + dy * sin) <= box.half_length + 1e-6
        and abs(dy * cos - dx * sin) <= box.half_width + 1e-6
    )


def _bounce(
    a: Body, b: Body | None, normal: tuple[float, float], point: tuple[float, float]
) -> float:
    """Exchange the impulse along `normal` (from b to a) at a point; returns its size, N s.

    The impulse of two rigid bodies with restitution e: (1 + e) v_n over the sum of their inverse
    masses and of (r x n)^2 / I (Baraff, Physically Based Modeling, 2001).
    """
    nx, ny = normal
    arm_a = (point[0] - a.x) * ny - (point[1] - a.y) * nx
    closing = -(a.vx * nx + a.vy * ny + a.spin * arm_a)
    inverse = a.inverse_mass + arm_a * arm_a * a.inverse_inertia
    arm_b = 0.0
    if b is not None:
        arm_b = (point[0] - b.x) * ny - (point[1] - b.y) * nx
        closing += b.vx * nx + b.vy * ny + b.spin * arm_b
        inverse += b.inverse_mass + arm_b * arm_b * b.inverse_inertia
    if closing <= 0.0:
        return 0.0
    size = (1.0 + RESTITUTION) * closing / inverse
    a.vx, a.vy = a.vx + nx * size * a.inverse_mass, a.vy + ny * size * a.inverse_mass
    a.spin += arm_a * size * a.inverse_inertia
    if b is not None:
        b.vx, b.vy = b.vx - nx * size * b.inverse_mass, b.vy - ny * size * b.inverse_mass
        b.spin -= arm_b * size * b.inverse_inertia
    return size
