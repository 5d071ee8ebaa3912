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
    for q in range(len(drawn.first_point)):
        matrix = drawn.pixel_from_mesh[q]
        first, count = drawn.vertex_range[q]
        at = drawn.first_point[q]
        for k in range(count):
            x = geometry.vertices[first + k, 0]
            y = geometry.vertices[first + k, 1]
            z = geometry.vertices[first + k, 2]
            for row in range(4):
                points[at + k, row] = np.float32(
                    matrix[row, 0] * x + matrix[row, 1] * y + matrix[row, 2] * z + matrix[row, 3]
                )


@njit(cache=True, nogil=True, error_model="numpy")
def _is_outside(
    a: NDArray[np.float32],
    b: NDArray[np.float32],
    c: NDArray[np.float32],
    width: int,
    height: int,
) -> bool:
    """Whether all three points lie beyond one border of the picture."""
    if a[0] < 0 and b[0] < 0 and c[0] < 0:
        return True
    if a[1] < 0 and b[1] < 0 and c[1] < 0:
        return True
    if a[0] > width * a[2] and b[0] > width * b[2] and c[0] > width * c[2]:
        return True
    return bool(a[1] > height * a[2] and b[1] > height * b[2] and c[1] > height * c[2])


@njit(cache=True, nogil=True, error_model="numpy")
def _find_bounds(
    a: NDArray[np.float32],
    b: NDArray[np.float32],
    c: NDArray[np.float32],
    size: tuple[int, int],
    near_w: float,
    bounds: NDArray[np.int32],
) -> bool:
    """Write the pixel bounds of a triangle; False where it covers no pixel centre."""
    width, height = size
    bounds[0], bounds[1], bounds[2], bounds[3] = 0, width - 1, 0, height - 1
    if a[2] > near_w and b[2] > near_w and c[2] > near_w:
        xa, xb, xc = a[0] / a[2], b[0] / b[2], c[0] / c[2]
        ya, yb, yc = a[1] / a[2], b[1] / b[2], c[1] / c[2]
        bounds[0] = max(0.0, math.ceil(min(xa, xb, xc) - 0.5))
        bounds[1] = min(width - 1.0, math.floor(max(xa, xb, xc) - 0.5))
        bounds[2] = max(0.0, math.ceil(min(ya, yb, yc) - 0.5))
        bounds[3] = min(height - 1.0, math.floor(max(ya, yb, yc) - 0.5))
    return bool(bounds[0] <= bounds[1] and bounds[2] <= bounds[3])


@njit(cache=True, nogil=True, error_model="numpy")
def _write_planes(
    a: NDArray[np.float32],
    b: NDArray[np.float32],
    c: NDArray[np.float32],
    is_culled: bool,
    planes: NDArray[np.float64],
) -> bool:
    """Write the edge functions and nearness of a triangle; False if it faces away or is flat."""
    ax, ay, aw = np.float64(a[0]), np.float64(a[1]), np.float64(a[2])
    bx, by, bw = np.float64(b[0]), np.float64(b[1]), np.float64(b[2])
    cx, cy, cw = np.float64(c[0]), np.float64(c[1]), np.float64(c[2])
    planes[0], planes[1], planes[2] = by * cw - bw * cy, bw * cx - bx * cw, bx * cy - by * cx
    planes[3], planes[4], planes[5] = cy * aw - cw * ay, cw * ax - cx * aw, cx * ay - cy * ax
    planes[6], planes[7], planes[8] = ay * bw - aw * by, aw * bx - ax * bw, ax * by - ay * bx
    determinant = ax * planes[0] + ay * planes[1] + aw * planes[2]
    if determinant == 0.0 or (is_culled and determinant > 0.0):
        return False
    if determinant < 0.0:
        determinant = -determinant
        for k in range(9):
            planes[k] = -planes[k]
    for edge in range(3):
        planes[3 * edge + 2] += 0.5 * (planes[3 * edge] + planes[3 * edge + 1])
    inverse = 1.0 / determinant
    for k in range(3):
        planes[9 + k] = inverse * (a[3] * planes[k] + b[3] * planes[3 + k] + c[3] * planes[6 + k])
    planes[12] = inverse
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
    count = 0
    for q in range(len(drawn.first_point)):
        at = drawn.first_point[q]
        first, number = drawn.triangle_range[q]
        for triangle in range(first, first + number):
            corner = geometry.triangles[triangle]
            a, b, c = points[at + corner[0]], points[at + corner[1]], points[at + corner[2]]
            if a[2] <= near_w and b[2] <= near_w and c[2] <= near_w:
                continue
            if _is_outside(a, b, c, size[0], size[1]):
                continue
            if not _find_bounds(a, b, c, size, near_w, out.bounds[count]):
                continue
            is_culled = not keeps_back_faces and not geometry.flags[triangle] & FLAG_TWO_SIDED
            if _write_planes(a, b, c, is_culled, out.planes[count]):
                out.source[count, 0] = q
                out.source[count, 1] = triangle
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
def _cutout_level(uv: NDArray[np.float64], bounds: NDArray[np.int32], size: int) -> int:
    """The mip level whose texels are about a pixel wide, guessed from the bounding boxes."""
    wide = max(uv[0, 0], uv[1, 0], uv[2, 0]) - min(uv[0, 0], uv[1, 0], uv[2, 0])
    tall = max(uv[0, 1], uv[1, 1], uv[2, 1]) - min(uv[0, 1], uv[1, 1], uv[2, 1])
    pixels = max(1.0, (bounds[1] - bounds[0] + 1.0) * (bounds[3] - bounds[2] + 1.0))
    texels = wide * tall * size * size
    level = 0
    while texels > 4.0 * pixels and (size >> level) > 1:
        texels *= 0.25
        level += 1
    return level


