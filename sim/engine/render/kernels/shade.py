"""Deferred shading: a colour, depth and ids for every pixel of the visibility buffer.

Attributes over depth are linear on the screen, so each run of pixels of one triangle needs its
planes once: attribute = (slope * x + value) * depth. Colours are 0..255 throughout. The material
model is a lambertian surface under sun and sky plus a mirrored environment by Schlick's fresnel
term; it aims at plausible pictures, not at radiometry.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sim.engine.render.kernels.layout import (
    SKY_DEPTH_M,
    Atlas,
    Drawn,
    Geometry,
    Light,
    SetUp,
    Target,
)

F = np.float32
Rgb = tuple[float, float, float]
FAST = {"cache": True, "nogil": True, "fastmath": True, "error_model": "numpy"}


@njit(**FAST)
def fetch(atlas: Atlas, texture: int, u: float, v: float, level: int) -> Rgb:
    """Bilinear sample of a repeating texture; rgb 0..255."""
    width = atlas.size[texture] >> level
    mask = width - 1
    fu, fv = F(u * width) - F(0.5), F(v * width) - F(0.5)
    left, top = math.floor(fu), math.floor(fv)
    # 8-bit weights; red and blue share one multiplication, 16 bits apart.
    a, b = np.int64((fu - left) * F(256)), np.int64((fv - top) * F(256))
    x0, y0 = np.int64(left) & mask, np.int64(top) & mask
    x1, y1 = (x0 + 1) & mask, (y0 + 1) & mask
    base = atlas.offset[texture, level]
    p = np.int64(atlas.texels[base + y0 * width + x0])
    q = np.int64(atlas.texels[base + y0 * width + x1])
    r = np.int64(atlas.texels[base + y1 * width + x0])
    s = np.int64(atlas.texels[base + y1 * width + x1])
    pair = 0xFF00FF
    high = (((p & pair) * (256 - a) + (q & pair) * a) >> 8) & pair
    low = (((r & pair) * (256 - a) + (s & pair) * a) >> 8) & pair
    both = ((high * (256 - b) + low * b) >> 8) & pair
    above = ((p >> 8) & 255) * (256 - a) + ((q >> 8) & 255) * a
    below = ((r >> 8) & 255) * (256 - a) + ((s >> 8) & 255) * a
    green = (above * (256 - b) + below * b) >> 16
    return F(both & 255), F(green), F(both >> 16)


@njit(**FAST)
def _sky(atlas: Atlas, light: Light, x: float, y: float, z: float) -> Rgb:
    """Colour of the sky in a unit direction: a gradient and one flat layer of clouds."""
    up = max(z, F(0))
    scale = F(0.22) / (up + F(0.1))
    cover, glow, _ = fetch(atlas, light.cloud_texture, x * scale, y * scale, 0)
    low = (F(1) - up) * (F(1) - up)
    low *= low
    cover *= F(1 / 255) * F(light.cloud) * F(1.6) * (F(1) - low * low)
    cover = min(cover, F(0.92))
    red, green, blue = F(88) + F(124) * low, F(138) + F(86) * low, F(204) + F(30) * low
    cloud = F(196) + glow * F(0.22)
    red += (cloud - red) * cover
    green += (cloud - green) * cover
    blue += (cloud + F(3) - blue) * cover
    towards = x * light.sun[0] + y * light.sun[1] + z * light.sun[2]
    if towards > F(0.9):
        glare = (towards - F(0.9)) * F(10)
        glare = glare * glare * F(90)
        red, green, blue = red + glare, green + glare, blue + glare * F(0.8)
    return red, green, blue


@njit(**FAST)
def _environment(atlas: Atlas, light: Light, x: float, y: float, z: float, level: int) -> Rgb:
    """What a surface reflects from a unit direction, by octahedral mapping."""
    scale = F(1) / (abs(x) + abs(y) + abs(z))
    u, v = x * scale, y * scale
    if z < 0:
        u, v = (
            (F(1) - abs(v)) * (F(1) if u >= 0 else F(-1)),
            (F(1) - abs(u)) * (F(1) if v >= 0 else F(-1)),
        )
    return fetch(atlas, light.environment_texture, u * F(0.5) + F(0.5), v * F(0.5) + F(0.5), level)


@njit(**FAST)
def _sunlit(light: Light, x: float, y: float, z: float, facing: float) -> float:
    """Share of the sun that reaches a world point, 0..1: a bilinear 2 x 2 look in the map."""
    m = light.shadow_from_world
    last = light.shadow.shape[0] - 2
    u = F(m[0, 0] * x + m[0, 1] * y + m[0, 2] * z + m[0, 3]) - F(0.5)
    v = F(m[1, 0] * x + m[1, 1] * y + m[1, 2] * z + m[1, 3]) - F(0.5)
    column, row = int(u), int(v)
    if u < 0 or v < 0 or column > last or row > last:
        return F(1)
    bias = F(0.06) + F(0.22) * (F(1) - facing)  # metres; a map cell is 0.12 m wide
    near = F(m[2, 0] * x + m[2, 1] * y + m[2, 2] * z + m[2, 3]) + bias
    a, b = u - column, v - row
    lit = F(0)
    if light.shadow[row, column] < near:
        lit += (F(1) - a) * (F(1) - b)
    if light.shadow[row, column + 1] < near:
        lit += a * (F(1) - b)
    if light.shadow[row + 1, column] < near:
        lit += (F(1) - a) * b
    if light.shadow[row + 1, column + 1] < near:
        lit += a * b
    return lit


@njit(**FAST)
def _is_glowing(lamp: int, lamps: int) -> bool:
    """Whether a lamp burns; 64 stands for `LAMP_STATE`."""
    if lamp == 0:
        return True
    if lamp < 64:
        return bool((lamps >> (lamp - 1)) & 1)
    return bool(lamps == lamp - 64)


@njit(**FAST)
def _start_run(
    y: int,
    m: int,
    triangles: SetUp,
    drawn: Drawn,
    geometry: Geometry,
    run: NDArray[np.float64],
) -> None:
    """Write slope and value along row y of u, v and the world normal over depth to run (5, 2)."""
    p = triangles.planes[m]
    q, triangle = triangles.source[m, 0], triangles.source[m, 1]
    first = drawn.vertex_range[q, 0]
    rotation = drawn.rotation[q]
    run[:] = 0.0
    for k in range(3):
        slope = p[3 * k] * p[12]
        value = (p[3 * k + 1] * y + p[3 * k + 2]) * p[12]
        vertex = first + geometry.triangles[triangle, k]
        u, v = geometry.uv[vertex, 0], geometry.uv[vertex, 1]
        run[0, 0] += slope * u
        run[0, 1] += value * u
        run[1, 0] += slope * v
        run[1, 1] += value * v
        nx, ny, nz = (
            geometry.normals[vertex, 0],
            geometry.normals[vertex, 1],
            geometry.normals[vertex, 2],
        )
        for row in range(3):
            n = rotation[row, 0] * nx + rotation[row, 1] * ny + rotation[row, 2] * nz
            run[2 + row, 0] += slope * n
            run[2 + row, 1] += value * n


@njit(**FAST)
def _texel_spread(m: int, triangles: SetUp, drawn: Drawn, geometry: Geometry, size: int) -> float:
    """Texels per pixel of a triangle times depth to the power -1.5.

    Twice the triangle's area in texels over its area in pixels, both exact: the pixel area of a
    surface element falls with depth cubed, det / (W_a W_b W_c) being twice that of the triangle.
    """
    q, triangle = triangles.source[m, 0], triangles.source[m, 1]
    first = drawn.vertex_range[q, 0]
    ia, ib, ic = (
        geometry.triangles[triangle, 0],
        geometry.triangles[triangle, 1],
        geometry.triangles[triangle, 2],
    )
    uv = geometry.uv
    texels = abs(
        (uv[first + ib, 0] - uv[first + ia, 0]) * (uv[first + ic, 1] - uv[first + ia, 1])
        - (uv[first + ic, 0] - uv[first + ia, 0]) * (uv[first + ib, 1] - uv[first + ia, 1])
    )
    return math.sqrt(texels * triangles.planes[m, 12]) * size


@njit(**FAST)
def _squeeze(value: float) -> np.uint8:
    """Roll highlights off above 200 and cut to a byte."""
    if value > F(200):
        value = F(200) + F(55) * (F(1) - F(1) / (F(1) + (value - F(200)) * F(1 / 55)))
    return np.uint8(max(value, F(0)))


@njit(**FAST)
def _lit_colour(
    atlas: Atlas,
    light: Light,
    albedo: Rgb,
    normal: Rgb,
    ray: Rgb,
    lit: float,
    specular: float,
) -> Rgb:
    """Colour of a surface under sun and sky.

    Args:
        atlas: textures.
        light: sun and air.
        albedo: rgb 0..255.
        normal: unit, world.
        ray: unit, from the camera, world.
        lit: share of the sun.
        specular: 0..1.
    """
    red, green, blue = albedo
    nx, ny, nz = normal
    facing = max(nx * light.sun[0] + ny * light.sun[1] + nz * light.sun[2], F(0))
    sky = F(0.46) + F(0.2) * nz
    sun = F(0.86) * facing * lit
    red *= sky * F(0.96) + sun * F(1.06)
    green *= sky + sun
    blue *= sky * F(1.1) + sun * F(0.92)
    if specular <= 0:
        return red, green, blue
    towards = -(nx * ray[0] + ny * ray[1] + nz * ray[2])
    rx, ry, rz = (
        ray[0] + F(2) * towards * nx,
        ray[1] + F(2) * towards * ny,
        ray[2] + F(2) * towards * nz,
    )
    graze = F(1) - min(max(towards, F(0)), F(1))
    graze *= graze
    share = specular * (F(0.1) + F(0.75) * graze * graze)
    er, eg, eb = _environment(atlas, light, rx, ry, rz, 1)
    dim = F(1) - share
    red, green, blue = red * dim + er * share, green * dim + eg * share, blue * dim + eb * share
    spot = rx * light.sun[0] + ry * light.sun[1] + rz * light.sun[2]
    if spot > F(0.94):
        glint = (spot - F(0.94)) * F(1 / 0.06)
        glint *= glint
        glint *= glint * F(230) * specular * lit
        red, green, blue = red + glint, green + glint, blue + glint * F(0.92)
    return red, green, blue


@njit(**FAST)
def shade(
    rows: tuple[int, int],
    nearness: NDArray[np.float32],
    owner: NDArray[np.int32],
    triangles: SetUp,
    drawn: Drawn,
    geometry: Geometry,
    atlas: Atlas,
    light: Light,
    world_from_pixel: NDArray[np.float32],
    eye: NDArray[np.float32],
    seed: int,
    target: Target,
) -> None:
    """Write every target of the rows; `world_from_pixel` (3, 3) maps (x, y, 1) to a ray of depth 1.

    The dither of the mip level follows from seed and row alone, so that threads change nothing.
    """
    run = np.zeros((5, 2), np.float64)
    ray_of = world_from_pixel
    for y in range(rows[0], rows[1]):
        state = np.uint32(seed * 9781 + y * 6271 + 1)
        last, q, texture, top_level, lod, spread = -1, 0, 0, 0, F(0), F(0)
        specular, glow, surface = F(0), F(0), 0
        tint_r, tint_g, tint_b = F(1), F(1), F(1)
        for x in range(nearness.shape[1]):
            m = owner[y, x]
            px, py = x + F(0.5), y + F(0.5)
            dx = ray_of[0, 0] * px + ray_of[0, 1] * py + ray_of[0, 2]
            dy = ray_of[1, 0] * px + ray_of[1, 1] * py + ray_of[1, 2]
            dz = ray_of[2, 0] * px + ray_of[2, 1] * py + ray_of[2, 2]
            unit = F(1) / math.sqrt(dx * dx + dy * dy + dz * dz)
            ray = (dx * unit, dy * unit, dz * unit)
            if m < 0:
                red, green, blue = _sky(atlas, light, ray[0], ray[1], ray[2])
                target.depth[y, x] = F(SKY_DEPTH_M)
                target.instance[y, x] = 0
                target.semantic[y, x] = 11  # CityObjectLabel Sky
                target.surface[y, x] = -1
                last = -1
            else:
                depth = F(1) / nearness[y, x]
                if m != last:
                    q, triangle = triangles.source[m, 0], triangles.source[m, 1]
                    _start_run(y, m, triangles, drawn, geometry, run)
                    texture = geometry.texture[triangle]
                    top_level = 0
                    while (atlas.size[texture] >> top_level) > 1:
                        top_level += 1
                    spread = _texel_spread(m, triangles, drawn, geometry, atlas.size[texture])
                    vertex = drawn.vertex_range[q, 0] + geometry.triangles[triangle, 0]
                    mask = geometry.colour[vertex, 3]
                    tint_r = geometry.colour[vertex, 0] * (1 + mask * (drawn.tint[q, 0] - 1))
                    tint_g = geometry.colour[vertex, 1] * (1 + mask * (drawn.tint[q, 1] - 1))
                    tint_b = geometry.colour[vertex, 2] * (1 + mask * (drawn.tint[q, 2] - 1))
                    specular = geometry.specular[triangle]
                    glow = geometry.emissive[triangle]
                    if glow > 0 and not _is_glowing(geometry.lamp[triangle], drawn.lamps[q]):
                        glow = F(0)
                    surface = (q * 64 + texture) * 1024 + int(
                        tint_r * 63 + tint_g * 255 + tint_b * 637
                    )
                if m != last or (x & 7) == 0:
                    texels = max(F(spread) * depth * math.sqrt(depth), F(1))
                    lod = min(math.log2(texels), F(top_level))
                last = m
                state = np.uint32(state ^ (state << np.uint32(13)))
                state = np.uint32(state ^ (state >> np.uint32(17)))
                state = np.uint32(state ^ (state << np.uint32(5)))
                level = int(lod + F(np.uint32(state >> np.uint32(16))) * F(1 / 65536))
                u = (run[0, 0] * x + run[0, 1]) * depth
                v = (run[1, 0] * x + run[1, 1]) * depth
                red, green, blue = fetch(atlas, texture, u, v, min(level, top_level))
                albedo = (red * tint_r, green * tint_g, blue * tint_b)
                nx = F(run[2, 0] * x + run[2, 1])
                ny = F(run[3, 0] * x + run[3, 1])
                nz = F(run[4, 0] * x + run[4, 1])
                length = F(1) / math.sqrt(max(nx * nx + ny * ny + nz * nz, F(1e-20)))
                normal = (nx * length, ny * length, nz * length)
                facing = (
                    normal[0] * light.sun[0] + normal[1] * light.sun[1] + normal[2] * light.sun[2]
                )
                lit = F(1)
                if facing > 0 and light.shadow.shape[0] > 1:
                    lit = _sunlit(light, eye[0] + dx * depth, eye[1] + dy * depth,
                                  eye[2] + dz * depth, facing)  # fmt: skip
                red, green, blue = _lit_colour(atlas, light, albedo, normal, ray, lit, specular)
                if glow > 0:
                    red += albedo[0] * glow
                    green += albedo[1] * glow
                    blue += albedo[2] * glow
                haze = F(1) - math.exp(-depth * F(light.haze_per_m))
                red += (F(196) - red) * haze
                green += (F(211) - green) * haze
                blue += (F(224) - blue) * haze
                target.depth[y, x] = depth
                target.instance[y, x] = drawn.instance_id[q]
                target.semantic[y, x] = drawn.semantic_tag[q]
                target.surface[y, x] = surface
            target.bgr[y, x, 0] = _squeeze(blue)
            target.bgr[y, x, 1] = _squeeze(green)
            target.bgr[y, x, 2] = _squeeze(red)
