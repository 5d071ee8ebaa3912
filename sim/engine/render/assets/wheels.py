"""Wheels that turn: of cars and lorries with tyre and rim, of cycles with spokes."""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.engine.render.mesh_builder import Colour, Material, MeshBuilder
from sim.engine.render.scene import Mesh

RUBBER: Final = Material("plain", (0.03, 0.03, 0.031), specular=0.06)
SPOKE: Final = Material("metal", (0.75, 0.75, 0.77), specular=0.5)
_SILVER: Final[Colour] = (1.0, 1.0, 1.02)
_GREY: Final[Colour] = (0.45, 0.45, 0.47)
_BLACK: Final[Colour] = (0.2, 0.2, 0.21)


def road_wheel(radius: float, width: float, side: int, rim: int = 0) -> Mesh:
    """A wheel of a car or lorry, axle along y through the origin.

    Args:
        radius: metres.
        width: metres of the tyre.
        side: +1 for the left, whose rim looks to +y, -1 for the right.
        rim: 0 silver, 1 grey, 2 black.
    """
    near = _road_wheel(radius, width, side, rim, 16)
    return replace(near, coarse=_road_wheel(radius, width, side, rim, 10))


def _road_wheel(radius: float, width: float, side: int, rim: int, sides: int) -> Mesh:
    builder = MeshBuilder()
    half = width / 2
    colour = (_SILVER, _GREY, _BLACK)[rim % 3]
    if sides > 12:
        tyre = [(-half, 0.6), (-0.85 * half, 1.0), (0.78 * half, 1.0), (half, 0.92),
                (half, 0.73)]  # fmt: skip
        dish = [(half, 0.73), (half * 0.6, 0.67)]
    else:
        tyre, dish = [(-half, 0.6), (-half, 1.0), (half, 1.0), (half, 0.7)], []
    _revolve(builder, tyre, radius, side, sides, RUBBER)
    if dish:
        _revolve(builder, dish, radius, side, sides, Material("metal", colour, specular=0.5),
                 outward=-1.0)  # fmt: skip
    y, inner = dish[-1] if dish else (half, 0.7)
    face = Material("tyre", colour, specular=0.25)
    _disc(builder, side * y, inner * radius, side, sides, face, inner)
    _disc(builder, -side * half, 0.56 * radius, -side, sides, RUBBER, 0.5)
    return builder.build("wheel")


def _revolve(
    builder: MeshBuilder,
    profile: list[tuple[float, float]],
    radius: float,
    side: int,
    sides: int,
    look: Material,
    outward: float = 1.0,
) -> None:
    """A surface of revolution about y; the profile gives y and the share of the radius."""
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    table = np.array(profile)
    points = np.empty((len(table), sides + 1, 3))
    points[..., 0] = table[:, 1, None] * radius * np.cos(angle)
    points[..., 1] = side * table[:, 0, None]
    points[..., 2] = table[:, 1, None] * radius * np.sin(angle)
    uv = np.stack(np.broadcast_arrays(angle[None], 0.1 * np.arange(len(table))[:, None]), -1)
    middle = np.zeros((len(table), 3))
    middle[:, 1] = side * table[:, 0].mean()
    normals = _normals(points, middle) * outward
    builder.grid(points, uv, look, normals=normals)


def _normals(points: NDArray[np.float64], middle: NDArray[np.float64]) -> NDArray[np.float64]:
    """Away from the middle of the tyre, flatter on its flanks."""
    away = points - middle[:, None]
    ring = points.copy()
    ring[..., 1] = 0.0
    unit = ring / np.maximum(np.linalg.norm(ring, axis=-1, keepdims=True), 1e-9)
    aside = away * (0.0, 1.0, 0.0)
    aside /= max(float(np.abs(aside).max()), 1e-9)
    total: NDArray[np.float64] = unit * 0.8 + aside
    return total


