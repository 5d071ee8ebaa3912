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
    SetUp,
)
from sim.engine.render.kernels.options import EXACT, EXACT_PART

# Rows of what a triangle being filled keeps: six cuts, its first and last row, its corners' uv.
ROWS, UV, CUTS = 6, 7, 10


@njit(**EXACT_PART)
def _cutout_level(cuts: NDArray[np.float64], m: int, bounds: NDArray[np.int32], size: int) -> int:
    """The mip level whose texels are about a pixel wide, guessed from the bounding boxes."""
    wide = max(cuts[UV, 0], cuts[UV + 1, 0], cuts[UV + 2, 0]) - min(
        cuts[UV, 0], cuts[UV + 1, 0], cuts[UV + 2, 0]
    )
    tall = max(cuts[UV, 1], cuts[UV + 1, 1], cuts[UV + 2, 1]) - min(
        cuts[UV, 1], cuts[UV + 1, 1], cuts[UV + 2, 1]
    )
    pixels = (bounds[m, 1] - bounds[m, 0] + 1.0) * (bounds[m, 3] - bounds[m, 2] + 1.0)
    texels = wide * tall * size * size
    level = 0
    while texels > 4.0 * pixels and (size >> level) > 1:
        texels *= 0.25
        level += 1
    return level


@njit(**EXACT_PART, inline="always")
def _write_cuts(m: int, planes: NDArray[np.float64], cuts: NDArray[np.float64]) -> None:
    """Where the edges cut row y: the span is from max(cuts 0..2) to min(cuts 3..5).

    Each cut is (slope, value) in y. Level edges narrow `ROWS` (first, last) instead.
    """
    for k in range(3):
        a, b, c = planes[m, 3 * k], planes[m, 3 * k + 1], planes[m, 3 * k + 2]
        cuts[k, 0], cuts[k, 1] = 0.0, -1e9
        cuts[k + 3, 0], cuts[k + 3, 1] = 0.0, 1e9
        if a > 0.0:
            cuts[k, 0], cuts[k, 1] = -b / a, -c / a
        elif a < 0.0:
            cuts[k + 3, 0], cuts[k + 3, 1] = -b / a, -c / a
        elif b > 0.0:
            cuts[ROWS, 0] = max(cuts[ROWS, 0], math.ceil(-c / b))
        elif b < 0.0:
            cuts[ROWS, 1] = min(cuts[ROWS, 1], math.floor(-c / b))
        elif c < 0.0:
            cuts[ROWS, 1] = -1.0


@njit(**EXACT_PART, inline="always")
def _fill_cutout_row(
    at: int,
    low: int,
    high: int,
    y: int,
    m: int,
    planes: NDArray[np.float64],
    cuts: NDArray[np.float64],
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
        column = math.floor(
            (a * cuts[UV, 0] + b * cuts[UV + 1, 0] + c * cuts[UV + 2, 0]) * total
        ) & (width - 1)
        row = math.floor((a * cuts[UV, 1] + b * cuts[UV + 1, 1] + c * cuts[UV + 2, 1]) * total) & (
            width - 1
        )
        if texels[base + row * width + column] >= 0x80000000:
            nearness[i] = near
            if len(owner):
                owner[i] = m


@njit(**EXACT)
def fill(
    rows: tuple[int, int],
    span: tuple[int, int],
    triangles: SetUp,
    vertex_range: NDArray[np.int32],
    flags: NDArray[np.uint8],
    corners: NDArray[np.int32],
    coordinates: NDArray[np.float32],
    textures: NDArray[np.int32],
    atlas: Atlas,
    pixels: int,
    limit: float,
    nearness: NDArray[np.float32],
    owner: NDArray[np.int32],
    cuts: NDArray[np.float64],
) -> None:
    """Draw triangles into nearness and owner, over what is there, between two rows.

    Args:
        rows: first row and the row after the last.
        span: first of `triangles` and the one after the last, drawn in that order.
        vertex_range: of `Drawn`.
        flags, corners, coordinates, textures: of `Geometry`, corners its triangles and coordinates
            its uv.
        pixels: of a row.
        limit: greatest nearness shown.
        nearness: (H * W,) float32.
        owner: (H * W,) int32, gets the row of `triangles`; (0,) where nobody asks.
        cuts: (CUTS, 2) float64, memory that nobody else writes while this runs.
    """
    planes, bounds, source = triangles.planes, triangles.bounds, triangles.source
    most = np.float32(limit)
    for m in range(span[0], span[1]):
        if bounds[m, 2] >= rows[1] or bounds[m, 3] < rows[0]:
            continue
        cuts[ROWS, 0], cuts[ROWS, 1] = max(bounds[m, 2], rows[0]), min(bounds[m, 3], rows[1] - 1)
        _write_cuts(m, planes, cuts)
        left, right = float(bounds[m, 0]), float(bounds[m, 1])
        triangle = source[m, 1]
        base, width = 0, 0
        if flags[triangle] & FLAG_CUTOUT:
            first, texture = vertex_range[source[m, 0], 0], textures[triangle]
            for k in range(3):
                cuts[UV + k, 0] = coordinates[first + corners[triangle, k], 0]
                cuts[UV + k, 1] = coordinates[first + corners[triangle, k], 1]
            level = _cutout_level(cuts, m, bounds, atlas.size[texture])
            base, width = atlas.offset[texture, level], atlas.size[texture] >> level
        slope = np.float32(planes[m, 9])
        for y in range(int(cuts[ROWS, 0]), int(cuts[ROWS, 1]) + 1):
            low = max(cuts[0, 0] * y + cuts[0, 1], cuts[1, 0] * y + cuts[1, 1])
            low = math.ceil(max(low, cuts[2, 0] * y + cuts[2, 1], left))
            high = min(cuts[3, 0] * y + cuts[3, 1], cuts[4, 0] * y + cuts[4, 1])
            high = math.floor(min(high, cuts[5, 0] * y + cuts[5, 1], right))
            if low > high:
                continue
            if width:
                _fill_cutout_row(y * pixels, int(low), int(high), y, m, planes, cuts,
                                 atlas.texels, base, width, most, nearness, owner)  # fmt: skip
                continue
            start = np.float32(planes[m, 9] * low + (planes[m, 10] * y + planes[m, 11]))
            at = y * pixels + int(low)
            if len(owner):
                for k in range(int(high - low) + 1):
                    i = np.uintp(at + k)
                    near = start + slope * np.float32(np.int32(k))
                    wins = (near > nearness[i]) & (near < most)
                    nearness[i] = near if wins else nearness[i]
                    owner[i] = np.int32(m) if wins else owner[i]
            else:
                for k in range(int(high - low) + 1):
                    i = np.uintp(at + k)
                    near = start + slope * np.float32(np.int32(k))
                    nearness[i] = max(near, nearness[i])
