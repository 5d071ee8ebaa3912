"""Visibility: fill the triangles that were set up, row by row, nearest wins.

A row of a triangle without holes is one loop that compilers turn into vector instructions: no
branch, and indices that are known not to be negative.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sim.engine.render.kernels.layout import (
    FLAG_CUTOUT,
    Atlas,
    Drawn,
    Geometry,
    Projection,
    SetUp,
)


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
