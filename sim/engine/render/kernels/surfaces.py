"""What each pixel shows before any light: its triangle's attributes and its texture's colour."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sim.engine.render.kernels import looks as at
from sim.engine.render.kernels.layout import DOME_SIZE, SKY_DEPTH_M
from sim.engine.render.kernels.options import FAST_PART
from sim.engine.render.kernels.pieces import (
    ACROSS,
    AIR,
    AMBIENT,
    BLUE,
    DEPTH,
    DOWN,
    FACING,
    FIRST,
    GLOW,
    GREEN,
    MAP_NEAR,
    MAP_U,
    MAP_V,
    RED,
    SPREAD,
    STRIDE,
    TEX_U,
    TEX_V,
    TEXEL,
    WIDTH,
    WITHIN,
)
from sim.engine.render.kernels.sampling import F, octahedral


@njit(**FAST_PART)
def find_depth(
    y: int, x: int, count: int, nearness: NDArray[np.float32], piece: NDArray[np.float32]
) -> None:
    """Metres ahead of each pixel; the sky is far away."""
    for i in range(count):
        piece[DEPTH * STRIDE + i] = F(1) / max(nearness[y, x + i], F(1 / SKY_DEPTH_M))


@njit(**FAST_PART)
def find_runs(
    y: int,
    x: int,
    count: int,
    owner: NDArray[np.int32],
    row: NDArray[np.int32],
    runs: NDArray[np.int32],
) -> int:
    """Write start and look of each run of pixels of one triangle, -1 for sky; returns how many."""
    found, last = 0, -2
    for i in range(count):
        m = owner[y, x + i]
        if m != last:
            runs[found, 0], runs[found, 1] = i, row[m] if m >= 0 else -1
            found += 1
        last = m
    runs[found, 0] = count
    return found


@njit(**FAST_PART)
def place_surface(
    y: int,
    x: int,
    count: int,
    m: int,
    start: int,
    planes: NDArray[np.float32],
    marks: NDArray[np.int32],
    map_of: NDArray[np.float32],
    sky_up: float,
    first: int,
    width: int,
    piece: NDArray[np.float32],
    whole: NDArray[np.int32],
) -> None:
    """Attributes of `count` pixels of triangle m from x on, at `start` of the piece."""
    start, count = start & WITHIN, count & WITHIN
    right, down = F(x - marks[m, at.LEFT]), F(y - marks[m, at.ABOVE])
    ua, va, fa = planes[m, at.U], planes[m, at.V], planes[m, at.FACING]
    na = planes[m, at.UP]
    u = ua * right + planes[m, at.U + 1] * down + planes[m, at.U + 2]
    v = va * right + planes[m, at.V + 1] * down + planes[m, at.V + 2]
    facing = fa * right + planes[m, at.FACING + 1] * down + planes[m, at.FACING + 2]
    up = na * right + planes[m, at.UP + 1] * down + planes[m, at.UP + 2]
    spread, glow = planes[m, at.SPREAD], planes[m, at.GLOW]
    px, py = x + F(0.5), y + F(0.5)
    off_u, off_v, off_near = planes[m, at.OFF_U], planes[m, at.OFF_V], planes[m, at.OFF_NEAR]
    su = map_of[0, 0] * px + map_of[0, 1] * py + map_of[0, 2]
    sv = map_of[1, 0] * px + map_of[1, 1] * py + map_of[1, 2]
    sn = map_of[2, 0] * px + map_of[2, 1] * py + map_of[2, 2]
    ma, mb, mc = map_of[0, 0], map_of[1, 0], map_of[2, 0]
    red, green, blue = planes[m, at.RED], planes[m, at.GREEN], planes[m, at.BLUE]
    for k in range(count):
        i = start + k
        step = F(k)
        depth = piece[DEPTH * STRIDE + i]
        piece[AIR * STRIDE + i] = depth
        piece[TEX_U * STRIDE + i] = (u + ua * step) * depth
        piece[TEX_V * STRIDE + i] = (v + va * step) * depth
        piece[SPREAD * STRIDE + i] = spread * depth * math.sqrt(depth)
        piece[FACING * STRIDE + i] = (facing + fa * step) * depth
        piece[AMBIENT * STRIDE + i] = F(1) + sky_up * (up + na * step) * depth
        piece[MAP_U * STRIDE + i] = (su + ma * step) * depth + off_u
        piece[MAP_V * STRIDE + i] = (sv + mb * step) * depth + off_v
        piece[MAP_NEAR * STRIDE + i] = (sn + mc * step) * depth + off_near
        piece[GLOW * STRIDE + i] = glow
        piece[RED * STRIDE + i] = red
        piece[GREEN * STRIDE + i] = green
        piece[BLUE * STRIDE + i] = blue
        whole[FIRST * STRIDE + i] = first
        whole[WIDTH * STRIDE + i] = width


@njit(**FAST_PART)
def place_sky(
    y: int,
    x: int,
    count: int,
    start: int,
    ray_of: NDArray[np.float32],
    piece: NDArray[np.float32],
    whole: NDArray[np.int32],
) -> None:
    """Attributes of a run of sky: it shines by itself, and its texture is the dome."""
    start, count = start & WITHIN, count & WITHIN
    for i in range(start, start + count):
        px, py = F(x + i - start) + F(0.5), y + F(0.5)
        u, v = octahedral(
            ray_of[0, 0] * px + ray_of[0, 1] * py + ray_of[0, 2],
            ray_of[1, 0] * px + ray_of[1, 1] * py + ray_of[1, 2],
            ray_of[2, 0] * px + ray_of[2, 1] * py + ray_of[2, 2],
        )
        piece[TEX_U * STRIDE + i], piece[TEX_V * STRIDE + i] = u, v
        piece[DEPTH * STRIDE + i] = F(SKY_DEPTH_M)
        piece[AIR * STRIDE + i] = F(0)
        piece[SPREAD * STRIDE + i] = F(1)
        piece[FACING * STRIDE + i], piece[AMBIENT * STRIDE + i] = F(0), F(0)
        piece[GLOW * STRIDE + i] = F(1)
        piece[RED * STRIDE + i] = F(1)
        piece[GREEN * STRIDE + i] = F(1)
        piece[BLUE * STRIDE + i] = F(1)
        whole[FIRST * STRIDE + i] = 0
        whole[WIDTH * STRIDE + i] = DOME_SIZE


@njit(**FAST_PART)
def choose_sign(start: int, count: int, text: int, piece: NDArray[np.float32]) -> None:
    """Move u and v to the signs of a number plate.

    Eight signs make a row of the texture, eight places of a sign lie along u.
    """
    start, count = start & WITHIN, count & WITHIN
    for i in range(start, start + count):
        u = piece[TEX_U * STRIDE + i]
        place = min(max(int(u * F(8)), 0), 7)
        sign = (text >> (6 * place)) & 63
        piece[TEX_U * STRIDE + i] = u + F((sign & 7) - place) * F(0.125)
        piece[TEX_V * STRIDE + i] += F(sign >> 3) * F(0.125)


@njit(**FAST_PART)
def find_texels(
    count: int,
    bits: NDArray[np.int32],
    grain: NDArray[np.int32],
    first: int,
    piece: NDArray[np.float32],
    whole: NDArray[np.int32],
) -> None:
    """Which four texels each pixel shows, at which weights.

    The mip level is the logarithm of the spread, read off a float's own exponent and dithered by
    the grain; a texture's levels follow each other, each a quarter of the one before.
    """
    count &= WITHIN
    for i in range(count):
        level = ((bits[SPREAD * STRIDE + i] + grain[first + i]) >> 23) - 127
        level = min(max(level, 0), 15)
        whole_width = whole[WIDTH * STRIDE + i]
        width = max(whole_width >> level, 1)
        before = F(whole_width * whole_width - width * width) * F(4 / 3) + F(0.5)
        base, mask, scale = whole[FIRST * STRIDE + i] + np.int32(before), width - 1, F(width * 256)
        across = np.int32(piece[TEX_U * STRIDE + i] * scale) - 128
        down = np.int32(piece[TEX_V * STRIDE + i] * scale) - 128
        x0, y0 = (across >> 8) & mask, (down >> 8) & mask
        x1, y1 = (x0 + 1) & mask, (y0 + 1) & mask
        upper, lower = base + y0 * width, base + y1 * width
        whole[TEXEL * STRIDE + i] = upper + x0
        whole[(TEXEL + 1) * STRIDE + i] = upper + x1
        whole[(TEXEL + 2) * STRIDE + i] = lower + x0
        whole[(TEXEL + 3) * STRIDE + i] = lower + x1
        whole[ACROSS * STRIDE + i] = across & 255
        whole[DOWN * STRIDE + i] = down & 255


@njit(**FAST_PART)
def look_up(start: int, count: int, table: NDArray[np.uint32], whole: NDArray[np.int32]) -> None:
    """Replace indices by what stands there."""
    start, count = start & WITHIN, count & WITHIN
    for k in range(TEXEL, TEXEL + 4):
        for i in range(k * STRIDE + start, k * STRIDE + start + count):
            whole[i] = np.int32(table[np.uintp(whole[i])])


@njit(**FAST_PART)
def paint(count: int, piece: NDArray[np.float32], whole: NDArray[np.int32]) -> None:
    """The surfaces' own colours: their textures, by weights of 8 bits, times their paint."""
    count &= WITHIN
    for i in range(count):
        a, b = whole[ACROSS * STRIDE + i], whole[DOWN * STRIDE + i]
        ws = (a * b) >> 8
        wq, wr = a - ws, b - ws
        wp = 256 - a - wr
        p, q = whole[TEXEL * STRIDE + i], whole[(TEXEL + 1) * STRIDE + i]
        r, s = whole[(TEXEL + 2) * STRIDE + i], whole[(TEXEL + 3) * STRIDE + i]
        red = (p & 255) * wp + (q & 255) * wq + (r & 255) * wr + (s & 255) * ws
        green = ((p >> 8) & 255) * wp + ((q >> 8) & 255) * wq
        green += ((r >> 8) & 255) * wr + ((s >> 8) & 255) * ws
        blue = ((p >> 16) & 255) * wp + ((q >> 16) & 255) * wq
        blue += ((r >> 16) & 255) * wr + ((s >> 16) & 255) * ws
        piece[RED * STRIDE + i] *= F(red) * F(1 / 256)
        piece[GREEN * STRIDE + i] *= F(green) * F(1 / 256)
        piece[BLUE * STRIDE + i] *= F(blue) * F(1 / 256)
