"""Visibility: set up and fill triangles by homogeneous edge functions.

After Olano and Greer, Triangle Scan Conversion using 2D Homogeneous Coordinates (1997): an edge
function is the cross product of two homogeneous vertices, so that nothing is ever clipped and the
same code draws the camera's perspective and the sun's parallel projection. Larger nearness wins:
1 / depth for a camera, minus the distance along the ray for the sun.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sim.engine.render.kernels.cull import TILE
from sim.engine.render.kernels.layout import (
    FLAG_CUTOUT,
    FLAG_TWO_SIDED,
    Atlas,
    Drawn,
    Geometry,
    Projection,
    SetUp,
)

# Rows of the transformed vertices: homogeneous X, Y, W and nearness; each but W divided by W.
X, Y, W, N, COLUMN, ROW, NEAR = 0, 1, 2, 3, 4, 5, 6
POINT_ROWS = 7
BOUND_SLACK = np.float32(1 / 256)  # pixels; the edge functions decide, the bounds only save work
EDGE_ON = 1e-3  # metres that the eye may be behind a face's plane before it surely looks away


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _transform(drawn: Drawn, geometry: Geometry, q: int, points: NDArray[np.float32]) -> None:
    """Write instance q's vertices to points (POINT_ROWS, P)."""
    vertices, matrix = geometry.vertices, drawn.pixel_from_mesh
    first, count = drawn.vertex_range[q, 0], drawn.vertex_range[q, 1]
    a0, b0, c0, d0 = matrix[q, 0, 0], matrix[q, 0, 1], matrix[q, 0, 2], matrix[q, 0, 3]
    a1, b1, c1, d1 = matrix[q, 1, 0], matrix[q, 1, 1], matrix[q, 1, 2], matrix[q, 1, 3]
    a2, b2, c2, d2 = matrix[q, 2, 0], matrix[q, 2, 1], matrix[q, 2, 2], matrix[q, 2, 3]
    a3, b3, c3, d3 = matrix[q, 3, 0], matrix[q, 3, 1], matrix[q, 3, 2], matrix[q, 3, 3]
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


