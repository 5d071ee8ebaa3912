"""Cars: a lofted body with arches and glass, curved ends with lamp clusters, and its wheels."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sim.engine.render.assets.car_details import add_details
from sim.engine.render.assets.car_shapes import ROOF_GEAR, CarShape, car_shape
from sim.engine.render.assets.vehicle_parts import (
    BLACK,
    BRAKE_LIGHT,
    DARK,
    GLASS,
    HEAD,
    PAINT,
    PANEL,
    TAIL_LIGHT,
    TRIM,
    WHITE_PAINT,
    Extent,
    VehicleAsset,
    Wheel,
    blinker,
    fit_to_extent,
    lamp_spots,
)
from sim.engine.render.assets.wheels import road_wheel
from sim.engine.render.mesh_builder import Material, MeshBuilder, outward_normals

Array = NDArray[np.float64]
SIDE = (0.0, 0.34, 0.62, 0.9, 1.0)  # heights of the side's lines, from its lower edge to the belt
ACROSS = np.array([-1, -0.86, -0.66, -0.47, 0, 0.47, 0.66, 0.86, 1.0])  # columns of the ends
ARCH_GAP = 0.055  # m between tyre and arch
WHEEL_WIDTH = 0.215
RED_STRIPE = Material("plain", (0.6, 0.04, 0.02), specular=0.5)
BARE = Material("metal", (0.62, 0.63, 0.65), specular=0.6)
GRILLE = Material("grille", specular=0.25)
RAILS = 19  # points of a cross-section, from the right sill over the roof to the left one


def car(kind: str, extent: Extent, model: str, rng: np.random.Generator) -> VehicleAsset:
    """A car of a kind; `model` is CARLA's id without "vehicle.", "" for any."""
    shape = car_shape(kind, model, rng)
    length, width, height = extent
    tall = height - ROOF_GEAR.get(shape.livery, 0.0)
    body = _Body((length, width, tall), shape, kind)
    builder = MeshBuilder()
    body.add_shell(builder)
    body.add_end(builder, front=True)
    body.add_end(builder, front=False)
    body.add_floor(builder)
    add_details(builder, (length, width, tall), shape, kind, rng)
    spots = lamp_spots(
        (length / 2 - 0.08, 0.36 * width, body.height_at(0.0, 0.76)),
        (-length / 2 + 0.05, 0.36 * width, body.height_at(1.0, 0.76)),
    )
    mesh = replace(builder.build(model or kind), spots=spots)
    return VehicleAsset(*fit_to_extent(mesh, extent, _wheels(kind, extent, shape, rng)))


def _wheels(
    kind: str, extent: Extent, shape: CarShape, rng: np.random.Generator
) -> tuple[Wheel, ...]:
    length, width, _ = extent
    radius = shape.wheel_radius
    rim = 0 if kind == "car_van" else int(rng.choice([0, 0, 1, 2]))
    wheels = []
    for number, axle in enumerate(shape.axles):
        for side in (1, -1):
            at = (length * (0.5 - axle), side * (width / 2 - 0.025 - WHEEL_WIDTH / 2), radius)
            mesh = road_wheel(radius, WHEEL_WIDTH, side, rim)
            wheels.append(Wheel(mesh, at, radius, number == 0))
    return tuple(wheels)


