"""Motorcycles and bicycles with their riders."""

from dataclasses import replace

import numpy as np

from sim.engine.render.assets.people import add_rider, draw_look
from sim.engine.render.assets.vehicle_parts import (
    BLACK,
    BRAKE,
    CHROME,
    LOW_BEAM,
    PAINT,
    RUBBER,
    WHEEL_FACE,
    fit_to_extent,
)
from sim.engine.render.mesh_builder import Colour, Material, MeshBuilder
from sim.engine.render.scene import Mesh

Extent = tuple[float, float, float]


def motorcycle_mesh(extent: Extent, rng: np.random.Generator) -> Mesh:
    """A motorcycle and its helmeted rider; tank and fairing take the tint."""
    length = extent[0]
    builder = MeshBuilder()
    radius = 0.31
    front, rear = length / 2 - radius, -length / 2 + radius
    for x, half in ((front, 0.06), (rear, 0.085)):
        builder.cylinder((x, -half, radius), (x, half, radius), (radius, radius), RUBBER,
                         sides=16, cap=WHEEL_FACE)  # fmt: skip
    body = replace(PAINT, texture="plain")
    builder.blob((0.16, 0, 0.86), (0.32, 0.16, 0.14), body, (12, 8))
    builder.blob((-0.42, 0, 0.82), (0.42, 0.14, 0.08), BLACK, (12, 6))
    builder.blob((-0.72, 0, 0.84), (0.2, 0.1, 0.09), body, (10, 6))
    builder.box((0.02, 0, 0.5), (0.52, 0.3, 0.34), Material("metal", (0.45, 0.45, 0.47)))
    builder.cylinder((-0.2, -0.16, 0.34), (-0.95, -0.2, 0.45), (0.05, 0.07), CHROME)
    for side in (-1, 1):
        builder.cylinder((front, side * 0.08, radius), (front - 0.32, side * 0.09, 0.95),
                         (0.035, 0.035), CHROME, 6)  # fmt: skip
        builder.cylinder((front - 0.36, 0.05 * side, 1.02), (front - 0.46, 0.38 * side, 1.06),
                         (0.022, 0.022), BLACK, 6)  # fmt: skip
    builder.blob((front - 0.2, 0, 0.93), (0.17, 0.15, 0.16), body, (10, 7))
    lamp = Material("plain", (0.95, 0.95, 0.92), specular=0.5, emissive=1.2, lamp=LOW_BEAM)
    builder.blob((front - 0.08, 0, 0.9), (0.08, 0.1, 0.09), lamp, (8, 6))
    tail = Material("plain", (0.65, 0.03, 0.03), emissive=2.0, lamp=BRAKE)
    builder.box((-0.93, 0, 0.84), (0.05, 0.18, 0.07), tail)
    builder.box((-0.98, 0, 0.66), (0.02, 0.2, 0.16), Material("plate"))
    look = draw_look(0, rng)
    helmet = Material("plain", _draw_colour(rng), specular=0.6)
    add_rider(builder, replace(look, hair=helmet, skin=BLACK), (-0.34, 0, 0.84),
              (front - 0.46, 0.36, 1.06), (-0.12, 0.2, 0.36))  # fmt: skip
    return fit_to_extent(builder.build("motorcycle"), extent)


def bicycle_mesh(extent: Extent, rng: np.random.Generator) -> Mesh:
    """A bicycle and its rider; the frame takes the tint."""
    length = extent[0]
    builder = MeshBuilder()
    radius = 0.345
    front, rear = length / 2 - radius, -length / 2 + radius
    for x in (front, rear):
        _add_spoked_wheel(builder, x, radius)
    tube = replace(PAINT, texture="plain")
    crank, saddle, head = (
        (rear + 0.44, 0.0, 0.3),
        (rear + 0.3, 0.0, 0.92),
        (front - 0.16, 0.0, 0.88),
    )
    hub_front, hub_rear = (front, 0.0, radius), (rear, 0.0, radius)
    low_head = (head[0] + 0.04, 0.0, 0.7)
    for a, b in ((crank, saddle), (crank, low_head), (saddle, head), (hub_rear, crank),
                 (hub_rear, saddle), (hub_front, head)):  # fmt: skip
        builder.cylinder(a, b, (0.022, 0.022), tube, 6, has_caps=False)
    builder.box((saddle[0], 0, 0.96), (0.26, 0.14, 0.06), BLACK)
    bar = (head[0] + 0.02, 0.0, 1.02)
    builder.cylinder(head, bar, (0.016, 0.016), CHROME, 6)
    builder.cylinder((bar[0], -0.27, bar[2]), (bar[0], 0.27, bar[2]), (0.016, 0.016), BLACK, 6)
    builder.box((rear - 0.2, 0, 0.75), (0.03, 0.06, 0.05), Material("plain", (0.8, 0.05, 0.05)))
    look = draw_look(int(rng.integers(4)) * 2, rng)
    if rng.random() < 0.6:
        look = replace(look, hair=Material("plain", _draw_colour(rng), specular=0.3))
    add_rider(builder, look, (saddle[0], 0, 0.96), (bar[0] - 0.02, 0.25, bar[2] + 0.03),
              (crank[0] + 0.08, 0.12, 0.2))  # fmt: skip
    return fit_to_extent(builder.build("bicycle"), extent)


def _add_spoked_wheel(builder: MeshBuilder, x: float, radius: float) -> None:
    """A thin ring and a few spokes, seen through."""
    angle = np.linspace(0, 2 * np.pi, 19)
    ring = np.stack([np.cos(angle), np.sin(angle)], 1)
    for inner, outer, half, look in ((radius - 0.045, radius, 0.018, RUBBER),):
        section = [(inner, -half), (outer, -half), (outer, half), (inner, half), (inner, -half)]
        points = np.array([[(x + c * r, y, radius + s * r) for r, y in section] for c, s in ring])
        uv = np.zeros((*points.shape[:2], 2))
        middle = np.column_stack([x + ring[:, 0] * (inner + outer) / 2, 0 * angle,
                                  radius + ring[:, 1] * (inner + outer) / 2])  # fmt: skip
        builder.grid(points, uv, look, outward_from=middle)
    for k in range(6):
        c, s = np.cos(k * np.pi / 6), np.sin(k * np.pi / 6)
        r = radius - 0.04
        builder.cylinder((x - c * r, 0, radius - s * r), (x + c * r, 0, radius + s * r),
                         (0.006, 0.006), CHROME, 3, has_caps=False)  # fmt: skip


def _draw_colour(rng: np.random.Generator) -> Colour:
    red, green, blue = (float(c) for c in rng.uniform(0.1, 0.9, 3))
    return (red, green, blue)
