"""Parts that vehicles share: materials, lamps and plates, and what a whole vehicle is made of."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from sim.engine.render.mesh_builder import Colour, Material, MeshBuilder
from sim.engine.render.scene import LampSpot, Mesh
from sim.engine.render.textures import TEXTURE_INDEX

Point = tuple[float, float, float]
Quad = tuple[Point, Point, Point, Point]
Extent = tuple[float, float, float]  # length, width without mirrors, height; metres

PAINT: Final = Material("plain", tint=1.0, specular=0.75)
PANEL: Final = Material("paint", tint=1.0, specular=0.75)  # with door seams and handles
GLASS: Final = Material("glass", specular=1.0)
DARK: Final = Material("plain", (0.03, 0.03, 0.032))
BLACK: Final = Material("plain", (0.06, 0.06, 0.062), specular=0.12)
TRIM: Final = Material("plain", (0.02, 0.02, 0.021), specular=0.5)
CHROME: Final = Material("metal", (0.9, 0.9, 0.92), specular=0.8)
STEEL: Final = Material("metal", (0.42, 0.42, 0.44), specular=0.4)
WHITE_PAINT: Final = Material("plain", (0.86, 0.86, 0.86), specular=0.6)

# Lamp numbers are bits of CARLA's VehicleLightState, counted from 1.
POSITION, LOW_BEAM, HIGH_BEAM, BRAKE, RIGHT_BLINKER, LEFT_BLINKER, REVERSE = 1, 2, 3, 4, 5, 6, 7
SPECIAL_1, SPECIAL_2 = 10, 11

# Where signs lie on a number plate, shares of its width and height.
SIGN_STEP, GROUP_GAP, SIGNS_LEFT, SIGNS_HIGH = 0.118, 0.032, 0.085, 0.84
SIGN_GROUPS = ((0, 2), (2, 3), (5, 2))  # first sign and number of signs
SIGNS_WIDE = 7 * SIGN_STEP + 2 * GROUP_GAP

_CLEAR: Final[Colour] = (0.80, 0.83, 0.85)
_RED: Final[Colour] = (0.3, 0.006, 0.009)
_AMBER: Final[Colour] = (0.80, 0.30, 0.03)
HEAD: Final = Material("plain", _CLEAR, specular=0.9, emissive=1.2, lamp=LOW_BEAM)
DAYTIME: Final = Material("plain", (0.9, 0.92, 0.95), specular=0.6, emissive=0.9, lamp=POSITION)
BRAKE_LIGHT: Final = Material("plain", _RED, specular=0.6, emissive=6.0, lamp=BRAKE)
TAIL_LIGHT: Final = Material("plain", _RED, specular=0.6, emissive=1.8, lamp=POSITION)
REVERSE_LIGHT: Final = Material("plain", _CLEAR, specular=0.6, emissive=1.4, lamp=REVERSE)
BLUE_LIGHTS: Final = tuple(
    Material("plain", (0.03, 0.08, 0.55), specular=0.6, emissive=3.0, lamp=lamp)
    for lamp in (SPECIAL_1, SPECIAL_2)
)


def blinker(side: int) -> Material:
    """The direction indicator of the left (+1) or right (-1) side."""
    lamp = LEFT_BLINKER if side > 0 else RIGHT_BLINKER
    return Material("plain", _AMBER, specular=0.5, emissive=2.4, lamp=lamp)


@dataclass(frozen=True, slots=True, eq=False)
class Wheel:
    """A wheel that turns.

    Attributes:
        mesh: its middle in the origin, its axle along y.
        at: metres of its middle, vehicle axes.
        radius: metres.
        is_steered: turns with the steering angle.
    """

    mesh: Mesh
    at: tuple[float, float, float]
    radius: float
    is_steered: bool


@dataclass(frozen=True, slots=True, eq=False)
class VehicleAsset:
    """A vehicle and its moving parts; the origin lies on the ground under the middle of its box.

    Attributes:
        body: all that keeps its shape, with the lamps.
        wheels: turn with the road.
        rider: phases of a turn of the pedals, one where nobody pedals, none without a rider.
        pedal_m: metres on the road per turn of the pedals.
    """

    body: Mesh
    wheels: tuple[Wheel, ...]
    rider: tuple[Mesh, ...] = ()
    pedal_m: float = 5.0


def lamp_spots(
    front: tuple[float, float, float], rear: tuple[float, float, float]
) -> tuple[LampSpot, ...]:
    """Lamps at the four corners; `front` and `rear` are the left ones, the right are mirrored."""
    spots = []
    for side in (1, -1):
        ahead, behind = (front[0], side * front[1], front[2]), (rear[0], side * rear[1], rear[2])
        turn = LEFT_BLINKER if side > 0 else RIGHT_BLINKER
        out = (0.5, 0.87 * side, 0.0)
        spots += [
            LampSpot(ahead, (0.998, 0.0, -0.06), (1.0, 0.93, 0.82), LOW_BEAM, 32.0),
            LampSpot(ahead, (1.0, 0.0, -0.015), (1.0, 0.95, 0.86), HIGH_BEAM, 70.0),
            LampSpot(behind, (-1.0, 0.0, 0.0), (1.0, 0.04, 0.03), POSITION),
            LampSpot(behind, (-1.0, 0.0, 0.0), (1.0, 0.04, 0.03), BRAKE),
            LampSpot(behind, (-1.0, 0.0, 0.0), (1.0, 0.95, 0.9), REVERSE, 6.0),
            LampSpot(ahead, out, (1.0, 0.45, 0.05), turn),
            LampSpot(behind, (-out[0], out[1], 0.0), (1.0, 0.45, 0.05), turn),
        ]
    return tuple(spots)


def add_head_lamps(
    builder: MeshBuilder, x: float, width: float, z: float, size: tuple[float, float, float]
) -> None:
    """A pair of boxes at the front corners with an indicator at the outer end."""
    for side in (1, -1):
        y = side * (width * 0.43 - size[1] / 2 + 0.02)
        builder.box((x, y, z), size, HEAD, faces="+x+y-y+z-z")
        outside = side * width * 0.43
        builder.box((x - 0.02, outside, z), (size[0], 0.07, size[2] * 0.9), blinker(side))


def add_tail_lamps(
    builder: MeshBuilder, x: float, width: float, z: float, size: tuple[float, float, float]
) -> None:
    """A pair of boxes at the rear corners: brake and tail light, indicator, reversing light."""
    depth, wide, tall = size
    for side in (1, -1):
        y = side * (width * 0.44 - wide / 2 + 0.02)
        rows = ((0.16, 0.68, 0.0, 1.0, BRAKE_LIGHT), (-0.27, 0.18, 0.0, 1.0, TAIL_LIGHT),
                (-0.43, 0.14, 0.25, 0.5, blinker(side)),
                (-0.43, 0.14, -0.25, 0.5, REVERSE_LIGHT))  # fmt: skip
        for up, high, out, share, look in rows:
            centre = (x, y + side * wide * out, z + tall * up)
            builder.box(centre, (depth, wide * share, tall * high), look, faces="-x+y-y+z-z")


def add_plates(
    builder: MeshBuilder,
    front: float | None,
    rear: float,
    z: tuple[float, float],
    size: tuple[float, float] = (0.52, 0.115),
) -> None:
    """Number plates at x `front` (None for none) and `rear`, heights `z`; the text is the actor's.

    A plate is 520 x 115 mm and shows seven signs as `AB 123 CD`.
    """
    for x, height, sign in ((front, z[0], 1.0), (rear, z[1], -1.0)):
        if x is not None:
            _add_plate(builder, x, sign, height, size)


def _add_plate(
    builder: MeshBuilder, x: float, sign: float, z: float, size: tuple[float, float]
) -> None:
    wide, tall = size

    def patch(left: float, right: float, low: float, high: float, out: float) -> list[Point]:
        # left and right as the reader sees them, shares of the width
        y = [sign * wide * (share - 0.5) for share in (left, right)]
        at = x + sign * out
        return [(at, y[0], z + low * tall), (at, y[1], z + low * tall),
                (at, y[1], z + high * tall), (at, y[0], z + high * tall)]  # fmt: skip

    frame = Material("plain", (0.05, 0.05, 0.05))
    field = Material("plain", (0.84, 0.84, 0.82))
    builder.quad(patch(-0.02, 1.02, -0.56, 0.56, 0.0), frame)
    builder.quad(patch(0.0, 1.0, -0.5, 0.5, 0.004), field)
    builder.quad(patch(0.0, 0.07, -0.5, 0.5, 0.006), Material("plain", (0.03, 0.07, 0.42)))
    place, up = SIGNS_LEFT, SIGNS_HIGH / 2
    for first, count in SIGN_GROUPS:
        corners = patch(place, place + SIGN_STEP * count, -up, up, 0.006)
        u = (first / 8, (first + count) / 8)
        uv = [(u[0], 0.125), (u[1], 0.125), (u[1], 0.0), (u[0], 0.0)]
        builder.add(corners, (sign, 0, 0), uv, [(0, 1, 2), (0, 2, 3)], Material("glyphs"))
        place += SIGN_STEP * count + GROUP_GAP


def plate_corners(mesh: Mesh) -> tuple[Quad, ...]:
    """Where the number plates of a finished vehicle are, mesh axes, metres; found by their signs.

    Each is bottom left, bottom right, top right, top left, as its reader sees it.
    """
    of_signs = mesh.triangles[mesh.texture == TEXTURE_INDEX["glyphs"]].ravel()
    plates = []
    for sign in (1.0, -1.0):
        points = mesh.vertices[of_signs[mesh.normals[of_signs, 0] * sign > 0.5]].astype(np.float64)
        if not len(points):
            continue
        x, low, high = points[:, 0].mean(), points.min(0), points.max(0)
        wide = (high[1] - low[1]) / SIGNS_WIDE
        more = (high[2] - low[2]) * (1.0 / SIGNS_HIGH - 1.0) / 2
        left = (low[1] if sign > 0 else high[1]) - sign * SIGNS_LEFT * wide
        right, bottom, top = left + sign * wide, low[2] - more, high[2] + more
        rows = [(x, y, z) for y, z in ((left, bottom), (right, bottom), (right, top), (left, top))]
        a, b, c, d = ((float(x), float(y), float(z)) for x, y, z in rows)
        plates.append((a, b, c, d))
    return tuple(plates)


def fit_to_extent(
    mesh: Mesh, extent: Extent, wheels: tuple[Wheel, ...] = ()
) -> tuple[Mesh, tuple[Wheel, ...]]:
    """Scale length and height to the extent and centre the length; wheels go along."""
    vertices = mesh.vertices.astype(np.float64)
    low, high = vertices.min(0), vertices.max(0)
    scale, middle = extent[0] / (high[0] - low[0]), (low[0] + high[0]) / 2
    tall = extent[2] / high[2]

    def moved(x: float, y: float, z: float) -> Point:
        return (float((x - middle) * scale), y, float(z * tall))

    vertices[:, 0] = (vertices[:, 0] - middle) * scale
    vertices[:, 2] *= tall
    spots = tuple(replace(spot, position=moved(*spot.position)) for spot in mesh.spots)
    along = tuple(
        replace(wheel, at=(moved(*wheel.at)[0], wheel.at[1], wheel.at[2])) for wheel in wheels
    )
    return replace(mesh, vertices=vertices.astype(np.float32), spots=spots), along
