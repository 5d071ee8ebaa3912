"""Visibility: transform, set up, bin and fill triangles by homogeneous edge functions.

After Olano and Greer, Triangle Scan Conversion using 2D Homogeneous Coordinates (1997): an edge
function is the cross product of two homogeneous vertices, so that nothing is ever clipped and the
same code draws the camera's perspective and the sun's parallel projection. Larger nearness wins:
1 / depth for a camera, minus the distance along the ray for the sun.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sim.engine.render.kernels.layout import (
    FLAG_CUTOUT,
    FLAG_TWO_SIDED,
    Atlas,
    Bands,
    Drawn,
    Geometry,
    SetUp,
)


@njit(cache=True, nogil=True, error_model="numpy")
def transform(drawn: Drawn, geometry: Geometry, points: NDArray[np.float32]) -> None:
    """Write X, Y, W and nearness of every vertex of the drawn instances to points (P, 4)."""
    vertices, ranges = geometry.vertices, drawn.vertex_range
    first_point, matrix = drawn.first_point, drawn.pixel_from_mesh
    for q in range(len(first_point)):
        first, count, at = ranges[q, 0], ranges[q, 1], first_point[q]
        for row in range(4):
            a, b, c, d = matrix[q, row, 0], matrix[q, row, 1], matrix[q, row, 2], matrix[q, row, 3]
            for k in range(count):
                x, y, z = vertices[first + k, 0], vertices[first + k, 1], vertices[first + k, 2]
                points[at + k, row] = a * x + b * y + c * z + d


@njit(cache=True, nogil=True, error_model="numpy")
def _find_bounds(
    points: NDArray[np.float32],
    corner: tuple[int, int, int],
    size: tuple[int, int],
    near_w: float,
    count: int,
    bounds: NDArray[np.int32],
) -> bool:
    """Write the pixel bounds of a triangle; False where it covers no pixel centre."""
    a, b, c = corner
    width, height = size
    xa, xb, xc = points[a, 0], points[b, 0], points[c, 0]
    ya, yb, yc = points[a, 1], points[b, 1], points[c, 1]
    wa, wb, wc = points[a, 2], points[b, 2], points[c, 2]
    if (xa < 0 and xb < 0 and xc < 0) or (ya < 0 and yb < 0 and yc < 0):
        return False
    if xa > width * wa and xb > width * wb and xc > width * wc:
        return False
    if ya > height * wa and yb > height * wb and yc > height * wc:
        return False
    left, right, top, bottom = 0, width - 1, 0, height - 1
    if wa > near_w and wb > near_w and wc > near_w:
        xa, xb, xc = xa / wa, xb / wb, xc / wc
        ya, yb, yc = ya / wa, yb / wb, yc / wc
        left = max(left, math.ceil(min(xa, xb, xc) - 0.5))
        right = min(right, math.floor(max(xa, xb, xc) - 0.5))
        top = max(top, math.ceil(min(ya, yb, yc) - 0.5))
        bottom = min(bottom, math.floor(max(ya, yb, yc) - 0.5))
    bounds[count, 0], bounds[count, 1] = left, right
    bounds[count, 2], bounds[count, 3] = top, bottom
    return left <= right and top <= bottom


@njit(cache=True, nogil=True, error_model="numpy")
def _write_planes(
    points: NDArray[np.float32],
    corner: tuple[int, int, int],
    is_culled: bool,
    count: int,
    planes: NDArray[np.float64],
) -> bool:
    """Write the edge functions and nearness of a triangle; False if it faces away or is flat."""
    a, b, c = corner
    ax, ay, aw = float(points[a, 0]), float(points[a, 1]), float(points[a, 2])
    bx, by, bw = float(points[b, 0]), float(points[b, 1]), float(points[b, 2])
    cx, cy, cw = float(points[c, 0]), float(points[c, 1]), float(points[c, 2])
    ex, ey, ew = by * cw - bw * cy, bw * cx - bx * cw, bx * cy - by * cx
    fx, fy, fw = cy * aw - cw * ay, cw * ax - cx * aw, cx * ay - cy * ax
    gx, gy, gw = ay * bw - aw * by, aw * bx - ax * bw, ax * by - ay * bx
    determinant = ax * ex + ay * ey + aw * ew
    if determinant == 0.0 or (is_culled and determinant > 0.0):
        return False
    sign = 1.0 if determinant > 0.0 else -1.0
    # The functions hold at pixel indices, half a pixel before the centres they stand for.
    ew, fw, gw = ew + 0.5 * (ex + ey), fw + 0.5 * (fx + fy), gw + 0.5 * (gx + gy)
    planes[count, 0], planes[count, 1], planes[count, 2] = sign * ex, sign * ey, sign * ew
    planes[count, 3], planes[count, 4], planes[count, 5] = sign * fx, sign * fy, sign * fw
    planes[count, 6], planes[count, 7], planes[count, 8] = sign * gx, sign * gy, sign * gw
    inverse = 1.0 / determinant
    na, nb, nc = float(points[a, 3]), float(points[b, 3]), float(points[c, 3])
    planes[count, 9] = inverse * (na * ex + nb * fx + nc * gx)
    planes[count, 10] = inverse * (na * ey + nb * fy + nc * gy)
    planes[count, 11] = inverse * (na * ew + nb * fw + nc * gw)
    planes[count, 12] = sign * inverse
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def set_up(
    drawn: Drawn,
    geometry: Geometry,
    points: NDArray[np.float32],
    size: tuple[int, int],
    near_w: float,
    keeps_back_faces: bool,
    out: SetUp,
) -> int:
    """Fill `out` in instance order; returns how many triangles can touch the picture."""
    corners, flags = geometry.triangles, geometry.flags
    first_point, ranges = drawn.first_point, drawn.triangle_range
    planes, bounds, source = out.planes, out.bounds, out.source
    count = 0
    for q in range(len(first_point)):
        at = first_point[q]
        for triangle in range(ranges[q, 0], ranges[q, 0] + ranges[q, 1]):
            corner = (
                at + corners[triangle, 0],
                at + corners[triangle, 1],
                at + corners[triangle, 2],
            )
            wa, wb, wc = points[corner[0], 2], points[corner[1], 2], points[corner[2], 2]
            if wa <= near_w and wb <= near_w and wc <= near_w:
                continue
            if not _find_bounds(points, corner, size, near_w, count, bounds):
                continue
            is_culled = not keeps_back_faces and not flags[triangle] & FLAG_TWO_SIDED
            if _write_planes(points, corner, is_culled, count, planes):
                source[count, 0], source[count, 1] = q, triangle
                count += 1
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def sort_into_bands(
    bounds: NDArray[np.int32], count: int, rows: int, bands: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Start (bands + 1,) and entries of every band of `rows` rows, in drawing order."""
    start = np.zeros(bands + 1, np.int32)
    for m in range(count):
        for band in range(bounds[m, 2] // rows, bounds[m, 3] // rows + 1):
            start[band + 1] += 1
    for band in range(bands):
        start[band + 1] += start[band]
    entry = np.empty(start[bands], np.int32)
    position = start[:bands].copy()
    for m in range(count):
        for band in range(bounds[m, 2] // rows, bounds[m, 3] // rows + 1):
            entry[position[band]] = m
            position[band] += 1
    return start, entry


@njit(cache=True, nogil=True, error_model="numpy")
def _narrow(slope: float, value: float, low: float, high: float) -> tuple[float, float]:
    """The part of [low, high] where slope * x + value >= 0; empty as low > high."""
    if slope > 0.0:
        return max(low, math.ceil(-value / slope)), high
    if slope < 0.0:
        return low, min(high, math.floor(-value / slope))
    if value < 0.0:
        return 1.0, 0.0
    return low, high


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


@njit(cache=True, nogil=True, error_model="numpy")
def _is_hole(
    uv: NDArray[np.float64],
    a: float,
    b: float,
    c: float,
    texels: NDArray[np.uint32],
    base: int,
    width: int,
) -> bool:
    """Whether the texture's alpha is below one half where the edge functions are a, b, c."""
    total = 1.0 / (a + b + c)
    u = (a * uv[0, 0] + b * uv[1, 0] + c * uv[2, 0]) * total
    v = (a * uv[0, 1] + b * uv[1, 1] + c * uv[2, 1]) * total
    column = math.floor(u * width) & (width - 1)
    row = math.floor(v * width) & (width - 1)
    return bool(texels[base + row * width + column] < 0x80000000)


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_triangle(
    m: int,
    rows: tuple[int, int],
    planes: NDArray[np.float64],
    bounds: NDArray[np.int32],
    uv: NDArray[np.float64],
    texels: NDArray[np.uint32],
    base: int,
    width: int,
    limit: float,
    writes_owner: bool,
    nearness: NDArray[np.float32],
    owner: NDArray[np.int32],
) -> None:
    """Draw one triangle between two rows; width 0 says that it has no holes."""
    slope_a, slope_b, slope_c, slope = planes[m, 0], planes[m, 3], planes[m, 6], planes[m, 9]
    left, right = float(bounds[m, 0]), float(bounds[m, 1])
    for y in range(max(bounds[m, 2], rows[0]), min(bounds[m, 3], rows[1]) + 1):
        a = planes[m, 1] * y + planes[m, 2]
        b = planes[m, 4] * y + planes[m, 5]
        c = planes[m, 7] * y + planes[m, 8]
        low, high = _narrow(slope_a, a, left, right)
        low, high = _narrow(slope_b, b, low, high)
        low, high = _narrow(slope_c, c, low, high)
        if low > high:
            continue
        start = planes[m, 10] * y + planes[m, 11]
        for x in range(int(low), int(high) + 1):
            near = np.float32(slope * x + start)
            if near <= nearness[y, x] or near >= limit:
                continue
            if width and _is_hole(
                uv, slope_a * x + a, slope_b * x + b, slope_c * x + c, texels, base, width
            ):
                continue
            nearness[y, x] = near
            if writes_owner:
                owner[y, x] = m


@njit(cache=True, nogil=True, error_model="numpy")
def fill(
    span: tuple[int, int],
    rows: int,
    bands: Bands,
    triangles: SetUp,
    drawn: Drawn,
    geometry: Geometry,
    atlas: Atlas,
    limit: float,
    writes_owner: bool,
    nearness: NDArray[np.float32],
    owner: NDArray[np.int32],
) -> None:
    """Draw the triangles of some bands into nearness and owner (H, W), over what is there.

    `limit` is the greatest nearness shown, 1 / near plane; `owner` gets the row of `triangles`.
    """
    start, entry = bands.start, bands.entry
    planes, bounds, source = triangles.planes, triangles.bounds, triangles.source
    flags, textures, corners = geometry.flags, geometry.texture, geometry.triangles
    coordinates, ranges = geometry.uv, drawn.vertex_range
    texels, offset, size = atlas.texels, atlas.offset, atlas.size
    uv = np.zeros((3, 2), np.float64)
    for band in range(span[0], span[1]):
        between = (band * rows, min(len(nearness), (band + 1) * rows) - 1)
        for e in range(start[band], start[band + 1]):
            m = entry[e]
            triangle = source[m, 1]
            base, width = 0, 0
            if flags[triangle] & FLAG_CUTOUT:
                first, texture = ranges[source[m, 0], 0], textures[triangle]
                for k in range(3):
                    uv[k, 0] = coordinates[first + corners[triangle, k], 0]
                    uv[k, 1] = coordinates[first + corners[triangle, k], 1]
                level = _cutout_level(uv, m, bounds, size[texture])
                base, width = offset[texture, level], size[texture] >> level
            _fill_triangle(m, between, planes, bounds, uv, texels, base, width, limit,
                           writes_owner, nearness, owner)  # fmt: skip