@njit(cache=True, nogil=True, error_model="numpy")
def _is_hidden(
    farthest: NDArray[np.float32], left: int, right: int, top: int, bottom: int, near: float
) -> bool:
    """Whether all tiles that a rectangle of pixels touches show something no farther."""
    for row in range(top // TILE, bottom // TILE + 1):
        for column in range(left // TILE, right // TILE + 1):
            if farthest[row, column] < near:
                return False
    return True


@njit(cache=True, nogil=True, error_model="numpy")
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


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _find_bounds(
    points: NDArray[np.float32],
    corner: tuple[int, int, int],
    view: Projection,
    farthest: NDArray[np.float32],
    count: int,
    bounds: NDArray[np.int32],
) -> bool:
    """Write the pixel bounds of a triangle; False where it surely shows nothing."""
    a, b, c = corner
    wa, wb, wc = points[W, a], points[W, b], points[W, c]
    left, right = np.float32(0), np.float32(view.width - 1)
    top, bottom = np.float32(0), np.float32(view.height - 1)
    if min(wa, wb, wc) > view.near_w:
        xa, xb, xc = points[COLUMN, a], points[COLUMN, b], points[COLUMN, c]
        ya, yb, yc = points[ROW, a], points[ROW, b], points[ROW, c]
        half = np.float32(0.5)
        left = max(left, math.ceil(min(xa, xb, xc) - half - BOUND_SLACK))
        right = min(right, math.floor(max(xa, xb, xc) - half + BOUND_SLACK))
        top = max(top, math.ceil(min(ya, yb, yc) - half - BOUND_SLACK))
        bottom = min(bottom, math.floor(max(ya, yb, yc) - half + BOUND_SLACK))
        if left > right or top > bottom:
            return False
        if len(farthest):
            near = max(points[NEAR, a], points[NEAR, b], points[NEAR, c]) * np.float32(1.00001)
            if _is_hidden(farthest, int(left), int(right), int(top), int(bottom), near):
                return False
    else:
        xa, xb, xc = points[X, a], points[X, b], points[X, c]
        ya, yb, yc = points[Y, a], points[Y, b], points[Y, c]
        if max(wa, wb, wc) <= view.near_w or max(xa, xb, xc) < 0 or max(ya, yb, yc) < 0:
            return False
        if max(view.width * wa - xa, view.width * wb - xb, view.width * wc - xc) < 0:
            return False
        if max(view.height * wa - ya, view.height * wb - yb, view.height * wc - yc) < 0:
            return False
    bounds[count, 0], bounds[count, 1] = int(left), int(right)
    bounds[count, 2], bounds[count, 3] = int(top), int(bottom)
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def set_up(
    drawn: Drawn,
    order: NDArray[np.int64],
    span: tuple[int, int],
    geometry: Geometry,
    view: Projection,
    farthest: NDArray[np.float32],
    points: NDArray[np.float32],
    first: int,
    out: SetUp,
) -> int:
    """Add the triangles of some instances that may show; returns how many there are then.

    Args:
        order: (N,) rows of `drawn`, in drawing order.
        span: first place in the order, and the place after the last.
        farthest: see `find_farthest`; (0, 0) where nothing is known yet.
        points: (POINT_ROWS, P) scratch for the vertices of one instance.
        first: how many triangles `out` holds.
    """
    corners, flags, faces = geometry.triangles, geometry.flags, geometry.plane
    count = first
    for place in range(span[0], span[1]):
        q = order[place]
        if len(farthest) and _is_hidden(
            farthest, drawn.rect[q, 0], drawn.rect[q, 1], drawn.rect[q, 2], drawn.rect[q, 3],
            drawn.nearest[q],
        ):  # fmt: skip
            continue
        _transform(drawn, geometry, q, points)
        ex, ey, ez, ew = drawn.eye[q, 0], drawn.eye[q, 1], drawn.eye[q, 2], drawn.eye[q, 3]
        start = drawn.triangle_range[q, 0]
        for k in range(start, start + drawn.triangle_range[q, 1]):
            t = np.uintp(k)
            before = faces[t, 0] * ex + faces[t, 1] * ey + faces[t, 2] * ez + faces[t, 3] * ew
            if before < -EDGE_ON:
                continue
            corner = (np.uintp(corners[t, 0]), np.uintp(corners[t, 1]), np.uintp(corners[t, 2]))
            if not _find_bounds(points, corner, view, farthest, count, out.bounds):
                continue
            facing = 0 if flags[t] & FLAG_TWO_SIDED else view.facing
            if _write_planes(points, corner, facing, count, out.planes):
                out.source[count, 0], out.source[count, 1] = q, k
                count += 1
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def _cutout_level(uv: NDArray[np.float64], m: int, bounds: NDArray[np.int32], size: int) -> int:
    """The mip level whose texels are about a pixel wide, guessed from the bounding boxes."""
    wide = max(uv[0, 0], uv[1, 0], uv[2, 0]) - min(uv[0, 0], uv[1, 0], uv[2, 0])
    tall = max(uv[0, 1], uv[1, 1], uv[2, 1]) - min(uv[0, 1], uv[1, 1], uv[2, 1])
    pixels = (bounds[m, 1] - bounds[m, 0] + 1.0) * (bounds[m, 3] - bounds[m, 2] + 1.0)
    texels = wide * tall * size * size
    level = 0
    while texels > 4.0 * pixels and (size >> level) > 1:
        texels *= 0.25
        level += 1
    return level


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _write_lines(
    m: int, planes: NDArray[np.float64], lines: NDArray[np.float64], rows: NDArray[np.float64]
) -> None:
    """Where the edges cut row y: the span is from max(lines 0..2) to min(lines 3..5).

    Each line is (slope, value) in y. Level edges narrow rows (first, last) instead.
    """
    for k in range(3):
        a, b, c = planes[m, 3 * k], planes[m, 3 * k + 1], planes[m, 3 * k + 2]
        lines[k, 0], lines[k, 1] = 0.0, -1e9
        lines[k + 3, 0], lines[k + 3, 1] = 0.0, 1e9
        if a > 0.0:
            lines[k, 0], lines[k, 1] = -b / a, -c / a
        elif a < 0.0:
            lines[k + 3, 0], lines[k + 3, 1] = -b / a, -c / a
        elif b > 0.0:
            rows[0] = max(rows[0], math.ceil(-c / b))
        elif b < 0.0:
            rows[1] = min(rows[1], math.floor(-c / b))
        elif c < 0.0:
            rows[1] = -1.0


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _fill_cutout_row(
    at: int,
    low: int,
    high: int,
    y: int,
    m: int,
    planes: NDArray[np.float64],
    uv: NDArray[np.float64],
    texels: NDArray[np.uint32],
    base: int,
    width: int,
    limit: float,
    nearness: NDArray[np.float32],
    owner: NDArray[np.int32],
) -> None:
    """Fill columns low to high of a row that begins at `at`, but for the holes of a texture."""
    a0, b0, c0 = planes[m, 0], planes[m, 3], planes[m, 6]
    a1 = planes[m, 1] * y + planes[m, 2]
    b1 = planes[m, 4] * y + planes[m, 5]
    c1 = planes[m, 7] * y + planes[m, 8]
    start = planes[m, 10] * y + planes[m, 11]
    for x in range(low, high + 1):
        near = np.float32(planes[m, 9] * x + start)
        i = np.uintp(at + x)
        if near <= nearness[i] or near >= limit:
            continue
        a, b, c = a0 * x + a1, b0 * x + b1, c0 * x + c1
        total = width / (a + b + c)
        column = math.floor((a * uv[0, 0] + b * uv[1, 0] + c * uv[2, 0]) * total) & (width - 1)
        row = math.floor((a * uv[0, 1] + b * uv[1, 1] + c * uv[2, 1]) * total) & (width - 1)
        if texels[base + row * width + column] >= 0x80000000:
            nearness[i] = near
            if len(owner):
                owner[i] = m


@njit(cache=True, nogil=True, error_model="numpy")
def fill(
    rows: tuple[int, int],
    span: tuple[int, int],
    triangles: SetUp,
    drawn: Drawn,
    geometry: Geometry,
    atlas: Atlas,
    view: Projection,
    nearness: NDArray[np.float32],
    owner: NDArray[np.int32],
) -> None:
    """Draw triangles into nearness and owner, over what is there, between two rows.

    Args:
        rows: first row and the row after the last.
        span: first of `triangles` and the one after the last, drawn in that order.
        nearness: (H * W,) float32.
        owner: (H * W,) int32, gets the row of `triangles`; (0,) where nobody asks.
    """
    planes, bounds, source = triangles.planes, triangles.bounds, triangles.source
    flags, corners, coordinates = geometry.flags, geometry.triangles, geometry.uv
    uv, lines = np.zeros((3, 2), np.float64), np.zeros((6, 2), np.float64)
    between = np.zeros(2, np.float64)
    limit = np.float32(view.limit)
    for m in range(span[0], span[1]):
        if bounds[m, 2] >= rows[1] or bounds[m, 3] < rows[0]:
            continue
        between[0], between[1] = max(bounds[m, 2], rows[0]), min(bounds[m, 3], rows[1] - 1)
        _write_lines(m, planes, lines, between)
        left, right = float(bounds[m, 0]), float(bounds[m, 1])
        triangle = source[m, 1]
        base, width = 0, 0
        if flags[triangle] & FLAG_CUTOUT:
            first, texture = drawn.vertex_range[source[m, 0], 0], geometry.texture[triangle]
            for k in range(3):
                uv[k, 0] = coordinates[first + corners[triangle, k], 0]
                uv[k, 1] = coordinates[first + corners[triangle, k], 1]
            level = _cutout_level(uv, m, bounds, atlas.size[texture])
            base, width = atlas.offset[texture, level], atlas.size[texture] >> level
        slope = np.float32(planes[m, 9])
        for y in range(int(between[0]), int(between[1]) + 1):
            low = max(lines[0, 0] * y + lines[0, 1], lines[1, 0] * y + lines[1, 1])
            low = math.ceil(max(low, lines[2, 0] * y + lines[2, 1], left))
            high = min(lines[3, 0] * y + lines[3, 1], lines[4, 0] * y + lines[4, 1])
            high = math.floor(min(high, lines[5, 0] * y + lines[5, 1], right))
            if low > high:
                continue
            if width:
                _fill_cutout_row(y * view.width, int(low), int(high), y, m, planes, uv,
                                 atlas.texels, base, width, limit, nearness, owner)  # fmt: skip
                continue
            start = np.float32(planes[m, 9] * low + (planes[m, 10] * y + planes[m, 11]))
            at = y * view.width + int(low)
            if len(owner):
                for k in range(int(high - low) + 1):
                    i = np.uintp(at + k)
                    near = start + slope * np.float32(np.int32(k))
                    wins = (near > nearness[i]) & (near < limit)
                    nearness[i] = near if wins else nearness[i]
                    owner[i] = np.int32(m) if wins else owner[i]
            else:
                for k in range(int(high - low) + 1):
                    i = np.uintp(at + k)
                    near = start + slope * np.float32(np.int32(k))
                    nearness[i] = max(near, nearness[i])
