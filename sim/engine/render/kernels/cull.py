"""Culling: which instances a pass may show, in which order, and what lies behind what is drawn."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sim.engine.render.kernels.layout import Drawn, MeshTable, Placed, Projection

TILE = 8  # pixels; depth is known coarsely by squares of this size
SMALLEST_PIXELS = 0.7  # what spans less is left out
GROUND_HALF_HEIGHT = 0.6  # m; flatter and wider things are ground: they hide little, come last
GROUND_HALF_WIDTH = 4.0  # m
# What covers this many pixels per triangle is worth drawing first: it hides much and costs little.
HIDING_PIXELS = 16.0
MIDDLE, LAST = 1.0e6, 2.0e6  # `Drawn.order` is a distance, plus one of these unless it comes first


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _planes(view: Projection) -> NDArray[np.float64]:
    """The picture's four sides and the near plane (5, 4), pointing inwards, of unit normal."""
    lens = view.pixel_from_world
    planes = np.empty((5, 4), np.float64)
    for j in range(4):
        planes[0, j], planes[1, j] = lens[0, j], view.width * lens[2, j] - lens[0, j]
        planes[2, j], planes[3, j] = lens[1, j], view.height * lens[2, j] - lens[1, j]
        planes[4, j] = lens[2, j]
    planes[4, 3] -= view.near_w
    for i in range(5):
        length = math.sqrt(planes[i, 0] ** 2 + planes[i, 1] ** 2 + planes[i, 2] ** 2)
        if length > 0.0:
            for j in range(4):
                planes[i, j] /= length
    return planes


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _project_box(
    box: NDArray[np.float64],
    mesh: int,
    matrix: NDArray[np.float64],
    view: Projection,
    out: NDArray[np.float64],
) -> bool:
    """Left, right, top, bottom, nearness and least W of a box to out (6,); False if not in sight.

    One that reaches behind the near plane counts as all over the picture, unless it lies wholly
    beyond one of its sides.
    """
    width, height = view.width, view.height
    left, right, top, bottom = 1e30, -1e30, 1e30, -1e30
    nearest, least_w, behind = -1e30, 1e30, 0
    beyond_left, beyond_right, beyond_top, beyond_bottom = 0, 0, 0, 0
    for which in range(8):
        x = box[mesh, 0] + box[mesh, 3] * (2.0 * (which & 1) - 1.0)
        y = box[mesh, 1] + box[mesh, 4] * ((which & 2) - 1.0)
        z = box[mesh, 2] + box[mesh, 5] * (0.5 * (which & 4) - 1.0)
        px = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2] * z + matrix[0, 3]
        py = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2] * z + matrix[1, 3]
        w = matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2] * z + matrix[2, 3]
        near = matrix[3, 0] * x + matrix[3, 1] * y + matrix[3, 2] * z + matrix[3, 3]
        least_w = min(least_w, w)
        beyond_left += px < 0.0
        beyond_right += px > width * w
        beyond_top += py < 0.0
        beyond_bottom += py > height * w
        if w <= view.near_w:
            behind += 1
            continue
        left, right = min(left, px / w), max(right, px / w)
        top, bottom = min(top, py / w), max(bottom, py / w)
        nearest = max(nearest, near / w)
    if behind:
        left, right, top, bottom, nearest = 0.0, float(width), 0.0, float(height), 1e30
    out[0], out[1], out[2], out[3], out[4], out[5] = left, right, top, bottom, nearest, least_w
    beyond = max(beyond_left, beyond_right, beyond_top, beyond_bottom)
    return behind < 8 and beyond < 8 and max(right - left, bottom - top) >= SMALLEST_PIXELS


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _order(meshes: MeshTable, mesh: int, pixels: int, ahead: float) -> float:
    """Near to far: what hides much at little cost, then the rest, then the ground."""
    wide = max(meshes.box[mesh, 3], meshes.box[mesh, 4])
    if meshes.box[mesh, 5] < GROUND_HALF_HEIGHT and wide > GROUND_HALF_WIDTH:
        return LAST + max(ahead, 0.0)
    if meshes.is_opaque[mesh] and pixels > HIDING_PIXELS * meshes.triangle_range[mesh, 1]:
        return max(ahead, 0.0)
    return MIDDLE + max(ahead, 0.0)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _write(
    placed: Placed,
    k: int,
    mesh: int,
    meshes: MeshTable,
    eye: NDArray[np.float64],
    matrix: NDArray[np.float64],
    out: Drawn,
    at: int,
) -> None:
    """Copy what shading and set-up need of instance k to row `at`."""
    for i in range(2):
        out.vertex_range[at, i] = meshes.vertex_range[mesh, i]
        out.triangle_range[at, i] = meshes.triangle_range[mesh, i]
    world = placed.world_from_mesh
    for i in range(4):
        for j in range(4):
            out.pixel_from_mesh[at, i, j] = matrix[i, j]
    for j in range(3):
        # The inverse of a rigid motion: the transposed rotation of what is left of the eye.
        total = 0.0
        for i in range(3):
            total += world[k, i, j] * (eye[i] - eye[3] * world[k, i, 3])
            out.rotation[at, i, j] = world[k, i, j]
        out.eye[at, j] = total
        out.tint[at, j] = placed.tint[k, j]
    out.eye[at, 3] = eye[3]
    out.instance_id[at] = placed.instance_id[k]
    out.semantic_tag[at] = placed.semantic_tag[k]
    out.lamps[at] = placed.lamps[k]


