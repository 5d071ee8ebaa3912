"""Rain: roads that mirror what stands on them, and streaks in the air; only wet weather calls it.

What a wet road mirrors is looked for in the picture itself: the mirrored ray's far end gives a
first pixel, whose depth says how far along the ray it lies, which gives the next one. What the
picture does not hold comes from the table of surroundings.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sim.engine.render.kernels.layout import GAIN, MIRROR_SIZE, PUDDLES, WET, Atlas, Lens, Light
from sim.engine.render.kernels.options import FAST, FAST_PART
from sim.engine.render.kernels.sampling import F, Rgb, fetch, glance, next_random, octahedral

FARTHEST_M = 140.0  # wet ground beyond mirrors nothing
PUDDLE_METRES = 14.0  # that one repeat of the puddles covers
STEPS = 3  # looks along a mirrored ray


@njit(**FAST_PART)
def _is_ground(tag: int) -> bool:
    """Roads, Sidewalks, RoadLines, Ground: what gets wet and mirrors."""
    return tag == 1 or tag == 2 or tag == 24 or tag == 25


@njit(**FAST_PART)
def _follow(
    column: float,
    row: float,
    depth: float,
    way: Rgb,
    depths: NDArray[np.float32],
    semantic: NDArray[np.uint8],
) -> int:
    """The pixel that a ray from (column, row, depth) along `way` meets, -1 where none is known.

    `way` is a direction on the picture: column and row times depth, and depth.
    """
    height, width = depths.shape
    if way[2] <= F(1e-3):
        return -1
    x, y = int(way[0] / way[2]), int(way[1] / way[2])
    found = -1
    for _ in range(STEPS):
        if x < 0 or y < 0 or x >= width or y >= height:
            return -1
        found = y * width + x
        far = (depths[y, x] - depth) / way[2]
        if far <= 0:
            return -1
        scale = F(1) / (depth + way[2] * far)
        x = int((column * depth + way[0] * far) * scale)
        y = int((row * depth + way[1] * far) * scale)
    tag = semantic[found // width, found % width]
    return -1 if _is_ground(tag) or tag == 10 else found


@njit(**FAST_PART)
def _wet_row(
    y: int,
    depths: NDArray[np.float32],
    semantic: NDArray[np.uint8],
    texels: NDArray[np.uint32],
    puddle_base: int,
    puddle_width: int,
    mirror: NDArray[np.uint32],
    ray_of: NDArray[np.float32],
    pixel_of: NDArray[np.float32],
    eye: NDArray[np.float32],
    wet: float,
    puddles: float,
    gain: float,
    seed: int,
    bgr: NDArray[np.uint8],
) -> None:
    width = depths.shape[1]
    state = np.uint32(seed * 6113 + y * 7127 + 1)
    py = y + F(0.5)
    for x in range(width):
        depth = depths[y, x]
        if not _is_ground(semantic[y, x]) or depth > F(FARTHEST_M):
            continue
        px = x + F(0.5)
        dx = ray_of[0, 0] * px + ray_of[0, 1] * py + ray_of[0, 2]
        dy = ray_of[1, 0] * px + ray_of[1, 1] * py + ray_of[1, 2]
        dz = ray_of[2, 0] * px + ray_of[2, 1] * py + ray_of[2, 2]
        if dz > F(-1e-3):
            continue
        graze = F(1) + dz / math.sqrt(dx * dx + dy * dy + dz * dz)
        graze *= graze
        scale = F(1 / PUDDLE_METRES)
        u, v = (eye[0] + dx * depth) * scale, (eye[1] + dy * depth) * scale
        _, level, _ = fetch(texels, puddle_base, puddle_width, u, v)
        pool = (level * F(1 / 255) - (F(1) - F(0.62) * puddles)) * F(9)
        pool = min(max(pool, F(0)), F(1)) if puddles > 0 else F(0)
        share = (F(0.05) + F(0.8) * graze * graze) * (F(0.6) * wet * (F(1) - pool) + pool)
        if share < F(0.02):
            continue
        state = next_random(state)
        tremble = F(float(state & np.uint32(1023))) * F(1 / 1023) - F(0.5)
        rise = -dz * (F(1) + tremble * (F(0.55) - F(0.47) * pool))
        way = (
            pixel_of[0, 0] * dx + pixel_of[0, 1] * dy + pixel_of[0, 2] * rise,
            pixel_of[1, 0] * dx + pixel_of[1, 1] * dy + pixel_of[1, 2] * rise,
            pixel_of[2, 0] * dx + pixel_of[2, 1] * dy + pixel_of[2, 2] * rise,
        )
        found = _follow(px, py, depth, way, depths, semantic)
        if found >= 0:
            fy, fx = found // width, found % width
            blue, green, red = F(bgr[fy, fx, 0]), F(bgr[fy, fx, 1]), F(bgr[fy, fx, 2])
        else:
            u, v = octahedral(dx, dy, rise)
            red, green, blue = glance(mirror, MIRROR_SIZE, u, v)
            red, green, blue = red * gain, green * gain, blue * gain
        bgr[y, x, 0] = np.uint8(min(F(bgr[y, x, 0]) * (F(1) - share) + blue * share, F(255)))
        bgr[y, x, 1] = np.uint8(min(F(bgr[y, x, 1]) * (F(1) - share) + green * share, F(255)))
        bgr[y, x, 2] = np.uint8(min(F(bgr[y, x, 2]) * (F(1) - share) + red * share, F(255)))


@njit(**FAST)
def lay_wetness(
    rows: tuple[int, int],
    depths: NDArray[np.float32],
    semantic: NDArray[np.uint8],
    atlas: Atlas,
    puddle_texture: int,
    light: Light,
    lens: Lens,
    pixel_of: NDArray[np.float32],
    bgr: NDArray[np.uint8],
) -> None:
    """Mirror the picture in its wet ground, from the first row to before the last.

    Only ground changes and only what is no ground is read, so that threads change nothing.
    `pixel_of` (3, 3) takes a world direction to column, row and depth, the first two times depth.
    """
    numbers, texels, mirror = light.numbers, atlas.texels, light.mirror
    ray_of, eye, seed = lens.ray_of, lens.eye, lens.seed
    base, width = atlas.offset[puddle_texture, 1], atlas.size[puddle_texture] >> 1
    for y in range(rows[0], rows[1]):
        _wet_row(y, depths, semantic, texels, base, width, mirror, ray_of, pixel_of, eye,
                 numbers[WET], numbers[PUDDLES], numbers[GAIN], seed, bgr)  # fmt: skip


@njit(**FAST)
def draw_streaks(
    count: int,
    slant: float,
    light: float,
    seed: int,
    depths: NDArray[np.float32],
    bgr: NDArray[np.uint8],
) -> None:
    """Drops that fall through the picture while the shutter is open.

    Args:
        count: drops in a picture of 640 x 384 pixels; a larger one gets more.
        slant: columns per row, from the wind.
        light: grey level of a drop.
        seed: of the picture.
        depths: (H, W) metres; near things hide the drops behind them.
        bgr: (H, W, 3).
    """
    height, width = depths.shape
    state = np.uint32(seed * 2749 + 77)
    for _ in range(count * height * width // (640 * 384)):
        state = next_random(state)
        x0 = F(float(state & np.uint32(0xFFFF))) * F(1 / 65536) * F(width * 1.2) - F(0.1 * width)
        y0 = F(float(state >> np.uint32(16))) * F(1 / 65536) * F(height * 1.1) - F(0.1 * height)
        state = next_random(state)
        near = F(float(state & np.uint32(255))) * F(1 / 255)
        near *= near  # most drops are far: short and faint
        away = F(2.5) + F(22) * (F(1) - near)
        length = int((F(0.016) + F(0.07) * near) * height) + 2
        share = F(0.09) + F(0.17) * near
        tilt = slant + (F(float((state >> np.uint32(8)) & np.uint32(255))) - F(128)) * F(0.0003)
        for k in range(length):
            x, y = int(x0 + tilt * k), int(y0) + k
            if 0 <= x < width and 0 <= y < height and depths[y, x] > away:
                fade = share * (F(1) - abs(F(2 * k) / F(length) - F(1)) * F(0.6))
                for c in range(3):
                    value = F(bgr[y, x, c])
                    bgr[y, x, c] = np.uint8(value + (max(light, value) - value) * fade)
