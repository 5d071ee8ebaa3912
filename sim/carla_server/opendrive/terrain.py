"""The land under a user's roads: it follows them, lies below bridges, and is level far off."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.engine.lanes import LaneGraph

FINEST_CELL, MOST_CELLS = 8.0, 512  # m, and cells along the longer side
REACH = 120.0  # m of land around the outermost lane that still rises and falls
SMOOTHINGS = 3
UNDER_ROADS = 0.2  # m by which the land lies lower than a road, whose crests it cannot follow


class Terrain:
    """Heights on a grid, lowest road first; between cells they are interpolated.

    Attributes:
        cell: metres.
        origin: (2,) metres, of the first height.
        heights: (rows along y, columns along x) metres.
        level: height of the land far off, metres.
    """

    def __init__(self, lanes: LaneGraph) -> None:
        points = np.concatenate([lane.centre for lane in lanes.lanes.values()])
        low, high = points[:, :2].min(axis=0) - REACH, points[:, :2].max(axis=0) + REACH
        self.level = float(np.median(points[:, 2]))
        self.cell = max(FINEST_CELL, float((high - low).max()) / MOST_CELLS)
        self.origin = low
        columns, rows = (np.ceil((high - low) / self.cell).astype(int) + 1).tolist()
        self.heights = self._spread(self._lowest(points, rows, columns))

    def _lowest(self, points: NDArray[np.float64], rows: int, columns: int) -> NDArray[np.float64]:
        """The lowest road in each cell, inf where there is none."""
        grid = np.full((rows, columns), np.inf)
        at = np.rint((points[:, :2] - self.origin) / self.cell).astype(int)
        np.minimum.at(grid, (at[:, 1], at[:, 0]), points[:, 2])
        return grid

    def _spread(self, grid: NDArray[np.float64]) -> NDArray[np.float64]:
        """Fill the cells between from their neighbours, ring by ring, then smooth those."""
        known = np.isfinite(grid)
        filled, is_full = np.where(known, grid - UNDER_ROADS, 0.0), known.copy()
        for _ in range(int(REACH / self.cell)):
            total, count = _around(np.where(is_full, filled, 0.0)), _around(is_full.astype(float))
            new = ~is_full & (count > 0)
            filled[new] = total[new] / count[new]
            is_full |= new
        filled[~is_full] = self.level
        filled[[0, -1], :] = filled[:, [0, -1]] = self.level
        for _ in range(SMOOTHINGS):
            filled = np.where(known, filled, _around(filled) / 9.0)
        return filled

    def height(self, x: float, y: float) -> float:
        """Height of the land at a point, metres; beyond the grid that of its edge."""
        rows, columns = self.heights.shape
        u = min(max((x - self.origin[0]) / self.cell, 0.0), columns - 1.001)
        v = min(max((y - self.origin[1]) / self.cell, 0.0), rows - 1.001)
        i, j = int(v), int(u)
        a, b = v - i, u - j
        z = self.heights
        near = z[i, j] * (1 - b) + z[i, j + 1] * b
        far = z[i + 1, j] * (1 - b) + z[i + 1, j + 1] * b
        return float(near * (1 - a) + far * a)


def _around(grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sum of each cell and its eight neighbours, edges repeated."""
    padded = np.pad(grid, 1, mode="edge")
    rows, columns = grid.shape
    total = np.zeros_like(grid)
    for i in range(3):
        for j in range(3):
            total += padded[i : i + rows, j : j + columns]
    return total
