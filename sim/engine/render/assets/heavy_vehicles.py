"""Lorries: a cab over the engine with box, tank, flat or fire-fighting bodies."""

from dataclasses import replace
from typing import Final

import numpy as np

from sim.engine.render.assets.vehicle_parts import (
    BLACK,
    BLUE_LIGHTS,
    CHROME,
    DARK,
    GLASS,
    HEAD,
    PAINT,
    STEEL,
    TRIM,
    WHITE_PAINT,
    Extent,
    VehicleAsset,
    Wheel,
    add_plates,
    add_tail_lamps,
    blinker,
    fit_to_extent,
    lamp_spots,
)
from sim.engine.render.assets.wheels import road_wheel
from sim.engine.render.mesh_builder import Material, MeshBuilder

WHEEL_RADIUS: Final = 0.5  # m
FRONT_AXLE: Final = 1.3  # m behind the bumper
SKIRT: Final = Material("plain", (0.2, 0.2, 0.21), specular=0.3)
REFLECTOR: Final = Material("plain", (0.75, 0.06, 0.03), specular=0.5)
BODIES: Final = {
    "carlamotors.carlacola": "drinks",
    "carlamotors.firetruck": "fire",
    "carlamotors.european_hgv": "box",
}
_STAR = tuple(np.linspace(np.pi, 0, 9))  # of an arch


def truck(extent: Extent, model: str, rng: np.random.Generator) -> VehicleAsset:
    """A rigid two- or three-axle lorry; cab and body take the tint."""
    length, width, height = extent
    body = BODIES.get(model) or ("box", "tank", "flat")[int(rng.integers(3))]
    builder = MeshBuilder()
    front, rear = length / 2, -length / 2
    cab_length = 3.1 if body == "fire" else 2.05
    top = {"fire": height - 0.35, "drinks": height - 0.25}.get(body, min(height - 0.2, 3.1))
    _add_cab(builder, (front - cab_length, front), width, (0.5, top))
    bed_front = front - cab_length - 0.12
    bed = (bed_front, rear + 0.05)
    builder.box(((front - 0.6 + rear) / 2, 0, 0.78), (length - 1.0, 0.9, 0.3), DARK)
    add = {"box": _add_box, "drinks": _add_drinks, "tank": _add_tank, "flat": _add_flat,
           "fire": _add_fire}[body]  # fmt: skip
    add(builder, bed, width, height)
    has_three = body != "fire" and length > 7.0 and rng.random() < 0.5
    axles = [front - FRONT_AXLE, rear + 1.6] + ([rear + 2.75] if has_three else [])
    _add_chassis(builder, extent, axles)
    wheels = place_wheels(axles, width / 2 - 0.02, WHEEL_RADIUS, 0.32)
    spots = lamp_spots((front, 0.4 * width, 0.82), (rear, 0.4 * width, 0.78))
    mesh = replace(builder.build(f"truck {body}"), spots=spots)
    return VehicleAsset(*fit_to_extent(mesh, extent, wheels))


def place_wheels(axles: list[float], outer: float, radius: float, wide: float) -> tuple[Wheel, ...]:
    """Pairs at each x with outer faces at +-`outer`; the first axle steers."""
    wheels = []
    for number, x in enumerate(axles):
        for side in (1, -1):
            at = (x, side * (outer - wide / 2), radius)
            wheels.append(Wheel(road_wheel(radius, wide, side), at, radius, number == 0))
    return tuple(wheels)


