"""Lamps by night: what they shine on, windows with light behind, halos; nothing by day calls it."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sim.engine.render.kernels import looks as at
from sim.engine.render.kernels.options import FAST, FAST_PART
from sim.engine.render.kernels.pieces import (
    ACROSS,
    BLUE,
    DEPTH,
    DOWN,
    GLOW,
    GREEN,
    LAMP_B,
    LAMP_G,
    LAMP_R,
    NORMAL_X,
    NORMAL_Y,
    NORMAL_Z,
    RED,
    STRIDE,
    TEX_U,
    TEX_V,
    TEXEL,
    WITHIN,
)
from sim.engine.render.kernels.sampling import F

SOFTNESS = 0.22  # lamps light what they graze as if it faced them by so much more
HALF_LIGHT_M2 = 60.0  # square metres after which a lamp's light has halved


@njit(**FAST_PART)
def place_normals(
    y: int,
    x: int,
    count: int,
    n: int,
    start: int,
    planes: NDArray[np.float32],
    marks: NDArray[np.int32],
    piece: NDArray[np.float32],
) -> None:
    """World normals of a run of pixels, near enough to unit length; zeros where n is -1."""
    start, count = start & WITHIN, count & WITHIN
    if n < 0:
        for i in range(start, start + count):
            piece[NORMAL_X * STRIDE + i] = F(0)
            piece[NORMAL_Y * STRIDE + i] = F(0)
            piece[NORMAL_Z * STRIDE + i] = F(0)
        return
    right, down = F(x - marks[n, at.LEFT]), F(y - marks[n, at.ABOVE])
    a, b, c = planes[n, at.NX], planes[n, at.NY], planes[n, at.NZ]
    nx = a * right + planes[n, at.NX + 1] * down + planes[n, at.NX + 2]
    ny = b * right + planes[n, at.NY + 1] * down + planes[n, at.NY + 2]
    nz = c * right + planes[n, at.NZ + 1] * down + planes[n, at.NZ + 2]
    for k in range(count):
        i, step = start + k, F(k)
        depth = piece[DEPTH * STRIDE + i]
        piece[NORMAL_X * STRIDE + i] = (nx + a * step) * depth
        piece[NORMAL_Y * STRIDE + i] = (ny + b * step) * depth
        piece[NORMAL_Z * STRIDE + i] = (nz + c * step) * depth


@njit(**FAST_PART)
def _shine(
    y: int,
    x: int,
    first: int,
    last: int,
    lamps: NDArray[np.float32],
    j: int,
    ray_of: NDArray[np.float32],
    eye: NDArray[np.float32],
    piece: NDArray[np.float32],
) -> None:
    """Add one lamp's light to the pixels from first to before last."""
    px, py = x + F(0.5), y + F(0.5)
    rx = ray_of[0, 0] * px + ray_of[0, 1] * py + ray_of[0, 2]
    ry = ray_of[1, 0] * px + ray_of[1, 1] * py + ray_of[1, 2]
    rz = ray_of[2, 0] * px + ray_of[2, 1] * py + ray_of[2, 2]
    ax, ay, az = ray_of[0, 0], ray_of[1, 0], ray_of[2, 0]
    ox, oy, oz = lamps[j, 0] - eye[0], lamps[j, 1] - eye[1], lamps[j, 2] - eye[2]
    inverse = F(1) / (lamps[j, 3] * lamps[j, 3])
    red, green, blue = lamps[j, 4], lamps[j, 5], lamps[j, 6]
    bx, by, bz, edge = lamps[j, 7], lamps[j, 8], lamps[j, 9], lamps[j, 10]
    inside = F(1) / (F(1) - edge)
    first, length = first & WITHIN, (last - first) & WITHIN
    for k in range(length):
        i = first + k
        depth, step = piece[DEPTH * STRIDE + i], F(i)
        lx = ox - (rx + ax * step) * depth
        ly = oy - (ry + ay * step) * depth
        lz = oz - (rz + az * step) * depth
        square = lx * lx + ly * ly + lz * lz
        unit = F(1) / math.sqrt(square + F(0.01))
        nx, ny = piece[NORMAL_X * STRIDE + i], piece[NORMAL_Y * STRIDE + i]
        facing = (nx * lx + ny * ly + piece[NORMAL_Z * STRIDE + i] * lz) * unit
        facing = max(facing + F(SOFTNESS), F(0))
        beam = max((-(bx * lx + by * ly + bz * lz) * unit - edge) * inside, F(0))
        beam = min(beam * F(2.5), F(1))
        range_left = max(F(1) - square * inverse, F(0))
        power = facing * beam * beam * range_left * range_left
        power *= F(HALF_LIGHT_M2) / (F(HALF_LIGHT_M2) + square)
        piece[LAMP_R * STRIDE + i] += red * power
        piece[LAMP_G * STRIDE + i] += green * power
        piece[LAMP_B * STRIDE + i] += blue * power


