"""Follows rays through the hierarchies to the nearest triangle; numba, one core.

Boxes are looked at in float32, triangles in float64 (Moeller and Trumbore, Fast, Minimum Storage
Ray-Triangle Intersection, 1997). Helpers take plain arrays and numbers: numba counts references
of anything else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sim.engine.sensing.layout import CUTOUT, TWO_SIDED, Meshes, Pictures, Placed

F: Final = cast("Callable[[float], float]", np.float32)  # to the type checker a float
STACK: Final = 96  # nodes put aside on the way down; no hierarchy here is half as deep
EDGE: Final = 1e-6  # share of a triangle's side by which neighbours overlap, against cracks
NOTHING: Final = -1


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def trace(
    origin: NDArray[np.float64],
    directions: NDArray[np.float32],
    reach: float,
    bundle: int,
    placed: Placed,
    meshes: Meshes,
    textures: Pictures,
    distance: NDArray[np.float32],
    instance: NDArray[np.int32],
    triangle: NDArray[np.int32],
) -> None:
    """Find what each ray from `origin` meets first.

    Args:
        origin: (3,) metres, world axes.
        directions: (R, 3), world axes; of unit length where distances are to be metres.
            A ray tries its forerunner's triangle first.
        reach: longest distance that counts.
        bundle: how many rays one after the other look nearly the same way.
        placed: the instances.
        meshes: their meshes.
        textures: what makes holes in leaves.
        distance: (R,), written; above `reach` where nothing was met.
        instance: (R,), written; number in `placed`, NOTHING where nothing was met.
        triangle: (R,), written; row of `meshes.corners`.
    """
    boxes, children = placed.boxes, placed.children
    root, inverse = placed.root, placed.mesh_from_world
    mesh_boxes, mesh_children, corners = meshes.boxes, meshes.children, meshes.corners
    uv, texture, flags = meshes.uv, meshes.texture, meshes.flags
    texels, offset, size = textures.texels, textures.offset, textures.size
    bounds = placed.bounds
    stack, near = np.empty(STACK, np.int32), np.empty(STACK, np.float32)
    ahead, entry = np.empty(len(root), np.int32), np.empty(len(root), np.float32)
    ox, oy, oz = F(origin[0]), F(origin[1]), F(origin[2])
    last_instance, last_triangle = NOTHING, NOTHING
    for begin in range(0, len(directions), bundle):
        end = min(begin + bundle, len(directions))
        count = _gather(
            boxes, children, placed.start, ox, oy, oz, directions, begin, end, reach,
            stack, ahead, entry,
        )  # fmt: skip
        for k in range(begin, end):
            dx, dy = _steady(directions[k, 0]), _steady(directions[k, 1])
            dz = _steady(directions[k, 2])
            ix, iy, iz = F(1) / dx, F(1) / dy, F(1) / dz
            best = F(reach)
            hit_instance, hit_triangle = NOTHING, NOTHING
            if last_instance >= 0:
                px, py, pz = _point(inverse, last_instance, ox, oy, oz)
                qx, qy, qz = _turn(inverse, last_instance, dx, dy, dz)
                t = _meet(corners, uv, texture, flags, texels, offset, size, last_triangle,
                          px, py, pz, qx, qy, qz)  # fmt: skip
                if t < best:
                    best, hit_instance, hit_triangle = F(t), last_instance, last_triangle
            for n in range(count):
                if entry[n] > best:
                    break
                i = ahead[n]
                if _enter(bounds, i, 0, ox, oy, oz, ix, iy, iz, best) > best:
                    continue
                best, found = _search(
                    root[i], best, mesh_boxes, mesh_children, corners, uv, texture, flags,
                    texels, offset, size, stack, near,
                    _point(inverse, i, ox, oy, oz), _turn(inverse, i, dx, dy, dz),
                )  # fmt: skip
                if found >= 0:
                    hit_instance, hit_triangle = i, found
            distance[k] = best if hit_instance >= 0 else F(2 * reach + 1)
            instance[k], triangle[k] = hit_instance, hit_triangle
            last_instance, last_triangle = hit_instance, hit_triangle


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _gather(
    boxes: NDArray[np.float32],
    children: NDArray[np.int32],
    start: int,
    ox: float,
    oy: float,
    oz: float,
    directions: NDArray[np.float32],
    begin: int,
    end: int,
    reach: float,
    stack: NDArray[np.int32],
    ahead: NDArray[np.int32],
    entry: NDArray[np.float32],
) -> int:
    """Write the instances that any ray of a bundle may meet, nearest first; return their number.

    The bundle is the interval of its inverse directions, axis by axis; an axis along which its
    rays look both ways excludes nothing.
    """
    huge = F(1e30)
    low = np.full(3, huge, np.float32)
    high = np.full(3, -huge, np.float32)
    for axis in range(3):
        ahead_rays = 0
        for k in range(begin, end):
            inverse = F(1) / _steady(directions[k, axis])
            low[axis], high[axis] = min(low[axis], inverse), max(high[axis], inverse)
            ahead_rays += inverse > 0
        if 0 < ahead_rays < end - begin:
            low[axis], high[axis] = -huge, huge
    count = 0
    stack[0] = start
    depth = 1
    while depth:
        depth -= 1
        node = stack[depth]
        for side in range(2):
            c = 6 * side
            near, far = F(0), F(reach)
            for axis in range(3):
                if low[axis] == -huge:
                    continue
                o = ox if axis == 0 else (oy if axis == 1 else oz)
                a, b = boxes[node, c + axis] - o, boxes[node, c + 3 + axis] - o
                if low[axis] < 0:
                    a, b = b, a
                near = max(near, min(a * low[axis], a * high[axis]))
                far = min(far, max(b * low[axis], b * high[axis]))
            if near > far:
                continue
            child = children[node, side]
            if child >= 0:
                stack[depth] = child
                depth += 1
            elif (-1 - child) & 7:
                place = count
                while place and entry[place - 1] > near:
                    entry[place], ahead[place] = entry[place - 1], ahead[place - 1]
                    place -= 1
                entry[place], ahead[place] = near, (-1 - child) >> 3
                count += 1
    return count


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def turned(rays: NDArray[np.float32], rotation: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return rays (R, 3) turned by a (3, 3) rotation; no BLAS, whose threads would spin."""
    result = np.empty_like(rays)
    for k in range(len(rays)):
        x, y, z = rays[k, 0], rays[k, 1], rays[k, 2]
        for row in range(3):
            result[k, row] = rotation[row, 0] * x + rotation[row, 1] * y + rotation[row, 2] * z
    return result


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def incidence(
    directions: NDArray[np.float32],
    instance: NDArray[np.int32],
    triangle: NDArray[np.int32],
    mesh_from_world: NDArray[np.float32],
    corners: NDArray[np.float32],
    cosine: NDArray[np.float32],
) -> None:
    """Write the cosine between each ray and the surface it met; 0 where it met nothing."""
    for k in range(len(directions)):
        cosine[k] = 0.0
        if instance[k] >= 0:
            x, y, z = _turn(
                mesh_from_world, instance[k], directions[k, 0], directions[k, 1], directions[k, 2]
            )
            t = triangle[k]
            ax, ay, az = corners[t, 3], corners[t, 4], corners[t, 5]
            bx, by, bz = corners[t, 6], corners[t, 7], corners[t, 8]
            nx, ny, nz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
            length = np.sqrt((nx * nx + ny * ny + nz * nz) * (x * x + y * y + z * z))
            cosine[k] = abs(nx * x + ny * y + nz * z) / max(length, F(1e-20))


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True, inline="always")
def _search(
    start: int,
    best: float,
    boxes: NDArray[np.float32],
    children: NDArray[np.int32],
    corners: NDArray[np.float32],
    uv: NDArray[np.float32],
    texture: NDArray[np.int32],
    flags: NDArray[np.uint8],
    texels: NDArray[np.uint32],
    offset: NDArray[np.int32],
    size: NDArray[np.int32],
    stack: NDArray[np.int32],
    near: NDArray[np.float32],
    point: tuple[float, float, float],
    ray: tuple[float, float, float],
) -> tuple[float, int]:
    """Return the nearest distance under `best` in one mesh, and its triangle or NOTHING."""
    px, py, pz = point
    qx, qy, qz = _steady(ray[0]), _steady(ray[1]), _steady(ray[2])
    ix, iy, iz = F(1) / qx, F(1) / qy, F(1) / qz
    found = NOTHING
    stack[0] = start
    near[0] = F(0)
    depth = 1
    while depth:
        depth -= 1
        if near[depth] > best:
            continue
        node = stack[depth]
        if node < 0:
            code = -1 - node
            first = code >> 3
            for one in range(first, first + (code & 7)):
                t = _meet(corners, uv, texture, flags, texels, offset, size, one,
                          px, py, pz, qx, qy, qz)  # fmt: skip
                if t < best:
                    best, found = F(t), one
            continue
        a = _enter(boxes, node, 0, px, py, pz, ix, iy, iz, best)
        b = _enter(boxes, node, 6, px, py, pz, ix, iy, iz, best)
        depth = _put(stack, near, depth, children[node, 0], a, children[node, 1], b, best)
    return best, found


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True, inline="always")
def _put(
    stack: NDArray[np.int32],
    near: NDArray[np.float32],
    depth: int,
    first: int,
    a: float,
    second: int,
    b: float,
    best: float,
) -> int:
    """Put two children aside, the nearer on top; return the new depth."""
    if a > b:
        first, second = second, first
        a, b = b, a
    if b <= best:
        stack[depth] = second
        near[depth] = b
        depth += 1
    if a <= best:
        stack[depth] = first
        near[depth] = a
        depth += 1
    return depth


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True, inline="always")
def _steady(value: float) -> float:
    """Keep a direction off zero, so that its inverse stays a number."""
    if abs(value) < F(1e-12):
        return F(1e-12)
    return F(value)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True, inline="always")
