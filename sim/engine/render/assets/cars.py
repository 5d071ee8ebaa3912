"""Cars: lofted bodies with wheel arches, windows, lamps and plates."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.engine.render.assets.vehicle_parts import (
    BLACK,
    DARK,
    GLASS,
    PAINT,
    PANEL,
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


@dataclass(frozen=True, slots=True)
class _Shape:
    """Proportions of a car, as shares of its length from the front and of its height.

    Attributes:
        cowl: foot of the windscreen.
        roof_front: top of the windscreen.
        roof_rear: top of the rear window.
        deck: foot of the rear window.
        belt: height of the window sills.
        nose: height of the bonnet's front edge.
        tail: height of the boot's rear edge.
        wheel_radius: metres.
        axles: front and rear axle.
        glass_until: side windows end here.
    """

    cowl: float
    roof_front: float
    roof_rear: float
    deck: float
    belt: float
    nose: float
    tail: float
    wheel_radius: float
    axles: tuple[float, float]
    glass_until: float


_SHAPES: Final[dict[str, _Shape]] = {
    "car_sedan": _Shape(0.27, 0.42, 0.67, 0.85, 0.62, 0.47, 0.64, 0.33, (0.185, 0.79), 0.80),
    "car_hatch": _Shape(0.24, 0.40, 0.84, 0.965, 0.61, 0.50, 0.60, 0.31, (0.19, 0.82), 0.90),
    "car_suv": _Shape(0.25, 0.38, 0.88, 0.972, 0.62, 0.54, 0.60, 0.37, (0.185, 0.81), 0.90),
    "car_van": _Shape(0.13, 0.25, 0.965, 0.985, 0.58, 0.46, 0.58, 0.35, (0.17, 0.80), 0.42),
    "car_pickup": _Shape(0.25, 0.36, 0.56, 0.60, 0.60, 0.55, 0.59, 0.40, (0.175, 0.78), 0.56),
}


def car(kind: str, extent: Extent, model: str, rng: np.random.Generator) -> VehicleAsset:
    """A car of a kind that `_SHAPES` holds."""
    shape = _vary(_SHAPES[kind], rng)
    builder = MeshBuilder()
    body = _Body(extent, shape, kind)
    points, stations = body.points(), body.stations
    builder.grid(
        points,
        body.uv(points),
        body.materials(),
        outward_from=np.column_stack(
            [points[:, 0, 0], 0 * stations, points[:, 2, 2] * 0.3 + points[:, 5, 2] * 0.7]
        ),
    )
    _close_ends(builder, points)
    _add_details(builder, body, kind, rng)
    length, width, height = extent
    spots = lamp_spots(
        (length / 2, 0.36 * width, shape.nose * height - 0.15),
        (-length / 2, 0.38 * width, shape.tail * height - 0.2),
    )
    mesh = replace(builder.build(kind), spots=spots)
    return VehicleAsset(*fit_to_extent(mesh, extent, _wheels(extent, shape, rng)))


def _wheels(extent: Extent, shape: _Shape, rng: np.random.Generator) -> tuple[Wheel, ...]:
    length, width, _ = extent
    rim, radius, wide = int(rng.integers(3)), shape.wheel_radius, 0.21
    wheels = []
    for number, axle in enumerate(shape.axles):
        for side in (1, -1):
            at = (length * (0.5 - axle), side * (width / 2 - 0.03 - wide / 2), radius)
            wheels.append(Wheel(road_wheel(radius, wide, side, rim), at, radius, number == 0))
    return tuple(wheels)


def _vary(shape: _Shape, rng: np.random.Generator) -> _Shape:
    """The same kind of car by another maker."""
    small = rng.uniform(-0.012, 0.012, 4)
    return _Shape(
        shape.cowl + small[0],
        shape.roof_front + small[1],
        shape.roof_rear + small[2],
        shape.deck,
        shape.belt + small[3],
        shape.nose + rng.uniform(-0.025, 0.025),
        shape.tail + rng.uniform(-0.02, 0.02),
        shape.wheel_radius * rng.uniform(0.97, 1.03),
        shape.axles,
        shape.glass_until,
    )


class _Body:
    """The loft of a car: cross-sections (half of them, mirrored) at stations along its length."""

    def __init__(self, extent: tuple[float, float, float], shape: _Shape, kind: str) -> None:
        self.length, self.width, self.height = extent
        self.shape, self.kind = shape, kind
        self.sill = 0.2 if kind != "car_suv" and kind != "car_pickup" else 0.27
        self.arch = shape.wheel_radius + 0.055
        self.stations = self._place_stations()

    def _place_stations(self) -> NDArray[np.float64]:
        s = self.shape
        middle = (s.roof_front + s.roof_rear) / 2 + 0.015
        places = [0, 0.006, 0.02, 0.05, 0.1, s.cowl, (s.cowl + s.roof_front) / 2, s.roof_front]
        places += [
            middle - 0.012,
            middle + 0.012,
            s.roof_rear,
            s.deck,
            0.5 * (s.roof_rear + s.deck),
        ]
        places += [0.95, 0.98, 0.994, 1.0]
        if self.kind in ("car_van", "car_suv"):
            places += [s.glass_until - 0.03, s.glass_until]
        for axle in s.axles:
            share = self.arch / self.length
            places += list(axle + share * np.cos(np.linspace(0, np.pi, 9)))
            places += [axle - share - 0.002, axle + share + 0.002]
        return np.unique(np.round(np.clip(places, 0, 1), 5))

    def arch_height(self, x: float) -> float:
        """Lower edge of the side at share x of the length: the sill, or the wheel arch."""
        low = self.sill
        for axle in self.shape.axles:
            across = (x - axle) * self.length / self.arch
            if abs(across) < 1.0:
                low = max(low, self.shape.wheel_radius + self.arch * float(np.sqrt(1 - across**2)))
        return low

    def _section(self, x: float) -> list[tuple[float, float]]:
        """Half a cross-section as (y, z), from under the middle up to the roof's middle."""
        s, height = self.shape, self.height
        end = float(np.clip(min(x, 1 - x) / 0.07, 0, 1))
        half = self.width / 2 * (0.84 + 0.16 * float(np.sqrt(end)))
        up = float(np.interp(x, [s.cowl, s.roof_front, s.roof_rear, s.deck], [0, 1, 1, 0]))
        front, rear = (s.nose - 0.06) * height, (s.tail - 0.03) * height
        belt = float(
            np.interp(
                x,
                [0, 0.02, 0.08, s.cowl, s.deck, 0.97, 1],
                [front - 0.12, front, s.nose * height, s.belt * height, s.belt * height * 1.03,
                 s.tail * height, rear - 0.02],
            )
        )  # fmt: skip
        if self.kind == "car_pickup" and x > s.deck + 0.01:
            belt = s.tail * height
        low = self.arch_height(x)
        under = self.sill + 0.1 * (1 - end)
        low = max(low, under)
        roof = belt + 0.035 + (height - belt - 0.06) * up
        shoulder = half * 0.93
        narrow = half * (1 - 0.24 * up) if up > 0 else half * 0.86
        crown = 0.025 * up + 0.02
        waist = max(
            self.sill + (0.3 if self.kind == "car_suv" else 0.5) * (belt - self.sill), low + 0.03
        )
        return [
            (0.0, under),
            (half - 0.26, under),
            (half * 0.975, low),
            (half, min(max(waist, low + 0.02), belt - 0.04)),
            (half * 0.985, belt - 0.035),
            (shoulder, belt),
            (0.94 * shoulder + 0.06 * narrow, belt + 0.06 * (roof - belt)),
            (narrow * 1.0, roof - 0.055 * up - 0.008),
            (narrow * 0.9, roof),
            (0.0, roof + crown),
        ]

    def points(self) -> NDArray[np.float64]:
        """(S, K, 3) metres, a closed ring per station."""
        rows = []
        for x in self.stations:
            half = self._section(float(x))
            ring = half + [(-y, z) for y, z in half[-2:0:-1]] + [half[0]]
            rows.append([(self.length * (0.5 - x), y, z) for y, z in ring])
        return np.array(rows)

    def uv(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Along the car and down, one repeat."""
        return np.stack([0.5 - points[..., 0] / self.length, 1 - points[..., 2] / self.height], -1)

    def materials(self) -> list[list[Material]]:
        """The look of every cell; columns 0-8 are one side, 9-17 the other, mirrored."""
        s = self.shape
        middle = (s.roof_front + s.roof_rear) / 2 + 0.015
        rows = []
        for x in (self.stations[:-1] + self.stations[1:]) / 2:
            row = []
            for column in range(18):
                j = column if column < 9 else 17 - column
                look = PANEL
                if j in (0, 1):
                    look = DARK
                elif self._is_screen(x, j) or (j == 6 and self._has_side_window(x, middle)):
                    look = GLASS
                elif j == 2 and self.kind == "car_suv" and x > 0.03:
                    look = BLACK
                row.append(look)
            rows.append(row)
        return rows

    def _is_screen(self, x: float, j: int) -> bool:
        """Windscreen, or rear window between its pillars."""
        s = self.shape
        if s.cowl + 0.008 < x < s.roof_front:
            return j in (7, 8)
        return j == 8 and s.roof_rear < x < s.deck - 0.004 and self.kind != "car_van"

    def _has_side_window(self, x: float, middle: float) -> bool:
        s = self.shape
        pillar = 0.5 * (s.cowl + s.roof_front)
        return pillar < x < s.glass_until and abs(x - middle) > 0.012


def _close_ends(builder: MeshBuilder, points: NDArray[np.float64]) -> None:
    """Flat noses and tails in the body's paint."""
    for ring, sign in ((points[0, :-1], 1.0), (points[-1, :-1], -1.0)):
        count = len(ring)
        centre = np.array([ring[0, 0], 0.0, ring[:, 2].mean()])
        i = np.arange(count)
        fan = np.stack([np.zeros(count, int), 1 + i, 1 + (i + 1) % count], 1)
        uv = np.full((count + 1, 2), 0.1)
        builder.add(np.vstack([centre, ring]), (sign, 0, 0), uv, fan, PAINT)


def _add_details(builder: MeshBuilder, body: _Body, kind: str, rng: np.random.Generator) -> None:
    length, width, height = body.length, body.width, body.height
    shape = body.shape
    nose, tail = length / 2, -length / 2
    lamp_z = (shape.nose - 0.115) * height
    add_head_lamps(builder, nose - 0.075, width, lamp_z, (0.2, 0.36, rng.uniform(0.1, 0.17)))
    tail_z = (shape.tail - rng.uniform(0.11, 0.16)) * height
    tall = kind in ("car_hatch", "car_suv", "car_van")
    add_tail_lamps(builder, tail + 0.06, width, tail_z,
                   (0.14, 0.2 if tall else 0.36, 0.3 if tall else 0.15))  # fmt: skip
    grille = width * rng.uniform(0.3, 0.5)
    builder.box((nose, 0, lamp_z - 0.02), (0.05, grille, rng.uniform(0.1, 0.2)),
                Material("grille", specular=0.2))  # fmt: skip
    builder.box((nose + 0.005, 0, body.sill + 0.14), (0.06, width * 0.66, 0.11), BLACK)
    builder.box((tail - 0.005, 0, body.sill + 0.12), (0.07, width * 0.78, 0.13), BLACK)
    add_plates(builder, nose + 0.04, tail - 0.045, (body.sill + 0.27, tail_z - 0.17))
    mirror_x = length * (0.5 - shape.cowl) - 0.32
    for side in (-1, 1):
        centre = (mirror_x, side * (width / 2 + 0.05), shape.belt * height + 0.07)
        builder.box(centre, (0.12, 0.2, 0.13), PAINT)
    if kind == "car_pickup":
        _add_bed(builder, body)
    if kind == "car_suv" and rng.random() < 0.7:
        for side in (-1, 1):
            builder.box((-0.1 * length, side * width * 0.33, height + 0.01),
                        (0.42 * length, 0.04, 0.05), BLACK)  # fmt: skip
    if kind == "car_van":
        builder.box((tail - 0.005, 0, 0.62 * height), (0.02, 0.02, 0.62 * height), BLACK)
        for side in (-1, 1):
            builder.box((tail - 0.002, side * width * 0.15, 0.76 * height),
                        (0.02, width * 0.26, 0.26 * height), GLASS)  # fmt: skip


def _add_bed(builder: MeshBuilder, body: _Body) -> None:
    """The open load bed of a pick-up, as a dark floor with raised walls."""
    front = body.length * (0.5 - body.shape.deck) - 0.12
    rear = -body.length / 2 + 0.1
    top = body.shape.tail * body.height + 0.06
    middle, long = (front + rear) / 2, front - rear
    builder.box((middle, 0, top - 0.01), (long, body.width * 0.74, 0.02), BLACK)
    for side in (-1, 1):
        builder.box((middle, side * body.width * 0.4, top + 0.03),
                    (long + 0.1, 0.1, 0.14), PAINT)  # fmt: skip
    builder.box((rear, 0, top + 0.03), (0.08, body.width * 0.86, 0.14), PAINT)
