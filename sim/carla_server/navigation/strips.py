"""Pavements as strips of quadrilaterals: where one may walk on a pavement lane, and its edges."""

from __future__ import annotations

import math
from bisect import insort
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sim.engine.geometry import Pose, wrap
from sim.engine.lanes import Lane

CLEARANCE = 0.3  # m that the middle of a person keeps from an edge
NARROWEST = 0.2  # m of half width that is left however narrow the pavement
LONGEST = 20.0  # m of a quadrilateral; a path holds 256 polygons
BEND = 0.12  # rad of heading between two stations
NEXT = 0.4  # m under which two stations are one
APPROACH = 1.2  # m along which the strip narrows before a thing that stands on it


@dataclass(slots=True)
class Strip:
    """One pavement lane.

    Attributes:
        lane: which.
        stations: metres along it where it is cut.
        fixed: pairs of stations between which one edge must stay whole: crossings.
        narrowed: per side (left 1, right -1), (s, how far one may go to that side there).
        left: index of a vertex per station.
        right: index of a vertex per station.
    """

    lane: Lane
    stations: list[float] = field(default_factory=list)
    fixed: list[tuple[float, float]] = field(default_factory=list)
    narrowed: dict[int, list[tuple[float, float]]] = field(default_factory=lambda: {1: [], -1: []})
    left: list[int] = field(default_factory=list)
    right: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        lane = self.lane
        before = lane.pose_at(0.0).yaw
        self.stations = [0.0]
        for s in lane.lengths[1:-1]:
            heading = lane.pose_at(s).yaw
            if s - self.stations[-1] >= LONGEST or abs(wrap(heading - before)) > BEND:
                self.stations.append(s)
                before = heading
        self.stations.append(lane.length)

    def fix(self, s: float, width: float) -> tuple[float, float]:
        """Cut it at both sides of a crossing's end; return where."""
        length = self.lane.length
        half = min(width, length) / 2
        middle = min(max(s, half), length - half)
        low, high = middle - half, middle + half
        for other in self.fixed:
            if low < other[1] + NEXT and other[0] - NEXT < high:
                if other[0] <= middle <= other[1]:
                    return other  # two crossings at one place share an end
                low, high = (low, other[0]) if middle < other[0] else (other[1], high)
        if high - low < NEXT:
            return min(self.fixed, key=lambda other: abs(sum(other) / 2 - middle))
        low = 0.0 if low < NEXT else low
        high = length if length - high < NEXT else high
        ends = {0.0, length, low, high, *(end for other in self.fixed for end in other)}
        kept = {one for one in self.stations if not low - NEXT < one < high + NEXT}
        self.stations = sorted(kept | ends)
        self.fixed.append((low, high))
        return low, high

    def avoid(self, s: float, offset: float, radius: float) -> None:
        """Narrow it beside a thing that stands `offset` metres left of its middle at `s`."""
        side = 1 if offset > 0.0 else -1
        reach = radius + CLEARANCE
        free = abs(offset) - reach * (1 + reach / APPROACH)  # the way round is a wedge
        if not APPROACH < s < self.lane.length - APPROACH or any(
            low - APPROACH < s < high + APPROACH for low, high in self.fixed
        ):
            return
        around = [one for one in self.stations if abs(one - s) < NEXT]
        at = around[0] if around else s
        self.narrowed[side].append((at, max(free, NARROWEST - self._half(s))))
        for cut in (at - reach - APPROACH, at, at + reach + APPROACH):
            if self._is_free(cut):
                insort(self.stations, cut)

    def _is_free(self, at: float) -> bool:
        inside = NEXT < at < self.lane.length - NEXT
        apart = all(abs(at - other) > NEXT for other in self.stations)
        return inside and apart and not any(low < at < high for low, high in self.fixed)

    def _half(self, s: float) -> float:
        lane = self.lane
        width = lane.width
        if lane.widths is not None:
            width = float(np.interp(s, lane.lengths, lane.widths))
        return max(width / 2 - CLEARANCE, NARROWEST)

    def reach(self, s: float, side: int) -> float:
        """How far from the middle one may walk to a side, metres."""
        free = self._half(s)
        for at, least in self.narrowed[side]:
            if abs(at - s) < 1e-6:
                free = min(free, least)
        return free

    def section(self, s: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Its left and right edge at a station, (3,) each, across the mean of both directions."""
        lane = self.lane
        at = lane.pose_at(s)
        before, after = lane.pose_at(s - 0.05).yaw, lane.pose_at(s + 0.05).yaw
        yaw = before + wrap(after - before) / 2
        return self._beside(at, yaw, s, 1), self._beside(at, yaw, s, -1)

    def _beside(self, at: Pose, yaw: float, s: float, side: int) -> NDArray[np.float64]:
        t = side * self.reach(s, side)
        return np.array([at.x - t * math.sin(yaw), at.y + t * math.cos(yaw), at.z])

    def edge(self, side: int) -> list[int]:
        """The vertices of one edge, in the lane's direction."""
        return self.left if side > 0 else self.right

    def piece(self, ends: tuple[float, float], side: int) -> tuple[int, int]:
        """The two vertices of one edge between two stations."""
        edge = self.edge(side)
        first, last = (self.stations.index(end) for end in ends)
        return edge[first], edge[last]

    def side_of(self, s: float, x: float, y: float) -> int:
        """On which side of its middle a point lies, seen at a station."""
        at = self.lane.pose_at(s)
        left = (y - at.y) * math.cos(at.yaw) - (x - at.x) * math.sin(at.yaw)
        return 1 if left > 0.0 else -1
