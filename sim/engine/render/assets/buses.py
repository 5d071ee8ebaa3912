"""City buses: rounded edges, a band of windows, doors on the kerb side, a line sign."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sim.engine.render.assets.heavy_vehicles import place_wheels
from sim.engine.render.assets.vehicle_parts import (
    BLACK,
    DARK,
    GLASS,
    HEAD,
    STEEL,
    TRIM,
    Extent,
    VehicleAsset,
    add_plates,
    add_tail_lamps,
    blinker,
    fit_to_extent,
    lamp_spots,
)
from sim.engine.render.mesh_builder import Material, MeshBuilder, outward_normals

RADIUS = 0.48  # m of a wheel
ARCH = RADIUS + 0.07
LOW = 0.34  # m of the body's edge above the road
BODY = Material("plain", tint=1.0, specular=0.5)
LINE_SIGN = Material("plain", (0.95, 0.62, 0.1), emissive=0.35)


def bus(extent: Extent, rng: np.random.Generator) -> VehicleAsset:
    """A bus of any length; the paint takes the tint."""
    length, width, height = extent
    builder = MeshBuilder()
    front, rear = length / 2, -length / 2
    axles = [front - min(2.6, 0.24 * length), rear + min(3.1, 0.26 * length)]
    _add_shell(builder, extent, axles)
    for x in axles:
        builder.box((x, 0, 0.75), (2 * ARCH + 0.1, width - 0.7, 0.82), DARK, faces="+y-y")
    builder.box((0, 0, LOW + 0.2), (0.97 * length, width - 0.66, 0.4), DARK, faces="+x-x+y-y-z")
    _add_windows(builder, extent, rng)
    _add_front(builder, extent)
    add_tail_lamps(builder, rear + 0.04, width, 1.0, (0.12, 0.24, 0.5))
    builder.box((rear, 0, 0.48), (0.08, width * 0.92, 0.24), BLACK)
    builder.box((rear, 0, 1.1), (0.03, width * 0.5, 0.5), Material("grille"))
    builder.box((rear - 0.012, 0, 0.72 * height), (0.03, width * 0.8, 0.24 * height), GLASS)
    add_plates(builder, front + 0.07, rear - 0.05, (0.5, 0.72))
    builder.box((-0.05 * length, 0, height + 0.05), (0.26 * length, 0.6 * width, 0.2), STEEL)
    wheels = place_wheels(axles, width / 2 - 0.015, RADIUS, 0.3)
    spots = lamp_spots((front, 0.4 * width, 0.78), (rear, 0.4 * width, 1.0))
    mesh = replace(builder.build("bus"), spots=spots)
    return VehicleAsset(*fit_to_extent(mesh, extent, wheels))


def _edge(x: float, axles: list[float]) -> float:
    """Metres of the body's lower edge: straight, or over a wheel."""
    for axle in axles:
        across = (x - axle) / ARCH
        if abs(across) < 1.0:
            return max(
                LOW, min(RADIUS + ARCH * float(np.sqrt(1 - across**2)), RADIUS + 0.96 * ARCH)
            )
    return LOW


