"""One visibility pass: transform, set up, sort and fill, in buffers kept between calls."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sim.engine.render.kernels.layout import (
    PLANE_COLUMNS,
    Atlas,
    Bands,
    Drawn,
    Geometry,
    SetUp,
)
from sim.engine.render.kernels.raster import fill, set_up, sort_into_bands, transform

BAND_ROWS = 16


@dataclass(frozen=True, slots=True)
class Pass:
    """What to draw and how.

    Attributes:
        drawn: the instances.
        points: vertices they have together.
        triangles: triangles they have together.
        near_w: homogeneous W of the near plane.
        limit: greatest nearness shown.
        keeps_back_faces: draw faces that look away too (shadows).
    """

    drawn: Drawn
    points: int
    triangles: int
    near_w: float
    limit: float
    keeps_back_faces: bool


class RowWorkers:
    """Splits rows over threads; with one thread it simply calls."""

    def __init__(self, threads: int) -> None:
        if threads < 1:
            raise ValueError(f"threads: expected 1 or more, got {threads}")
        self._pool = ThreadPoolExecutor(threads, "render") if threads > 1 else None
        self._parts = 1 if threads == 1 else 3 * threads

    def each(self, rows: int, work: Callable[[tuple[int, int]], None]) -> None:
        """Call `work` with (first, past the last) until all `rows` are done."""
        if self._pool is None:
            work((0, rows))
            return
        cuts = [rows * k // self._parts for k in range(self._parts + 1)]
        list(self._pool.map(work, pairwise(cuts)))


class Rasteriser:
    """Draws passes; not for two passes at once."""

    def __init__(self, workers: RowWorkers, atlas: Atlas) -> None:
        self._workers = workers
        self._atlas = atlas
        self._points = np.empty((0, 4), np.float32)
        self._set_up = _empty_set_up(0)

    def draw(
        self,
        one: Pass,
        geometry: Geometry,
        nearness: NDArray[np.float32],
        owner: NDArray[np.int32] | None,
    ) -> SetUp:
        """Draw over `nearness` and `owner` (H, W), which the caller has cleared.

        Returns:
            The triangles that `owner` points to, valid until the next call.
        """
        if len(self._points) < one.points:
            self._points = np.empty((one.points * 5 // 4, 4), np.float32)
        if len(self._set_up.bounds) <= one.triangles:
            self._set_up = _empty_set_up(one.triangles * 5 // 4 + 1)
        ready = self._set_up
        height, width = nearness.shape
        transform(one.drawn, geometry, self._points)
        count = set_up(
            one.drawn, geometry, self._points, (width, height), one.near_w,
            one.keeps_back_faces, ready,
        )  # fmt: skip
        band_count = (height + BAND_ROWS - 1) // BAND_ROWS
        bands = Bands(*sort_into_bands(ready.bounds, count, BAND_ROWS, band_count))
        marks = np.empty((1, 1), np.int32) if owner is None else owner
        self._workers.each(
            band_count,
            lambda span: fill(
                span, BAND_ROWS, bands, ready, one.drawn, geometry, self._atlas, one.limit,
                owner is not None, nearness, marks,
            ),
        )  # fmt: skip
        return ready


def _empty_set_up(rows: int) -> SetUp:
    return SetUp(
        planes=np.empty((rows, PLANE_COLUMNS), np.float64),
        bounds=np.empty((rows, 4), np.int32),
        source=np.empty((rows, 2), np.int32),
    )