def _add_chassis(builder: MeshBuilder, extent: Extent, axles: list[float]) -> None:
    """Lamps, bumpers, mudguards, side guards, tanks, mirrors and plates."""
    length, width, _ = extent
    front, rear = length / 2, -length / 2
    for side in (1, -1):
        y = side * 0.36 * width
        builder.box((front + 0.01, y, 0.78), (0.06, 0.34, 0.2), HEAD, faces="+x+y-y+z-z")
        builder.box((front - 0.01, side * 0.47 * width, 0.78), (0.1, 0.12, 0.18), blinker(side))
        builder.box((front - 0.15, side * (width / 2 + 0.1), 2.05), (0.12, 0.17, 0.5), TRIM)
        builder.box((front - 0.15, side * (width / 2 + 0.02), 2.34), (0.04, 0.16, 0.04), TRIM)
        guard = (axles[0] - 0.75, axles[-1] + 0.75)
        middle, long = sum(guard) / 2, guard[0] - guard[1]
        builder.box((middle, side * (width / 2 - 0.05), 0.72), (long, 0.04, 0.52), SKIRT)
        for x in axles[1:]:
            builder.box((x - 0.62, side * (width / 2 - 0.2), 0.72), (0.03, 0.34, 0.5), BLACK)
            builder.box((x, side * (width / 2 - 0.2), 1.06), (1.2, 0.34, 0.03), BLACK)
    add_tail_lamps(builder, rear + 0.02, width, 0.78, (0.12, 0.3, 0.2))
    builder.box((rear + 0.05, 0, 0.52), (0.08, width * 0.94, 0.14), BLACK)
    builder.box((rear + 0.2, 0, 0.8), (0.1, width * 0.9, 0.5), DARK)
    for side in (-1, 1):
        builder.box((rear + 0.005, side * 0.3 * width, 0.52), (0.02, 0.4, 0.1), REFLECTOR)
    add_plates(builder, front + 0.075, rear - 0.05, (0.55, 0.78))
    builder.box((axles[0], 0, 0.75), (1.25, width - 0.75, 0.6), DARK)


def _add_cab(
    builder: MeshBuilder,
    along: tuple[float, float],
    width: float,
    heights: tuple[float, float],
) -> None:
    """A cab over the engine: raked screen, doors with windows, grille, arch, steps."""
    rear, front = along
    low, high = heights
    half = width / 2 - 0.02
    sill = low + 0.48 * (high - low)
    profile = [(front, low), (front + 0.04, sill - 0.1), (front, sill),
               (front - 0.22, high - 0.3), (front - 0.36, high - 0.12), (front - 0.6, high),
               (rear, high), (rear, low)]  # fmt: skip
    xs, zs = np.array([x for x, _ in profile[:7]]), np.array([z for _, z in profile[:7]])
    columns = np.array([-1.0, -0.9, 0.9, 1.0])
    tuck = np.array([0.05, 0.0, 0.0, 0.05])
    points = np.empty((7, 4, 3))
    points[..., 0] = xs[:, None] - tuck * (xs[:, None] > rear + 0.3)
    points[..., 1] = half * columns
    points[..., 2] = zs[:, None] - tuck * 0.8 * (zs[:, None] > high - 0.05)
    looks = [[GLASS if row == 2 and column == 1 else PAINT for column in range(3)]
             for row in range(6)]  # fmt: skip
    middle = np.tile([(rear + front) / 2, 0.0, (low + high) / 2], (7, 1))
    builder.grid(points, np.full((7, 4, 2), 0.2), looks, outward_from=middle)
    arch = WHEEL_RADIUS + 0.09
    axle = front + 0.02 - FRONT_AXLE
    notch = [(axle + arch * np.cos(a), max(low, WHEEL_RADIUS + arch * np.sin(a))) for a in _STAR]
    outline = np.array([*[(x - 0.05 * (x > rear + 0.3), z - 0.04 * (z > high - 0.05))
                          for x, z in profile], *notch])  # fmt: skip
    count = len(outline)
    i = np.arange(count)
    fan = np.stack([0 * i, 1 + i, 1 + (i + 1) % count], 1)
    flat = np.vstack([[(axle, sill)], outline])
    for side in (-1, 1):
        panel = np.column_stack([flat[:, 0], np.full(count + 1, side * half), flat[:, 1]])
        builder.add(panel, (0, side, 0), np.full((count + 1, 2), 0.15), fan, PAINT)
        y = side * (half + 0.003)
        doors = [(front - 0.42, front - 1.35)]
        if front - rear > 2.6:
            doors.append((front - 1.6, front - 2.7))
        for first, last in doors:
            pane = [(first, y, sill + 0.02), (last, y, sill + 0.02), (last, y, high - 0.28),
                    (first - 0.12, y, high - 0.28)]  # fmt: skip
            builder.quad(pane if side > 0 else pane[::-1], GLASS, (0.2, 0.2))
            builder.box((last - 0.05, y, (low + high) / 2 + 0.2), (0.02, 0.01, high - low - 0.7),
                        TRIM)  # fmt: skip
            builder.box((last + 0.08, y, sill - 0.14), (0.16, 0.03, 0.03), TRIM)
    builder.box((front + 0.03, 0, sill - 0.32), (0.05, width * 0.72, 0.4),
                Material("grille", specular=0.2))  # fmt: skip
    builder.box((front + 0.05, 0, sill - 0.02), (0.03, width * 0.3, 0.09), CHROME)
    builder.box((front + 0.0, 0, 0.55), (0.14, width * 0.98, 0.3), BLACK)


