"""Visibility: transform, pick and set up triangles as homogeneous edge functions.

After Olano and Greer, Triangle Scan Conversion using 2D Homogeneous Coordinates (1997): an edge
function is the cross product of two homogeneous vertices, so that nothing is ever clipped and the
same code draws the camera's perspective and the sun's parallel projection. Larger nearness wins:
1 / depth for a camera, minus the distance along the ray for the sun.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sim.engine.render.kernels.layout import (
    EVERYWHERE,
    FLAG_TWO_SIDED,
    TILE,
    Drawn,
    Geometry,
    Projection,
    SetUp,
)
from sim.engine.render.kernels.options import EXACT, EXACT_PART

# Rows of the transformed vertices: homogeneous X, Y, W and nearness; each but W divided by W.
X, Y, W, N, COLUMN, ROW, NEAR = 0, 1, 2, 3, 4, 5, 6
POINT_ROWS = 7
BOUND_SLACK = np.float32(1 / 256)  # pixels; the edge functions decide, the bounds only save work
NEARER = np.float32(1.00001)  # a triangle's nearness may be rounded up by less than this
EDGE_ON = np.float32(
    1e-3
)  # metres that the eye may be behind a face's plane before it surely looks away


@njit(**EXACT_PART, inline="always")
def _transform(drawn: Drawn, geometry: Geometry, q: int, points: NDArray[np.float32]) -> None:
    """Write instance q's vertices to points (POINT_ROWS, P)."""
    vertices, lens = geometry.vertices, drawn.lens
    first, count = drawn.vertex_range[q, 0], drawn.vertex_range[q, 1]
    a0, b0, c0, d0 = lens[q, 0, 0], lens[q, 1, 0], lens[q, 2, 0], lens[q, 3, 0]
    a1, b1, c1, d1 = lens[q, 0, 1], lens[q, 1, 1], lens[q, 2, 1], lens[q, 3, 1]
    a2, b2, c2, d2 = lens[q, 0, 2], lens[q, 1, 2], lens[q, 2, 2], lens[q, 3, 2]
    a3, b3, c3, d3 = lens[q, 0, 3], lens[q, 1, 3], lens[q, 2, 3], lens[q, 3, 3]
    for k in range(count):
        i, at = np.uintp(k), np.uintp(first + k)
        x, y, z = vertices[at, 0], vertices[at, 1], vertices[at, 2]
        px = np.float32(a0 * x + b0 * y + c0 * z + d0)
        py = np.float32(a1 * x + b1 * y + c1 * z + d1)
        w = np.float32(a2 * x + b2 * y + c2 * z + d2)
        near = np.float32(a3 * x + b3 * y + c3 * z + d3)
        inverse = np.float32(1.0) / w
        points[X, i], points[Y, i], points[W, i], points[N, i] = px, py, w, near
        points[COLUMN, i], points[ROW, i] = px * inverse, py * inverse
        points[NEAR, i] = near * inverse


