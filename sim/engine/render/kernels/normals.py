"""The direction that the surface in each pixel faces, from the visibility buffer."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sim.engine.render.kernels.layout import FLAG_TWO_SIDED, Drawn, Geometry, SetUp
from sim.engine.render.kernels.options import EXACT


@njit(**EXACT)
def write_normals(
    rows: tuple[int, int],
    owner: NDArray[np.int32],
    triangles: SetUp,
    drawn: Drawn,
    geometry: Geometry,
    ray_of: NDArray[np.float64],
    out: NDArray[np.float32],
) -> None:
    """Write out (H, W, 3): unit normals in world axes, zeros for the sky.

    The corners' normals are weighed by the edge functions, as in shading; what is seen from both
    sides is turned to the camera. `ray_of` (3, 3) maps a pixel (x, y, 1) to a world ray.
    """
    planes, source, rotation = triangles.planes, triangles.source, drawn.rotation
    corners = np.zeros((3, 3), np.float64)
    normal = np.zeros(3, np.float64)
    for y in range(rows[0], rows[1]):
        last = -1
        for x in range(owner.shape[1]):
            m = owner[y, x]
            if m < 0:
                out[y, x, 0] = out[y, x, 1] = out[y, x, 2] = 0.0
                continue
            q, triangle = source[m, 0], source[m, 1]
            if m != last:
                for k in range(3):
                    vertex = drawn.vertex_range[q, 0] + geometry.triangles[triangle, k]
                    for i in range(3):
                        total = 0.0
                        for j in range(3):
                            total += rotation[q, i, j] * geometry.normals[vertex, j]
                        corners[k, i] = total
                last = m
            normal[:] = 0.0
            for k in range(3):
                weight = planes[m, 3 * k] * x + planes[m, 3 * k + 1] * y + planes[m, 3 * k + 2]
                for i in range(3):
                    normal[i] += weight * corners[k, i]
            length = math.sqrt(normal[0] ** 2 + normal[1] ** 2 + normal[2] ** 2)
            if geometry.flags[triangle] & FLAG_TWO_SIDED:
                towards = 0.0
                for i in range(3):
                    along = ray_of[i, 0] * (x + 0.5) + ray_of[i, 1] * (y + 0.5) + ray_of[i, 2]
                    towards += along * normal[i]
                if towards > 0.0:
                    length = -length
            for i in range(3):
                out[y, x, i] = normal[i] / length if length != 0.0 else 0.0
