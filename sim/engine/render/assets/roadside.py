"""Hedges, fences, bushes, guard rails, advertising columns."""

from __future__ import annotations

from typing import Final

import numpy as np

from sim.engine.render.mesh_builder import Material, MeshBuilder
from sim.engine.render.scene import Mesh

_ZINC: Final = Material("metal", (0.66, 0.68, 0.69), specular=0.12, is_two_sided=True)
_POST: Final = Material("metal", (0.5, 0.51, 0.52))
_WOODS: Final = ((1.2, 1.0, 0.78), (1.5, 1.45, 1.4), (0.8, 0.62, 0.5))


def hedge_mesh(seed: int, length: float = 4.0) -> Mesh:
    """A clipped hedge along x, 0.8 m wide and 1.3 m tall, a little uneven."""
    rng = np.random.default_rng((seed, 0x4ED6))
    builder = MeshBuilder()
    tone = float(rng.uniform(0.62, 0.85))
    leaves = Material("foliage", (tone, tone * 1.05, tone * 0.9))
    around = np.array([(-0.4, 0.0), (-0.42, 0.6), (-0.36, 1.22), (0.0, 1.32), (0.36, 1.22),
                       (0.42, 0.6), (0.4, 0.0)])  # fmt: skip
    stations = np.linspace(-length / 2, length / 2, 7)
    points = np.zeros((7, 7, 3))
    points[..., 0] = stations[:, None]
    points[..., 1:] = around[None]
    points[1:-1, 1:-1, 1:] += rng.normal(0.0, 0.035, (5, 5, 2))
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(around, axis=0), axis=1))])
    uv = np.stack(np.broadcast_arrays(stations[:, None], along[None]), -1)
    centres = np.stack([stations, 0 * stations, 0 * stations + 0.5], 1)
    builder.grid(points, uv, leaves, outward_from=centres)
    for k, way in ((0, -1.0), (6, 1.0)):
        fan = [(0, j, j + 1) for j in range(1, 6)]
        builder.add(points[k], (way, 0, 0), around, fan, leaves)
    return builder.build("hedge")


def fence_mesh(seed: int, length: float = 4.0) -> Mesh:
    """A wooden fence along x, 1 m tall."""
    rng = np.random.default_rng((seed, 0xFE4))
    builder = MeshBuilder()
    wood = Material("bark", _WOODS[int(rng.integers(len(_WOODS)))], is_two_sided=True)
    for z in (0.3, 0.78):
        builder.box((0, -0.03, z), (length, 0.04, 0.09), wood, (1, 1))
    for x in (-length / 2 + 0.06, 0.0):
        builder.box((x, -0.03, 0.5), (0.1, 0.1, 1.0), wood, (1, 1))
    for x in np.arange(-length / 2 + 0.1, length / 2, 0.2).tolist():
        corners = [(x - 0.06, 0.0, 0.08), (x + 0.06, 0.0, 0.08), (x + 0.06, 0.0, 0.95),
                   (x - 0.06, 0.0, 0.95)]  # fmt: skip
        builder.quad(corners, wood)
    return builder.build("fence")


def bush_mesh(seed: int) -> Mesh:
    """A bush, 1 to 1.6 m."""
    rng = np.random.default_rng((seed, 0xB054))
    builder = MeshBuilder()
    for _ in range(3):
        tone = float(rng.uniform(0.7, 1.0))
        leaves = Material("foliage", (tone * float(rng.uniform(0.9, 1.2)), tone, tone * 0.85),
                          is_cutout=True, is_two_sided=True)  # fmt: skip
        size = float(rng.uniform(0.5, 0.8))
        x, y = (float(v) for v in rng.uniform(-0.45, 0.45, 2))
        builder.blob((x, y, 0.75 * size), (size, size, size), leaves, (9, 6), 0.1, rng, 1.6)
    return builder.build("bush")


def guard_rail_mesh(length: float = 8.0) -> Mesh:
    """A steel rail along x on posts, its face to +y, where the road is."""
    builder = MeshBuilder()
    section = [(0.0, 0.76), (0.08, 0.7), (0.02, 0.615), (0.08, 0.53), (0.0, 0.46)]
    half = length / 2
    points = np.array([[(x, y, z) for y, z in section] for x in (-half, half)])
    uv = np.stack(np.broadcast_arrays(np.array([0.0, length])[:, None], np.arange(5)[None] / 4), -1)
    normals = np.broadcast_to(np.array([0.0, 1.0, 0.12]), points.shape)
    builder.grid(points, uv, _ZINC, normals=normals)
    for x in np.arange(-half + 1.0, half, 2.0).tolist():
        builder.box((x, -0.05, 0.37), (0.1, 0.06, 0.74), _POST, (1, 1), "+x-x+y-y+z")
    return builder.build("guard rail")


def column_mesh(seed: int) -> Mesh:
    """An advertising column, 3.4 m, with bills all round."""
    rng = np.random.default_rng((seed, 0xAD5))
    builder = MeshBuilder()
    stone = Material("concrete", (0.62, 0.6, 0.56))
    builder.cylinder((0, 0, 0), (0, 0, 0.4), (0.62, 0.6), stone, 16)
    builder.cylinder((0, 0, 0.4), (0, 0, 2.9), (0.56, 0.56), Material("plain", (0.85, 0.84, 0.8)),
                     16, has_caps=False)  # fmt: skip
    builder.cylinder((0, 0, 2.9), (0, 0, 3.05), (0.66, 0.66), stone, 16)
    builder.cylinder(
        (0, 0, 3.05), (0, 0, 3.4), (0.6, 0.08), Material("metal", (0.3, 0.4, 0.36)), 16
    )
    for k in range(7):
        red, green, blue = (float(c) for c in rng.uniform(0.1, 0.95, 3))
        look = Material("plain", (red, green, blue))
        wide, low = float(rng.uniform(0.6, 0.85)), float(rng.uniform(0.45, 1.3))
        high = low + float(rng.uniform(0.9, 1.4))
        angles = np.linspace(0.0, wide, 4) + k * 0.9
        ring = np.stack([0.575 * np.cos(angles), 0.575 * np.sin(angles)], 1)
        rows = np.array([[(*p, z) for p in ring] for z in (low, high)])
        uv = np.zeros((2, 4, 2))
        normals = np.zeros((2, 4, 3))
        normals[..., :2] = ring
        builder.grid(rows, uv, look, normals=normals)
    return builder.build("advertising column")
