"""One visibility pass: cull, set up and fill in order of hiding, in buffers kept between calls."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sim.engine.render.culling import LAST, MIDDLE, cull
from sim.engine.render.kernels.fill import CUTS, fill
from sim.engine.render.kernels.layout import (
    PLANE_COLUMNS,
    TILE,
    Atlas,
    Drawn,
    Placed,
    Projection,
    SetUp,
)
from sim.engine.render.kernels.raster import POINT_ROWS, find_farthest, set_up
from sim.engine.render.mesh_store import MeshStore
from sim.engine.render.stages import Stages

# After so many instances it is looked up again what is hidden; more looks cost 0.1 ms each.
FIRST_LOOK = 12
NOTHING_KNOWN = np.zeros((0, 0), np.float32)


class RowWorkers:
    """Splits rows over threads; with one thread it simply calls."""

    def __init__(self, threads: int) -> None:
        if threads < 1:
            raise ValueError(f"threads: expected 1 or more, got {threads}")
        self._pool = ThreadPoolExecutor(threads, "render") if threads > 1 else None
        self._parts = (
            threads  # more cost more in hand-overs of the interpreter lock than they balance
        )

    def each(self, rows: int, work: Callable[[tuple[int, int]], None]) -> None:
        """Call `work` with (first, past the last) until all `rows` are done."""
        if self._pool is None:
            work((0, rows))
            return
        cuts = [rows * k // self._parts for k in range(self._parts + 1)]
        list(self._pool.map(work, pairwise(cuts)))


class Rasteriser:
    """Draws passes; not for two passes at once."""

    def __init__(self, workers: RowWorkers, atlas: Atlas, store: MeshStore, stages: Stages) -> None:
        self._workers = workers
        self._atlas = atlas
        self._store = store
        self._stages = stages
        self._points = np.empty((POINT_ROWS, 0), np.float32)
        self._picked = np.empty(1, np.int32)
        self._triangles = _empty_set_up(0)

    def draw(
        self,
        placed: Placed,
        view: Projection,
        nearness: NDArray[np.float32],
        owner: NDArray[np.int32] | None,
    ) -> tuple[Drawn, SetUp]:
        """Draw over `nearness` and `owner` (H, W), which the caller has cleared.

        Without an owner everything is drawn in any order, as shadows need it.

        Returns:
            The instances, and the triangles that `owner` points to; valid until the next call.
        """
        stages = Stages() if owner is None else self._stages
        geometry = self._store.geometry()
        drawn = cull(placed, self._store.table(), view)
        order = np.argsort(drawn.order, kind="stable")
        self._make_room(drawn)
        marks = np.empty(0, np.int32) if owner is None else owner.reshape(-1)
        cuts = [0, len(order)] if owner is None else _looks(drawn.order[order])
        stages.mark("cull")
        done, farthest = 0, NOTHING_KNOWN
        for span in pairwise(cuts):
            if span[0]:
                farthest = np.empty([-(-side // TILE) for side in nearness.shape], np.float32)
                find_farthest(nearness, farthest, np.empty(nearness.shape[1], np.float32))
                stages.mark("hidden")
            until = set_up(
                drawn, order, span, geometry, view, farthest, self._points, self._picked,
                done, self._triangles,
            )  # fmt: skip
            stages.mark("set-up")
            work = partial(
                self._fill, span=(done, until), vertex_range=drawn.vertex_range, view=view,
                nearness=nearness.reshape(-1), owner=marks,
            )  # fmt: skip
            self._workers.each(view.height, work)
            done = until
            stages.mark("raster")
        ready = self._triangles
        return drawn, SetUp(ready.planes[:done], ready.bounds[:done], ready.source[:done])

    def _fill(
        self,
        rows: tuple[int, int],
        span: tuple[int, int],
        vertex_range: NDArray[np.int32],
        view: Projection,
        nearness: NDArray[np.float32],
        owner: NDArray[np.int32],
    ) -> None:
        geometry = self._store.geometry()
        fill(
            rows, span, self._triangles, vertex_range, geometry.flags, geometry.triangles,
            geometry.uv, geometry.texture, self._atlas, view.width, view.limit, nearness, owner,
            np.empty((CUTS, 2)),
        )  # fmt: skip

    def _make_room(self, drawn: Drawn) -> None:
        """Enlarge the buffers to what these instances may need."""
        triangles = int(drawn.triangle_range[:, 1].sum())
        if len(self._triangles.bounds) <= triangles:
            self._triangles = _empty_set_up(triangles * 5 // 4 + 1)
        most = int(drawn.triangle_range[:, 1].max(initial=0))
        if len(self._picked) <= most:
            self._picked = np.empty(most * 5 // 4 + 1, np.int32)
        vertices = int(drawn.vertex_range[:, 1].max(initial=0))
        if self._points.shape[1] < vertices:
            self._points = np.empty((POINT_ROWS, vertices * 5 // 4), np.float32)


def _looks(keys: NDArray[np.float32]) -> list[int]:
    """Where the drawing order is cut to look what is hidden by now."""
    middle, last = np.searchsorted(keys, (MIDDLE, LAST)).tolist()
    return sorted({0, min(FIRST_LOOK, middle), middle, last, len(keys)})


def _empty_set_up(rows: int) -> SetUp:
    return SetUp(
        planes=np.empty((rows, PLANE_COLUMNS), np.float64),
        bounds=np.empty((rows, 4), np.int32),
        source=np.empty((rows, 2), np.int32),
    )
