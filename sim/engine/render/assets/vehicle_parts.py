"""Parts that vehicles share: materials, wheels, lamps and plates."""

from dataclasses import replace
from typing import Final

import numpy as np

from sim.engine.render.mesh_builder import Colour, Material, MeshBuilder
from sim.engine.render.scene import Mesh

PAINT: Final = Material("paint", tint=1.0, specular=0.75)
GLASS: Final = Material("glass", specular=1.0)
DARK: Final = Material("plain", (0.06, 0.06, 0.065))
BLACK: Final = Material("plain", (0.11, 0.11, 0.115), specular=0.15)
CHROME: Final = Material("metal", (0.9, 0.9, 0.92), specular=0.8)
RUBBER: Final = Material("plain", (0.09, 0.09, 0.09))
WHEEL_FACE: Final = Material("tyre", specular=0.12)

# Lamp numbers are bits of CARLA's VehicleLightState, counted from 1.
POSITION, LOW_BEAM, BRAKE, RIGHT_BLINKER, LEFT_BLINKER, REVERSE = 1, 2, 4, 5, 6, 7

_CLEAR: Final[Colour] = (0.93, 0.95, 0.96)
_RED: Final[Colour] = (0.62, 0.03, 0.035)
_AMBER: Final[Colour] = (0.92, 0.5, 0.08)


def add_wheel(
    builder: MeshBuilder, at: tuple[float, float], radius: float, width: float, side: int
) -> None:
    """A wheel standing on the ground; `at` is x and the y of its outer face, side +1 left."""
    x, y = at
    inner, outer = (x, y - side * width, radius), (x, y, radius)
    builder.cylinder(inner, outer, (radius, radius), RUBBER, sides=16, cap=WHEEL_FACE)


def add_head_lamps(
    builder: MeshBuilder, x: float, width: float, z: float, size: tuple[float, float, float]
) -> None:
    """A pair at the front corners, glowing with the low beam, with a blinker at the outer end."""
    lamp = Material("plain", _CLEAR, specular=0.8, emissive=1.2, lamp=LOW_BEAM)
    for side, blinker in ((1, LEFT_BLINKER), (-1, RIGHT_BLINKER)):
        y = side * (width * 0.43 - size[1] / 2 + 0.02)
        builder.box((x, y, z), size, lamp)
        outside = side * width * 0.43
        amber = Material("plain", _AMBER, specular=0.5, emissive=1.6, lamp=blinker)
        builder.box((x - 0.02, outside, z), (size[0], 0.07, size[2] * 0.9), amber)


def add_tail_lamps(
    builder: MeshBuilder, x: float, width: float, z: float, size: tuple[float, float, float]
) -> None:
    """A pair at the rear corners: brake and tail light, blinker, reversing light."""
    brake = Material("plain", _RED, specular=0.6, emissive=2.2, lamp=BRAKE)
    tail = Material("plain", _RED, specular=0.6, emissive=0.9, lamp=POSITION)
    depth, wide, tall = size
    for side, blinker in ((1, LEFT_BLINKER), (-1, RIGHT_BLINKER)):
        y = side * (width * 0.44 - wide / 2 + 0.02)
        builder.box((x, y, z + tall * 0.16), (depth, wide, tall * 0.68), brake)
        builder.box((x, y, z - tall * 0.27), (depth, wide, tall * 0.18), tail)
        inner = Material("plain", _AMBER, specular=0.5, emissive=1.6, lamp=blinker)
        builder.box((x, y + side * wide * 0.25, z - tall * 0.43),
                    (depth, wide * 0.5, tall * 0.14), inner)  # fmt: skip
        clear = Material("plain", _CLEAR, specular=0.6, emissive=1.4, lamp=REVERSE)
        builder.box((x, y - side * wide * 0.25, z - tall * 0.43),
                    (depth, wide * 0.5, tall * 0.14), clear)  # fmt: skip


def add_plates(builder: MeshBuilder, front: float, rear: float, z: tuple[float, float]) -> None:
    """Number plates at x `front` and `rear`, heights `z`."""
    half = 0.26
    for x, height, y in ((front, z[0], half), (rear, z[1], -half)):
        low, high = height - 0.055, height + 0.055
        corners = [(x, -y, low), (x, y, low), (x, y, high), (x, -y, high)]
        builder.quad(corners, Material("plate"))


def fit_to_extent(mesh: Mesh, extent: tuple[float, float, float]) -> Mesh:
    """Scale length and height to the extent and centre the length; mirrors may pass the width."""
    vertices = mesh.vertices.astype(np.float64)
    low, high = vertices.min(0), vertices.max(0)
    vertices[:, 0] = (vertices[:, 0] - (low[0] + high[0]) / 2) * extent[0] / (high[0] - low[0])
    vertices[:, 2] *= extent[2] / high[2]
    return replace(mesh, vertices=vertices.astype(np.float32))
