"""Light on a piece of a row: sun and shadow, sky, mirrored surroundings, air.

The material model is a lambertian surface under sun and sky plus mirrored surroundings by
Schlick's fresnel term; it aims at plausible pictures, not at radiometry.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sim.engine.render.kernels import looks as at
from sim.engine.render.kernels.layout import (
    AIR_COLOUR,
    FOG_PER_M,
    FOG_START,
    GAIN,
    HAZE_PER_M,
    SKY_LIGHT,
    SUN_LIGHT,
)
from sim.engine.render.kernels.options import FAST_PART
from sim.engine.render.kernels.pieces import (
    AIR,
    AMBIENT,
    BLOCK,
    BLUE,
    FACING,
    GLOW,
    GREEN,
    MAP_NEAR,
    MAP_U,
    MAP_V,
    RED,
    SHARE,
    SHINE,
    STRIDE,
    TEX_U,
    TEX_V,
    WITHIN,
)
from sim.engine.render.kernels.sampling import F, glance, octahedral


@njit(**FAST_PART)
def cast_shadows(
    count: int, shadow: NDArray[np.float32], side: int, piece: NDArray[np.float32]
) -> None:
    """Take the sun away from what another thing hides from it; four looks, bilinear.

    `shadow` holds `side` rows of as many cells, one after the other; beyond it the sun shines.
    """
    count &= WITHIN
    for block in range(0, count, BLOCK):
        brightest = F(0)
        for i in range(block, block + BLOCK):
            brightest = max(brightest, piece[FACING * STRIDE + i])
        if brightest <= 0:
            continue
        for i in range(block, block + BLOCK):
            u = piece[MAP_U * STRIDE + i] - F(0.5)
            v = piece[MAP_V * STRIDE + i] - F(0.5)
            inside = min(min(u, v), min(side - F(2) - u, side - F(2) - v))
            u, v = min(max(u, F(0)), side - F(2)), min(max(v, F(0)), side - F(2))
            column, row = np.int32(u), np.int32(v)
            a, b = u - column, v - row
            cell = row * np.int32(side) + column
            near = piece[MAP_NEAR * STRIDE + i]
            upper = (F(1) - a) if shadow[np.uintp(cell)] < near else F(0)
            upper += a if shadow[np.uintp(cell + 1)] < near else F(0)
            lower = (F(1) - a) if shadow[np.uintp(cell + side)] < near else F(0)
            lower += a if shadow[np.uintp(cell + side + 1)] < near else F(0)
            lit = upper + (lower - upper) * b
            piece[FACING * STRIDE + i] *= lit if inside >= 0 else F(1)


@njit(**FAST_PART)
def lay_light(count: int, numbers: NDArray[np.float32], piece: NDArray[np.float32]) -> None:
    """Sun, sky and own glow on the colours; sky counts more the more a surface looks up."""
    count &= WITHIN
    sun_r, sun_g, sun_b = numbers[SUN_LIGHT], numbers[SUN_LIGHT + 1], numbers[SUN_LIGHT + 2]
    sky_r, sky_g, sky_b = numbers[SKY_LIGHT], numbers[SKY_LIGHT + 1], numbers[SKY_LIGHT + 2]
    for i in range(count):
        sun = max(piece[FACING * STRIDE + i], F(0))
        sky, glow = piece[AMBIENT * STRIDE + i], piece[GLOW * STRIDE + i]
        piece[RED * STRIDE + i] *= sky * sky_r + sun * sun_r + glow
        piece[GREEN * STRIDE + i] *= sky * sky_g + sun * sun_g + glow
        piece[BLUE * STRIDE + i] *= sky * sky_b + sun * sun_b + glow


@njit(**FAST_PART)
def gloss(
    y: int,
    x: int,
    count: int,
    m: int,
    start: int,
    planes: NDArray[np.float32],
    marks: NDArray[np.int32],
    ray_of: NDArray[np.float32],
    sun: NDArray[np.float32],
    glint: float,
    piece: NDArray[np.float32],
) -> None:
    """What a run of paint or glass mirrors: where in the table, what share, and the sun's glint."""
    start, count = start & WITHIN, count & WITHIN
    down, specular = F(y - marks[m, at.ABOVE]), planes[m, at.SPECULAR]
    a, b, c = planes[m, at.NX], planes[m, at.NY], planes[m, at.NZ]
    right = F(x - marks[m, at.LEFT])
    nx0 = planes[m, at.NX + 1] * down + planes[m, at.NX + 2] + a * right
    ny0 = planes[m, at.NY + 1] * down + planes[m, at.NY + 2] + b * right
    nz0 = planes[m, at.NZ + 1] * down + planes[m, at.NZ + 2] + c * right
    px, py = x + F(0.5), y + F(0.5)
    dx0 = ray_of[0, 0] * px + ray_of[0, 1] * py + ray_of[0, 2]
    dy0 = ray_of[1, 0] * px + ray_of[1, 1] * py + ray_of[1, 2]
    dz0 = ray_of[2, 0] * px + ray_of[2, 1] * py + ray_of[2, 2]
    sx, sy, sz, across_x, across_y, across_z = (
        sun[0], sun[1], sun[2], ray_of[0, 0], ray_of[1, 0], ray_of[2, 0])  # fmt: skip
    for k in range(count):
        i, step = start + k, F(k)
        nx, ny, nz = nx0 + a * step, ny0 + b * step, nz0 + c * step
        dx, dy, dz = dx0 + across_x * step, dy0 + across_y * step, dz0 + across_z * step
        unit = F(1) / math.sqrt(max(nx * nx + ny * ny + nz * nz, F(1e-20)))
        nx, ny, nz = nx * unit, ny * unit, nz * unit
        unit = F(1) / math.sqrt(dx * dx + dy * dy + dz * dz)
        dx, dy, dz = dx * unit, dy * unit, dz * unit
        towards = nx * dx + ny * dy + nz * dz
        rx = dx - F(2) * towards * nx
        ry = dy - F(2) * towards * ny
        rz = dz - F(2) * towards * nz
        graze = F(1) - min(max(-towards, F(0)), F(1))
        graze *= graze
        spot = max(rx * sx + ry * sy + rz * sz - F(0.94), F(0)) * F(1 / 0.06)
        spot *= spot
        lit = glint if piece[FACING * STRIDE + i] > F(1e-6) else F(0)
        u, v = octahedral(rx, ry, rz)
        piece[SHARE * STRIDE + i] = specular * (F(0.1) + F(0.75) * graze * graze)
        piece[SHINE * STRIDE + i] = spot * spot * lit * specular
        piece[TEX_U * STRIDE + i] = u
        piece[TEX_V * STRIDE + i] = v


