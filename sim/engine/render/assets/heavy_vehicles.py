"""Trucks with box, tank or flat bodies, and buses."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sim.engine.render.assets.vehicle_parts import (
    BLACK,
    DARK,
    GLASS,
    PAINT,
    Extent,
    VehicleAsset,
    Wheel,
    add_head_lamps,
    add_plates,
    add_tail_lamps,
    fit_to_extent,
    lamp_spots,
)
from sim.engine.render.assets.wheels import road_wheel
from sim.engine.render.mesh_builder import Material, MeshBuilder


def truck(extent: Extent, model: str, rng: np.random.Generator) -> VehicleAsset:
    """A rigid two- or three-axle truck; the cab and box body take the tint."""
    length, width, height = extent
    builder = MeshBuilder()
    front, rear = length / 2, -length / 2
    cab_length = 2.0
    _add_cab(builder, (front - cab_length, front), width, (0.55, rng.uniform(2.6, 3.1)))
    bed_front, middle = front - cab_length - 0.15, (front - cab_length - 0.15 + rear) / 2
    bed_length = bed_front - rear - 0.05
    builder.box((middle + 0.6, 0, 0.75), (length - 1.4, 0.9, 0.3), DARK)
    body = int(rng.integers(3))
    if body == 0:
        box = Material("cargo", tint=float(rng.integers(2)), specular=0.12)
        builder.box((middle, 0, (1.0 + height) / 2), (bed_length, width, height - 1.0), box,
                    (3.0, height - 1.0))  # fmt: skip
        builder.box((rear - 0.0, 0, (1.05 + height) / 2), (0.06, 0.04, height - 1.2), BLACK)
    elif body == 1:
        radius = (height - 1.1) / 2
        tank = Material("metal", tint=0.3, specular=0.5)
        builder.cylinder((rear + 0.05, 0, 1.05 + radius), (bed_front, 0, 1.05 + radius),
                         (radius, radius), tank, sides=20)  # fmt: skip
        for share in (0.12, 0.5, 0.88):
            x = rear + 0.05 + share * bed_length
            builder.cylinder((x, 0, 1.05 + radius), (x + 0.08, 0, 1.05 + radius),
                             (radius + 0.02, radius + 0.02), BLACK, sides=20)  # fmt: skip
        builder.box((middle, 0, 0.95), (bed_length, width * 0.9, 0.12), BLACK)
    else:
        boards = Material("bark", (1.25, 1.2, 1.1))
        builder.box((middle, 0, 1.05), (bed_length, width, 0.16), boards, (2.0, 1.0))
        wall = Material("metal", tint=1.0, specular=0.2)
        for side in (-1, 1):
            builder.box((middle, side * (width / 2 - 0.03), 1.4), (bed_length, 0.06, 0.6), wall)
        builder.box((bed_front - 0.05, 0, 1.8), (0.08, width, 1.4), wall)
        builder.box((rear + 0.05, 0, 1.4), (0.06, width, 0.6), wall)
        if rng.random() < 0.7:
            builder.box((middle - 0.3, 0, 1.75), (bed_length * 0.6, width * 0.75, 1.3),
                        Material("concrete", (0.85, 0.78, 0.66)), (2.0, 2.0))  # fmt: skip
    wheels = _add_truck_running_gear(builder, extent, rng)
    spots = lamp_spots((front, 0.4 * width, 0.82), (rear, 0.4 * width, 0.78))
    mesh = replace(builder.build("truck"), spots=spots)
    return VehicleAsset(*fit_to_extent(mesh, extent, wheels))


def _add_truck_running_gear(
    builder: MeshBuilder, extent: Extent, rng: np.random.Generator
) -> tuple[Wheel, ...]:
    length, width, _ = extent
    front, rear = length / 2, -length / 2
    axles = [front - 1.05, rear + 1.5] + ([rear + 2.65] if rng.random() < 0.5 else [])
    wheels = place_wheels(axles, width / 2 - 0.02, 0.5, 0.34)
    add_head_lamps(builder, front - 0.03, width, 0.82, (0.16, 0.36, 0.2))
    add_tail_lamps(builder, rear + 0.02, width, 0.78, (0.12, 0.3, 0.2))
    builder.box((rear + 0.03, 0, 0.58), (0.08, width * 0.9, 0.12),
                Material("plain", (0.8, 0.12, 0.08)))  # fmt: skip
    add_plates(builder, front + 0.07, rear - 0.05, (0.55, 0.78))
    for side in (-1, 1):
        builder.box((front - 0.2, side * (width / 2 + 0.1), 1.95), (0.14, 0.16, 0.5), BLACK)
        builder.box((0.2, side * (width / 2 - 0.08), 0.7), (1.9, 0.06, 0.36), BLACK)
    return wheels


def place_wheels(axles: list[float], outer: float, radius: float, wide: float) -> tuple[Wheel, ...]:
    """Pairs at each x with outer faces at +-`outer`; the first axle steers."""
    wheels = []
    for number, x in enumerate(axles):
        for side in (1, -1):
            at = (x, side * (outer - wide / 2), radius)
            wheels.append(Wheel(road_wheel(radius, wide, side), at, radius, number == 0))
    return tuple(wheels)


def _add_cab(
    builder: MeshBuilder,
    along: tuple[float, float],
    width: float,
    heights: tuple[float, float],
) -> None:
    """A cab-over-engine cab: windscreen, side windows, grille."""
    rear, front = along
    low, high = heights
    half = width / 2 - 0.03
    profile = [(front, low), (front, 1.5), (front - 0.06, 1.55), (front - 0.28, high - 0.25),
               (front - 0.55, high), (rear, high), (rear, low)]  # fmt: skip
    for (x0, z0), (x1, z1) in pairwise(profile):
        is_screen = z0 == 1.55
        builder.quad([(x0, -half, z0), (x0, half, z0), (x1, half, z1), (x1, -half, z1)],
                     GLASS if is_screen else PAINT, (0.2, 0.2))  # fmt: skip
    outline = np.array(profile)
    for side in (-1, 1):
        centre = np.array([[(front + rear) / 2, (low + high) / 2]])
        flat = np.vstack([centre, outline])
        count = len(outline)
        i = np.arange(count)
        fan = np.stack([0 * i, 1 + i, 1 + (i + 1) % count], 1)
        points = np.column_stack([flat[:, 0], np.full(count + 1, side * half), flat[:, 1]])
        builder.add(points, (0, side, 0), np.full((count + 1, 2), 0.15), fan, PAINT)
        builder.box(((front + rear) / 2 + 0.2, side * half, 1.95), (1.05, 0.02, 0.8), GLASS)
        builder.box(((front + rear) / 2 - 0.4, side * half, 1.2), (0.03, 0.02, 1.1), BLACK)
    builder.box((front, 0, 1.15), (0.04, width * 0.7, 0.5), Material("grille", specular=0.2))
    builder.box((front, 0, 0.6), (0.12, width * 0.96, 0.26), BLACK)
    builder.box(((front + rear) / 2, 0, low), (front - rear, width * 0.9, 0.1), DARK)


def bus(extent: Extent, rng: np.random.Generator) -> VehicleAsset:
    """A city bus with rounded edges, a band of windows, two or three doors and a line sign."""
    length, width, height = extent
    builder = MeshBuilder()
    low = 0.32
    stations = np.array([0, 0.004, 0.012, 0.03, 0.97, 0.988, 0.996, 1.0])
    inset = np.array([0.12, 0.05, 0.02, 0.0, 0.0, 0.02, 0.05, 0.12])
    points = np.array([_bus_ring(length * (0.5 - x), width / 2 - d, low, height - d)
                       for x, d in zip(stations, inset, strict=True)])  # fmt: skip
    uv = np.stack([0.5 - points[..., 0] / length, 1 - points[..., 2] / height], -1) * 0.01
    plain = Material("plain", tint=1.0, specular=0.5)
    centre = np.column_stack([points[:, 0, 0], 0 * stations, np.full(len(stations), height / 2)])
    builder.grid(points, uv, plain, outward_from=centre)
    for ring, sign in ((points[0, :-1], 1.0), (points[-1, :-1], -1.0)):
        _cap(builder, ring, sign, plain)
    _add_bus_windows(builder, extent, rng)
    front, rear = length / 2, -length / 2
    for x in (front - 2.6, rear + 3.1):
        for side in (-1, 1):
            inner, outer = side * (width / 2 - 0.1), side * (width / 2 + 0.004)
            builder.cylinder((x, inner, 0.58), (x, outer, 0.58), (0.56, 0.56), DARK, sides=18)
    add_head_lamps(builder, front - 0.03, width, 0.78, (0.1, 0.4, 0.2))
    add_tail_lamps(builder, rear + 0.04, width, 1.0, (0.12, 0.24, 0.5))
    builder.box((front, 0, 0.45), (0.06, width * 0.88, 0.2), BLACK)
    builder.box((rear, 0, 0.45), (0.06, width * 0.88, 0.2), BLACK)
    builder.box((rear, 0, 1.1), (0.03, width * 0.5, 0.6), Material("grille"))
    add_plates(builder, front + 0.04, rear - 0.04, (0.48, 0.66))
    builder.box((-0.5, 0, height + 0.06), (3.0, 1.5, 0.22), Material("metal", specular=0.1))
    for side in (-1, 1):
        builder.box((front + 0.12, side * (width / 2 + 0.06), 2.3), (0.16, 0.14, 0.42), BLACK)
    wheels = place_wheels([front - 2.6, rear + 3.1], width / 2 + 0.012, 0.49, 0.3)
    spots = lamp_spots((front, 0.4 * width, 0.78), (rear, 0.4 * width, 1.0))
    mesh = replace(builder.build("bus"), spots=spots)
    return VehicleAsset(*fit_to_extent(mesh, extent, wheels))


def _bus_ring(x: float, half: float, low: float, high: float) -> NDArray[np.float64]:
    side = [(0.0, low), (half - 0.05, low), (half, low + 0.08), (half, high - 0.2),
            (half - 0.07, high - 0.06), (half - 0.22, high), (0.0, high + 0.03)]  # fmt: skip
    ring = side + [(-y, z) for y, z in side[-2:0:-1]] + [side[0]]
    return np.array([(x, y, z) for y, z in ring])


def _cap(builder: MeshBuilder, ring: NDArray[np.float64], sign: float, look: Material) -> None:
    count = len(ring)
    i = np.arange(count)
    fan = np.stack([0 * i, 1 + i, 1 + (i + 1) % count], 1)
    centre = np.array([ring[0, 0], 0.0, ring[:, 2].mean()])
    builder.add(np.vstack([centre, ring]), (sign, 0, 0), np.full((count + 1, 2), 0.1), fan, look)


def _add_bus_windows(builder: MeshBuilder, extent: Extent, rng: np.random.Generator) -> None:
    length, width, height = extent
    front, rear = length / 2, -length / 2
    bays, sill, top = 7, 1.35, height - 0.42
    bay = (length - 1.1) / bays
    for side in (-1, 1):
        y = side * (width / 2 + 0.004)
        for k in range(bays):
            x = front - 0.55 - (k + 0.5) * bay
            is_door = side == -1 and k in (0, 3)  # doors on the right, the kerb side
            bottom = 0.42 if is_door else sill
            builder.box((x, y, (bottom + top) / 2), (bay - 0.14, 0.02, top - bottom), GLASS)
            if is_door:
                builder.box((x, y, (bottom + top) / 2), (0.06, 0.03, top - bottom), BLACK)
    red, green, blue = (float(c) for c in rng.uniform(0.1, 0.95, 3))
    stripe = Material("plain", (red, green, blue), specular=0.4)
    for side in (-1, 1):
        builder.box((0, side * (width / 2 + 0.002), 1.05), (length - 0.7, 0.01, 0.16), stripe)
    builder.box((front, 0, 1.75), (0.03, width * 0.9, 1.25), GLASS)
    sign = Material("plain", (0.95, 0.62, 0.1), emissive=0.25)
    builder.box((front, 0, height - 0.42), (0.04, width * 0.72, 0.3), BLACK)
    builder.box((front + 0.02, 0, height - 0.42), (0.02, width * 0.5, 0.16), sign)
    builder.box((rear, 0, 2.15), (0.03, width * 0.78, 0.8), GLASS)
