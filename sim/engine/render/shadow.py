"""Shadow maps: what the sun sees of a square of town, still things drawn once, moving ones anew."""

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.engine.render.kernels.layout import Placed, Projection
from sim.engine.render.mesh_store import take
from sim.engine.render.passes import Rasteriser

MAP_PIXELS = 1024
MAP_METRES = 120.0  # a pixel is 0.117 m; raising it shows farther shadows with coarser edges
CELL_METRES = 24.0  # maps stand on this grid, so that near cameras share one
KEPT_STATIC_MAPS = 8  # 4 MiB each
SUN_STEP = 0.004  # radians, a minute's way; the shadow of a 15 m house is off by 0.06 m or so
COARSENESS = 10.0  # coarse meshes cast all shadows: what they leave out is below a map's pixel
A_PIXEL_MORE = np.array([-1, 1, -1, 1], np.int32)  # around a box, against rounding
KEPT_MAPS = 4  # with moving things, 4 MiB each
MANY_TOUCHED = 300  # rectangles; more are wiped by one copy
FARTHEST = -1.0e9
# Flat ground casts nothing: Roads, Sidewalks, Terrain, RoadLines, Ground.
NO_CASTERS = (1, 2, 10, 24, 25)


Cell = tuple[int, int]


@dataclass(slots=True)
class _Map:
    """A still map with moving things drawn over it.

    Attributes:
        nearness: (MAP_PIXELS, MAP_PIXELS) float32.
        touched: (N, 4) int32, columns and rows that moving things may have changed.
        tick: when they were drawn.
    """

    nearness: NDArray[np.float32]
    touched: NDArray[np.int32]
    tick: int

    def wipe(self, still: NDArray[np.float32]) -> None:
        """Make it the still map again; a few rectangles cost less than all of it."""
        if len(self.touched) > MANY_TOUCHED:
            self.nearness[:] = still
        else:
            for left, right, top, bottom in self.touched.tolist():
                place = slice(top, bottom + 1), slice(left, right + 1)
                self.nearness[place] = still[place]
        self.touched = self.touched[:0]


class ShadowMaps:
    """The maps of one scene and one sun."""

    def __init__(self, sun: NDArray[np.float64], static: Placed, raster: Rasteriser) -> None:
        self._casters = take(static, ~np.isin(static.semantic_tag, NO_CASTERS))
        self._raster = raster
        self._sun = sun
        across = np.cross([0.0, 0.0, 1.0], sun)
        if np.linalg.norm(across) < 1e-6:
            across = np.array([1.0, 0.0, 0.0])
        self._across = across / np.linalg.norm(across)
        self._up = np.cross(sun, self._across)
        self._static: OrderedDict[Cell, NDArray[np.float32]] = OrderedDict()
        self._maps: OrderedDict[Cell, _Map] = OrderedDict()
        self._tick = 0

    def serves(self, sun: NDArray[np.float64]) -> bool:
        """Whether these maps will do for another sun, which must have moved a little at most.

        So a sun that wanders does not have all that stands still drawn anew at every tick.
        """
        return bool(self._sun @ sun > np.cos(SUN_STEP))

    def begin_tick(self) -> None:
        """Forget what moving things cast."""
        self._tick += 1

    def around(
        self, point: NDArray[np.float64], dynamic: Placed
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """The map whose cell holds a world point (3,), and its (3, 4) `shadow_from_world`."""
        cell = (int(np.floor(point[0] / CELL_METRES)), int(np.floor(point[1] / CELL_METRES)))
        shadow_from_world = self._matrix(cell)
        view = self._projection(shadow_from_world)
        still = self._static_map(cell, view)
        if cell not in self._maps:
            self._maps[cell] = _Map(still.copy(), np.empty((0, 4), np.int32), self._tick - 1)
            if len(self._maps) > KEPT_MAPS:
                self._maps.popitem(last=False)
        self._maps.move_to_end(cell)
        one = self._maps[cell]
        if one.tick != self._tick:
            one.wipe(still)
            if len(dynamic.mesh):
                drawn, _ = self._raster.draw(dynamic, view, one.nearness, None)
                one.touched = np.maximum(drawn.rect + A_PIXEL_MORE, 0)
            one.tick = self._tick
        return one.nearness, shadow_from_world

    def _matrix(self, cell: Cell) -> NDArray[np.float64]:
        centre = np.array([cell[0] + 0.5, cell[1] + 0.5, 0.0]) * CELL_METRES
        scale = MAP_PIXELS / MAP_METRES
        matrix = np.zeros((3, 4))
        matrix[0, :3], matrix[1, :3], matrix[2, :3] = (
            self._across * scale,
            self._up * scale,
            self._sun,
        )
        matrix[:, 3] = -matrix[:, :3] @ centre
        matrix[:2, 3] += MAP_PIXELS / 2
        return matrix

    def _projection(self, shadow_from_world: NDArray[np.float64]) -> Projection:
        pixel_from_world = np.zeros((4, 4))
        pixel_from_world[:2] = shadow_from_world[:2]
        pixel_from_world[2, 3] = 1.0  # W = 1: a parallel projection
        pixel_from_world[3] = shadow_from_world[2]
        eye = np.append(self._sun, 0.0)
        return Projection(pixel_from_world, eye, MAP_PIXELS, MAP_PIXELS, 0.0, 1.0e9, -1, COARSENESS)

    def _static_map(self, cell: Cell, view: Projection) -> NDArray[np.float32]:
        if cell in self._static:
            self._static.move_to_end(cell)
            return self._static[cell]
        nearness = np.full((MAP_PIXELS, MAP_PIXELS), FARTHEST, np.float32)
        if len(self._casters.mesh):
            self._raster.draw(self._casters, view, nearness, None)
        self._static[cell] = nearness
        if len(self._static) > KEPT_STATIC_MAPS:
            self._static.popitem(last=False)
        return nearness
