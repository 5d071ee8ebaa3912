"""The compiled loop of optical flow."""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

MOST: Final = 2.0  # of a component, as CARLA's 16 bits hold it
SKY_TAG: Final = 11  # CityObjectLabel


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def write_flow(
    depth: NDArray[np.float32],
    instance: NDArray[np.uint32],
    semantic: NDArray[np.uint8],
    ids: NDArray[np.uint32],
    to: NDArray[np.float64],
    flow: NDArray[np.float32],
) -> None:
    """Fill `flow`; `to[k]` (3, 4) takes (u, v, 1) x depth to the old picture's pixels.

    `to[0]` is for what stands still, `to[k + 1]` for instance `ids[k]`, sorted.
    """
    height, width = depth.shape
    for row in range(height):
        last = np.uint32(0)
        m = to[0]
        for column in range(width):
            if instance[row, column] != last:
                last = instance[row, column]
                place = np.searchsorted(ids, last)
                is_moving = place < len(ids) and ids[place] == last
                m = to[place + 1] if is_moving else to[0]
            u, v = column + 0.5, row + 0.5
            x = m[0, 0] * u + m[0, 1] * v + m[0, 2]
            y = m[1, 0] * u + m[1, 1] * v + m[1, 2]
            w = m[2, 0] * u + m[2, 1] * v + m[2, 2]
            if semantic[row, column] != SKY_TAG:  # the sky is too far for a shift to show
                near = 1.0 / depth[row, column]
                x, y, w = x + m[0, 3] * near, y + m[1, 3] * near, w + m[2, 3] * near
            if w > 1e-6:
                right, up = 2.0 * (u - x / w) / width, -2.0 * (v - y / w) / height
                flow[row, column, 0] = min(max(right, -MOST), MOST)
                flow[row, column, 1] = min(max(up, -MOST), MOST)
