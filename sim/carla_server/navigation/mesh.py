"""A town's pavements, crossings and the roads between as one navigation mesh."""

from __future__ import annotations

import hashlib
import logging
import math
from collections import defaultdict
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sim.carla_server.navigation.detour import (
    CROSSWALK,
    MOST_POLYGONS,
    ROAD,
    SIDEWALK,
    Polygon,
    encode,
)
from sim.carla_server.navigation.strips import Strip
from sim.engine.lanes import Lane, LaneId
from sim.engine.town import Crossing, Town

JOIN = 0.7  # m between the ends of two strips that are one
POLE_RADIUS = 0.15  # m of a traffic light's pole
FARTHEST_END = 4.0  # m from a crossing's end to the middle of the pavement that it leads to
SMALLEST = 1e-3  # m^2 of a polygon

logger = logging.getLogger(__name__)

Joint = tuple[Strip, tuple[float, float], int]  # a strip, the stations of a crossing's end, a side


def navigation_file(town: Town) -> str:
    """Name of a town's mesh as a client keeps it; another mesh has another name. "" for none."""
    mesh = navigation_mesh(town)
    if not mesh:
        return ""
    mark = hashlib.sha256(mesh).hexdigest()[:12]
    folder, _, name = town.name.rpartition("/")
    return f"{folder}/Nav/{name}-{mark}.bin".lstrip("/")


@lru_cache(maxsize=2)
def navigation_mesh(town: Town) -> bytes:
    """A town's navigation mesh in the client's form; empty where no pavement is."""
    maker = _Maker(town)
    polygons = maker.pavements() + maker.crossings() + maker.roads()
    if len(polygons) > MOST_POLYGONS:  # roads are last, and only for those who cross anywhere
        logger.warning("%s: navigation mesh cut to %d polygons", town.name, MOST_POLYGONS)
        polygons = polygons[:MOST_POLYGONS]
    return encode(np.array(maker.vertices), polygons) if polygons else b""