@njit(cache=True, nogil=True, error_model="numpy")
def cull(
    placed: Placed, span: tuple[int, int], meshes: MeshTable, view: Projection, out: Drawn
) -> int:
    """Write the instances of a span whose box meets the picture; returns how many."""
    planes = _planes(view)
    lens, world = view.pixel_from_world, placed.world_from_mesh
    matrix, box = np.zeros((4, 4), np.float64), np.zeros(6, np.float64)
    count = 0
    for k in range(span[0], span[1]):
        is_outside = False
        for i in range(5):
            away = planes[i, 3] + placed.sphere[k, 3]
            for j in range(3):
                away += planes[i, j] * placed.sphere[k, j]
            is_outside |= away < 0.0
        if is_outside:
            continue
        mesh = placed.mesh[k]
        for i in range(4):
            for j in range(4):
                total = 0.0
                for inner in range(4):
                    total += lens[i, inner] * world[k, inner, j]
                matrix[i, j] = total
        if not _project_box(meshes.box, mesh, matrix, view, box):
            continue
        left, right = max(0.0, math.ceil(box[0] - 0.5)), math.floor(box[1] - 0.5)
        top, bottom = max(0.0, math.ceil(box[2] - 0.5)), math.floor(box[3] - 0.5)
        right, bottom = min(view.width - 1.0, right), min(view.height - 1.0, bottom)
        if left > right or top > bottom:
            continue
        out.rect[count, 0], out.rect[count, 1] = int(left), int(right)
        out.rect[count, 2], out.rect[count, 3] = int(top), int(bottom)
        out.nearest[count] = box[4]
        pixels = int((right - left + 1.0) * (bottom - top + 1.0))
        out.order[count] = _order(meshes, mesh, pixels, box[5])
        across = max(box[1] - box[0], box[3] - box[2])
        while meshes.coarser[mesh] >= 0 and across < meshes.coarser_below[mesh]:
            mesh = meshes.coarser[mesh]
        _write(placed, k, mesh, meshes, view.eye, matrix, out, count)
        count += 1
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def find_farthest(nearness: NDArray[np.float32], farthest: NDArray[np.float32]) -> None:
    """Write the least nearness of every tile: what is no nearer is hidden there.

    Args:
        nearness: (H, W) float32.
        farthest: (ceil(H / TILE), ceil(W / TILE)) float32.
    """
    height, width = nearness.shape
    least = np.empty(width, np.float32)
    for row in range(farthest.shape[0]):
        for x in range(width):
            least[x] = nearness[row * TILE, x]
        for y in range(row * TILE + 1, min(height, (row + 1) * TILE)):
            for x in range(width):
                least[x] = min(least[x], nearness[y, x])
        for column in range(farthest.shape[1]):
            found = least[column * TILE]
            for x in range(column * TILE + 1, min(width, (column + 1) * TILE)):
                found = min(found, least[x])
            farthest[row, column] = found
