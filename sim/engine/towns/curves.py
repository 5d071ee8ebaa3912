"""Reference lines: straight pieces and arcs, and the curves that join two directions of travel."""

from __future__ import annotations

import math
from typing import NamedTuple

from sim.engine.geometry import wrap

STRAIGHT = 1e-3  # rad of turn under which a piece is a line
CLOSE = 0.05  # m sideways under which two lines are one


class Segment(NamedTuple):
    """A piece of reference line of one curvature: where it starts, its heading, length, 1/m."""

    x: float
    y: float
    heading: float
    length: float
    curvature: float

    def at(self, s: float) -> tuple[float, float, float]:
        """(x, y, heading) `s` metres along it."""
        if self.curvature == 0.0:
            x = self.x + s * math.cos(self.heading)
            y = self.y + s * math.sin(self.heading)
            return x, y, self.heading
        end = self.heading + s * self.curvature
        x = self.x + (math.sin(end) - math.sin(self.heading)) / self.curvature
        y = self.y - (math.cos(end) - math.cos(self.heading)) / self.curvature
        return x, y, end


class Way(NamedTuple):
    """A place and a direction of travel: metres and radians."""

    x: float
    y: float
    heading: float

    def beside(self, left: float) -> Way:
        """The same `left` metres to the left."""
        return Way(
            self.x - left * math.sin(self.heading),
            self.y + left * math.cos(self.heading),
            self.heading,
        )

    def ahead(self, distance: float) -> Way:
        """The same some metres on."""
        return Way(
            self.x + distance * math.cos(self.heading),
            self.y + distance * math.sin(self.heading),
            self.heading,
        )

    def back(self) -> Way:
        """Looking the other way."""
        return Way(self.x, self.y, wrap(self.heading + math.pi))


def rounded(
    points: list[tuple[float, float]], radius: float, *, share: float = 1.0
) -> list[Segment]:
    """Straight lines through points, each corner replaced by an arc.

    Args:
        points: metres.
        radius: of the arcs, metres.
        share: of the legs that an arc may use up; where it needs more it gets a smaller radius.
    """
    widest = radius
    segments: list[Segment] = []
    x, y = points[0]
    for k in range(1, len(points)):
        px, py = points[k]
        heading = math.atan2(py - y, px - x)
        turn, cut = 0.0, 0.0
        if k + 1 < len(points):
            after = math.atan2(points[k + 1][1] - py, points[k + 1][0] - px)
            turn = (after - heading + math.pi) % (2 * math.pi) - math.pi
            half = math.tan(abs(turn) / 2)
            legs = math.dist(points[k - 1], (px, py)), math.dist((px, py), points[k + 1])
            radius = min(widest, share * min(legs) / half) if half > 1e-9 else widest
            cut = radius * half
        line = Segment(x, y, heading, math.hypot(px - x, py - y) - cut, 0.0)
        if line.length < -1e-6:
            raise ValueError(f"rounded: no room for an arc of {radius} m at {(px, py)}")
        if line.length > 1e-6:
            segments.append(line)
        x, y, _ = line.at(line.length)
        if abs(turn) > 1e-9:
            arc = Segment(x, y, heading, radius * abs(turn), math.copysign(1 / radius, turn))
            segments.append(arc)
            x, y, _ = arc.at(arc.length)
    return segments


def joined(start: Way, end: Way) -> list[Segment]:
    """The curve from one way to another: a corner of one arc where it can be, else two arcs."""
    turn = wrap(end.heading - start.heading)
    dx, dy = end.x - start.x, end.y - start.y
    cos, sin = math.cos(start.heading), math.sin(start.heading)
    along, left = dx * cos + dy * sin, dy * cos - dx * sin
    if abs(turn) < STRAIGHT and abs(left) < CLOSE:
        return [Segment(start.x, start.y, math.atan2(dy, dx), math.hypot(dx, dy), 0.0)]
    if 0.15 < abs(turn) < 2.8:
        # metres from both ends to where their lines cross
        after = left / math.sin(turn)
        before = along - after * math.cos(turn)
        if before > 0.5 and after > 0.5:
            return _corner(start, end, before, after, turn)
    return _two_arcs(start, end)


def _corner(start: Way, end: Way, before: float, after: float, turn: float) -> list[Segment]:
    cut = min(before, after)
    radius = cut / math.tan(abs(turn) / 2)
    segments: list[Segment] = []
    if before - cut > 1e-3:
        segments.append(Segment(*start, before - cut, 0.0))
    arc = start.ahead(before - cut)
    segments.append(Segment(*arc, radius * abs(turn), math.copysign(1 / radius, turn)))
    if after - cut > 1e-3:
        segments.append(Segment(*end.ahead(cut - after), after - cut, 0.0))
    return segments


def _two_arcs(start: Way, end: Way) -> list[Segment]:
    """Two arcs that meet smoothly, equally long tangents (Bolton, Computer-Aided Design, 1975)."""
    vx, vy = end.x - start.x, end.y - start.y
    ax, ay = math.cos(start.heading), math.sin(start.heading)
    bx, by = math.cos(end.heading), math.sin(end.heading)
    tx, ty = ax + bx, ay + by
    vt, vv = vx * tx + vy * ty, vx * vx + vy * vy
    share = 2 * (1 - (ax * bx + ay * by))
    d = (-vt + math.sqrt(vt * vt + share * vv)) / share if share > 1e-9 else vv / (2 * vt)
    mx = (start.x + ax * d + end.x - bx * d) / 2
    my = (start.y + ay * d + end.y - by * d) / 2
    first = _arc_to(start, mx, my)
    x, y, heading = first.at(first.length)
    return [first, _arc_to(Way(x, y, heading), end.x, end.y)]


def _arc_to(start: Way, x: float, y: float) -> Segment:
    """The arc from a way to a point."""
    dx, dy = x - start.x, y - start.y
    chord = math.hypot(dx, dy)
    half = wrap(math.atan2(dy, dx) - start.heading)
    if abs(half) < 1e-6:
        return Segment(start.x, start.y, start.heading, chord, 0.0)
    curvature = 2 * math.sin(half) / chord
    return Segment(start.x, start.y, start.heading, 2 * half / curvature, curvature)
