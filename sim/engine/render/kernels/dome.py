"""The sky and what things mirror, as octahedral tables made anew when the weather changes."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sim.engine.render.kernels.layout import DOME_SIZE, MIRROR_SIZE
from sim.engine.render.kernels.options import FAST, FAST_PART
from sim.engine.render.kernels.sampling import F, Rgb, fetch

# Places in the numbers that describe a sky; three-channel values are red, green, blue.
ZENITH, HORIZON, CLOUD_LIGHT, GLARE, FOG = 0, 3, 6, 9, 12
COVER, FOG_DEPTH, STARS, GLARE_WIDTH = 15, 16, 17, 18
STREET = 19  # 3: factor on the mirrored street
SKY_NUMBERS = 22


@njit(**FAST_PART)
def _pack(red: float, green: float, blue: float) -> int:
    r = int(min(max(red, F(0)), F(255)) + F(0.5))
    g = int(min(max(green, F(0)), F(255)) + F(0.5))
    b = int(min(max(blue, F(0)), F(255)) + F(0.5))
    return r | g << 8 | b << 16 | 255 << 24


@njit(**FAST_PART)
def _direction(column: int, row: int, size: int) -> Rgb:
    """Unit vector of a cell of an octahedral table."""
    u, v = (column + F(0.5)) * F(2) / size - F(1), (row + F(0.5)) * F(2) / size - F(1)
    z = F(1) - abs(u) - abs(v)
    x, y = u, v
    if z < 0:
        x = (F(1) - abs(v)) if u >= 0 else (abs(v) - F(1))
        y = (F(1) - abs(u)) if v >= 0 else (abs(u) - F(1))
    unit = F(1) / math.sqrt(x * x + y * y + z * z)
    return x * unit, y * unit, z * unit


@njit(**FAST_PART)
def _sky_colour(
    texels: NDArray[np.uint32],
    base: int,
    width: int,
    numbers: NDArray[np.float32],
    sun: NDArray[np.float32],
    ray: Rgb,
) -> Rgb:
    """Colour of the sky in a unit direction: a gradient, one flat layer of clouds, fog."""
    x, y, z = ray
    up = max(z, F(0))
    scale = F(0.22) / (up + F(0.1))
    veil, glow, _ = fetch(texels, base, width, x * scale, y * scale)
    low = (F(1) - up) * (F(1) - up)
    low *= low
    cover, amount = F(0), numbers[COVER]
    if amount > 0:
        # A fuller sky takes in what the texture holds between its clouds, too.
        thick = veil * F(1 / 255) * min(amount, F(1)) * F(1.6) + F(1.4) * max(amount - F(0.7), F(0))
        fade = F(1) - low * low * (F(1) - max(amount - F(0.7), F(0)) * F(3))
        cover = min(max(thick * fade, F(0)), F(0.92) + F(0.08) * min(amount, F(1)))
    towards = x * sun[0] + y * sun[1] + z * sun[2]
    glare = max(towards - numbers[GLARE_WIDTH], F(0)) / (F(1) - numbers[GLARE_WIDTH])
    glare *= glare * (F(1) - F(0.85) * cover)
    shine = F(0.86) + glow * F(0.22 / 196)
    out_r, out_g, out_b = F(0), F(0), F(0)
    fog = F(1) - math.exp(-numbers[FOG_DEPTH] / (up + F(0.03)))
    for k in range(3):
        value = numbers[ZENITH + k] + (numbers[HORIZON + k] - numbers[ZENITH + k]) * low
        value += (numbers[CLOUD_LIGHT + k] * shine - value) * cover
        value += glare * numbers[GLARE + k]
        value += (numbers[FOG + k] - value) * fog
        if k == 0:
            out_r = value
        elif k == 1:
            out_g = value
        else:
            out_b = value
    return out_r, out_g, out_b


@njit(**FAST)
def paint_dome(
    texels: NDArray[np.uint32],
    clouds: int,
    clouds_width: int,
    street: int,
    numbers: NDArray[np.float32],
    sun: NDArray[np.float32],
    sky: NDArray[np.uint32],
    mirror: NDArray[np.uint32],
) -> None:
    """Write both tables; `street` is the texture of the surroundings, `MIRROR_SIZE` wide."""
    for row in range(DOME_SIZE):
        for column in range(DOME_SIZE):
            ray = _direction(column, row, DOME_SIZE)
            r, g, b = _sky_colour(texels, clouds, clouds_width, numbers, sun, ray)
            sky[row * DOME_SIZE + column] = _pack(r, g, b)
    for row in range(MIRROR_SIZE):
        for column in range(MIRROR_SIZE):
            texel = int(texels[street + row * MIRROR_SIZE + column])
            share = F(texel >> 24) * F(1 / 255)  # alpha: how much of the sky one sees
            ray = _direction(column, row, MIRROR_SIZE)
            r, g, b = _sky_colour(texels, clouds, clouds_width, numbers, sun, ray)
            sr, sg, sb = F(texel & 255), F((texel >> 8) & 255), F((texel >> 16) & 255)
            sr, sg, sb = sr * numbers[STREET], sg * numbers[STREET + 1], sb * numbers[STREET + 2]
            mirror[row * MIRROR_SIZE + column] = _pack(
                sr + (r * F(1.06) - sr) * share, sg + (g - sg) * share, sb + (b - sb) * share
            )
