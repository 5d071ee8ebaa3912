"""Deferred shading: a colour, depth and ids for every pixel of the visibility buffer.

An attribute over depth is linear on the screen, so a run of pixels of one triangle sets up its
planes once: attribute = (slope * x + value) * depth. The material model is a lambertian surface
under sun and sky plus mirrored surroundings by Schlick's fresnel term; it aims at plausible
pictures, not at radiometry. Colours are 0..255 throughout.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sim.engine.render.kernels.layout import (
    FLAG_TEXT,
    SKY_DEPTH_M,
    SKY_TAG,
    TEXT_SHIFT,
    Atlas,
    Drawn,
    Geometry,
    Light,
    SetUp,
    Target,
)
from sim.engine.render.kernels.sampling import (
    FAST,
    F,
    Rgb,
    fetch,
    next_random,
    reflection,
    sky_colour,
    sunlit,
)

# Places in `look`, what a run of pixels of one triangle shares.
U, V, NX, NY, NZ = 0, 2, 4, 6, 8  # slope; value follows
RED, GREEN, BLUE, SPECULAR, GLOW, SPREAD = 10, 11, 12, 13, 14, 15
LOOK_SIZE = 16


@njit(**FAST)
def _is_glowing(lamp: int, lamps: int) -> bool:
    """Whether a lamp burns; 64 stands for `LAMP_STATE`."""
    if lamp == 0:
        return True
    if lamp < 64:
        return bool((lamps >> (lamp - 1)) & 1)
    return bool(lamps == lamp - 64)


@njit(**FAST)
def _write_planes(
    y: int,
    m: int,
    first: int,
    triangle: int,
    q: int,
    planes: NDArray[np.float64],
    corners: NDArray[np.int32],
    uv: NDArray[np.float32],
    normals: NDArray[np.float32],
    rotation: NDArray[np.float32],
    look: NDArray[np.float64],
) -> None:
    """Slope and value along row y of u, v and the world normal, each over depth."""
    for k in range(NZ + 2):
        look[k] = 0.0
    inverse = planes[m, 12]
    for k in range(3):
        slope = planes[m, 3 * k] * inverse
        value = (planes[m, 3 * k + 1] * y + planes[m, 3 * k + 2]) * inverse
        vertex = first + corners[triangle, k]
        look[U] += slope * uv[vertex, 0]
        look[U + 1] += value * uv[vertex, 0]
        look[V] += slope * uv[vertex, 1]
        look[V + 1] += value * uv[vertex, 1]
        nx, ny, nz = normals[vertex, 0], normals[vertex, 1], normals[vertex, 2]
        for row in range(3):
            n = rotation[q, row, 0] * nx + rotation[q, row, 1] * ny + rotation[q, row, 2] * nz
            look[NX + 2 * row] += slope * n
            look[NX + 2 * row + 1] += value * n


@njit(**FAST)
def _write_material(
    m: int,
    first: int,
    triangle: int,
    q: int,
    planes: NDArray[np.float64],
    corners: NDArray[np.int32],
    uv: NDArray[np.float32],
    colour: NDArray[np.float32],
    tint: NDArray[np.float32],
    width: int,
    look: NDArray[np.float64],
) -> None:
    """Colour and `SPREAD`: texels per pixel over depth to the power 1.5.

    A surface element's area in pixels falls with depth cubed, and planes[m, 12] = 1 / det where
    det / depth**3 is twice a triangle's pixels; texels over that, by the root, is exact.
    """
    a = first + corners[triangle, 0]
    b = first + corners[triangle, 1]
    c = first + corners[triangle, 2]
    mask = colour[a, 3]
    for k in range(3):
        look[RED + k] = colour[a, k] * (1.0 + mask * (tint[q, k] - 1.0))
    texels = abs(
        (uv[b, 0] - uv[a, 0]) * (uv[c, 1] - uv[a, 1])
        - (uv[c, 0] - uv[a, 0]) * (uv[b, 1] - uv[a, 1])
    )
    look[SPREAD] = math.sqrt(texels * planes[m, 12]) * width


@njit(**FAST)
def _squeeze(value: float) -> float:
    """Roll highlights off above 200 towards 255."""
    if value > F(200):
        return F(255) - F(3025) / (value - F(145))
    return max(value, F(0))


@njit(**FAST)
def _daylight(red: float, green: float, blue: float, up: float, sunshine: float) -> Rgb:
    """A colour under the sky, more of it the more the surface looks up, and warmer sunshine."""
    sky, direct = F(0.5) + F(0.2) * up, F(0.86) * sunshine
    return (
        red * (sky * F(0.96) + direct * F(1.06)),
        green * (sky + direct),
        blue * (sky * F(1.1) + direct * F(0.92)),
    )


@njit(**FAST)
def _through_haze(red: float, green: float, blue: float, thickness: float) -> Rgb:
    """A colour behind haze; thickness is small against one within a town."""
    share = thickness / (F(1) + thickness)
    return (
        red + (F(196) - red) * share,
        green + (F(211) - green) * share,
        blue + (F(224) - blue) * share,
    )


@njit(**FAST)
def _reflect(
    colour: Rgb,
    texels: NDArray[np.uint32],
    base: int,
    width: int,
    normal: Rgb,
    ray: Rgb,
    sun: Rgb,
    lit: float,
    specular: float,
) -> Rgb:
    """Lay mirrored surroundings and the sun's glint over a colour; normal and ray are unit."""
    towards = normal[0] * ray[0] + normal[1] * ray[1] + normal[2] * ray[2]
    rx = ray[0] - F(2) * towards * normal[0]
    ry = ray[1] - F(2) * towards * normal[1]
    rz = ray[2] - F(2) * towards * normal[2]
    graze = F(1) - min(max(-towards, F(0)), F(1))
    graze *= graze
    share = specular * (F(0.1) + F(0.75) * graze * graze)
    er, eg, eb = reflection(texels, base, width, rx, ry, rz)
    spot = max(rx * sun[0] + ry * sun[1] + rz * sun[2] - F(0.94), F(0)) * F(1 / 0.06)
    spot *= spot
    glint = spot * spot * F(230) * specular * lit
    return (
        colour[0] + (er - colour[0]) * share + glint,
        colour[1] + (eg - colour[1]) * share + glint,
        colour[2] + (eb - colour[2]) * share + glint * F(0.92),
    )


