"""Which instances a pass may show, and in which order.

Numpy but for the boxes' corners: a kernel for all of it would take two seconds to compile.
"""

import numpy as np
from numpy.typing import NDArray

from sim.engine.render.kernels.boxes import (
    ACROSS,
    AHEAD,
    BOX_COLUMNS,
    NEAREST,
    RECT,
    project_boxes,
)
from sim.engine.render.kernels.layout import Drawn, MeshTable, Placed, Projection

SMALLEST_PIXELS = 0.7  # what spans less is left out
GROUND_HALF_HEIGHT = 0.6  # m; flatter and wider things are ground: they hide little, come last
GROUND_HALF_WIDTH = 4.0  # m
# What covers this many pixels per triangle is worth drawing first: it hides much and costs little.
HIDING_PIXELS = 16.0
COARSE_STEPS = 3  # coarse forms of coarse forms
MIDDLE, LAST = 1.0e6, 2.0e6  # `Drawn.order` is a distance, plus one of these unless it comes first

Array = NDArray[np.float64]


def cull(placed: Placed, table: MeshTable, view: Projection) -> Drawn:
    """The instances whose box meets the picture."""
    sides = _sides(view)
    away = placed.sphere[:, :3] @ sides[:, :3].T + sides[:, 3]
    chosen = np.flatnonzero(away.min(1) >= -placed.sphere[:, 3])
    mesh = placed.mesh[chosen]
    columns = placed.columns[chosen]
    lens = (columns.reshape(-1, 4) @ view.pixel_from_world.T).reshape(-1, 4, 4)
    box = table.box[mesh]
    found = np.empty((len(chosen), BOX_COLUMNS), np.float32)
    project_boxes(lens, box, float(view.width), float(view.height), float(view.near_w), found)
    kept = np.flatnonzero(found[:, ACROSS] >= SMALLEST_PIXELS)
    chosen, mesh, columns = chosen[kept], mesh[kept], columns[kept]
    lens, box, found = lens[kept], box[kept], found[kept]
    rect = found[:, RECT : RECT + 4].astype(np.int32)
    pixels = (rect[:, 1] - rect[:, 0] + 1) * (rect[:, 3] - rect[:, 2] + 1)
    is_ground = (box[:, 5] < GROUND_HALF_HEIGHT) & (box[:, 3:5].max(1) > GROUND_HALF_WIDTH)
    hides = table.is_opaque[mesh] & (pixels > HIDING_PIXELS * table.triangle_range[mesh, 1])
    order = found[:, AHEAD] + np.where(is_ground, LAST, np.where(hides, 0.0, MIDDLE))
    for _ in range(COARSE_STEPS):
        is_far = found[:, ACROSS] < view.coarseness * table.coarser_below[mesh]
        mesh = np.where(is_far & (table.coarser[mesh] >= 0), table.coarser[mesh], mesh)
    rotation = columns[:, :3, :3]
    # The inverse of a rigid motion: the transposed rotation of what is left of the eye.
    left = view.eye[:3] - view.eye[3] * columns[:, 3, :3]
    eye = np.full((len(mesh), 4), view.eye[3], np.float32)
    eye[:, :3] = (rotation @ left[:, :, None])[:, :, 0]
    return Drawn(
        vertex_range=table.vertex_range[mesh],
        triangle_range=table.triangle_range[mesh],
        order=order.astype(np.float32),
        rect=rect,
        nearest=np.ascontiguousarray(found[:, NEAREST]),
        eye=eye,
        instance_id=placed.instance_id[chosen],
        semantic_tag=placed.semantic_tag[chosen],
        lamps=placed.lamps[chosen],
        tint=placed.tint[chosen],
        rotation=np.ascontiguousarray(rotation.transpose(0, 2, 1), np.float32),
        lens=lens,
    )


def _sides(view: Projection) -> Array:
    """The picture's four sides and the near plane (5, 4), pointing inwards, of unit normal."""
    x, y, w, _ = view.pixel_from_world
    near = w - np.array([0.0, 0.0, 0.0, view.near_w])
    sides = np.stack([x, view.width * w - x, y, view.height * w - y, near])
    length: Array = np.linalg.norm(sides[:, :3], axis=1)
    return sides / np.where(length > 0.0, length, 1.0)[:, None]
