"""Motorcycles, scooters and bicycles with their wheels and riders."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from sim.engine.render.assets.clothes import TOPS, draw_look, helmet
from sim.engine.render.assets.riders import Seat, rider_meshes
from sim.engine.render.assets.vehicle_parts import (
    BLACK,
    BRAKE_LIGHT,
    CHROME,
    DARK,
    GLASS,
    HEAD,
    PAINT,
    STEEL,
    TAIL_LIGHT,
    TRIM,
    Extent,
    VehicleAsset,
    Wheel,
    add_plates,
    blinker,
    lamp_spots,
)
from sim.engine.render.assets.wheels import motorcycle_wheel, spoked_wheel
from sim.engine.render.mesh_builder import Colour, Material, MeshBuilder, Point

STYLES: Final = ("sport", "cruiser", "scooter")
SADDLE: Final = Material("plain", (0.035, 0.033, 0.032), specular=0.2)
_HELMETS: Final[tuple[Colour, ...]] = (
    (0.02, 0.02, 0.022), (0.75, 0.75, 0.75), (0.5, 0.03, 0.03), (0.04, 0.1, 0.4),
    (0.6, 0.32, 0.03),
)  # fmt: skip


def motorcycle(extent: Extent, style: str, rng: np.random.Generator) -> VehicleAsset:
    """A machine of `STYLES` with a helmeted rider; the paint takes the tint."""
    length, _, height = extent
    build = {"sport": _sport, "cruiser": _cruiser, "scooter": _scooter}[style]
    builder = MeshBuilder()
    radius = 0.23 if style == "scooter" else 0.31
    front, rear = length / 2 - radius, -length / 2 + radius
    seat = build(builder, front, rear, radius)
    seat = replace(seat, top=height)
    wide = {"sport": 0.15, "cruiser": 0.14, "scooter": 0.11}[style]
    rim = int(rng.integers(3))
    wheels = (
        Wheel(motorcycle_wheel(radius, wide * 0.8, rim), (front, 0.0, radius), radius, True),
        Wheel(motorcycle_wheel(radius, wide, rim), (rear, 0.0, radius), radius, False),
    )
    is_female = bool(rng.random() < 0.3)
    look = replace(
        draw_look(is_female, False, rng),
        top=Material("cloth", TOPS[int(rng.integers(len(TOPS)))]),
        hair=helmet(_HELMETS[int(rng.integers(len(_HELMETS)))]),
        has_helmet=True, has_visor=True, has_skirt=False, has_sleeves=True, has_coat=False,
        has_bag=False, has_long_hair=False,
    )  # fmt: skip
    spots = lamp_spots((front, 0.06, 0.85), (rear - 0.2, 0.05, 0.8))
    body = replace(builder.build(style), spots=spots)
    return VehicleAsset(body, wheels, rider_meshes(seat, look, 1.08, is_female))


def _hull(
    builder: MeshBuilder,
    stations: Sequence[tuple[float, float, float, float]],
    look: Material,
    sides: int = 10,
) -> None:
    """A smooth body along x: stations (x, middle z, half height, half width), ends closed."""
    table = [(x, z, 0.002, 0.002) for x, z, _, _ in stations[:1]]
    table += list(stations)
    table += [(x, z, 0.002, 0.002) for x, z, _, _ in stations[-1:]]
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    c, s = np.cos(angle), np.sin(angle)
    power = 0.8
    ring_y, ring_z = np.sign(c) * np.abs(c) ** power, np.sign(s) * np.abs(s) ** power
    points = np.empty((len(table), sides + 1, 3))
    for k, (x, z, tall, wide) in enumerate(table):
        points[k, :, 0], points[k, :, 1], points[k, :, 2] = x, wide * ring_y, z + tall * ring_z
    middle = np.array([(x, 0.0, z) for x, z, _, _ in table])
    builder.grid(points, np.zeros((*points.shape[:2], 2)), look, outward_from=middle)


def _add_fork(builder: MeshBuilder, foot: Point, head: Point, half: float, look: Material) -> None:
    for side in (-1, 1):
        builder.cylinder((foot[0], side * half, foot[2]), (head[0], side * half, head[2]),
                         (0.026, 0.03), look, 7)  # fmt: skip


def _add_bars(builder: MeshBuilder, head: Point, grip: Point) -> None:
    for side in (-1, 1):
        builder.cylinder((head[0], side * 0.05, head[2]), (grip[0], side * grip[1], grip[2]),
                         (0.014, 0.014), TRIM, 6)  # fmt: skip
        builder.cylinder((grip[0], side * (grip[1] - 0.06), grip[2]),
                         (grip[0] - 0.03, side * (grip[1] + 0.05), grip[2]), (0.02, 0.02),
                         BLACK, 6)  # fmt: skip
        mirror = (head[0] + 0.02, side * (grip[1] - 0.04), grip[2] + 0.17)
        builder.cylinder((head[0], side * (grip[1] - 0.1), grip[2]), mirror, (0.007, 0.007),
                         TRIM, 4, has_caps=False)  # fmt: skip
        builder.blob(mirror, (0.02, 0.055, 0.035), BLACK, (8, 5))


def _add_lights(builder: MeshBuilder, nose: Point, tail: Point) -> None:
    builder.blob(nose, (0.05, 0.075, 0.07), HEAD, (10, 6))
    builder.box(tail, (0.04, 0.16, 0.05), BRAKE_LIGHT)
    builder.box((tail[0], tail[1], tail[2] - 0.035), (0.035, 0.14, 0.02), TAIL_LIGHT)
    for side in (1, -1):
        builder.blob((nose[0] - 0.12, side * 0.2, nose[2] - 0.02), (0.03, 0.03, 0.02),
                     blinker(side), (6, 4))  # fmt: skip
        builder.blob((tail[0] + 0.04, side * 0.14, tail[2] - 0.02), (0.03, 0.03, 0.02),
                     blinker(side), (6, 4))  # fmt: skip
    builder.box((tail[0] - 0.01, 0.0, tail[2] - 0.1), (0.07, 0.05, 0.14), BLACK)
    add_plates(builder, None, tail[0] - 0.05, (0.0, tail[2] - 0.16), (0.26, 0.1))


def _sport(builder: MeshBuilder, front: float, rear: float, radius: float) -> Seat:
    """Full fairing, low bars, a tail that rises."""
    head = (front - 0.26, 0.0, 0.86)
    _add_fork(builder, (front, 0.0, radius), head, 0.1, CHROME)
    _hull(builder, [(front + 0.02, 0.88, 0.03, 0.05), (front - 0.1, 0.87, 0.11, 0.13),
                    (front - 0.28, 0.8, 0.2, 0.19), (front - 0.5, 0.66, 0.27, 0.2),
                    (front - 0.75, 0.5, 0.2, 0.16), (front - 0.95, 0.36, 0.08, 0.1)],
          PAINT, 12)  # fmt: skip
    screen = [(front - 0.06, 0.96, 0.01, 0.06), (front - 0.18, 1.01, 0.06, 0.12),
              (front - 0.32, 1.06, 0.07, 0.13)]  # fmt: skip
    _hull(builder, screen, GLASS, 8)
    _hull(builder, [(front - 0.34, 0.84, 0.1, 0.1), (front - 0.52, 0.88, 0.12, 0.14),
                    (front - 0.75, 0.84, 0.1, 0.13), (front - 0.88, 0.78, 0.06, 0.08)],
          PAINT)  # fmt: skip
    _hull(builder, [(front - 0.84, 0.78, 0.05, 0.09), (rear + 0.3, 0.79, 0.05, 0.12),
                    (rear + 0.1, 0.84, 0.04, 0.1)], SADDLE)  # fmt: skip
    _hull(builder, [(rear + 0.3, 0.76, 0.05, 0.11), (rear, 0.85, 0.07, 0.1),
                    (rear - 0.24, 0.93, 0.03, 0.06)], PAINT)  # fmt: skip
    _add_engine(builder, (front - 0.72, 0.46), rear, radius, STEEL)
    builder.cylinder((front - 0.7, -0.14, 0.3), (rear - 0.02, -0.17, 0.5), (0.035, 0.055), CHROME)
    _hull(builder, [(front + 0.14, 0.62, 0.02, 0.05), (front, 0.66, 0.03, 0.07),
                    (front - 0.16, 0.6, 0.02, 0.06)], PAINT, 8)  # fmt: skip
    grip = (front - 0.36, 0.3, 0.88)
    _add_bars(builder, head, grip)
    _add_lights(builder, (front - 0.03, 0.0, 0.87), (rear - 0.24, 0.0, 0.88))
    return Seat((rear + 0.42, 0.0, 0.83), grip, (rear + 0.5, 0.17, 0.34), 0.0, 0.75, 1.6)


def _cruiser(builder: MeshBuilder, front: float, rear: float, radius: float) -> Seat:
    """Long and low: raked fork, V engine, teardrop tank, wide bars."""
    head = (front - 0.44, 0.0, 0.95)
    _add_fork(builder, (front, 0.0, radius), head, 0.1, CHROME)
    _hull(builder, [(front - 0.42, 0.82, 0.05, 0.06), (front - 0.58, 0.84, 0.1, 0.14),
                    (front - 0.8, 0.8, 0.09, 0.13), (front - 1.02, 0.73, 0.04, 0.06)],
          PAINT)  # fmt: skip
    _hull(builder, [(front - 0.98, 0.68, 0.05, 0.1), (rear + 0.4, 0.64, 0.05, 0.16),
                    (rear + 0.22, 0.71, 0.06, 0.13), (rear - 0.02, 0.76, 0.04, 0.1)],
          SADDLE)  # fmt: skip
    _hull(builder, [(rear + 0.36, 0.52, 0.06, 0.09), (rear + 0.1, 0.66, 0.06, 0.1),
                    (rear - 0.2, 0.6, 0.05, 0.1), (rear - 0.33, 0.42, 0.04, 0.09)],
          PAINT)  # fmt: skip
    _hull(builder, [(front + 0.24, 0.58, 0.02, 0.06), (front, 0.66, 0.025, 0.08),
                    (front - 0.24, 0.56, 0.02, 0.06)], PAINT, 8)  # fmt: skip
    for lean in (-0.16, 0.16):
        builder.cylinder((front - 0.8, 0.0, 0.4), (front - 0.8 + lean, 0.0, 0.7), (0.09, 0.08),
                         CHROME, 10)  # fmt: skip
    _add_engine(builder, (front - 0.8, 0.4), rear, radius, CHROME)
    for low in (0.28, 0.36):
        builder.cylinder((front - 0.6, -0.17, low), (rear - 0.18, -0.19, low), (0.035, 0.042),
                         CHROME, 8)  # fmt: skip
    grip = (front - 0.66, 0.33, 1.02)
    _add_bars(builder, head, grip)
    _add_lights(builder, (front - 0.36, 0.0, 0.86), (rear - 0.24, 0.0, 0.7))
    return Seat((rear + 0.44, 0.0, 0.69), grip, (front - 0.68, 0.2, 0.3), 0.0, 0.12, 1.6)


def _scooter(builder: MeshBuilder, front: float, rear: float, radius: float) -> Seat:
    """A leg shield, a flat floor, a rounded rear body, small wheels."""
    head = (front - 0.2, 0.0, 0.95)
    _add_fork(builder, (front, 0.0, radius), (front - 0.12, 0.0, 0.6), 0.06, STEEL)
    shield = np.array([[(front - 0.06 - 0.14 * (z - 0.3) - 0.25 * (y / 0.24) ** 2 * 0.4, y, z)
                        for y in (-0.24, -0.16, 0.0, 0.16, 0.24)]
                       for z in (0.3, 0.5, 0.72, 0.86)])  # fmt: skip
    sheet = replace(PAINT, is_two_sided=True)
    behind = np.array([(front - 1.0, 0.0, z) for z in (0.3, 0.5, 0.7, 0.9)])
    builder.grid(shield, np.zeros((4, 5, 2)), sheet, outward_from=behind)
    _hull(builder, [(front - 0.06, 0.92, 0.05, 0.09), (front - 0.16, 0.95, 0.08, 0.13),
                    (front - 0.28, 0.94, 0.05, 0.1)], PAINT)  # fmt: skip
    builder.cylinder((front - 0.1, 0.0, 0.5), head, (0.07, 0.05), PAINT, 8)
    _hull(builder, [(front + 0.18, 0.4, 0.02, 0.05), (front, 0.48, 0.04, 0.07),
                    (front - 0.16, 0.42, 0.03, 0.06)], PAINT, 8)  # fmt: skip
    builder.box((0.12, 0.0, 0.3), (0.62, 0.36, 0.08), PAINT)
    builder.box((0.12, 0.0, 0.345), (0.5, 0.3, 0.02), BLACK)
    _hull(builder, [(-0.1, 0.44, 0.12, 0.13), (-0.24, 0.52, 0.2, 0.19), (rear, 0.56, 0.2, 0.22),
                    (rear - 0.15, 0.62, 0.1, 0.13)], PAINT, 12)  # fmt: skip
    _hull(builder, [(0.0, 0.76, 0.04, 0.1), (-0.2, 0.78, 0.05, 0.14),
                    (rear - 0.02, 0.8, 0.05, 0.13), (rear - 0.16, 0.79, 0.03, 0.1)],
          SADDLE)  # fmt: skip
    builder.cylinder((rear + 0.3, -0.12, 0.24), (rear - 0.1, -0.15, 0.28), (0.05, 0.05), STEEL, 8)
    grip = (front - 0.24, 0.3, 0.99)
    _add_bars(builder, head, grip)
    _add_lights(builder, (front - 0.03, 0.0, 0.93), (rear - 0.16, 0.0, 0.66))
    return Seat((rear + 0.3, 0.0, 0.82), grip, (0.2, 0.11, 0.36), 0.0, 0.06, 1.6)


def _add_engine(
    builder: MeshBuilder, at: tuple[float, float], rear: float, radius: float, look: Material
) -> None:
    x, z = at
    builder.box((x, 0.0, z), (0.42, 0.3, 0.3), look)
    builder.box((x - 0.02, 0.0, z - 0.02), (0.5, 0.22, 0.2), DARK)
    for side in (-1, 1):
        builder.cylinder((x - 0.1, side * 0.09, z), (rear, side * 0.09, radius), (0.03, 0.025),
                         STEEL, 6)  # fmt: skip
        builder.cylinder((x, side * 0.1, z + 0.2), (x - 0.32, side * 0.1, 0.74), (0.02, 0.02),
                         DARK, 5, has_caps=False)  # fmt: skip


def bicycle(extent: Extent, style: str, rng: np.random.Generator) -> VehicleAsset:
    """A bicycle and its rider who pedals; the frame takes the tint.

    Args:
        extent: length, width of the bars, height of the rider's head.
        style: "city" upright with mudguards and a carrier, "sport" with a bent back.
        rng: clothes and details.
    """
    length, width, height = extent
    builder = MeshBuilder()
    radius = 0.345
    front, rear = length / 2 - radius, -length / 2 + radius
    is_city = style == "city"
    crank: Point = (rear + 0.43, 0.0, 0.29)
    saddle: Point = (rear + 0.26, 0.0, 0.93)
    head: Point = (front - 0.17, 0.0, 0.9)
    _add_frame(builder, (front, rear, radius), crank, saddle, head, is_city)
    grip: Point = (head[0] - 0.22, 0.27, 1.1) if is_city else (head[0] + 0.06, 0.21, 0.96)
    for side in (-1, 1):
        bent = (grip[0] + 0.05, side * 0.2, grip[2])
        builder.cylinder((head[0], side * 0.02, grip[2] - 0.02), bent, (0.013, 0.013), TRIM, 6)
        builder.cylinder(bent, (grip[0], side * width / 2, grip[2]), (0.017, 0.017), BLACK, 6)
    builder.cylinder(head, (head[0], 0.0, grip[2]), (0.016, 0.016), CHROME, 6)
    builder.blob((head[0] + 0.07, 0.0, 0.9), (0.035, 0.035, 0.035), HEAD, (8, 5))
    lamp = (rear - 0.31, 0.0, 0.76) if is_city else (saddle[0] - 0.05, 0.0, 0.8)
    builder.box(lamp, (0.03, 0.06, 0.05), TAIL_LIGHT)
    thick = 0.02 if is_city else 0.016
    wheels = (
        Wheel(spoked_wheel(radius, thick, 9), (front, 0.0, radius), radius, True),
        Wheel(spoked_wheel(radius, thick, 9), (rear, 0.0, radius), radius, False),
    )
    is_female = bool(rng.random() < 0.5)
    look = draw_look(is_female, False, rng)
    look = replace(look, has_skirt=False, has_coat=False, has_cap=False,
                   top=Material("cloth", TOPS[int(rng.integers(4, len(TOPS)))]))  # fmt: skip
    if rng.random() < 0.5:
        shell = helmet(_HELMETS[int(rng.integers(len(_HELMETS)))])
        look = replace(look, hair=shell, has_helmet=True, has_long_hair=False)
    seat = Seat(saddle, grip, (crank[0], 0.1, crank[2]), 0.165, 0.16 if is_city else 0.72, height)
    spots = lamp_spots((front, 0.0, 0.9), lamp)[2:3]
    body = replace(builder.build(f"{style} bicycle"), spots=spots)
    return VehicleAsset(body, wheels, rider_meshes(seat, look, 1.0, is_female), pedal_m=4.6)


def _add_frame(
    builder: MeshBuilder,
    wheel: tuple[float, float, float],
    crank: Point,
    saddle: Point,
    head: Point,
    is_city: bool,
) -> None:
    front, rear, radius = wheel
    tube = PAINT
    post = (saddle[0] + 0.03, 0.0, 0.78)
    low_head = (head[0] + 0.04, 0.0, 0.72)
    hub_front, hub_rear = (front, 0.0, radius), (rear, 0.0, radius)
    upper = ((post[0] + 0.02, 0.0, 0.6), low_head) if is_city else (post, head)
    for a, b in ((crank, post), (crank, low_head), (low_head, head), upper):
        builder.cylinder(a, b, (0.02, 0.02), tube, 7, has_caps=False)
    builder.cylinder(post, saddle, (0.014, 0.014), CHROME, 6, has_caps=False)
    for side in (-1, 1):
        y = side * 0.055
        behind = (hub_rear[0], y, radius)
        for a, b in (((hub_front[0], y, radius), (low_head[0], side * 0.03, low_head[2])),
                     (behind, (crank[0], side * 0.03, crank[2])),
                     (behind, (post[0], side * 0.02, post[2] - 0.04))):  # fmt: skip
            builder.cylinder(a, b, (0.012, 0.012), tube, 6, has_caps=False)
    builder.cylinder((crank[0], -0.06, crank[2]), (crank[0], -0.045, crank[2]), (0.09, 0.09), STEEL,
                     14)  # fmt: skip
    builder.cylinder(
        (crank[0], -0.09, crank[2]), (crank[0], 0.09, crank[2]), (0.02, 0.02), STEEL, 6
    )
    _hull(builder, [(saddle[0] + 0.13, saddle[2], 0.015, 0.02), (saddle[0], saddle[2], 0.025, 0.05),
                    (saddle[0] - 0.12, saddle[2] + 0.01, 0.03, 0.08)], SADDLE, 8)  # fmt: skip
    if not is_city:
        return
    for x, start, end in ((front, 0.6, 2.6), (rear, 0.5, 3.0)):
        angle = np.linspace(start, end, 9)
        rows = [[(x + (radius + 0.03) * np.cos(a), y, radius + (radius + 0.03) * np.sin(a))
                 for a in angle] for y in (-0.03, 0.03)]  # fmt: skip
        points = np.array(rows)
        guard = replace(BLACK, is_two_sided=True)
        builder.grid(points, np.zeros((2, 9, 2)), guard)
    builder.box((rear - 0.1, 0.0, 0.78), (0.4, 0.13, 0.02), DARK)
    for side in (-1, 1):
        builder.cylinder((rear, side * 0.06, radius), (rear - 0.2, side * 0.06, 0.78),
                         (0.007, 0.007), DARK, 4, has_caps=False)  # fmt: skip