def _add_box(builder: MeshBuilder, bed: tuple[float, float], width: float, height: float) -> None:
    """A box body with frame, rear doors and locking bars."""
    middle, long = sum(bed) / 2, bed[0] - bed[1]
    box = Material("cargo", tint=0.0, specular=0.12)
    builder.box((middle, 0, (1.08 + height) / 2), (long, width, height - 1.08), box,
                (3.0, height - 1.08))  # fmt: skip
    _add_frame(builder, bed, width, (1.05, height), STEEL)
    rear = bed[1] - 0.012
    for y in (-0.28, -0.09, 0.09, 0.28):
        builder.box((rear, y * width, (1.1 + height) / 2), (0.03, 0.035, height - 1.3), STEEL)
    builder.box((rear, 0, (1.1 + height) / 2), (0.02, 0.03, height - 1.15), TRIM)


def _add_frame(
    builder: MeshBuilder,
    bed: tuple[float, float],
    width: float,
    heights: tuple[float, float],
    look: Material,
) -> None:
    middle, long = sum(bed) / 2, bed[0] - bed[1]
    low, high = heights
    for side in (-1, 1):
        for z in (low + 0.05, high - 0.05):
            builder.box((middle, side * width / 2, z), (long + 0.03, 0.03, 0.1), look)
        for x in bed:
            builder.box((x, side * (width / 2 - 0.03), (low + high) / 2), (0.05, 0.09, high - low),
                        look)  # fmt: skip


def _add_drinks(
    builder: MeshBuilder, bed: tuple[float, float], width: float, height: float
) -> None:
    """A painted box with a white band along its sides."""
    middle, long = sum(bed) / 2, bed[0] - bed[1]
    builder.box((middle, 0, (1.05 + height) / 2), (long, width - 0.02, height - 1.05),
                Material("plain", tint=1.0, specular=0.4))  # fmt: skip
    _add_frame(builder, bed, width - 0.02, (1.03, height), WHITE_PAINT)
    for side in (-1, 1):
        y = side * (width / 2 - 0.006)
        builder.box((middle, y, 1.5 + 0.25 * (height - 1.5)), (long, 0.01, 0.34), WHITE_PAINT)
    doors = ((1.1 + height) / 2, height - 1.25)
    builder.box((bed[1] - 0.004, 0, doors[0]), (0.02, width - 0.2, doors[1]), WHITE_PAINT)
    for y in (-0.26, -0.012, 0.26):
        builder.box((bed[1] - 0.016, y * width, doors[0]), (0.02, 0.035, doors[1]), STEEL)


