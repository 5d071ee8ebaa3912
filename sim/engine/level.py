"""The fixed things of a level that bodies can hit, in grids for quick look-up."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from sim.engine.geometry import Box

CELL = 32.0  # m, side of a cell of the level's grid
FAR = 500.0  # m from which all cells are looked at: whoever is that fast passes most of a town
WALL_CELL = 8.0  # m, side of a cell of the grid for moving bodies
LOOK = 8.0  # m from any point of such a cell up to which its walls are complete


@dataclass(frozen=True, slots=True)
class Obstacle:
    """A fixed thing of the level."""

    box: Box
    semantic_tag: int


class Wall:
    """An obstacle as plain numbers for the inner loops: a rectangle and its height range.

    `reach_x` and `reach_y` are half the sides of the upright rectangle round it, metres.
    """

    __slots__ = (
        "cos", "half_length", "half_width", "radius", "reach_x", "reach_y", "sin", "tag",
        "x", "y", "z_high", "z_low",
    )  # fmt: skip

    def __init__(self, obstacle: Obstacle) -> None:
        box = obstacle.box
        self.x, self.y = box.x, box.y
        self.cos, self.sin = math.cos(box.yaw), math.sin(box.yaw)
        self.half_length, self.half_width, self.radius = box.half_length, box.half_width, box.radius
        cos, sin = abs(self.cos), abs(self.sin)
        self.reach_x = cos * box.half_length + sin * box.half_width
        self.reach_y = sin * box.half_length + cos * box.half_width
        self.z_low, self.z_high = box.z_low, box.z_high
        self.tag = obstacle.semantic_tag

    def distance(self, x: float, y: float) -> float:
        """Metres from a point on the ground to the rectangle; 0 inside."""
        dx, dy = x - self.x, y - self.y
        along = abs(dx * self.cos + dy * self.sin) - self.half_length
        aside = abs(dy * self.cos - dx * self.sin) - self.half_width
        if along <= 0.0:
            return max(aside, 0.0)
        return along if aside <= 0.0 else math.hypot(along, aside)


class Level:
    """Fixed obstacles in a grid."""

    def __init__(self, obstacles: Iterable[Obstacle]) -> None:
        self._cells: dict[tuple[int, int], list[Obstacle]] = defaultdict(list)
        self._walls: dict[tuple[int, int], list[Wall]] = {}
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

    def walls(self, x: float, y: float) -> list[Wall]:
        """All walls within `LOOK` metres of a point, and some more; the list is shared."""
        key = (math.floor(x / WALL_CELL), math.floor(y / WALL_CELL))
        found = self._walls.get(key)
        if found is None:
            middle = ((key[0] + 0.5) * WALL_CELL, (key[1] + 0.5) * WALL_CELL)
            reach = LOOK + WALL_CELL * math.sqrt(0.5)
            walls = [Wall(obstacle) for obstacle in self.near(*middle, reach)]
            found = [wall for wall in walls if wall.distance(*middle) <= reach]
            self._walls[key] = found
        return found


def _cells(x: float, y: float, reach: float) -> list[tuple[int, int]]:
    low_x, high_x = math.floor((x - reach) / CELL), math.floor((x + reach) / CELL)
    low_y, high_y = math.floor((y - reach) / CELL), math.floor((y + reach) / CELL)
    return [(i, j) for i in range(low_x, high_x + 1) for j in range(low_y, high_y + 1)]
