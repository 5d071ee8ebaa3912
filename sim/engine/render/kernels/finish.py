"""The lens and sensor: edges blended, then noise; ids and depth are never touched."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sim.engine.render.kernels.options import FAST, FAST_PART
from sim.engine.render.kernels.pieces import GRAIN_SIZE
from sim.engine.render.kernels.sampling import F


@njit(**FAST_PART)
def _add_noise(
    y: int,
    source: NDArray[np.uint8],
    grain: NDArray[np.int8],
    first: int,
    scale: float,
    out: NDArray[np.uint8],
) -> None:
    for x in range(source.shape[1]):
        value = F(source[y, x]) + F(grain[first + x]) * scale + F(0.5)
        out[y, x] = np.uint8(min(max(value, F(0)), F(255)))


@njit(**FAST_PART)
def _blend_edges(
    y: int,
    source: NDArray[np.uint8],
    surface: NDArray[np.int32],
    grain: NDArray[np.int8],
    first: int,
    scale: float,
    out: NDArray[np.uint8],
) -> None:
    """Mix a pixel with its neighbours of other surfaces, itself counted four times."""
    height, width = surface.shape
    above, below = max(y - 1, 0), min(y + 1, height - 1)
    for x in range(width):
        mine = surface[y, x]
        left, right = max(x - 1, 0), min(x + 1, width - 1)
        a, b = int(surface[above, x] != mine), int(surface[below, x] != mine)
        c, d = int(surface[y, left] != mine), int(surface[y, right] != mine)
        weight = a + b + c + d
        if not weight:
            continue
        share = F(1) / F(4 + weight)
        for k in range(3):
            i = 3 * x + k
            total = 4 * int(source[y, i]) + a * int(source[above, i]) + b * int(source[below, i])
            total += c * int(source[y, 3 * left + k]) + d * int(source[y, 3 * right + k])
            value = F(total) * share + F(grain[first + i]) * scale + F(0.5)
            out[y, i] = np.uint8(min(max(value, F(0)), F(255)))


@njit(**FAST)
def finish(
    rows: tuple[int, int],
    source: NDArray[np.uint8],
    surface: NDArray[np.int32],
    grain: NDArray[np.int8],
    noise: float,
    seed: int,
    out: NDArray[np.uint8],
) -> None:
    """Blend each pixel with its neighbours across surface edges and add sensor noise.

    Args:
        rows: first row and row after the last.
        source: (H, 3 W) uint8.
        surface: (H, W) int32, equal where no edge is.
        grain: (3 (GRAIN_SIZE + W),) int8 or more, noise of -127..127, alike in a pixel's channels.
        noise: amplitude of the noise, grey levels; raising it costs recall far away.
        seed: picture's own; the noise follows from it and the row alone.
        out: (H, 3 W) uint8, another array than source.
    """
    scale = F(noise) * F(1 / 127)
    for y in range(rows[0], rows[1]):
        first = 3 * ((seed * 7919 + y * 104729) & (GRAIN_SIZE - 1))
        _add_noise(y, source, grain, first, scale, out)
        _blend_edges(y, source, surface, grain, first, scale, out)