def _add_tank(builder: MeshBuilder, bed: tuple[float, float], width: float, height: float) -> None:
    radius = (height - 1.15) / 2
    middle, long = sum(bed) / 2, bed[0] - bed[1]
    z = 1.12 + radius
    builder.cylinder((bed[1], 0, z), (bed[0], 0, z), (radius, radius),
                     Material("metal", (0.8, 0.8, 0.82), specular=0.6), sides=20)  # fmt: skip
    for share in (0.1, 0.5, 0.9):
        x = bed[1] + share * long
        builder.cylinder((x, 0, z), (x + 0.07, 0, z), (radius + 0.02, radius + 0.02), STEEL,
                         sides=20, has_caps=False)  # fmt: skip
    builder.box((middle, 0, z + radius + 0.01), (long * 0.7, 0.5, 0.05), STEEL)
    builder.box((middle, 0, 1.0), (long, width * 0.9, 0.14), BLACK)


def _add_flat(builder: MeshBuilder, bed: tuple[float, float], width: float, height: float) -> None:
    middle, long = sum(bed) / 2, bed[0] - bed[1]
    builder.box((middle, 0, 1.08), (long, width, 0.16), Material("bark", (1.2, 1.15, 1.05)),
                (2.0, 1.0))  # fmt: skip
    wall = Material("metal", tint=1.0, specular=0.2)
    for side in (-1, 1):
        builder.box((middle, side * (width / 2 - 0.03), 1.42), (long, 0.06, 0.6), wall)
    builder.box((bed[0] - 0.05, 0, (1.1 + height) / 2), (0.08, width, height - 1.1), wall)
    builder.box((bed[1] + 0.03, 0, 1.42), (0.06, width, 0.6), wall)
    load = Material("concrete", (0.62, 0.5, 0.36))
    builder.box((middle - 0.2, 0, 1.78), (long * 0.62, width * 0.76, 1.26), load, (2.0, 2.0))


def _add_fire(builder: MeshBuilder, bed: tuple[float, float], width: float, height: float) -> None:
    """Lockers with shutters, a ladder on the roof, blue lights, a white stripe."""
    middle, long = sum(bed) / 2, bed[0] - bed[1]
    roof = height - 0.35
    builder.box((middle, 0, (0.95 + roof) / 2), (long, width - 0.04, roof - 0.95), PAINT)
    shutter = Material("cargo", (0.62, 0.63, 0.65), specular=0.3)
    count = max(2, round(long / 1.2))
    step = long / count
    for side in (-1, 1):
        y = side * (width / 2 - 0.012)
        for k in range(count):
            x = bed[1] + (k + 0.5) * step
            builder.box((x, y, (1.5 + roof) / 2), (step - 0.16, 0.02, roof - 1.75), shutter,
                        (step, 0.6))  # fmt: skip
        builder.box((middle + 1.1, y, 1.27), (long + 2.6, 0.034, 0.16), WHITE_PAINT)
        builder.box((middle + 0.3, side * 0.28, height - 0.06), (long + 1.6, 0.06, 0.1), CHROME)
    for k in range(12):
        x = middle + 0.3 + (k - 5.5) * (long + 1.4) / 12
        builder.box((x, 0, height - 0.06), (0.05, 0.56, 0.05), CHROME)
    builder.box((bed[1] - 0.006, 0, (1.4 + roof) / 2), (0.02, width * 0.6, roof - 1.6), shutter,
                (1.0, 0.6))  # fmt: skip
    for number, side in enumerate((1, -1)):
        builder.box((bed[0] + 2.7, side * 0.28 * width, roof + 0.1), (0.26, 0.5, 0.2),
                    BLUE_LIGHTS[number])  # fmt: skip
        builder.box((bed[1] + 0.2, side * 0.4 * width, roof + 0.08), (0.2, 0.2, 0.16),
                    BLUE_LIGHTS[number])  # fmt: skip