class _Body:
    """Cross-sections at stations along the car; x is a share of the length from the front."""

    def __init__(self, extent: Extent, shape: CarShape, kind: str) -> None:
        self.length, self.width, self.height = extent
        self.shape, self.kind = shape, kind
        self.arch = shape.wheel_radius + ARCH_GAP
        self.pillar = shape.pillar or 0.5 * (shape.roof_front + shape.roof_rear) + 0.015
        self.pane_until = shape.deck - 0.12 * (shape.deck - shape.roof_rear)
        self.stations = self._place_stations()

    def _place_stations(self) -> Array:
        s = self.shape
        half = 0.5 * (s.cowl + s.roof_front)
        places = [0.0, 0.012, 0.035, 0.075, s.cowl, s.cowl + 0.012, half, s.roof_front]
        places += [self.pillar - 0.011, self.pillar + 0.011, s.roof_rear]
        places += [0.5 * (s.roof_rear + s.deck), self.pane_until, s.deck]
        places += [s.glass_until, 0.955, 0.985, 1.0]
        share = self.arch / self.length
        for axle in s.axles:
            places += list(axle + share * np.cos(np.linspace(0, np.pi, 8)))
        kept = [0.0]
        for place in sorted(float(np.clip(p, 0, 1)) for p in places):
            if place - kept[-1] > 0.0022:
                kept.append(place)
        return np.array([*kept[:-1], 1.0])

    def lower_edge(self, x: float) -> float:
        """Metres: the sill, or the wheel arch."""
        s = self.shape
        low = s.sill + 0.06 * float(np.clip(1 - min(x, 1 - x) / 0.05, 0, 1))
        for axle in s.axles:
            across = (x - axle) * self.length / self.arch
            if abs(across) < 1.0:
                rise = s.wheel_radius + self.arch * float(np.sqrt(1 - across**2))
                low = max(low, min(rise, s.wheel_radius + self.arch * 0.96))
        return low

    def belt(self, x: float) -> float:
        """Metres: window sill, bonnet's or boot's edge."""
        s, h = self.shape, self.height
        if self.kind == "car_pickup" and x > s.deck + 0.01:
            return s.tail * h
        nose = min(s.nose + 0.6 * (s.belt - s.nose), s.belt)
        return float(np.interp(
            x, [0, 0.03, 0.1, s.cowl, s.deck, 0.97, 1],
            [s.nose * h - 0.07, s.nose * h, nose * h if s.cowl > 0.12 else s.belt * h,
             s.belt * h, s.belt * h * 1.03, s.tail * h, s.tail * h - 0.04],
        ))  # fmt: skip

    def height_at(self, x: float, share: float) -> float:
        """Metres of a line of the side, `share` between lower edge and belt."""
        low = self.shape.sill + 0.06
        return low + share * (self.belt(x) - low)

    def section(self, x: float, has_arches: bool = True) -> list[tuple[float, float]]:
        """Half a cross-section (y, z) from the sill up to the roof's middle: 10 points."""
        s = self.shape
        end = float(np.clip(min(x, 1 - x) / 0.09, 0, 1))
        half = self.width / 2 * (0.88 + 0.12 * float(np.sqrt(end * (2 - end))))
        up = float(np.interp(x, [s.cowl, s.roof_front, s.roof_rear, s.deck], [0, 1, 1, 0]))
        up = up * (1.25 - 0.25 * up)  # screens bulge a little
        belt, base = self.belt(x), s.sill + 0.06 * (1 - end)
        low = self.lower_edge(x) if has_arches else base
        side = []
        for k, (share, wide) in enumerate(
            zip(SIDE, (0.965, 0.992, 1.0, 0.985, 0.955), strict=True)
        ):
            z = low if k == 0 else base + share * (belt - base)
            side.append((half * wide, max(z, low + 0.012 * k)))
        flat = ((0.925, 0.02), (0.87, 0.032), (0.82, 0.038), (0.45, 0.054), (0.0, 0.06))
        roof, narrow = self.height - belt, 1.0 - s.tumble
        round_ = ((0.925, 0.03), (narrow, roof - 0.075), (narrow - 0.07, roof - 0.022),
                  (0.4, roof - 0.006), (0.0, roof))  # fmt: skip
        top = [
            (half * (a + (c - a) * up), belt + b + (d - b) * up)
            for (a, b), (c, d) in zip(flat, round_, strict=True)
        ]
        return side + top

    def bulge(self, x: float, y: Array) -> Array:
        """Metres that nose and tail are drawn out in the middle, at each y."""
        out = self.shape.round * float(np.clip(1 - min(x, 1 - x) / 0.12, 0, 1)) ** 1.5
        share = np.minimum(1.0, np.abs(y) / (0.44 * self.width))
        drawn: Array = (out if x < 0.5 else -out) * (1 - share**2)
        return drawn

    def points(self, has_arches: bool = True) -> Array:
        """(S, RAILS, 3) metres, from the right sill over the roof to the left one."""
        rows = []
        for x in self.stations:
            half = self.section(float(x), has_arches)
            ring = np.array([(-y, z) for y, z in half] + half[-2::-1])
            at = self.length * (0.5 - float(x))
            rows.append(np.column_stack([at + self.bulge(float(x), ring[:, 0]), ring]))
        return np.array(rows)

    def add_shell(self, builder: MeshBuilder) -> None:
        """Sides, glass, bonnet and roof."""
        points = self.points()
        uv = np.stack([0.5 - points[..., 0] / self.length, 1 - points[..., 2] / self.height], -1)
        looks = []
        for x in (self.stations[:-1] + self.stations[1:]) / 2:
            row = [self._look(float(x), min(k, RAILS - 2 - k)) for k in range(RAILS - 1)]
            looks.append(row)
        # arches cut into the side, they do not bend it
        plain = self.points(has_arches=False)
        middle = np.column_stack([points[:, 9, 0], 0 * self.stations, points[:, 3, 2] * 0.8])
        builder.grid(points, uv, looks, normals=outward_normals(plain, middle))

    def add_floor(self, builder: MeshBuilder) -> None:
        """What is dark under the car and behind its wheels."""
        low, width = self.shape.sill + 0.02, self.width - 0.5
        builder.box((0, 0, low + 0.15), (0.96 * self.length, width, 0.3), DARK, faces="+x-x+y-y-z")
        top = self.shape.wheel_radius + self.arch + 0.02
        for axle in self.shape.axles:
            x = self.length * (0.5 - axle)
            size = (2 * self.arch + 0.1, width, top - low)
            builder.box((x, 0, (low + top) / 2), size, DARK, faces="+y-y")

    def _look(self, x: float, j: int) -> Material:
        """Of a cell; j counts from the sill: 0-3 side, 4 window's sill, 5 window, 6 to 8 roof."""
        s = self.shape
        if j == 5 and s.cowl + 0.012 < x < s.glass_until:
            return TRIM if abs(x - self.pillar) < 0.012 else GLASS
        if j >= 7 and s.cowl + 0.012 < x < s.roof_front:
            return GLASS
        if j >= 7 and s.roof_rear < x < self.pane_until and s.livery != "bare":
            return GLASS
        if j == 4 and s.cowl + 0.05 < x < s.glass_until:
            return TRIM
        if j == 0 and s.clad:
            return BLACK
        if j == 2 and (x < 0.03 or x > 0.972):
            return HEAD if x < 0.5 else BRAKE_LIGHT
        return self._paint(x, j)

    def _paint(self, x: float, j: int) -> Material:
        s = self.shape
        if s.livery == "bare":
            return BARE
        if s.livery == "police" and j < 4 and 0.335 < x < 0.72:
            return replace(PANEL, tint=0.0)
        if s.livery == "ambulance":
            return RED_STRIPE if j == 1 and x > 0.1 else WHITE_PAINT
        if s.livery == "two-tone" and j >= 5 and s.cowl < x < s.deck:
            return WHITE_PAINT
        return PANEL if j < 4 else PAINT

    def add_end(self, builder: MeshBuilder, *, front: bool) -> None:
        """Nose or tail: bumper, plate's field, lamps and grille, closed up to bonnet or boot."""
        x = 0.0 if front else 1.0
        half = self.section(x)
        at = self.length * (0.5 - x)
        crown_y, crown_z = np.array([y for y, _ in half[4:]]), np.array([z for _, z in half[4:]])
        rows = []
        for y_half, z in half[:5]:
            y = ACROSS * y_half
            rows.append(np.column_stack([at + self.bulge(x, y), y, np.full(len(y), z)]))
        crown_x = at + self.bulge(x, crown_y)
        y = ACROSS * half[4][0]
        rim_x, rim = (np.interp(np.abs(y), crown_y[::-1], c[::-1]) for c in (crown_x, crown_z))
        rows.append(np.column_stack([rim_x, y, rim]))
        points = np.array(rows)
        points[0, 1:-1, 0] += 0.03 if front else -0.03  # the bumper's lip
        points[2, [2, 6], 2] += 0.3 * (points[3, 2, 2] - points[2, 2, 2])  # lamps taper inwards
        looks = [[self._end_look(r, abs(c), front) for c in (ACROSS[1:] + ACROSS[:-1]) / 2]
                 for r in range(5)]  # fmt: skip
        uv = np.stack(np.broadcast_arrays(ACROSS[None] * 2, points[..., 2] * 3), -1)
        middle = np.column_stack([np.full(6, at - (1 if front else -1)), np.zeros((6, 2))])
        middle[:, 2] = points[:, 3, 2]
        builder.grid(points, uv, looks, outward_from=middle)
        for side in (1, -1):  # indicators below the lamps' outer ends
            corner = points[2, 7 if side > 0 else 1]
            place = (float(corner[0]), float(corner[1]), float(corner[2]) - 0.026)
            faces = "+x+y-y" if front else "-x+y-y"  # open to the inside, where a camera may be
            builder.box(place, (0.06, 0.17, 0.045), blinker(side), faces=faces)

    def _end_look(self, row: int, across: float, front: bool) -> Material:
        s = self.shape
        if row == 0:
            return TRIM if across < 0.66 or s.clad else self._paint(0.0, 0)
        if row == 2 and across > 0.66:
            if front:
                return HEAD
            return BRAKE_LIGHT if across > 0.86 else TAIL_LIGHT
        if front and row == 2 and across < s.grille:
            return GRILLE
        if front and row == 1 and across < 0.66 and s.grille > 0.55:
            return GRILLE
        return self._paint(0.0 if front else 1.0, 4)