def _disc(
    builder: MeshBuilder,
    y: float,
    radius: float,
    side: int,
    sides: int,
    look: Material,
    share: float,
) -> None:
    """A flat face at y; `share` of the texture's disc is laid over it."""
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    ring = np.column_stack([np.cos(angle), np.sin(angle)])
    points = np.zeros((sides + 1, 3))
    points[1:, 0], points[1:, 2] = ring[:, 0] * radius, ring[:, 1] * radius
    points[:, 1] = y
    uv = np.full((sides + 1, 2), 0.5)
    uv[1:] += 0.5 * share * ring * (1.0, -1.0)
    k = np.arange(sides)
    fan = np.stack([0 * k, 1 + k, 1 + (k + 1) % sides], 1)
    builder.add(points, (0, side, 0), uv, fan, look)


def spoked_wheel(radius: float, tyre: float, spokes: int) -> Mesh:
    """A bicycle's wheel, seen through; `tyre` is half its thickness, metres."""
    near = _spoked_wheel(radius, tyre, spokes, 22)
    return replace(near, coarse=_spoked_wheel(radius, tyre * 1.3, 4, 10))


def _spoked_wheel(radius: float, tyre: float, spokes: int, sides: int) -> Mesh:
    builder = MeshBuilder()
    for inner, outer, half, look in (
        (radius - 2.0 * tyre, radius, tyre, RUBBER),
        (radius - 3.2 * tyre, radius - 1.7 * tyre, 0.7 * tyre, SPOKE),
    ):
        _ring(builder, (inner, outer), half, sides, look)
    for k in range(spokes):
        c, s = np.cos(k * np.pi / spokes), np.sin(k * np.pi / spokes)
        r = radius - 2 * tyre
        builder.cylinder((-c * r, 0, -s * r), (c * r, 0, s * r), (0.004, 0.004), SPOKE, 3,
                         has_caps=False)  # fmt: skip
    builder.cylinder((0, -0.05, 0), (0, 0.05, 0), (0.025, 0.025), SPOKE, 6)
    return builder.build("spoked wheel")


def _ring(
    builder: MeshBuilder, radii: tuple[float, float], half: float, sides: int, look: Material
) -> None:
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    ring = np.column_stack([np.cos(angle), np.sin(angle)])
    inner, outer = radii
    section = [(inner, -half), (outer, -half), (outer, half), (inner, half), (inner, -half)]
    points = np.array([[(c * r, y, s * r) for r, y in section] for c, s in ring])
    middle = np.column_stack([ring[:, 0], 0 * angle, ring[:, 1]]) * (inner + outer) / 2
    builder.grid(points, np.zeros((*points.shape[:2], 2)), look, outward_from=middle)


def motorcycle_wheel(radius: float, width: float, rim: int = 1) -> Mesh:
    """A fat tyre with a cast rim on both sides."""
    near = _motorcycle_wheel(radius, width, rim, 18)
    return replace(near, coarse=_motorcycle_wheel(radius, width, rim, 9))


def _motorcycle_wheel(radius: float, width: float, rim: int, sides: int) -> Mesh:
    builder = MeshBuilder()
    half = width / 2
    tyre = [(-0.8 * half, 0.7), (-half, 0.86), (-0.45 * half, 1.0), (0.45 * half, 1.0),
            (half, 0.86), (0.8 * half, 0.7)]  # fmt: skip
    _revolve(builder, tyre, radius, 1, sides, RUBBER)
    face = Material("tyre", (_SILVER, _GREY, _BLACK)[rim % 3], specular=0.3)
    for side in (1, -1):
        _disc(builder, side * 0.35 * half, 0.72 * radius, side, sides, face, 0.7)
        reach = 0.55 * radius
        disc = Material("metal", (0.6, 0.6, 0.6), specular=0.4)
        _disc(builder, side * 0.6 * half, 0.5 * reach, side, sides, disc, 0.2)
    return builder.build("motorcycle wheel")