class _Maker:
    """Cuts the strips where crossings and things meet them, then numbers vertices."""

    def __init__(self, town: Town) -> None:
        self.vertices: list[NDArray[np.float64]] = []
        self._town = town
        self._strips = {
            lane.id: Strip(lane)
            for lane in town.lanes.lanes.values()
            if lane.kind == "pavement" and lane.length > 1.0
        }
        self._joints = [joint for one in town.crossings if (joint := self._joint(one))]
        self._avoid_things()
        for strip in self._strips.values():
            for s in strip.stations:
                left, right = strip.section(s)
                strip.left.append(self._vertex(left))
                strip.right.append(self._vertex(right))
        self._join_ends()

    def _vertex(self, place: NDArray[np.float64]) -> int:
        self.vertices.append(place)
        return len(self.vertices) - 1

    def _joint(self, crossing: Crossing) -> tuple[Joint, Joint] | None:
        """Where a crossing meets the strips at both its ends."""
        found: list[Joint] = []
        for (x, y, _), (other_x, other_y, _) in (crossing.ends, crossing.ends[::-1]):
            strip, s = self._strip_at(x, y)
            if strip is None:
                return None
            ends = strip.fix(s, crossing.width)
            found.append((strip, ends, strip.side_of(s, other_x, other_y)))
        return None if found[0][0] is found[1][0] else (found[0], found[1])

    def _strip_at(self, x: float, y: float) -> tuple[Strip | None, float]:
        if not self._strips:
            return None, 0.0
        lane, s, _ = self._town.lanes.nearest(x, y, kind="pavement")
        at = lane.pose_at(s)
        is_close = math.hypot(at.x - x, at.y - y) < FARTHEST_END
        return (self._strips.get(lane.id) if is_close else None), s

    def _avoid_things(self) -> None:
        town = self._town
        bodies = [(one.pose, one.radius) for one in town.furniture]
        bodies += [(light.pose, POLE_RADIUS) for light in town.traffic_lights]
        for pose, radius in bodies if self._strips else ():
            lane, s, offset = town.lanes.nearest(pose.x, pose.y, kind="pavement")
            if abs(offset) < lane.width / 2 + radius and lane.id in self._strips:
                self._strips[lane.id].avoid(s, offset, radius)

    def _join_ends(self) -> None:
        """Let strips that end at one place share their vertices there."""
        ends: dict[tuple[int, int], list[tuple[Strip, int]]] = defaultdict(list)
        for strip in self._strips.values():
            for k in (0, -1):
                place = self._middle(strip, k)
                for other, j in self._near(ends, place):
                    if self._weld(strip, k, other, j):
                        break
                cell = (math.floor(place[0] / JOIN), math.floor(place[1] / JOIN))
                ends[cell].append((strip, k))

    def _middle(self, strip: Strip, k: int) -> NDArray[np.float64]:
        return (self.vertices[strip.left[k]] + self.vertices[strip.right[k]]) / 2

    def _near(
        self, ends: dict[tuple[int, int], list[tuple[Strip, int]]], place: NDArray[np.float64]
    ) -> list[tuple[Strip, int]]:
        cx, cy = math.floor(place[0] / JOIN), math.floor(place[1] / JOIN)
        cells = [(cx + i, cy + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
        return [one for cell in cells for one in ends.get(cell, [])]

    def _weld(self, strip: Strip, k: int, other: Strip, j: int) -> bool:
        """Take over the vertices of another strip's end, if they lie where this one's do."""
        # an end and a beginning go on; two ends or two beginnings face each other
        theirs = (other.left[j], other.right[j])
        theirs = theirs if k != j else theirs[::-1]
        mine = (strip.left[k], strip.right[k])
        apart = [
            math.dist(self.vertices[a], self.vertices[b]) for a, b in zip(mine, theirs, strict=True)
        ]
        if max(apart) > JOIN:
            return False
        strip.left[k], strip.right[k] = theirs
        return True

    def _polygon(self, corners: tuple[int, ...], area: int) -> list[Polygon]:
        """A polygon, counter-clockwise; one that is not convex comes as triangles."""
        unique = tuple(dict.fromkeys(corners))
        if len(unique) < 3:
            return []
        points = np.array([self.vertices[k][:2] for k in unique])
        edges = np.roll(points, -1, axis=0) - points
        x, y = points.T
        area_twice = float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))
        if abs(area_twice) < 2 * SMALLEST:
            return []
        if area_twice < 0.0:
            return self._polygon(unique[::-1], area)
        after = np.roll(edges, -1, axis=0)
        turns = edges[:, 0] * after[:, 1] - edges[:, 1] * after[:, 0]
        if turns.min() < 0.0 and len(unique) == 4:
            k = (int(turns.argmin()) + 1) % 4  # the corner that points inwards
            a, b, c, d = (*unique[k:], *unique[:k])
            return [*self._polygon((a, b, c), area), *self._polygon((a, c, d), area)]
        return [Polygon(unique, area)]

    def pavements(self) -> list[Polygon]:
        """All strips."""
        found: list[Polygon] = []
        for strip in self._strips.values():
            left, right = strip.left, strip.right
            for k in range(len(left) - 1):
                corners = (left[k], right[k], right[k + 1], left[k + 1])
                found += self._polygon(corners, SIDEWALK)
        return found

    def crossings(self) -> list[Polygon]:
        """A polygon for each crossing that leads from strip to strip."""
        found: list[Polygon] = []
        for near, far in self._joints:
            found += self._polygon(self._across(near, far), CROSSWALK)
        return found

    def _across(self, near: Joint, far: Joint) -> tuple[int, int, int, int]:
        a, b = near[0].piece(near[1], near[2])
        c, d = far[0].piece(far[1], far[2])
        places = self.vertices
        straight = math.dist(places[b], places[c]) + math.dist(places[d], places[a])
        turned = math.dist(places[b], places[d]) + math.dist(places[c], places[a])
        return (a, b, c, d) if straight <= turned else (a, b, d, c)

    def roads(self) -> list[Polygon]:
        """What lies between the two pavements of one road, for those who cross anywhere."""
        found: list[Polygon] = []
        for right, left in self._facing():
            found += self._between(self._strips[right], self._strips[left])
        return found

    def _facing(self) -> list[tuple[LaneId, LaneId]]:
        """Pavements on the right and on the left of the same road."""
        sides: dict[LaneId, dict[bool, list[Lane]]] = defaultdict(lambda: {True: [], False: []})
        for strip in self._strips.values():
            lane = strip.lane
            if not lane.is_junction:
                sides[lane.id._replace(lane=0)][lane.id.lane > 0].append(lane)
        return [
            (both[False][0].id, both[True][0].id)
            for both in sides.values()
            if len(both[True]) == len(both[False]) == 1
        ]

    def _between(self, right: Strip, left: Strip) -> list[Polygon]:
        """Triangles from kerb to kerb, with gaps where the crossings are."""
        half = right.lane.length / 2
        across = left.lane.pose_at(left.lane.length / 2)
        back = right.lane.pose_at(half)
        near = right.edge(right.side_of(half, across.x, across.y))
        far = left.edge(left.side_of(left.lane.length / 2, back.x, back.y))[::-1]
        gaps: list[tuple[int, int, int, int]] = []
        for joint in self._joints:
            if {joint[0][0].lane.id, joint[1][0].lane.id} == {right.lane.id, left.lane.id}:
                one, other = joint if joint[0][0] is right else joint[::-1]
                a, b = sorted(near.index(k) for k in one[0].piece(one[1], one[2]))
                c, d = sorted(far.index(k) for k in other[0].piece(other[1], other[2]))
                gaps.append((a, b, c, d))
        found: list[Polygon] = []
        i = j = 0
        for a, b, c, d in [*sorted(gaps), (len(near) - 1, 0, len(far) - 1, 0)]:
            found += self._zip(near[i : a + 1], far[j : c + 1])
            i, j = b, d
        return found

    def _zip(self, near: list[int], far: list[int]) -> list[Polygon]:
        """Triangles between two lines of vertices that run side by side."""
        found: list[Polygon] = []
        i = j = 0
        while near and far and (i < len(near) - 1 or j < len(far) - 1):
            ahead = j == len(far) - 1 or (
                i < len(near) - 1
                and math.dist(self.vertices[near[i + 1]], self.vertices[far[j]])
                <= math.dist(self.vertices[near[i]], self.vertices[far[j + 1]])
            )
            third = near[i + 1] if ahead else far[j + 1]
            found += self._polygon((near[i], far[j], third), ROAD)
            i, j = (i + 1, j) if ahead else (i, j + 1)
        return found