@njit(cache=True, nogil=True, error_model="numpy")
def _is_hole(
    uv: NDArray[np.float64],
    weight: tuple[float, float, float],
    atlas: Atlas,
    texture: int,
    level: int,
) -> bool:
    """Whether the texture's alpha is below one half at the point with these edge values."""
    total = 1.0 / (weight[0] + weight[1] + weight[2])
    u = (weight[0] * uv[0, 0] + weight[1] * uv[1, 0] + weight[2] * uv[2, 0]) * total
    v = (weight[0] * uv[0, 1] + weight[1] * uv[1, 1] + weight[2] * uv[2, 1]) * total
    width = atlas.size[texture] >> level
    column = math.floor(u * width) & (width - 1)
    row = math.floor(v * width) & (width - 1)
    return bool(atlas.texels[atlas.offset[texture, level] + row * width + column] < 0x80000000)


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_cutout_row(
    span: tuple[int, int],
    edges: tuple[float, float, float, float, float, float],
    depth: tuple[float, float],
    uv: NDArray[np.float64],
    atlas: Atlas,
    texture: int,
    level: int,
    mark: int,
    limit: float,
    nearness: NDArray[np.float32],
    owner: NDArray[np.int32],
) -> None:
    slope_a, value_a, slope_b, value_b, slope_c, value_c = edges
    for x in range(span[0], span[1] + 1):
        near = np.float32(depth[0] * x + depth[1])
        if near > nearness[x] and near < limit:
            weight = (slope_a * x + value_a, slope_b * x + value_b, slope_c * x + value_c)
            if not _is_hole(uv, weight, atlas, texture, level):
                nearness[x] = near
                if mark >= 0:
                    owner[x] = mark


@njit(cache=True, nogil=True, error_model="numpy")
def fill(
    bands_span: tuple[int, int],
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
    height = len(nearness)
    uv = np.empty((3, 2), np.float64)
    for band in range(bands_span[0], bands_span[1]):
        top, bottom = band * rows, min(height, (band + 1) * rows) - 1
        for e in range(bands.start[band], bands.start[band + 1]):
            m = bands.entry[e]
            p = triangles.planes[m]
            bounds = triangles.bounds[m]
            triangle = triangles.source[m, 1]
            is_cutout = bool(geometry.flags[triangle] & FLAG_CUTOUT)
            texture, level = geometry.texture[triangle], 0
            if is_cutout:
                first = drawn.vertex_range[triangles.source[m, 0], 0]
                for k in range(3):
                    uv[k, 0] = geometry.uv[first + geometry.triangles[triangle, k], 0]
                    uv[k, 1] = geometry.uv[first + geometry.triangles[triangle, k], 1]
                level = _cutout_level(uv, bounds, atlas.size[texture])
            mark = m if writes_owner else -1
            left, right = float(bounds[0]), float(bounds[1])
            for y in range(max(bounds[2], top), min(bounds[3], bottom) + 1):
                value_a, value_b, value_c = p[1] * y + p[2], p[4] * y + p[5], p[7] * y + p[8]
                low, high = _narrow(p[0], value_a, left, right)
                low, high = _narrow(p[3], value_b, low, high)
                low, high = _narrow(p[6], value_c, low, high)
                if low > high:
                    continue
                span = (int(low), int(high))
                depth = (p[9], p[10] * y + p[11])
                if is_cutout:
                    edges = (p[0], value_a, p[3], value_b, p[6], value_c)
                    _fill_cutout_row(span, edges, depth, uv, atlas, texture, level, mark, limit,
                                     nearness[y], owner[y if writes_owner else 0])  # fmt: skip
                    continue
                for x in range(span[0], span[1] + 1):
                    near = np.float32(depth[0] * x + depth[1])
                    if near > nearness[y, x] and near < limit:
                        nearness[y, x] = near
                        if writes_owner:
                            owner[y, x] = m