@njit(**FAST_PART)
def shine(
    y: int,
    x: int,
    count: int,
    lamps: NDArray[np.float32],
    ray_of: NDArray[np.float32],
    eye: NDArray[np.float32],
    piece: NDArray[np.float32],
) -> None:
    """Light on a piece by all lamps that reach it, in `LAMP_R` and following."""
    count &= WITHIN
    for i in range(count):
        piece[LAMP_R * STRIDE + i] = F(0)
        piece[LAMP_G * STRIDE + i] = F(0)
        piece[LAMP_B * STRIDE + i] = F(0)
    for j in range(lamps.shape[0]):
        if y < lamps[j, 13] or y >= lamps[j, 14]:
            continue
        first, last = max(int(lamps[j, 11]) - x, 0), min(int(lamps[j, 12]) - x, count)
        if first < last:
            _shine(y, x, first, last, lamps, j, ray_of, eye, piece)


@njit(**FAST_PART)
def lay_lamplight(count: int, piece: NDArray[np.float32], own: NDArray[np.float32]) -> None:
    """Add what lamps make of the surfaces' own colours, (3 * STRIDE,) kept from before the sun."""
    count &= WITHIN
    for i in range(count):
        piece[RED * STRIDE + i] += own[i] * piece[LAMP_R * STRIDE + i]
        piece[GREEN * STRIDE + i] += own[STRIDE + i] * piece[LAMP_G * STRIDE + i]
        piece[BLUE * STRIDE + i] += own[2 * STRIDE + i] * piece[LAMP_B * STRIDE + i]


@njit(**FAST_PART)
def light_windows(
    start: int,
    count: int,
    house: int,
    whole_u: int,
    whole_v: int,
    windows: NDArray[np.float32],
    texture: int,
    piece: NDArray[np.float32],
    whole: NDArray[np.int32],
) -> None:
    """Rooms with the light on: panes glow where the texture's alpha says so, cell by cell."""
    start, count = start & WITHIN, count & WITHIN
    across, up, share = windows[texture, 0], windows[texture, 1], windows[texture, 2]
    for i in range(start, start + count):
        a, b = whole[ACROSS * STRIDE + i], whole[DOWN * STRIDE + i]
        ws = (a * b) >> 8
        wq, wr = a - ws, b - ws
        wp = 256 - a - wr
        alpha = ((whole[TEXEL * STRIDE + i] >> 24) & 255) * wp
        alpha += ((whole[(TEXEL + 1) * STRIDE + i] >> 24) & 255) * wq
        alpha += ((whole[(TEXEL + 2) * STRIDE + i] >> 24) & 255) * wr
        alpha += ((whole[(TEXEL + 3) * STRIDE + i] >> 24) & 255) * ws
        pane = F(1) - F(alpha) * F(1 / 65280)
        if pane <= F(0.01):
            continue
        column = math.floor((piece[TEX_U * STRIDE + i] + whole_u) * across)
        row = math.floor((piece[TEX_V * STRIDE + i] + whole_v) * up)
        dice = (column * 73856093 ^ row * 19349663 ^ house * 83492791) & 0xFFFFFF
        dice = ((dice * 0x45D9F3B) >> 8) & 0xFFFF
        if F(dice) * F(1 / 65536) >= share:
            continue
        tone = F((dice * 7) & 255) * F(1 / 255)
        room_g, room_b, pane = F(178) + F(40) * tone, F(104) + F(110) * tone, pane * F(0.6)
        piece[GLOW * STRIDE + i] = pane * (F(0.2) + F(0.25) * tone)
        piece[RED * STRIDE + i] += (F(236) - piece[RED * STRIDE + i]) * pane
        piece[GREEN * STRIDE + i] += (room_g - piece[GREEN * STRIDE + i]) * pane
        piece[BLUE * STRIDE + i] += (room_b - piece[BLUE * STRIDE + i]) * pane


@njit(**FAST)
def add_glows(
    glows: NDArray[np.float32],
    depth: NDArray[np.float32],
    bgr: NDArray[np.uint8],
) -> None:
    """Halos round lamps that are seen: column, row, depth, radius and colour of each."""
    height, width = depth.shape
    for j in range(glows.shape[0]):
        cx, cy, near, radius = glows[j, 0], glows[j, 1], glows[j, 2], glows[j, 3]
        if not (-radius < cx < width + radius and -radius < cy < height + radius):
            continue
        shown, looks = 0, 0
        for dy in range(-1, 2):
            for dx in range(-1, 2):
                x, y = int(cx) + dx, int(cy) + dy
                if 0 <= x < width and 0 <= y < height:
                    looks += 1
                    shown += int(depth[y, x] > near)
        if shown == 0:
            continue
        share = F(shown) / F(looks)
        inverse = F(1) / (radius * radius)
        for y in range(max(int(cy - radius), 0), min(int(cy + radius) + 1, height)):
            for x in range(max(int(cx - radius), 0), min(int(cx + radius) + 1, width)):
                ox, oy = x + F(0.5) - cx, y + F(0.5) - cy
                fall = F(1) - (ox * ox + oy * oy) * inverse
                if fall <= 0:
                    continue
                fall *= fall * fall * share
                for k in range(3):
                    light = F(bgr[y, x, k])
                    light += glows[j, 6 - k] * fall * (F(1) - light * F(1 / 255))
                    bgr[y, x, k] = np.uint8(min(light, F(255)))
