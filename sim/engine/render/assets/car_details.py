"""What sits on a car's body: mirrors, plates, rails, beds, beacons and signs."""

import numpy as np

from sim.engine.render.assets.car_shapes import ROOF_GEAR, CarShape
from sim.engine.render.assets.vehicle_parts import (
    BLACK,
    BLUE_LIGHTS,
    GLASS,
    PAINT,
    REVERSE_LIGHT,
    TRIM,
    WHITE_PAINT,
    Extent,
    add_plates,
)
from sim.engine.render.mesh_builder import Material, MeshBuilder

TAXI_SIGN = Material("plain", (0.9, 0.75, 0.2), emissive=0.5)


def add_details(
    builder: MeshBuilder, extent: Extent, shape: CarShape, kind: str, rng: np.random.Generator
) -> None:
    """All of them; `extent` is that of the body without what stands on the roof."""
    length, width, height = extent
    nose, tail = length / 2 + shape.round, -length / 2 - shape.round
    bumper = shape.sill + 0.3 if shape.clad else shape.sill + 0.24
    add_plates(builder, nose + 0.012, tail - 0.012, (bumper, bumper + 0.1))
    low = shape.tail * height - 0.3
    builder.box((tail + 0.06, 0.28 * width, low), (0.1, 0.12, 0.04), REVERSE_LIGHT, faces="-x")
    _add_mirrors(builder, extent, shape)
    if kind == "car_pickup" and shape.livery != "bare":
        _add_bed(builder, extent, shape)
    if kind == "car_suv" and (rng.random() < 0.7 or shape.clad):
        for side in (-1, 1):
            x = length * (0.5 - 0.5 * (shape.roof_front + shape.roof_rear))
            long = 0.8 * length * (shape.roof_rear - shape.roof_front)
            y = side * width * (0.5 - 0.5 * shape.tumble) * 0.86
            builder.box((x, y, height - 0.015), (long, 0.035, 0.045), BLACK)
    if kind == "car_van":
        _add_rear_doors(builder, extent, shape)
    if shape.livery in ROOF_GEAR:
        _add_roof_gear(builder, extent, shape)


def _add_mirrors(builder: MeshBuilder, extent: Extent, shape: CarShape) -> None:
    length, width, height = extent
    x = length * (0.5 - shape.cowl) - 0.3 if shape.cowl > 0.08 else length * 0.5 - 0.38
    z = shape.belt * height + 0.075
    for side in (-1, 1):
        builder.blob((x, side * (width / 2 + 0.045), z), (0.07, 0.1, 0.07), PAINT, (8, 5))
        builder.box((x + 0.01, side * (width / 2 - 0.06), z - 0.05), (0.06, 0.14, 0.03), TRIM)
        glass = [(x - 0.068, side * (width / 2 + 0.045) + a, z + b)
                 for a, b in ((0.065, -0.045), (-0.065, -0.045), (-0.065, 0.045),
                              (0.065, 0.045))]  # fmt: skip
        builder.quad(glass, GLASS, (0.1, 0.1))


def _add_bed(builder: MeshBuilder, extent: Extent, shape: CarShape) -> None:
    """The open load bed of a pick-up, as a dark floor with raised walls."""
    length, width, height = extent
    front, rear = length * (0.5 - shape.deck) - 0.06, -length / 2 + 0.1
    top = shape.tail * height + 0.06
    middle, long = (front + rear) / 2, front - rear
    builder.box((middle, 0, top - 0.01), (long, width * 0.74, 0.02), BLACK)
    for side in (-1, 1):
        builder.box((middle, side * width * 0.405, top + 0.03), (long + 0.1, 0.09, 0.14), PAINT)
    builder.box((rear, 0, top + 0.03), (0.08, width * 0.88, 0.14), PAINT)


def _add_rear_doors(builder: MeshBuilder, extent: Extent, shape: CarShape) -> None:
    """The post between two rear doors, and their gap."""
    length, _, height = extent
    foot, head = -length / 2 - 0.01, length * (0.5 - shape.roof_rear) - 0.012
    low, top = shape.tail * height, height - 0.04
    post = [(foot, 0.05, low), (foot, -0.05, low), (head, -0.05, top), (head, 0.05, top)]
    builder.quad(post, WHITE_PAINT if shape.livery == "ambulance" else PAINT)
    rear = -length / 2 - shape.round * 0.98
    builder.box((rear, 0, 0.42 * height), (0.02, 0.018, 0.22 * height), TRIM)


def _add_roof_gear(builder: MeshBuilder, extent: Extent, shape: CarShape) -> None:
    """A light bar, or a taxi's sign."""
    length, width, height = extent
    x = length * (0.5 - shape.roof_front) - 0.35
    tall = ROOF_GEAR[shape.livery]
    if shape.livery == "taxi":
        builder.box((x - 0.1, 0, height + tall / 2), (0.16, 0.5, tall), TAXI_SIGN)
        return
    builder.box((x, 0, height + 0.02), (0.26, 0.62 * width, 0.04), BLACK)
    for side, light in ((1, BLUE_LIGHTS[0]), (-1, BLUE_LIGHTS[1])):
        builder.box((x, side * 0.18 * width, height + tall / 2 + 0.015),
                    (0.24, 0.25 * width, tall - 0.03), light)  # fmt: skip
    clear = Material("plain", (0.8, 0.82, 0.85), specular=0.5)
    builder.box((x, 0, height + tall / 2 + 0.01), (0.22, 0.1 * width, tall - 0.03), clear)
    if shape.livery != "ambulance":
        return
    cross = Material("plain", (0.02, 0.12, 0.5))
    for side in (-1, 1):
        y = side * (width / 2 + 0.004)
        builder.box((-0.1 * length, y, 0.68 * height), (0.62, 0.01, 0.16), cross)
        builder.box((-0.1 * length, y, 0.68 * height), (0.16, 0.012, 0.62), cross)
