"""Meshes of the props that scripts put into the world: cones, barriers, boxes, furniture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from typing import Final

import numpy as np

from sim.engine.render.assets.prop_furniture import FURNITURE
from sim.engine.render.assets.prop_parts import (
    BLACK,
    ORANGE,
    RED,
    STEEL,
    WHITE,
    YELLOW,
    Size,
    legs,
    paint,
)
from sim.engine.render.mesh_builder import MeshBuilder
from sim.engine.render.scene import Mesh

Maker = Callable[[MeshBuilder, Size, np.random.Generator], None]


@lru_cache(maxsize=256)
def prop_mesh(form: str, look: int, size: Size) -> Mesh:
    """A prop, its origin on the ground under its middle, looking along +x.

    Args:
        form: `Blueprint.mesh` of a prop.
        look: seed of its colours.
        size: (length, width, height), metres; the mesh stays inside.

    Raises:
        KeyError: there is no such form.
    """
    builder = MeshBuilder()
    MAKERS[form](builder, size, np.random.default_rng((look, 0x9B0)))
    return _fit(builder.build(f"prop {form}"), size)


def _fit(mesh: Mesh, size: Size) -> Mesh:
    """Stretch a mesh to fill its box exactly, and cut off what lies under the ground."""
    vertices = mesh.vertices.astype(np.float64)
    vertices[:, 2] = np.maximum(vertices[:, 2], 0.0)
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    target = np.array([-size[0] / 2, -size[1] / 2, 0.0])
    fitted = target + (vertices - low) * (np.array(size) / (high - low))
    return replace(mesh, vertices=fitted.astype(np.float32))


def _cone(b: MeshBuilder, size: Size, rng: np.random.Generator) -> None:
    length, width, height = size
    b.box((0, 0, 0.02), (length, width, 0.04), BLACK)
    bands = ((0.04, ORANGE), (0.35, WHITE), (0.52, ORANGE), (0.68, WHITE), (0.82, ORANGE))
    wide, thin = 0.42 * width, 0.03
    for (low, look), high in zip(bands, [*(at for at, _ in bands[1:]), 1.0], strict=True):
        radii = (wide + (thin - wide) * low, wide + (thin - wide) * high)
        b.cylinder((0, 0, low * height), (0, 0, high * height), radii, look, 12,
                   has_caps=high == 1.0)  # fmt: skip


def _barrier(b: MeshBuilder, size: Size, rng: np.random.Generator) -> None:
    length, width, height = size
    for side in (-1, 1):
        b.box((0, side * (width / 2 - 0.1), 0.03), (length, 0.12, 0.06), BLACK)
        b.box((0, side * (width / 2 - 0.1), height / 2), (0.05, 0.05, height), STEEL)
    stripes = 6
    for i in range(stripes):
        across = width * ((i + 0.5) / stripes - 0.5)
        for at in (0.84, 0.52):
            b.box((0, across, at * height), (0.04, width / stripes, 0.24 * height),
                  RED if i % 2 else WHITE)  # fmt: skip


def _chain(b: MeshBuilder, size: Size, rng: np.random.Generator) -> None:
    _, width, height = size
    for side in (-1, 1):
        _post(b, (0.3, 0.3, height), rng, side * (width / 2 - 0.15))
    links = 9
    points = [
        (0.0, width * (i / links - 0.5) * 0.8, height * (0.82 - 0.25 * np.sin(np.pi * i / links)))
        for i in range(links + 1)
    ]
    for start, end in pairwise(points):
        b.cylinder(start, end, (0.025, 0.025), RED, 6)


def _post(b: MeshBuilder, size: Size, rng: np.random.Generator, y: float = 0.0) -> None:
    length, _, height = size
    b.cylinder((0, y, 0), (0, y, 0.06), (length / 2, length / 2), BLACK, 12)
    b.cylinder((0, y, 0.06), (0, y, 0.96 * height), (0.05, 0.05), WHITE, 10)
    b.cylinder((0, y, 0.45 * height), (0, y, 0.65 * height), (0.053, 0.053), RED, 10)
    b.blob((0, y, 0.95 * height), (0.06, 0.06, 0.05 * height), RED)


def _warning_board(b: MeshBuilder, size: Size, rng: np.random.Generator) -> None:
    length, width, height = size
    for side in (-1, 1):
        for way in (-1, 1):
            b.cylinder((way * 0.45 * length, side * 0.4 * width, 0),
                       (0, side * 0.2 * width, 0.8 * height), (0.02, 0.02), STEEL, 6)  # fmt: skip
    for scale, look, out in ((1.0, RED, 0.0), (0.74, WHITE, 0.012)):
        for way in (-1, 1):
            x = way * (0.03 + out)
            low, high = (0.5 - 0.27 * scale) * height + 0.1, (0.5 + 0.42 * scale) * height
            corners = [(x, -scale * width / 2, low), (x, scale * width / 2, low), (x, 0, high)]
            b.add(corners, (way, 0, 0), [(0, 1), (1, 1), (0.5, 0)], [(0, 1, 2)], look)
    for way in (-1, 1):
        b.box((way * 0.05, 0, 0.56 * height), (0.01, 0.07, 0.24 * height), BLACK)


def _warning_trailer(b: MeshBuilder, size: Size, rng: np.random.Generator) -> None:
    length, width, height = size
    b.box((0, 0, 0.5), (0.9 * length, 0.7 * width, 0.25), YELLOW)
    for side in (-1, 1):
        y = side * 0.38 * width
        b.cylinder((0, y - 0.09, 0.32), (0, y + 0.09, 0.32), (0.31, 0.31), BLACK, 14)
    b.box((0.02, 0, 0.6 * height + 0.25), (0.1, width, 0.7 * height), YELLOW)
    b.box((-0.05, 0, 0.6 * height + 0.25), (0.06, 0.92 * width, 0.63 * height), BLACK)
    for way in (-1, 1):  # an arrow of lamps points to the side to pass on
        for i in range(5):
            at = (-0.085, 0.08 * width * (i - 2), 0.62 * height + 0.2 + way * 0.05 * height * i)
            b.box(at, (0.02, 0.09, 0.09), YELLOW)


def _heap(b: MeshBuilder, size: Size, rng: np.random.Generator) -> None:
    length, width, height = size
    earth = paint((0.27, 0.21, 0.15))
    b.blob((0, 0, 0), (0.36 * length, 0.36 * width, 0.72 * height), earth, (12, 6), 0.08, rng)
    for _ in range(9):
        x, y = rng.uniform(-0.32, 0.32, 2)
        shade = float(rng.uniform(0.16, 0.42))
        r = float(rng.uniform(0.05, 0.12))
        b.blob((x * length, y * width, 0.2 * height), (r * length, r * width, 0.55 * height),
               paint((shade, 0.9 * shade, 0.75 * shade)), (6, 4), 0.08, rng)  # fmt: skip


def _plate(b: MeshBuilder, size: Size, rng: np.random.Generator) -> None:
    b.box((0, 0, size[2] / 2), size, paint((0.28, 0.24, 0.22), 0.2))


def _carton(b: MeshBuilder, size: Size, rng: np.random.Generator) -> None:
    length, width, height = size
    brown = paint((0.47, 0.33, 0.20))
    b.box((0, 0, height / 2), size, brown)
    b.box((0, 0, height / 2), (0.12 * length, width + 0.004, height + 0.004),
          paint((0.62, 0.50, 0.34)))  # fmt: skip


def _creased_carton(b: MeshBuilder, size: Size, rng: np.random.Generator) -> None:
    length, width, height = size
    brown = paint((0.44, 0.31, 0.19), two_sided=True)
    b.box((0, 0, 0.3 * height), (0.9 * length, 0.8 * width, 0.5 * height), brown)
    for side in (-1, 1):
        inner, outer = side * 0.4 * width, side * 0.5 * width
        corners = [
            (-0.45 * length, inner, 0.55 * height),
            (0.45 * length, inner, 0.55 * height),
            (0.42 * length, outer, height),
            (-0.45 * length, outer, 0.8 * height),
        ]
        b.quad(corners, brown)  # fmt: skip


def _sack(b: MeshBuilder, size: Size, rng: np.random.Generator) -> None:
    length, width, height = size
    shade = float(rng.uniform(0.03, 0.2))
    look = paint((shade, shade, 1.2 * shade), 0.3)
    b.blob((0, 0, 0.4 * height), (0.46 * length, 0.46 * width, 0.4 * height), look, (12, 8),
           0.03, rng)  # fmt: skip
    b.cylinder((0, 0, 0.74 * height), (0, 0, height), (0.05 * length, 0.16 * length), look, 8)


def _drum(b: MeshBuilder, size: Size, rng: np.random.Generator) -> None:
    radius, height = size[0] / 2, size[2]
    blue = paint(((0.05, 0.16, 0.35), (0.35, 0.07, 0.05), (0.06, 0.25, 0.12))[rng.integers(3)], 0.4)
    b.cylinder((0, 0, 0), (0, 0, height), (0.96 * radius, 0.96 * radius), blue, 18)
    for at in (0.02, 0.33, 0.66, 0.98):
        b.cylinder((0, 0, at * height - 0.015), (0, 0, at * height + 0.015), (radius, radius),
                   blue, 18)  # fmt: skip


def _waste_container(b: MeshBuilder, size: Size, rng: np.random.Generator) -> None:
    length, width, height = size
    green = paint(
        ((0.06, 0.22, 0.10), (0.20, 0.21, 0.22), (0.07, 0.12, 0.26))[rng.integers(3)], 0.2
    )
    b.box((0, 0, 0.5 * height), (0.85 * length, 0.96 * width, 0.66 * height), green)
    b.box((0, 0, 0.86 * height), (0.95 * length, width, 0.08 * height), green)
    b.cylinder((0, -0.48 * width, 0.87 * height), (0, 0.48 * width, 0.87 * height),
               (0.13 * height, 0.13 * height), paint((0.10, 0.10, 0.10)), 12)  # fmt: skip
    for x, y in legs(0.35 * length, 0.42 * width):
        b.cylinder((x, y - 0.03, 0.09), (x, y + 0.03, 0.09), (0.09, 0.09), BLACK, 10)
        b.box((x, y, 0.15), (0.06, 0.05, 0.14), STEEL)


def _tall_container(b: MeshBuilder, size: Size, rng: np.random.Generator) -> None:
    length, width, height = size
    look = paint(((0.55, 0.42, 0.05), (0.07, 0.27, 0.12), (0.12, 0.20, 0.42))[rng.integers(3)], 0.2)
    b.box((0, 0, 0.45 * height), (length, width, 0.9 * height), look)
    b.cylinder((-0.46 * length, 0, 0.88 * height), (0.46 * length, 0, 0.88 * height),
               (0.12 * height, 0.12 * height), look, 14)  # fmt: skip
    b.box((length / 2 - 0.01, 0, 0.72 * height), (0.025, 0.5 * width, 0.12 * height), BLACK)
    b.box((length / 2 - 0.01, 0, 0.4 * height), (0.025, 0.6 * width, 0.25 * height), WHITE)


MAKERS: Final[dict[str, Maker]] = {
    "cone": _cone,
    "barrier": _barrier,
    "chain": _chain,
    "post": _post,
    "warning_board": _warning_board,
    "warning_trailer": _warning_trailer,
    "heap": _heap,
    "plate": _plate,
    "carton": _carton,
    "creased_carton": _creased_carton,
    "sack": _sack,
    "drum": _drum,
    "waste_container": _waste_container,
    "tall_container": _tall_container,
    **FURNITURE,
}