@njit(**EXACT_PART)
def _is_hidden(
    farthest: NDArray[np.float32], left: int, right: int, top: int, bottom: int, near: float
) -> bool:
    """Whether all tiles that a rectangle of pixels touches show something no farther."""
    for row in range(top // TILE, bottom // TILE + 1):
        for column in range(left // TILE, right // TILE + 1):
            if farthest[row, column] < near:
                return False
    return True


@njit(**EXACT_PART)
def _write_planes(
    points: NDArray[np.float32],
    corner: tuple[int, int, int],
    facing: int,
    count: int,
    planes: NDArray[np.float64],
) -> bool:
    """Write the edge functions and nearness of a triangle; False if it looks away or is flat."""
    a, b, c = corner
    ax, ay, aw = float(points[X, a]), float(points[Y, a]), float(points[W, a])
    bx, by, bw = float(points[X, b]), float(points[Y, b]), float(points[W, b])
    cx, cy, cw = float(points[X, c]), float(points[Y, c]), float(points[W, c])
    ex, ey, ew = by * cw - bw * cy, bw * cx - bx * cw, bx * cy - by * cx
    fx, fy, fw = cy * aw - cw * ay, cw * ax - cx * aw, cx * ay - cy * ax
    gx, gy, gw = ay * bw - aw * by, aw * bx - ax * bw, ax * by - ay * bx
    determinant = ax * ex + ay * ey + aw * ew
    if determinant == 0.0 or determinant * facing > 0.0:
        return False
    sign = 1.0 if determinant > 0.0 else -1.0
    # The functions hold at pixel indices, half a pixel before the centres they stand for.
    ew, fw, gw = ew + 0.5 * (ex + ey), fw + 0.5 * (fx + fy), gw + 0.5 * (gx + gy)
    planes[count, 0], planes[count, 1], planes[count, 2] = sign * ex, sign * ey, sign * ew
    planes[count, 3], planes[count, 4], planes[count, 5] = sign * fx, sign * fy, sign * fw
    planes[count, 6], planes[count, 7], planes[count, 8] = sign * gx, sign * gy, sign * gw
    inverse = 1.0 / determinant
    na, nb, nc = float(points[N, a]), float(points[N, b]), float(points[N, c])
    planes[count, 9] = inverse * (na * ex + nb * fx + nc * gx)
    planes[count, 10] = inverse * (na * ey + nb * fy + nc * gy)
    planes[count, 11] = inverse * (na * ew + nb * fw + nc * gw)
    planes[count, 12] = sign * inverse
    return True


@njit(**EXACT_PART, inline="always")
def _pick_facing(drawn: Drawn, geometry: Geometry, q: int, picked: NDArray[np.int32]) -> int:
    """Write the triangles of instance q that do not surely look away; returns how many.

    Written without branches: which way a triangle looks cannot be foretold.
    """
    faces = geometry.plane
    ex, ey, ez, ew = drawn.eye[q, 0], drawn.eye[q, 1], drawn.eye[q, 2], drawn.eye[q, 3]
    start = drawn.triangle_range[q, 0]
    count = 0
    for k in range(drawn.triangle_range[q, 1]):
        t = np.uintp(start + k)
        before = faces[t, 0] * ex + faces[t, 1] * ey + faces[t, 2] * ez + faces[t, 3] * ew
        picked[np.uintp(count)] = start + k
        count += before >= -EDGE_ON
    return count


@njit(**EXACT_PART, inline="always")
def _pick_covering(
    points: NDArray[np.float32],
    corners: NDArray[np.int32],
    view: Projection,
    picked: NDArray[np.int32],
    found: int,
    bounds: NDArray[np.int32],
    first: int,
) -> int:
    """Keep the picked triangles that may cover a pixel's centre; returns how many.

    Writes their pixel bounds to `bounds` from row `first` on: the whole picture for a triangle
    that passes the near plane. No branches here either.
    """
    half, near_w = np.float32(0.5), np.float32(view.near_w)
    last_column, last_row = np.float32(view.width - 1), np.float32(view.height - 1)
    count = 0
    for k in range(found):
        triangle = picked[np.uintp(k)]
        t = np.uintp(triangle)
        a, b, c = np.uintp(corners[t, 0]), np.uintp(corners[t, 1]), np.uintp(corners[t, 2])
        wa, wb, wc = points[W, a], points[W, b], points[W, c]
        xa, xb, xc = points[COLUMN, a], points[COLUMN, b], points[COLUMN, c]
        ya, yb, yc = points[ROW, a], points[ROW, b], points[ROW, c]
        crosses = min(wa, wb, wc) <= near_w
        left = np.float32(0) if crosses else min(xa, xb, xc) - half - BOUND_SLACK
        right = last_column if crosses else max(xa, xb, xc) - half + BOUND_SLACK
        top = np.float32(0) if crosses else min(ya, yb, yc) - half - BOUND_SLACK
        bottom = last_row if crosses else max(ya, yb, yc) - half + BOUND_SLACK
        left, right = np.ceil(max(left, np.float32(0))), np.floor(min(right, last_column))
        top, bottom = np.ceil(max(top, np.float32(0))), np.floor(min(bottom, last_row))
        at = np.uintp(first + count)
        bounds[at, 0], bounds[at, 1] = np.int32(left), np.int32(right)
        bounds[at, 2], bounds[at, 3] = np.int32(top), np.int32(bottom)
        picked[np.uintp(count)] = triangle
        count += (left <= right) & (top <= bottom) & (max(wa, wb, wc) > near_w)
    return count


@njit(**EXACT)
def set_up(
    drawn: Drawn,
    order: NDArray[np.int64],
    span: tuple[int, int],
    geometry: Geometry,
    view: Projection,
    farthest: NDArray[np.float32],
    points: NDArray[np.float32],
    picked: NDArray[np.int32],
    first: int,
    out: SetUp,
) -> int:
    """Add the triangles of some instances that may show; returns how many there are then.

    Args:
        order: (N,) rows of `drawn`, in drawing order.
        span: first place in the order, and the place after the last.
        farthest: see `find_farthest`; (0, 0) where nothing is known yet.
        points: (POINT_ROWS, P) scratch for the vertices of one instance.
        picked: (T + 1,) scratch for its triangles.
        first: how many triangles `out` holds.
    """
    corners, flags, bounds = geometry.triangles, geometry.flags, out.bounds
    count = first
    for place in range(span[0], span[1]):
        q = order[place]
        rect, near = drawn.rect, drawn.nearest[q]
        if len(farthest) and _is_hidden(
            farthest, rect[q, 0], rect[q, 1], rect[q, 2], rect[q, 3], near
        ):
            continue
        _transform(drawn, geometry, q, points)
        found = _pick_facing(drawn, geometry, q, picked)
        found = _pick_covering(points, corners, view, picked, found, bounds, count)
        done = count
        for k in range(done, done + found):
            t = picked[k - done]
            a, b, c = corners[t, 0], corners[t, 1], corners[t, 2]
            if len(farthest) and near < EVERYWHERE:
                most = max(points[NEAR, a], points[NEAR, b], points[NEAR, c]) * NEARER
                if _is_hidden(
                    farthest, bounds[k, 0], bounds[k, 1], bounds[k, 2], bounds[k, 3], most
                ):
                    continue
            facing = 0 if flags[t] & FLAG_TWO_SIDED else view.facing
            if _write_planes(points, (a, b, c), facing, count, out.planes):
                out.source[count, 0], out.source[count, 1] = q, t
                for side in range(4):
                    bounds[count, side] = bounds[k, side]
                count += 1
    return count


@njit(**EXACT)
def find_farthest(
    nearness: NDArray[np.float32], farthest: NDArray[np.float32], least: NDArray[np.float32]
) -> None:
    """Write the least nearness of every tile: what is no nearer is hidden there.

    Args:
        nearness: (H, W) float32.
        farthest: (ceil(H / TILE), ceil(W / TILE)) float32.
        least: (W,) float32, scratch.
    """
    height, width = nearness.shape
    for row in range(farthest.shape[0]):
        least[:] = np.float32(1e30)
        for y in range(row * TILE, min(height, (row + 1) * TILE)):
            for x in range(width):
                least[x] = min(least[x], nearness[y, x])
        for column in range(farthest.shape[1]):
            found = least[column * TILE]
            for x in range(column * TILE + 1, min(width, (column + 1) * TILE)):
                found = min(found, least[x])
            farthest[row, column] = found
