"""Contacts between bodies, and with the level: who touches whom, and what that does to them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sim.engine.body import Body
from sim.engine.geometry import Vector
from sim.engine.level import Level, Obstacle, Wall
from sim.engine.walking import knock_over

__all__ = ["Collision", "Contacts", "Level", "Obstacle"]

RESTITUTION = 0.1  # share of the closing speed that remains; car bodies crumple
FRICTION = 0.4  # of the impulse between bodies, sheet metal on sheet metal
STUN = 2.0  # s for which a walker who was hit lies
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


class Contacts:
    """The contacts of one tick: the pairs that could meet, and the impulses summed up."""

    def __init__(
        self, pairs: list[tuple[Body, Body]], walls: list[tuple[Body, list[Wall]]]
    ) -> None:
        self._impulses: dict[tuple[int, int, int], list[float]] = {}
        self._pairs = pairs
        self._walls = walls

    def resolve(self) -> None:
        """Part what overlaps now and exchange the impulses."""
        for a, b in self._pairs:
            self._meet(a, b)
        for body, walls in self._walls:
            for wall in walls:
                self._hit_wall(body, wall)

    def collisions(self) -> list[Collision]:
        """What happened in the tick, in the order it began."""
        found: list[Collision] = []
        for (a, b, tag), (x, y) in self._impulses.items():
            found.append(Collision(a, b, (x, y, 0.0), tag))
            if b:
                found.append(Collision(b, a, (-x, -y, 0.0)))
        return found

    def _meet(self, a: Body, b: Body) -> None:
        reach = a.radius + b.radius
        if abs(a.x - b.x) > reach or abs(a.y - b.y) > reach:
            return
        if a.z - a.rest > b.z - b.rest + b.height or b.z - b.rest > a.z - a.rest + a.height:
            return
        found = overlap(a, b)
        if found is None:
            return
        depth, nx, ny = found
        share = a.inverse_mass / (a.inverse_mass + b.inverse_mass)
        a.x, a.y = a.x + nx * depth * share, a.y + ny * depth * share
        b.x, b.y = b.x - nx * depth * (1 - share), b.y - ny * depth * (1 - share)
        a.is_asleep = False
        b.is_asleep = not b.inverse_mass
        impulse = _bounce(a, b, (nx, ny), _contact_point(a, b))
        if impulse is not None:
            self._note((a.actor.id, b.actor.id, 0), *impulse)
            for body in (a, b):
                if body.is_walker and math.hypot(*impulse) > STUN_IMPULSE:
                    body.actor.stunned_s = STUN
                    knock_over(body)

    def _hit_wall(self, body: Body, wall: Wall) -> None:
        reach = body.radius + wall.radius
        if abs(body.x - wall.x) > reach or abs(body.y - wall.y) > reach:
            return
        foot = body.z - body.rest
        if foot > wall.z_high or foot + body.height < wall.z_low:
            return
        found = overlap(body, wall)
        if found is None:
            return
        depth, nx, ny = found
        body.x, body.y = body.x + nx * depth, body.y + ny * depth
        impulse = _bounce(body, None, (nx, ny), _contact_point(body, wall))
        if impulse is not None and body.is_driven:
            self._note((body.actor.id, 0, wall.tag), *impulse)

    def _note(self, key: tuple[int, int, int], x: float, y: float) -> None:
        total = self._impulses.setdefault(key, [0.0, 0.0])
        total[0] += x
        total[1] += y


def overlap(a: Body, b: Body | Wall, margin: float = 0.0) -> tuple[float, float, float] | None:
    """How two rectangles overlap on the ground, by the separating axis test.

    Returns:
        (depth, nx, ny): the least shift, metres, and the unit direction from `b` to `a` in which
        shifting `a` parts them; None where they are apart by more than `margin`.
    """
    ca, sa, cb, sb = a.cos, a.sin, b.cos, b.sin
    dx, dy = a.x - b.x, a.y - b.y
    straight, turned = abs(ca * cb + sa * sb), abs(sa * cb - ca * sb)
    la, wa, lb, wb = a.half_length, a.half_width, b.half_length, b.half_width
    best, bx, by = math.inf, 0.0, 0.0
    reach = la + lb * straight + wb * turned + margin
    at = dx * ca + dy * sa
    if (depth := reach - abs(at)) < 0.0:
        return None
    best, bx, by = (depth, ca, sa) if at >= 0.0 else (depth, -ca, -sa)
    reach = wa + lb * turned + wb * straight + margin
    at = dy * ca - dx * sa
    if (depth := reach - abs(at)) < 0.0:
        return None
    if depth < best:
        best, bx, by = (depth, -sa, ca) if at >= 0.0 else (depth, sa, -ca)
    reach = lb + la * straight + wa * turned + margin
    at = dx * cb + dy * sb
    if (depth := reach - abs(at)) < 0.0:
        return None
    if depth < best:
        best, bx, by = (depth, cb, sb) if at >= 0.0 else (depth, -cb, -sb)
    reach = wb + la * turned + wa * straight + margin
    at = dy * cb - dx * sb
    if (depth := reach - abs(at)) < 0.0:
        return None
    if depth < best:
        best, bx, by = (depth, -sb, cb) if at >= 0.0 else (depth, sb, -cb)
    return best, bx, by


def gap(a: Body, b: Wall) -> float:
    """Metres that two rectangles are apart at least; negative where they overlap."""
    straight = abs(a.cos * b.cos + a.sin * b.sin)
    turned = abs(a.sin * b.cos - a.cos * b.sin)
    dx, dy = a.x - b.x, a.y - b.y
    la, wa, lb, wb = a.half_length, a.half_width, b.half_length, b.half_width
    return max(
        abs(dx * a.cos + dy * a.sin) - la - lb * straight - wb * turned,
        abs(dy * a.cos - dx * a.sin) - wa - lb * turned - wb * straight,
        abs(dx * b.cos + dy * b.sin) - lb - la * straight - wa * turned,
        abs(dy * b.cos - dx * b.sin) - wb - la * turned - wa * straight,
    )


def _corners(box: Body | Wall) -> list[tuple[float, float]]:
    cx, sx = box.cos * box.half_length, box.sin * box.half_length
    cy, sy = -box.sin * box.half_width, box.cos * box.half_width
    x, y = box.x, box.y
    return [
        (x + cx + cy, y + sx + sy), (x - cx + cy, y - sx + sy),
        (x - cx - cy, y - sx - sy), (x + cx - cy, y + sx - sy),
    ]  # fmt: skip


def _contact_point(a: Body, b: Body | Wall) -> tuple[float, float]:
    """The middle of the corners that lie in the other box; of the two centres if none does."""
    points = [p for p in _corners(a) if _holds(b, p)] + [p for p in _corners(b) if _holds(a, p)]
    if not points:
        points = [(a.x, a.y), (b.x, b.y)]
    return sum(p[0] for p in points) / len(points), sum(p[1] for p in points) / len(points)


def _holds(box: Body | Wall, point: tuple[float, float]) -> bool:
    dx, dy = point[0] - box.x, point[1] - box.y
    return (
        abs(dx * box.cos + dy * box.sin) <= box.half_length + 1e-6
        and abs(dy * box.cos - dx * box.sin) <= box.half_width + 1e-6
    )


def _bounce(
    a: Body, b: Body | None, normal: tuple[float, float], point: tuple[float, float]
) -> tuple[float, float] | None:
    """Exchange the impulse at a point, `normal` from b to a; returns it on `a`, N s.

    The impulse of two rigid bodies with restitution e: (1 + e) v_n over the sum of their inverse
    masses and of (r x n)^2 / I (Baraff, Physically Based Modeling, 2001); across it as much as
    stops the sliding, at most `FRICTION` times as much (Coulomb).
    """
    nx, ny = normal
    ax, ay = point[0] - a.x, point[1] - a.y
    bx, by = (point[0] - b.x, point[1] - b.y) if b is not None else (0.0, 0.0)
    vx, vy = a.vx - a.spin * ay, a.vy + a.spin * ax
    if b is not None:
        vx, vy = vx - (b.vx - b.spin * by), vy - (b.vy + b.spin * bx)
    closing = -(vx * nx + vy * ny)
    if closing <= 0.0:
        return None

    def weight(dx: float, dy: float) -> float:
        arm = ax * dy - ay * dx
        total = a.inverse_mass + arm * arm * a.inverse_inertia
        if b is not None:
            arm = bx * dy - by * dx
            total += b.inverse_mass + arm * arm * b.inverse_inertia
        return total

    size = (1.0 + RESTITUTION) * closing / weight(nx, ny)
    sliding = vy * nx - vx * ny  # along (-ny, nx)
    rub = min(max(-sliding / weight(-ny, nx), -FRICTION * size), FRICTION * size)
    ix, iy = size * nx - rub * ny, size * ny + rub * nx
    a.push((ix, iy, 0.0), (ax, ay))
    if b is not None:
        b.push((-ix, -iy, 0.0), (bx, by))
    return ix, iy