def _enter(
    boxes: NDArray[np.float32],
    node: int,
    c: int,
    ox: float,
    oy: float,
    oz: float,
    ix: float,
    iy: float,
    iz: float,
    best: float,
) -> float:
    """Return where a ray enters the box at column `c`, by slabs; far beyond `best` if it misses."""
    x0, x1 = (boxes[node, c] - ox) * ix, (boxes[node, c + 3] - ox) * ix
    y0, y1 = (boxes[node, c + 1] - oy) * iy, (boxes[node, c + 4] - oy) * iy
    z0, z1 = (boxes[node, c + 2] - oz) * iz, (boxes[node, c + 5] - oz) * iz
    enter = max(max(min(x0, x1), min(y0, y1)), max(min(z0, z1), F(0)))
    leave = min(min(max(x0, x1), max(y0, y1)), min(max(z0, z1), best))
    return enter if enter <= leave else F(3e38)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True, inline="always")
def _point(
    m: NDArray[np.float32], i: int, x: float, y: float, z: float
) -> tuple[float, float, float]:
    return (
        m[i, 0] * x + m[i, 1] * y + m[i, 2] * z + m[i, 3],
        m[i, 4] * x + m[i, 5] * y + m[i, 6] * z + m[i, 7],
        m[i, 8] * x + m[i, 9] * y + m[i, 10] * z + m[i, 11],
    )


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True, inline="always")
def _turn(
    m: NDArray[np.float32], i: int, x: float, y: float, z: float
) -> tuple[float, float, float]:
    return (
        m[i, 0] * x + m[i, 1] * y + m[i, 2] * z,
        m[i, 4] * x + m[i, 5] * y + m[i, 6] * z,
        m[i, 8] * x + m[i, 9] * y + m[i, 10] * z,
    )


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True, inline="always")
def _meet(
    corners: NDArray[np.float32],
    uv: NDArray[np.float32],
    texture: NDArray[np.int32],
    flags: NDArray[np.uint8],
    texels: NDArray[np.uint32],
    offset: NDArray[np.int32],
    size: NDArray[np.int32],
    k: int,
    px: float,
    py: float,
    pz: float,
    qx: float,
    qy: float,
    qz: float,
) -> float:
    """Return the distance at which a ray meets triangle `k`; very far where it does not."""
    far = 1e30
    ax, ay, az = np.float64(corners[k, 3]), np.float64(corners[k, 4]), np.float64(corners[k, 5])
    bx, by, bz = np.float64(corners[k, 6]), np.float64(corners[k, 7]), np.float64(corners[k, 8])
    hx, hy, hz = qy * bz - qz * by, qz * bx - qx * bz, qx * by - qy * bx
    area = ax * hx + ay * hy + az * hz
    flag = flags[k]
    if abs(area) < 1e-14 or (area < 0.0 and not flag & TWO_SIDED):
        return far
    share = 1.0 / area
    sx, sy, sz = px - corners[k, 0], py - corners[k, 1], pz - corners[k, 2]
    u = (sx * hx + sy * hy + sz * hz) * share
    if u < -EDGE or u > 1.0 + EDGE:
        return far
    cx, cy, cz = sy * az - sz * ay, sz * ax - sx * az, sx * ay - sy * ax
    v = (qx * cx + qy * cy + qz * cz) * share
    if v < -EDGE or u + v > 1.0 + EDGE:
        return far
    t = (bx * cx + by * cy + bz * cz) * share
    if t <= 1e-4:
        return far
    if flag & CUTOUT:
        width = size[texture[k]]
        w = 1.0 - u - v
        left = int(np.floor((w * uv[k, 0] + u * uv[k, 2] + v * uv[k, 4]) * width)) & (width - 1)
        down = int(np.floor((w * uv[k, 1] + u * uv[k, 3] + v * uv[k, 5]) * width)) & (width - 1)
        if texels[offset[texture[k], 0] + down * width + left] >> np.uint32(24) < 128:
            return far
    return float(t)
