"""The lens and sensor: edges blended, then noise; ids and depth are never touched."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sim.engine.render.kernels.sampling import F, next_random


@njit(cache=True, nogil=True, error_model="numpy")
def finish(
    rows: tuple[int, int],
    source: NDArray[np.uint8],
    surface: NDArray[np.int32],
    noise: float,
    seed: int,
    out: NDArray[np.uint8],
) -> None:
    """Blend each pixel with its neighbours across surface edges and add sensor noise.

    Args:
        rows: first row and row after the last.
        source: (H, W, 3) uint8.
        surface: (H, W) int32, equal where no edge is.
        noise: amplitude of the triangular noise, grey levels; raising it costs recall far away.
        seed: picture's own; the noise follows from it and the row alone.
        out: (H, W, 3) uint8, another array than source.
    """
    height, width = surface.shape
    for y in range(rows[0], rows[1]):
        state = np.uint32(seed * 7919 + y * 104729 + 1)
        for x in range(width):
            mine = surface[y, x]
            blue, green, red = (
                4 * int(source[y, x, 0]),
                4 * int(source[y, x, 1]),
                4 * int(source[y, x, 2]),
            )
            weight = 4
            for side in range(4):
                ny = y + (side == 0) - (side == 1)
                nx = x + (side == 2) - (side == 3)
                if 0 <= ny < height and 0 <= nx < width and surface[ny, nx] != mine:
                    blue += int(source[ny, nx, 0])
                    green += int(source[ny, nx, 1])
                    red += int(source[ny, nx, 2])
                    weight += 1
            state = next_random(state)
            grain = int(state & np.uint32(1023)) + int((state >> np.uint32(10)) & 1023) - 1023
            offset = F(grain) * F(noise / 1023.0) + F(0.5)
            share = F(1) / F(weight)
            out[y, x, 0] = np.uint8(min(max(F(blue) * share + offset, F(0)), F(255)))
            out[y, x, 1] = np.uint8(min(max(F(green) * share + offset, F(0)), F(255)))
            out[y, x, 2] = np.uint8(min(max(F(red) * share + offset, F(0)), F(255)))