def _add_shell(builder: MeshBuilder, extent: Extent, axles: list[float]) -> None:
    length, width, height = extent
    ends = np.array([0, 0.004, 0.012, 0.03, 0.5, 0.97, 0.988, 0.996, 1.0])
    places = list(length * (0.5 - ends))
    for axle in axles:
        places += list(axle + ARCH * np.cos(np.linspace(0, np.pi, 9)))
        places += [axle - ARCH - 0.01, axle + ARCH + 0.01]
    stations = np.array(sorted(places, reverse=True))
    share = 0.5 - stations / length
    inset = np.interp(share, ends, [0.13, 0.055, 0.02, 0.0, 0.0, 0.0, 0.02, 0.055, 0.13])
    plain, cut = (
        np.array([
            _ring(float(x), width / 2 - d, height - d, _edge(float(x), axles) if has_arch else LOW)
            for x, d in zip(stations, inset, strict=True)
        ])
        for has_arch in (False, True)
    )  # fmt: skip
    middle = np.column_stack([stations, 0 * stations, np.full(len(stations), height / 2)])
    uv = np.stack([share[:, None] + 0 * cut[..., 0], 1 - cut[..., 2] / height], -1) * 0.01
    builder.grid(cut, uv, BODY, normals=outward_normals(plain, middle))
    for ring, sign in ((cut[0], 1.0), (cut[-1], -1.0)):
        count = len(ring)
        i = np.arange(count)
        fan = np.stack([0 * i, 1 + i, 1 + (i + 1) % count], 1)
        centre = np.array([ring[0, 0], 0.0, height / 2])
        face = np.vstack([centre, ring])
        builder.add(face, (sign, 0, 0), np.full((count + 1, 2), 0.1), fan, BODY)


def _ring(x: float, half: float, high: float, low: float) -> NDArray[np.float64]:
    side = [(half - 0.02, low), (half, max(low + 0.01, LOW + 0.1)), (half, 1.15),
            (half, high - 0.2), (half - 0.06, high - 0.06), (half - 0.2, high)]  # fmt: skip
    ring = [*side, (0.0, high + 0.03), *[(-y, z) for y, z in side[::-1]]]
    return np.array([(x, y, z) for y, z in ring])


def _add_windows(builder: MeshBuilder, extent: Extent, rng: np.random.Generator) -> None:
    length, width, height = extent
    front = length / 2
    sill, top = 0.46 * height, height - 0.4
    bays = max(4, round((length - 1.1) / 1.5))
    bay = (length - 1.0) / bays
    red, green, blue = (float(c) for c in rng.uniform(0.1, 0.9, 3))
    stripe = Material("plain", (red, green, blue), specular=0.4)
    for side in (-1, 1):
        y = side * (width / 2 + 0.003)
        builder.box((0, y, (sill + top) / 2), (length - 0.9, 0.012, top - sill + 0.08), TRIM,
                    faces="+y-y")  # fmt: skip
        for k in range(bays):
            x = front - 0.5 - (k + 0.5) * bay
            is_door = side == -1 and k in (0, bays // 2)  # on the right, the kerb side
            bottom = 0.45 if is_door else sill
            builder.box((x, y, (bottom + top) / 2), (bay - 0.1, 0.024, top - bottom), GLASS,
                        faces="+y-y")  # fmt: skip
            if is_door:
                builder.box((x, y, (bottom + top) / 2), (0.06, 0.04, top - bottom), TRIM)
        builder.box((0, y, sill - 0.2), (length - 0.7, 0.008, 0.12), stripe, faces="+y-y")


def _add_front(builder: MeshBuilder, extent: Extent) -> None:
    length, width, height = extent
    front = length / 2
    low, top = 0.36 * height, height - 0.52
    builder.box((front + 0.004, 0, (low + top) / 2), (0.03, width * 0.92, top - low), GLASS)
    builder.box((front + 0.004, 0, height - 0.36), (0.04, width * 0.8, 0.3), TRIM)
    builder.box((front + 0.02, 0, height - 0.36), (0.02, width * 0.56, 0.17), LINE_SIGN)
    builder.box((front, 0, 0.47), (0.1, width * 0.92, 0.24), BLACK)
    for side in (1, -1):
        builder.box((front + 0.01, side * 0.36 * width, 0.8), (0.04, 0.3, 0.17), HEAD)
        builder.box((front - 0.01, side * 0.455 * width, 0.8), (0.05, 0.09, 0.15), blinker(side))
        mirror = (front + 0.1, side * (width / 2 + 0.03), 0.7 * height)
        builder.box(mirror, (0.14, 0.13, 0.36), TRIM)
        builder.box((front + 0.04, side * (width / 2 - 0.02), 0.7 * height + 0.2),
                    (0.1, 0.05, 0.04), TRIM)  # fmt: skip
