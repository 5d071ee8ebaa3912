"""Meshes of the larger and the domestic props: shelters, machines, tables, pots, carts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from sim.engine.render.assets.prop_parts import (
    BLACK,
    GLASS,
    LEAF,
    RED,
    STEEL,
    STONE,
    WHITE,
    WOOD,
    YELLOW,
    Size,
    legs,
    paint,
)
from sim.engine.render.mesh_builder import MeshBuilder

Rng = np.random.Generator
BRIGHT: Final = ((0.50, 0.05, 0.06), (0.06, 0.14, 0.42), (0.05, 0.30, 0.14), (0.60, 0.36, 0.03))


def _bench(b: MeshBuilder, size: Size, rng: Rng) -> None:
    length, width, height = size
    for i in range(4):
        x = length * (0.42 - 0.2 * i)
        b.box((x, 0, 0.47 * height), (0.17 * length, width, 0.03), WOOD)
    for i in range(3):
        b.box((-0.42 * length, 0, height * (0.66 + 0.13 * i)), (0.03, width, 0.1 * height), WOOD)
    for side in (-1, 1):
        y = side * 0.42 * width
        b.box((0.3 * length, y, 0.23 * height), (0.05, 0.05, 0.46 * height), BLACK)
        b.box((-0.45 * length, y, 0.49 * height), (0.05, 0.05, 0.98 * height), BLACK)


def _bin(b: MeshBuilder, size: Size, rng: Rng) -> None:
    radius, height = size[0] / 2, size[2]
    look = paint(((0.05, 0.10, 0.06), (0.14, 0.14, 0.15), (0.08, 0.20, 0.10))[rng.integers(3)], 0.2)
    b.cylinder((0, 0, 0.03), (0, 0, 0.86 * height), (0.85 * radius, radius), look, 16)
    b.cylinder((0, 0, 0.86 * height), (0, 0, height), (radius, 0.55 * radius), STEEL, 16)
    b.box((0.9 * radius, 0, 0.78 * height), (0.2 * radius, radius, 0.09 * height), BLACK)


def _chair(b: MeshBuilder, size: Size, rng: Rng) -> None:
    length, width, height = size
    look = paint(BRIGHT[rng.integers(4)], 0.2)
    b.box((0, 0, 0.5 * height), (0.9 * length, 0.9 * width, 0.04), look)
    b.box((-0.44 * length, 0, 0.77 * height), (0.04, 0.9 * width, 0.42 * height), look)
    for x, y in legs(0.4 * length, 0.4 * width):
        b.cylinder((1.1 * x, 1.1 * y, 0), (x, y, 0.5 * height), (0.018, 0.022), STEEL, 8)


def _table(b: MeshBuilder, size: Size, rng: Rng) -> None:
    length, width, height = size
    b.box((0, 0, 0.97 * height), (length, width, 0.06 * height), WOOD)
    for x, y in legs(0.42 * length, 0.44 * width):
        b.box((x, y, 0.47 * height), (0.05, 0.05, 0.94 * height), WOOD)


def _plant_pot(b: MeshBuilder, size: Size, rng: Rng) -> None:
    radius, height = size[0] / 2, size[2]
    clay = paint(((0.42, 0.19, 0.11), (0.40, 0.38, 0.35), (0.12, 0.12, 0.13))[rng.integers(3)])
    b.cylinder((0, 0, 0), (0, 0, 0.38 * height), (0.6 * radius, 0.86 * radius), clay, 14)
    for _ in range(7):
        x, y = rng.uniform(-0.38, 0.38, 2) * radius
        z = float(rng.uniform(0.5, 0.74)) * height
        b.blob((float(x), float(y), z), (0.48 * radius, 0.48 * radius, 0.2 * height), LEAF,
               (9, 6), 0.08, rng)  # fmt: skip


def _advertisement(b: MeshBuilder, size: Size, rng: Rng) -> None:
    length, width, height = size
    b.box((0, 0, 0.12), (length, 0.3 * width, 0.24), STEEL)
    b.box((0, 0, 0.24 + 0.45 * height), (0.7 * length, width, 0.86 * height), BLACK)
    for way in (-1, 1):
        x = way * 0.37 * length
        b.box((x, 0, 0.25 + 0.45 * height), (0.02, 0.88 * width, 0.76 * height), WHITE)
        for at, tall in ((0.28, 0.16), (0.5, 0.2), (0.72, 0.1)):
            look = paint(BRIGHT[rng.integers(4)])
            b.box((x + way * 0.012, 0, 0.1 + at * height), (0.01, 0.78 * width, tall * height),
                  look)  # fmt: skip


def _sign_post(b: MeshBuilder, size: Size, rng: Rng) -> None:
    _, width, height = size
    b.cylinder((0, 0, 0), (0, 0, height), (0.035, 0.035), STEEL, 8)
    b.box((0.045, 0, height - 0.45 * width), (0.02, width, 0.8 * width), paint((0.03, 0.10, 0.35)))
    b.box((0.058, 0, height - 0.45 * width), (0.01, 0.7 * width, 0.14 * width), WHITE)


def _shelter(b: MeshBuilder, size: Size, rng: Rng) -> None:
    length, width, height = size
    b.box((0, 0, height - 0.06), (length, width, 0.12), STEEL)
    b.box((-0.46 * length, 0, 0.52 * height), (0.03, 0.94 * width, 0.78 * height), GLASS)
    for side in (-1, 1):
        y = side * 0.47 * width
        b.box((-0.1 * length, y, 0.52 * height), (0.7 * length, 0.03, 0.78 * height), GLASS)
        for x in (-0.46, 0.3):
            b.box((x * length, y, 0.47 * height), (0.07, 0.07, 0.94 * height), STEEL)
    b.box((-0.28 * length, 0, 0.46), (0.36, 0.7 * width, 0.05), WOOD)
    for side in (-1, 1):
        b.box((-0.28 * length, side * 0.3 * width, 0.22), (0.05, 0.05, 0.44), STEEL)
    b.box((0.47 * length, 0, height - 0.1), (0.03, 0.5 * width, 0.18), YELLOW)


def _kiosk(b: MeshBuilder, size: Size, rng: Rng) -> None:
    length, width, height = size
    wall = paint((0.07, 0.20, 0.16))
    b.box((-0.05 * length, 0, 0.43 * height), (0.8 * length, 0.9 * width, 0.86 * height), wall)
    b.box((0, 0, 0.93 * height), (length, width, 0.12 * height), paint((0.45, 0.10, 0.08)))
    b.box((0.36 * length, 0, 0.58 * height), (0.03, 0.7 * width, 0.34 * height), GLASS)
    b.box((0.42 * length, 0, 0.38 * height), (0.14 * length, 0.76 * width, 0.04), WOOD)


def _mailbox(b: MeshBuilder, size: Size, rng: Rng) -> None:
    length, width, height = size
    look = paint(((0.62, 0.40, 0.02), (0.50, 0.04, 0.05), (0.05, 0.10, 0.34))[rng.integers(3)], 0.3)
    for side in (-1, 1):
        b.box((0, side * 0.36 * width, 0.15), (0.08, 0.06, 0.3), BLACK)
    b.box((0, 0, 0.24 + 0.32 * height), (0.96 * length, width, 0.62 * height), look)
    b.cylinder((0, -width / 2, 0.8 * height), (0, width / 2, 0.8 * height),
               (0.2 * height * 0.9, 0.2 * height * 0.9), look, 14)  # fmt: skip
    b.box((0.48 * length, 0, 0.72 * height), (0.03, 0.6 * width, 0.05), BLACK)


def _vending_machine(b: MeshBuilder, size: Size, rng: Rng) -> None:
    length, width, height = size
    x = length / 2
    b.box(
        (-0.02, 0, height / 2), (length - 0.04, width, height), paint(BRIGHT[rng.integers(2)], 0.3)
    )
    b.box((x - 0.02, 0.12 * width, 0.58 * height), (0.03, 0.62 * width, 0.66 * height), GLASS)
    for row in range(4):
        for column in range(5):
            y = 0.12 * width + 0.11 * width * (column - 2)
            b.box((x - 0.005, y, height * (0.36 + 0.15 * row)), (0.008, 0.07, 0.1),
                  paint(BRIGHT[rng.integers(4)]))  # fmt: skip
    b.box((x - 0.02, -0.36 * width, 0.6 * height), (0.03, 0.16 * width, 0.3 * height), BLACK)
    b.box((x - 0.02, 0.1 * width, 0.14 * height), (0.03, 0.5 * width, 0.1 * height), BLACK)


def _cash_machine(b: MeshBuilder, size: Size, rng: Rng) -> None:
    length, width, height = size
    b.box((-0.1 * length, 0, height / 2), (0.78 * length, width, height), paint((0.06, 0.13, 0.30)))
    b.box((0.3 * length, 0, 0.73 * height), (0.04, 0.6 * width, 0.22 * height), GLASS)
    b.box((0.36 * length, 0, 0.52 * height), (0.24 * length, 0.7 * width, 0.06 * height), STEEL)
    b.box((0.3 * length, 0, 0.92 * height), (0.04, 0.9 * width, 0.1 * height), WHITE)


def _fountain(b: MeshBuilder, size: Size, rng: Rng) -> None:
    radius, height = size[0] / 2, size[2]
    water = paint((0.10, 0.20, 0.26), 0.9)
    b.cylinder((0, 0, 0), (0, 0, 0.32 * height), (radius, 0.96 * radius), STONE, 20)
    b.cylinder(
        (0, 0, 0.32 * height), (0, 0, 0.33 * height), (0.85 * radius, 0.85 * radius), water, 20
    )
    b.cylinder(
        (0, 0, 0.3 * height), (0, 0, 0.75 * height), (0.14 * radius, 0.1 * radius), STONE, 12
    )
    b.cylinder(
        (0, 0, 0.7 * height), (0, 0, 0.82 * height), (0.12 * radius, 0.5 * radius), STONE, 16
    )
    b.blob((0, 0, 0.9 * height), (0.12 * radius, 0.12 * radius, 0.1 * height), water)


def _cart(b: MeshBuilder, size: Size, rng: Rng) -> None:
    length, width, height = size
    low, high = 0.48 * height, 0.86 * height
    for x, y in legs(1.0, 1.0):
        foot = (0.36 * x * length, 0.38 * y * width)
        b.cylinder((foot[0], foot[1] - 0.02, 0.06), (foot[0], foot[1] + 0.02, 0.06),
                   (0.06, 0.06), BLACK, 10)  # fmt: skip
        knee = (0.39 * x * length, 0.42 * y * width, low)
        b.cylinder((*foot, 0.1), knee, (0.014, 0.014), STEEL, 6)
        b.cylinder(knee, (0.46 * x * length, 0.47 * y * width, high), (0.01, 0.01), STEEL, 6)
    for k in range(5):  # the basket's wires, wider towards the top
        share, z = k / 4, low + (high - low) * k / 4
        x, y = (0.39 + 0.07 * share) * length, (0.42 + 0.05 * share) * width
        ring = [(x, y, z), (-x, y, z), (-x, -y, z), (x, -y, z)]
        for start, end in zip(ring, [*ring[1:], ring[0]], strict=True):
            b.cylinder(start, end, (0.008, 0.008), STEEL, 5, has_caps=False)
    for k in range(-4, 5):
        for side in (-1, 1):
            x, y = 0.39 * length * k / 4.5, 0.42 * side * width
            b.cylinder((x, y, low), (1.15 * x, 1.12 * y, high), (0.005, 0.005), STEEL, 4,
                       has_caps=False)  # fmt: skip
    b.box((0, 0, low), (0.78 * length, 0.84 * width, 0.012), STEEL)
    for side in (-1, 1):
        y = side * 0.45 * width
        b.cylinder((-0.44 * length, y, high), (-0.49 * length, y, 0.98 * height), (0.012, 0.012),
                   STEEL, 6)  # fmt: skip
    b.cylinder((-0.49 * length, -0.45 * width, 0.98 * height),
               (-0.49 * length, 0.45 * width, 0.98 * height), (0.018, 0.018), RED, 8)  # fmt: skip


def _food_cart(b: MeshBuilder, size: Size, rng: Rng) -> None:
    length, width, height = size
    b.box((0, 0, 0.28 * height), (0.8 * length, 0.8 * width, 0.3 * height), paint(BRIGHT[0], 0.2))
    b.box((0, 0, 0.44 * height), (0.84 * length, 0.86 * width, 0.03), STEEL)
    for side in (-1, 1):
        y = side * 0.42 * width
        b.cylinder((0, y - 0.03, 0.3), (0, y + 0.03, 0.3), (0.3, 0.3), BLACK, 16)
    b.cylinder((0, 0, 0.44 * height), (0, 0, 0.9 * height), (0.02, 0.02), STEEL, 8)
    b.cylinder((0, 0, 0.82 * height), (0, 0, height), (0.49 * width, 0.03), paint(BRIGHT[3]), 10)


def _hay(b: MeshBuilder, size: Size, rng: Rng) -> None:
    length, width, height = size
    straw, twine = paint((0.52, 0.40, 0.13)), paint((0.25, 0.14, 0.05))
    if height > 0.8:  # a round bale on its side
        radius = height / 2
        b.cylinder((0, -width / 2, radius), (0, width / 2, radius), (radius, radius), straw, 18,
                   cap=paint((0.45, 0.33, 0.10)))  # fmt: skip
        return
    b.box((0, 0, height / 2), size, straw)
    for at in (-0.25, 0.25):
        b.box((at * length, 0, height / 2), (0.02, width + 0.006, height + 0.006), twine)


def _gnome(b: MeshBuilder, size: Size, rng: Rng) -> None:
    radius, height = size[0] / 2, size[2]
    b.blob(
        (0, 0, 0.24 * height),
        (0.9 * radius, 0.9 * radius, 0.24 * height),
        paint((0.05, 0.12, 0.36)),
    )
    b.blob(
        (0, 0, 0.55 * height),
        (0.55 * radius, 0.55 * radius, 0.13 * height),
        paint((0.62, 0.38, 0.27)),
    )
    b.blob((0.3 * radius, 0, 0.45 * height), (0.4 * radius, 0.45 * radius, 0.13 * height), WHITE)
    b.cylinder((0, 0, 0.62 * height), (-0.1 * radius, 0, height), (0.62 * radius, 0.02), RED, 12)


def _case(b: MeshBuilder, size: Size, rng: Rng) -> None:
    length, width, height = size
    look = paint(((0.04, 0.04, 0.05), (0.22, 0.12, 0.06), *BRIGHT)[rng.integers(6)], 0.25)
    b.box((0, 0, 0.43 * height), (length, width, 0.82 * height), look)
    for side in (-1, 1):
        b.box((0, side * 0.15 * width, 0.92 * height), (0.02, 0.02, 0.14 * height), BLACK)
    b.box((0, 0, 0.98 * height), (0.03, 0.34 * width, 0.03 * height), BLACK)


def _can(b: MeshBuilder, size: Size, rng: Rng) -> None:
    radius, height = min(size[:2]) / 2, size[2]
    b.cylinder((0, 0, 0), (0, 0, 0.94 * height), (radius, radius), RED, 14)
    b.cylinder((0, 0, 0.94 * height), (0, 0, height), (radius, 0.85 * radius), STEEL, 14)


def _lamp_post(b: MeshBuilder, size: Size, rng: Rng) -> None:
    radius, height = size[0] / 2, size[2]
    b.cylinder((0, 0, 0), (0, 0, 0.75 * height), (0.035, 0.03), BLACK, 8)
    b.cylinder(
        (0, 0, 0.75 * height), (0, 0, 0.95 * height), (0.6 * radius, 0.8 * radius), WHITE, 10
    )
    b.cylinder((0, 0, 0.93 * height), (0, 0, height), (radius, 0.3 * radius), BLACK, 10)


def _hut(b: MeshBuilder, size: Size, rng: Rng) -> None:
    length, width, height = size
    b.box((0, 0, 0.3 * height), (0.9 * length, 0.8 * width, 0.6 * height), WOOD)
    roof = paint((0.36, 0.08, 0.05), two_sided=True)
    x, y, low, top = length / 2, width / 2, 0.55 * height, height
    b.quad([(-x, y, low), (x, y, low), (x, 0, top), (-x, 0, top)], roof)
    b.quad([(x, -y, low), (-x, -y, low), (-x, 0, top), (x, 0, top)], roof)
    for way in (-1, 1):
        gable = [(way * 0.45 * length, -0.8 * y, low), (way * 0.45 * length, 0.8 * y, low),
                 (way * 0.45 * length, 0, 0.96 * top)]  # fmt: skip
        b.add(gable, (way, 0, 0), [(0, 1), (1, 1), (0.5, 0)], [(0, 1, 2)], WOOD)
    b.box((0.45 * length, 0, 0.26 * height), (0.02, 0.36 * width, 0.44 * height), BLACK)


def _hoops(b: MeshBuilder, size: Size, rng: Rng) -> None:
    length, width, height = size
    for i in range(4):
        y = width * (i / 3 - 0.5) * 0.94
        for x in (-0.45, 0.45):
            b.cylinder((x * length, y, 0), (x * length, y, height), (0.03, 0.03), STEEL, 8)
        b.cylinder((-0.45 * length, y, height - 0.03), (0.45 * length, y, height - 0.03),
                   (0.03, 0.03), STEEL, 8)  # fmt: skip


def _chart(b: MeshBuilder, size: Size, rng: Rng) -> None:
    length, width, height = size
    b.box((0, 0, height / 2), (0.6 * length, width, height), WHITE)
    columns, rows = 6, 8
    for i in range(columns):
        for j in range(i % 2, rows, 2):
            at = (0.0, width * ((i + 0.5) / columns - 0.5), height * (j + 0.5) / rows)
            b.box(at, (length, width / columns, height / rows), BLACK)


Maker = Callable[[MeshBuilder, Size, Rng], None]
FURNITURE: Final[dict[str, Maker]] = {
    "bench": _bench,
    "bin": _bin,
    "chair": _chair,
    "table": _table,
    "plant_pot": _plant_pot,
    "advertisement": _advertisement,
    "sign_post": _sign_post,
    "shelter": _shelter,
    "kiosk": _kiosk,
    "mailbox": _mailbox,
    "vending_machine": _vending_machine,
    "cash_machine": _cash_machine,
    "fountain": _fountain,
    "cart": _cart,
    "food_cart": _food_cart,
    "hay": _hay,
    "gnome": _gnome,
    "case": _case,
    "can": _can,
    "lamp_post": _lamp_post,
    "hut": _hut,
    "hoops": _hoops,
    "chart": _chart,
}
