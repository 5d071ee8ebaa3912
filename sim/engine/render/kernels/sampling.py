"""Looks into textures, the sky, the mirrored surroundings and the shadow map.

Helpers take plain arrays and numbers, no tuples of arrays and no slices: numba counts references
for those, which costs more than the work itself.
"""

from collections.abc import Callable
from typing import Final, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sim.engine.render.kernels.options import FAST_PART

# float32 arithmetic in kernels; to the type checker it is a float like any other.
F: Final = cast("Callable[[float], float]", np.float32)
Rgb = tuple[float, float, float]


@njit(**FAST_PART)
def next_random(state: np.uint32) -> np.uint32:
    """One step of Marsaglia's xorshift; each is cut back to 32 bits, since numba widens shifts."""
    state = np.uint32(state ^ (state << np.uint32(13)))
    state = np.uint32(state ^ (state >> np.uint32(17)))
    return np.uint32(state ^ (state << np.uint32(5)))


@njit(**FAST_PART)
def fetch(texels: NDArray[np.uint32], base: int, width: int, u: float, v: float) -> Rgb:
    """Bilinear sample of the mip level that starts at `base`, repeating; rgb 0..255."""
    mask = width - 1
    scale = F(width * 256)
    fu, fv = int(u * scale) - 128, int(v * scale) - 128
    x0, y0 = (fu >> 8) & mask, (fv >> 8) & mask
    x1, y1 = (x0 + 1) & mask, (y0 + 1) & mask
    row0, row1 = base + y0 * width, base + y1 * width
    red, green, blue = _mix(texels, row0 + x0, row0 + x1, row1 + x0, row1 + x1, fu & 255, fv & 255)
    return red, green, blue


@njit(**FAST_PART)
def glance(texels: NDArray[np.uint32], width: int, u: float, v: float) -> Rgb:
    """Bilinear sample of a table that does not repeat, u and v 0..1; rgb 0..255."""
    scale, last = F(width * 256), (width << 8) - 257
    fu, fv = min(max(int(u * scale) - 128, 0), last), min(max(int(v * scale) - 128, 0), last)
    row = (fv >> 8) * width + (fu >> 8)
    red, green, blue = _mix(texels, row, row + 1, row + width, row + width + 1, fu & 255, fv & 255)
    return red, green, blue


@njit(**FAST_PART)
def _mix(texels: NDArray[np.uint32], i: int, j: int, k: int, n: int, a: int, b: int) -> Rgb:
    """Four texels by 8-bit weights; red and blue share one multiplication, 16 bits apart."""
    p, q = int(texels[np.uintp(i)]), int(texels[np.uintp(j)])
    r, s = int(texels[np.uintp(k)]), int(texels[np.uintp(n)])
    ws = (a * b) >> 8
    wq, wr = a - ws, b - ws
    wp = 256 - a - wr
    pair = 0xFF00FF
    both = (p & pair) * wp + (q & pair) * wq + (r & pair) * wr + (s & pair) * ws
    green = ((p >> 8) & 255) * wp + ((q >> 8) & 255) * wq
    green += ((r >> 8) & 255) * wr + ((s >> 8) & 255) * ws
    share = F(1 / 256)
    return F(both & 0xFFFF) * share, F(green) * share, F(both >> 16) * share


@njit(**FAST_PART)
def octahedral(x: float, y: float, z: float) -> tuple[float, float]:
    """Place of a direction in an octahedral table, u and v 0..1.

    Cigolle et al., A Survey of Efficient Representations for Independent Unit Vectors, 2014.
    """
    scale = F(0.5) / (abs(x) + abs(y) + abs(z))
    u, v = x * scale, y * scale
    if z < 0:
        u, v = (
            (F(0.5) - abs(v)) if u >= 0 else (abs(v) - F(0.5)),
            (F(0.5) - abs(u)) if v >= 0 else (abs(u) - F(0.5)),
        )
    return u + F(0.5), v + F(0.5)