@njit(**FAST_PART)
def lay_mirror(
    start: int, count: int, mirror: NDArray[np.uint32], side: int, piece: NDArray[np.float32]
) -> None:
    """Lay what `_gloss` found over a run."""
    start, count = start & WITHIN, count & WITHIN
    for i in range(start, start + count):
        red, green, blue = glance(
            mirror, side, piece[TEX_U * STRIDE + i], piece[TEX_V * STRIDE + i]
        )
        share, shine = piece[SHARE * STRIDE + i], piece[SHINE * STRIDE + i]
        piece[RED * STRIDE + i] += (red - piece[RED * STRIDE + i]) * share + shine
        piece[GREEN * STRIDE + i] += (green - piece[GREEN * STRIDE + i]) * share + shine
        piece[BLUE * STRIDE + i] += (blue - piece[BLUE * STRIDE + i]) * share + shine * F(0.92)


@njit(**FAST_PART)
def _squeeze(value: float) -> float:
    """Roll highlights off above 200 towards 255."""
    return min(max(value, F(0)), F(255) - F(3025) / (max(value, F(200)) - F(145)))


@njit(**FAST_PART)
def through_air(count: int, numbers: NDArray[np.float32], piece: NDArray[np.float32]) -> None:
    """Haze and fog, the exposure, and highlights above 200 rolled off towards 255."""
    count &= WITHIN
    air_r, air_g, air_b = numbers[AIR_COLOUR], numbers[AIR_COLOUR + 1], numbers[AIR_COLOUR + 2]
    haze, fog, begin, gain = (
        numbers[HAZE_PER_M],
        numbers[FOG_PER_M],
        numbers[FOG_START],
        numbers[GAIN],
    )
    for i in range(count):
        distance = piece[AIR * STRIDE + i]
        thin = haze * distance + fog * max(distance - begin, F(0))
        # 1 - exp(-thin) by a quotient of polynomials: no call in the loop.
        power = F(1) + thin * (F(1) + thin * (F(0.48) + thin * F(0.235)))
        share = (F(1) - F(1) / power) * gain
        rest = gain / power
        red = piece[RED * STRIDE + i] * rest + air_r * share
        green = piece[GREEN * STRIDE + i] * rest + air_g * share
        blue = piece[BLUE * STRIDE + i] * rest + air_b * share
        piece[RED * STRIDE + i] = _squeeze(red)
        piece[GREEN * STRIDE + i] = _squeeze(green)
        piece[BLUE * STRIDE + i] = _squeeze(blue)
