"""What shading needs of each visible triangle, set up once a picture whatever its runs and rows.

An attribute over depth is linear on the screen: attribute = (A x + B y + C) * depth, with x and y
counted from the triangle's own corner of the picture, which keeps float32 exact enough.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sim.engine.render.kernels.layout import (
    FLAG_TEXT,
    NIGHT,
    WET,
    Drawn,
    Geometry,
    Looks,
    SetUp,
)
from sim.engine.render.kernels.options import FAST, FAST_PART
from sim.engine.render.kernels.sampling import F

# Columns of `Looks.planes`; planes take three: A, B, C.
U, V, FACING, UP, NX, NY, NZ = 0, 3, 6, 9, 12, 15, 18
RED, GREEN, BLUE, SPECULAR, GLOW, SPREAD = 21, 22, 23, 24, 25, 26
OFF_U, OFF_V, OFF_NEAR = 27, 28, 29  # how far the look into the shadow map is moved
# Columns of `Looks.marks`.
TEXTURE, IS_TEXT, DRAWN, SURFACE, LEFT, ABOVE, WHOLE_U, WHOLE_V = range(8)

NIGHT_LAMP = 40  # `scene.NIGHT_LAMP`
SOAKS = (1, 2, 24, 25)  # tags that rain darkens: Roads, Sidewalks, RoadLines, Ground


@njit(**FAST_PART)
def _is_glowing(lamp: int, lamps: int, is_night: bool) -> bool:
    """Whether a lamp burns; 64 stands for `LAMP_STATE`."""
    if lamp == 0:
        return True
    if lamp == NIGHT_LAMP:
        return is_night
    if lamp < 64:
        return bool((lamps >> (lamp - 1)) & 1)
    return bool(lamps == lamp - 64)


@njit(**FAST)
def find_seen(owner: NDArray[np.int32], row: NDArray[np.int32], source: NDArray[np.int32]) -> int:
    """Number the triangles that own a pixel; returns how many.

    Args:
        owner: (H, W) row of the set-up triangles, -1 for the sky.
        row: (M,) gets each triangle's number, -1 for none.
        source: (N,) gets the triangle of each number.
    """
    row[:] = -1
    found = 0
    for y in range(owner.shape[0]):
        last = -1
        for x in range(owner.shape[1]):
            m = owner[y, x]
            if m != last and m >= 0 and row[m] < 0:
                row[m] = found
                source[found] = m
                found += 1
            last = m
    return found


@njit(**FAST)
def write_looks(
    rows: tuple[int, int],
    triangles: SetUp,
    drawn: Drawn,
    geometry: Geometry,
    textures: NDArray[np.int32],
    numbers: NDArray[np.float32],
    sun: NDArray[np.float32],
    towards: NDArray[np.float32],
    map_of: NDArray[np.float32],
    looks: Looks,
) -> None:
    """Write the rows of `looks` from first to before last.

    Args:
        textures: (T,) width of each texture.
        numbers, sun, towards: of `Light`.
        map_of: of `Lens`.
    """
    planes, marks = looks.planes, looks.marks
    edges, bounds = triangles.planes, triangles.bounds
    uv, normals, colour = geometry.uv, geometry.normals, geometry.colour
    tint, rotation = drawn.tint, drawn.rotation
    wet, is_night = numbers[WET], numbers[NIGHT] > 0
    for n in range(rows[0], rows[1]):
        m = looks.source[n]
        q, triangle = triangles.source[m, 0], triangles.source[m, 1]
        first, texture = drawn.vertex_range[q, 0], geometry.texture[triangle]
        x, y = bounds[m, 0], bounds[m, 2]
        for k in range(U, NZ + 3):
            planes[n, k] = 0.0
        inverse = edges[m, 12]
        a = first + geometry.triangles[triangle, 0]
        b = first + geometry.triangles[triangle, 1]
        c = first + geometry.triangles[triangle, 2]
        # Planes of u, v, the normal, its part towards the sun, and where its shadow is looked up.
        # Textures repeat: whole repeats less leave more digits for the rest.
        whole_u, whole_v = math.floor(uv[a, 0]), math.floor(uv[a, 1])
        mean_x, mean_y, mean_z = 0.0, 0.0, 0.0
        for k in range(3):
            slope, fall = edges[m, 3 * k] * inverse, edges[m, 3 * k + 1] * inverse
            value = edges[m, 3 * k + 2] * inverse + slope * x + fall * y
            vertex = first + geometry.triangles[triangle, k]
            nx, ny, nz = normals[vertex, 0], normals[vertex, 1], normals[vertex, 2]
            wx = rotation[q, 0, 0] * nx + rotation[q, 0, 1] * ny + rotation[q, 0, 2] * nz
            wy = rotation[q, 1, 0] * nx + rotation[q, 1, 1] * ny + rotation[q, 1, 2] * nz
            wz = rotation[q, 2, 0] * nx + rotation[q, 2, 1] * ny + rotation[q, 2, 2] * nz
            mean_x, mean_y, mean_z = mean_x + wx / 3, mean_y + wy / 3, mean_z + wz / 3
            facing = wx * sun[0] + wy * sun[1] + wz * sun[2]
            values = (F(uv[vertex, 0] - whole_u), F(uv[vertex, 1] - whole_v), F(facing), F(wz),
                      F(wx), F(wy), F(wz))  # fmt: skip
            for j in range(7):  # U to NZ, three columns each
                planes[n, 3 * j] += slope * values[j]
                planes[n, 3 * j + 1] += fall * values[j]
                planes[n, 3 * j + 2] += value * values[j]
        # The look is moved off the surface by a map cell or two, more where the sun grazes it:
        # else the surface shades itself in waves.
        facing = mean_x * sun[0] + mean_y * sun[1] + mean_z * sun[2]
        away = 0.05 + 0.17 * (1.0 - min(facing * facing, 1.0))
        for row in range(3):
            off = towards[row, 0] * mean_x + towards[row, 1] * mean_y
            planes[n, OFF_U + row] = (off + towards[row, 2] * mean_z) * away + map_of[row, 3]
        planes[n, OFF_NEAR] += 0.06
        # Colour, gloss and `SPREAD`: texels per pixel over depth to the power 1.5. A surface
        # element's area in pixels falls with depth cubed, and edges[m, 12] = 1 / det where
        # det / depth**3 is twice a triangle's pixels; texels over that, by the root, is exact.
        tag, dark = drawn.semantic_tag[q], 1.0
        if wet > 0.0 and (tag == SOAKS[0] or tag == SOAKS[1] or tag == SOAKS[2] or tag == SOAKS[3]):
            dark = 1.0 - 0.42 * wet
        for k in range(3):
            planes[n, RED + k] = colour[a, k] * (1.0 + colour[a, 3] * (tint[q, k] - 1.0)) * dark
        area = abs((uv[b, 0] - uv[a, 0]) * (uv[c, 1] - uv[a, 1])
                   - (uv[c, 0] - uv[a, 0]) * (uv[b, 1] - uv[a, 1]))  # fmt: skip
        planes[n, SPREAD] = math.sqrt(area * inverse) * textures[texture]
        planes[n, SPECULAR] = geometry.specular[triangle]
        glow = geometry.emissive[triangle]
        if glow > 0 and not _is_glowing(geometry.lamp[triangle], drawn.lamps[q], is_night):
            glow = 0.0
        planes[n, GLOW] = glow
        paint = planes[n, RED] * 63 + planes[n, GREEN] * 255 + planes[n, BLUE] * 637
        marks[n, TEXTURE], marks[n, DRAWN] = texture, q
        marks[n, SURFACE] = (q * 64 + texture) * 1024 + int(paint)
        marks[n, IS_TEXT] = geometry.flags[triangle] & FLAG_TEXT
        marks[n, LEFT], marks[n, ABOVE] = x, y
        marks[n, WHOLE_U], marks[n, WHOLE_V] = int(whole_u), int(whole_v)
