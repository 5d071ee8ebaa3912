"""Looks into textures, the sky, the mirrored surroundings and the shadow map.

Helpers take plain arrays and numbers, no tuples of arrays and no slices: numba counts references
for those, which costs more than the work itself.
"""

import math
from collections.abc import Callable
from typing import Any, Final, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

# float32 arithmetic in kernels; to the type checker it is a float like any other.
F: Final = cast("Callable[[float], float]", np.float32)
Rgb = tuple[float, float, float]
FAST: Final[dict[str, Any]] = {
    "cache": True,
    "nogil": True,
    "fastmath": True,
    "error_model": "numpy",
}


@njit(**FAST)
def next_random(state: np.uint32) -> np.uint32:
    """One step of Marsaglia's xorshift; each is cut back to 32 bits, since numba widens shifts."""
    state = np.uint32(state ^ (state << np.uint32(13)))
    state = np.uint32(state ^ (state >> np.uint32(17)))
    return np.uint32(state ^ (state << np.uint32(5)))


@njit(**FAST)
def fetch(texels: NDArray[np.uint32], base: int, width: int, u: float, v: float) -> Rgb:
    """Bilinear sample of the mip level that starts at `base`; rgb 0..255."""
    mask = width - 1
    fu, fv = F(u * width) - F(0.5), F(v * width) - F(0.5)
    left, top = math.floor(fu), math.floor(fv)
    # 8-bit weights; red and blue share one multiplication, 16 bits apart.
    a, b = int((fu - left) * F(256)), int((fv - top) * F(256))
    x0, y0 = int(left) & mask, int(top) & mask
    x1, y1 = (x0 + 1) & mask, (y0 + 1) & mask
    p, q = int(texels[base + y0 * width + x0]), int(texels[base + y0 * width + x1])
    r, s = int(texels[base + y1 * width + x0]), int(texels[base + y1 * width + x1])
    pair = 0xFF00FF
    high = (((p & pair) * (256 - a) + (q & pair) * a) >> 8) & pair
    low = (((r & pair) * (256 - a) + (s & pair) * a) >> 8) & pair
    both = ((high * (256 - b) + low * b) >> 8) & pair
    above = ((p >> 8) & 255) * (256 - a) + ((q >> 8) & 255) * a
    below = ((r >> 8) & 255) * (256 - a) + ((s >> 8) & 255) * a
    green = (above * (256 - b) + below * b) >> 16
    return F(both & 255), F(green), F(both >> 16)


@njit(**FAST)
def sky_colour(
    texels: NDArray[np.uint32], base: int, width: int, cloud: float, sun: Rgb, ray: Rgb
) -> Rgb:
    """Colour of the sky in a unit direction: a gradient and one flat layer of clouds."""
    x, y, z = ray
    up = max(z, F(0))
    scale = F(0.22) / (up + F(0.1))
    cover, glow, _ = fetch(texels, base, width, x * scale, y * scale)
    low = (F(1) - up) * (F(1) - up)
    low *= low
    cover = min(cover * F(1 / 255) * cloud * F(1.6) * (F(1) - low * low), F(0.92))
    red, green, blue = F(88) + F(124) * low, F(138) + F(86) * low, F(204) + F(30) * low
    white = F(196) + glow * F(0.22)
    red += (white - red) * cover
    green += (white - green) * cover
    blue += (white + F(3) - blue) * cover
    towards = x * sun[0] + y * sun[1] + z * sun[2]
    if towards > F(0.9):
        glare = (towards - F(0.9)) * F(10)
        glare = glare * glare * F(90)
        red, green, blue = red + glare, green + glare, blue + glare * F(0.8)
    return red, green, blue


@njit(**FAST)
def reflection(
    texels: NDArray[np.uint32], base: int, width: int, x: float, y: float, z: float
) -> Rgb:
    """What a surface mirrors from a direction, by octahedral mapping."""
    scale = F(0.5) / (abs(x) + abs(y) + abs(z))
    u, v = x * scale, y * scale
    if z < 0:
        u, v = (
            (F(0.5) - abs(v)) if u >= 0 else (abs(v) - F(0.5)),
            (F(0.5) - abs(u)) if v >= 0 else (abs(u) - F(0.5)),
        )
    red, green, blue = fetch(texels, base, width, u + F(0.5), v + F(0.5))
    return red, green, blue


@njit(**FAST)
def sunlit(shadow: NDArray[np.float32], u: float, v: float, near: float) -> float:
    """Share of the sun that reaches a point of the map, 0..1; 1 outside of it.

    Args:
        shadow: (S, S) nearness of what the sun meets first.
        u: column, in cells.
        v: row.
        near: the point's own nearness, bias added.
    """
    last = shadow.shape[0] - 2
    u -= F(0.5)
    v -= F(0.5)
    column, row = int(u), int(v)
    if u < 0 or v < 0 or column > last or row > last:
        return F(1)
    a, b = u - column, v - row
    lit = F(0)
    if shadow[row, column] < near:
        lit += (F(1) - a) * (F(1) - b)
    if shadow[row, column + 1] < near:
        lit += a * (F(1) - b)
    if shadow[row + 1, column] < near:
        lit += (F(1) - a) * b
    if shadow[row + 1, column + 1] < near:
        lit += a * b
    return lit
