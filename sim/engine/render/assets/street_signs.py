"""Traffic signs and the gantries of motorways, their plates looking along +x."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.engine.render.mesh_builder import Material, MeshBuilder
from sim.engine.render.scene import Mesh

_STEEL: Final = Material("metal", (0.55, 0.57, 0.58), specular=0.1)
_GREY: Final = Material("metal", (0.42, 0.43, 0.44))
_RED: Final = Material("plain", (0.72, 0.05, 0.06), specular=0.08)
_WHITE: Final = Material("plain", (0.96, 0.96, 0.95), specular=0.08)
_BLACK: Final = Material("plain", (0.05, 0.05, 0.05))
_BLUE: Final = Material("plain", (0.03, 0.17, 0.52), specular=0.08)
PLATE_HEIGHT: Final = 2.35  # m, middle of a plate
LAYER: Final = 0.012  # m between the layers of a plate, so that they never fight for a pixel
BEAM_HEIGHT: Final = 6.6  # m, middle of a gantry's beam

Point = NDArray[np.float64]
Outline = Sequence[tuple[float, float]]  # (y, z) metres, counter-clockwise seen from +x

# Strokes of signs in a cell of 1 x 1: (y from left 0 to right 1, z from 0 to 1) of both ends.
_A, _B, _C = ((0, 1), (1, 1)), ((1, 0.5), (1, 1)), ((1, 0), (1, 0.5))
_D, _E, _F = ((0, 0), (1, 0)), ((0, 0), (0, 0.5)), ((0, 0.5), (0, 1))
_G = ((0, 0.5), (1, 0.5))
STROKES: Final[dict[str, tuple[tuple[tuple[float, float], tuple[float, float]], ...]]] = {
    "0": (_A, _B, _C, _D, _E, _F), "1": (((0.6, 0), (0.6, 1)), ((0.6, 1), (0.2, 0.75))),
    "2": (_A, _B, _G, _E, _D), "3": (_A, _B, _G, _C, _D), "4": (_F, _G, _B, _C),
    "5": (_A, _F, _G, _C, _D), "6": (_A, _F, _G, _C, _D, _E), "7": (_A, _B, _C),
    "8": (_A, _B, _C, _D, _E, _F, _G), "9": (_A, _B, _C, _D, _F, _G),
    "S": (_A, _F, _G, _C, _D), "T": (_A, ((0.5, 0), (0.5, 1))), "O": (_A, _B, _C, _D, _E, _F),
    "P": (_A, _B, _G, _E, _F),
}  # fmt: skip


def sign_mesh(blueprint_id: str) -> Mesh:
    """A sign on its post, for example of `traffic.speed_limit.30`, looking along +x."""
    builder = MeshBuilder()
    builder.cylinder((-0.05, 0, 0), (-0.05, 0, PLATE_HEIGHT + 0.3), (0.035, 0.035), _STEEL, 6)
    words = blueprint_id.split(".")
    if words[1] == "stop":
        _plate(builder, _polygon(8, 0.42, math.pi / 8), (_WHITE, _RED), (1.0, 0.92))
        _write(builder, "STOP", 0.2, 2 * LAYER, _WHITE)
    elif words[1] == "yield":
        _plate(builder, _polygon(3, 0.52, -math.pi / 2), (_RED, _WHITE), (1.0, 0.68))
    else:
        _plate(builder, _polygon(20, 0.33, 0.0), (_RED, _WHITE), (1.0, 0.78))
        _write(builder, words[2], 0.26 if len(words[2]) < 3 else 0.22, 2 * LAYER, _BLACK)
    return builder.build(blueprint_id)


def _polygon(corners: int, radius: float, turn: float) -> Outline:
    angles = [turn + math.tau * k / corners for k in range(corners)]
    return [(radius * math.cos(a), radius * math.sin(a)) for a in angles]


def _plate(
    builder: MeshBuilder, outline: Outline, looks: Sequence[Material], sizes: Sequence[float]
) -> None:
    """Layers of one shape, the largest first, with a grey back."""
    _flat(builder, outline, -LAYER, _GREY, -1.0)
    for k, (look, size) in enumerate(zip(looks, sizes, strict=True)):
        _flat(builder, [(y * size, z * size) for y, z in outline], k * LAYER, look, 1.0)


def _flat(builder: MeshBuilder, outline: Outline, x: float, look: Material, way: float) -> None:
    points = np.array([(x, y, PLATE_HEIGHT + z) for y, z in outline])
    fan = [(0, k, k + 1) for k in range(1, len(points) - 1)]
    uv = np.array(outline)
    builder.add(points, (way, 0.0, 0.0), uv, fan, look)


def _write(
    builder: MeshBuilder, text: str, height: float, x: float, look: Material,
    middle: tuple[float, float] = (0.0, PLATE_HEIGHT),
) -> None:  # fmt: skip
    """Strokes of signs side by side, read by who looks along -x."""
    wide, stroke = 0.52 * height, 0.17 * height
    pitch = wide + 1.6 * stroke
    left = middle[0] - pitch * (len(text) - 1) / 2
    for k, sign in enumerate(text):
        for ends in STROKES[sign]:
            a, b = (
                np.array((left + pitch * k + (y - 0.5) * wide, middle[1] + (z - 0.5) * height))
                for y, z in ends
            )
            _stroke(builder, (a, b), stroke, x, look)


def _stroke(
    builder: MeshBuilder, ends: tuple[Point, Point], width: float, x: float, look: Material
) -> None:
    a, b = ends
    along = (b - a) / np.linalg.norm(b - a)
    across = np.array((-along[1], along[0])) * width / 2
    a, b = a - along * width / 2, b + along * width / 2
    corners = [(x, *p) for p in (a - across, b - across, b + across, a + across)]
    uv = [(0, 0), (1, 0), (1, 1), (0, 1)]
    builder.add(corners, (1, 0, 0), uv, [(0, 1, 2), (0, 2, 3)], look)


def gantry_mesh(span: float, seed: int) -> Mesh:
    """A post with a beam of `span` metres to -y and blue boards over the lanes, seen from +x."""
    rng = np.random.default_rng((seed, 0x6A7))
    builder = MeshBuilder()
    builder.box((0, 0, 3.6), (0.35, 0.35, 7.2), _STEEL, (1, 1))
    for z in (BEAM_HEIGHT - 0.4, BEAM_HEIGHT + 0.4):
        builder.box((0, -span / 2, z), (0.16, span, 0.14), _STEEL, (1, 1))
    for k in range(int(span / 1.2)):
        y = -1.2 * k
        builder.cylinder((0, y, BEAM_HEIGHT - 0.4), (0, y - 0.6, BEAM_HEIGHT + 0.4),
                         (0.04, 0.04), _STEEL, 4, has_caps=False)  # fmt: skip
    boards = max(1, int(span // 5.0))
    for k in range(boards):
        y = -span * (k + 0.5) / boards
        wide = span / boards - 0.8
        builder.box((0.2, y, BEAM_HEIGHT + 0.2), (0.08, wide, 2.2), _BLUE)
        edge = 0.25 + LAYER
        for row in range(3):
            length = wide * float(rng.uniform(0.4, 0.75))
            z = BEAM_HEIGHT + 0.75 - 0.55 * row
            builder.box((edge, y + 0.1 * wide, z), (0.02, length, 0.24), _WHITE)
        text = f"{int(rng.integers(2, 99))}"
        middle = (y - 0.36 * wide, BEAM_HEIGHT + 0.5)
        _write(builder, text, 0.5, edge + LAYER, _WHITE, middle)
    return builder.build("gantry")


def gantry_post_mesh() -> Mesh:
    """The other post of a gantry."""
    builder = MeshBuilder()
    builder.box((0, 0, 3.6), (0.35, 0.35, 7.2), _STEEL, (1, 1))
    return builder.build("gantry post")