@njit(**FAST)
def _shade_row(
    y: int,
    owner: NDArray[np.int32],
    nearness: NDArray[np.float32],
    triangles: SetUp,
    drawn: Drawn,
    geometry: Geometry,
    atlas: Atlas,
    light: Light,
    ray_of: NDArray[np.float32],
    eye: NDArray[np.float32],
    seed: int,
    target: Target,
) -> None:
    """One row, in one piece: numba counts references for arrays that cross a call.

    Split into functions that take arrays, this loop took a third longer; helpers here take numbers.
    """
    planes, source = triangles.planes, triangles.source
    corners, uv, normals = geometry.triangles, geometry.uv, geometry.normals
    colours, textures, lamp = geometry.colour, geometry.texture, geometry.lamp
    specular, emissive, flags = geometry.specular, geometry.emissive, geometry.flags
    ranges, rotation, tint, lamps = (
        drawn.vertex_range, drawn.rotation, drawn.tint, drawn.lamps)  # fmt: skip
    ids, tags = drawn.instance_id, drawn.semantic_tag
    texels, offset, size = atlas.texels, atlas.offset, atlas.size
    shadow, to_map = light.shadow, light.shadow_from_world
    bgr, depths, instances, semantics, surfaces = (
        target.bgr, target.depth, target.instance, target.semantic, target.surface)  # fmt: skip
    sun = (light.sun[0], light.sun[1], light.sun[2])
    cloud, haze_per_m = F(light.cloud), F(light.haze_per_m)
    cloud_base, cloud_width = offset[light.cloud_texture, 0], size[light.cloud_texture]
    mirror = light.environment_texture
    mirror_base, mirror_width = offset[mirror, 1], size[mirror] >> 1
    look = np.zeros(LOOK_SIZE, np.float64)
    state = np.uint32(seed * 9781 + y * 6271 + 1)
    last, q, texture, top, lod, surface, text = -1, 0, 0, 0, F(0), 0, -1
    py = y + F(0.5)
    for x in range(owner.shape[1]):
        m = owner[y, x]
        px = x + F(0.5)
        dx = ray_of[0, 0] * px + ray_of[0, 1] * py + ray_of[0, 2]
        dy = ray_of[1, 0] * px + ray_of[1, 1] * py + ray_of[1, 2]
        dz = ray_of[2, 0] * px + ray_of[2, 1] * py + ray_of[2, 2]
        if m < 0:
            unit = F(1) / math.sqrt(dx * dx + dy * dy + dz * dz)
            ray = (dx * unit, dy * unit, dz * unit)
            red, green, blue = sky_colour(texels, cloud_base, cloud_width, cloud, sun, ray)
            depths[y, x], instances[y, x] = F(SKY_DEPTH_M), 0
            semantics[y, x], surfaces[y, x] = SKY_TAG, -1
        else:
            depth = F(1) / nearness[y, x]
            if m != last:
                q, triangle = source[m, 0], source[m, 1]
                first = ranges[q, 0]
                texture = textures[triangle]
                text = lamps[q] >> TEXT_SHIFT if flags[triangle] & FLAG_TEXT else -1
                _write_planes(y, m, first, triangle, q, planes, corners, uv, normals, rotation,
                              look)  # fmt: skip
                _write_material(m, first, triangle, q, planes, corners, uv, colours, tint,
                                size[texture], look)  # fmt: skip
                look[SPECULAR], look[GLOW] = specular[triangle], emissive[triangle]
                if look[GLOW] > 0 and not _is_glowing(lamp[triangle], lamps[q]):
                    look[GLOW] = 0.0
                top = 0
                while (size[texture] >> top) > 1:
                    top += 1
                paint = look[RED] * 63 + look[GREEN] * 255 + look[BLUE] * 637
                surface = (q * 64 + texture) * 1024 + int(paint)
            if m != last or (x & 7) == 0:
                lod = min(math.log2(max(F(look[SPREAD]) * depth * math.sqrt(depth), F(1))), F(top))
            last = m
            state = next_random(state)
            level = min(int(lod + F(float(np.uint32(state >> np.uint32(16)))) * F(1 / 65536)), top)
            u = (look[U] * x + look[U + 1]) * depth
            v = (look[V] * x + look[V + 1]) * depth
            if text >= 0:  # eight signs a row of the texture, eight places of a sign along u
                place = int(u * F(8))
                sign = (text >> (6 * place)) & 63
                u += F((sign & 7) - place) * F(0.125)
                v += F(sign >> 3) * F(0.125)
            red, green, blue = fetch(texels, offset[texture, level], size[texture] >> level, u, v)
            red, green, blue = red * F(look[RED]), green * F(look[GREEN]), blue * F(look[BLUE])
            glow = F(look[GLOW])
            glow_red, glow_green, glow_blue = red * glow, green * glow, blue * glow
            nx = F(look[NX] * x + look[NX + 1])
            ny = F(look[NY] * x + look[NY + 1])
            nz = F(look[NZ] * x + look[NZ + 1])
            length = F(1) / math.sqrt(max(nx * nx + ny * ny + nz * nz, F(1e-20)))
            nx, ny, nz = nx * length, ny * length, nz * length
            facing = nx * sun[0] + ny * sun[1] + nz * sun[2]
            lit = F(1)
            if facing > 0 and shadow.shape[0] > 1:
                # The look is moved off the surface by a map cell or two, more where the sun
                # grazes it: else the surface shades itself in waves.
                away = F(0.05) + F(0.17) * (F(1) - facing * facing)
                wx = eye[0] + dx * depth + nx * away
                wy = eye[1] + dy * depth + ny * away
                wz = eye[2] + dz * depth + nz * away
                lit = sunlit(
                    shadow,
                    F(to_map[0, 0] * wx + to_map[0, 1] * wy + to_map[0, 2] * wz + to_map[0, 3]),
                    F(to_map[1, 0] * wx + to_map[1, 1] * wy + to_map[1, 2] * wz + to_map[1, 3]),
                    F(to_map[2, 0] * wx + to_map[2, 1] * wy + to_map[2, 2] * wz + to_map[2, 3])
                    + F(0.06),
                )
            red, green, blue = _daylight(red, green, blue, nz, max(facing, F(0)) * lit)
            if look[SPECULAR] > 0:
                unit = F(1) / math.sqrt(dx * dx + dy * dy + dz * dz)
                ray = (dx * unit, dy * unit, dz * unit)
                red, green, blue = _reflect(
                    (red, green, blue), texels, mirror_base, mirror_width, (nx, ny, nz), ray, sun,
                    lit, F(look[SPECULAR]))  # fmt: skip
            red, green, blue = red + glow_red, green + glow_green, blue + glow_blue
            red, green, blue = _through_haze(red, green, blue, depth * haze_per_m)
            depths[y, x], instances[y, x] = depth, ids[q]
            semantics[y, x], surfaces[y, x] = tags[q], surface
        bgr[y, x, 0] = np.uint8(_squeeze(blue))
        bgr[y, x, 1] = np.uint8(_squeeze(green))
        bgr[y, x, 2] = np.uint8(_squeeze(red))


@njit(**FAST)
def shade(
    rows: tuple[int, int],
    owner: NDArray[np.int32],
    nearness: NDArray[np.float32],
    triangles: SetUp,
    drawn: Drawn,
    geometry: Geometry,
    atlas: Atlas,
    light: Light,
    ray_of: NDArray[np.float32],
    eye: NDArray[np.float32],
    seed: int,
    target: Target,
) -> None:
    """Write every target of the rows from first to before last.

    `ray_of` (3, 3) maps a pixel (x, y, 1) to a world ray of depth 1; the dither of the mip level
    follows from seed and row alone, so that threads change nothing.
    """
    for y in range(rows[0], rows[1]):
        _shade_row(y, owner, nearness, triangles, drawn, geometry, atlas, light, ray_of, eye, seed,
                   target)  # fmt: skip
