"""Houses and blocks: shop floor, storeys, cornice, and a flat or pitched roof."""

from typing import Final

import numpy as np

from sim.engine.render.assets.houses import add_pitched_roof, house_mesh
from sim.engine.render.facades import FACADE_METRES, FACADES, SHOPS
from sim.engine.render.mesh_builder import Colour, Material, MeshBuilder
from sim.engine.render.scene import Mesh

BUILDING_STYLES: Final = FACADES
STOREY_M: Final = FACADE_METRES / 4  # a texture repeat holds four storeys
SHOP_M: Final = 3.9
_WALLS: Final = "+x-x+y-y"


def building_mesh(
    length: float, width: float, height: float, style: int, seed: int, form: str = "block"
) -> Mesh:
    """A building over the rectangle length x width about its origin, standing on z = 0.

    Awnings, balconies, cornices and steps pass the rectangle by up to 1.2 m; walls do not.

    Args:
        length: metres along x.
        width: metres along y.
        height: metres to the eaves.
        style: 0 to `BUILDING_STYLES` - 1, the facade; taken modulo.
        seed: shop floor, roof, awnings, colours.
        form: `block`, `house` or `barn`.
    """
    if form != "block":
        return house_mesh(length, width, height, style, seed, is_barn=form == "barn")
    rng = np.random.default_rng((seed, style, 0xB1D6))
    builder = MeshBuilder()
    has_shops = height > 7.0 and rng.random() < 0.75
    foot = SHOP_M if has_shops else 0.5
    tone = float(rng.uniform(0.86, 1.08))
    wall = Material(f"facade_{style % FACADES}", (tone, tone, tone * float(rng.uniform(0.95, 1))))
    storeys = max(1, round((height - foot) / STOREY_M))
    repeat = ((height - foot) / storeys * 4, (height - foot) / storeys * 4)
    _add_walls(builder, (length, width), (foot, height), wall, repeat)
    if has_shops:
        shop = Material(f"shop_{int(rng.integers(SHOPS))}", specular=0.0)
        _add_walls(builder, (length, width), (0.0, foot), shop, (8.0, foot))
        _add_ledge(builder, (length, width), foot, 0.18, 0.3, (0.74, 0.72, 0.69))
        _add_awnings(builder, (length, width), rng)
    else:
        plinth = Material("concrete", (0.66, 0.64, 0.62))
        builder.box((0, 0, foot / 2), (length + 0.1, width + 0.1, foot), plinth, (4, 4), _WALLS)
        _add_doors(builder, (length, width), rng)
    if height > 9.0 and rng.random() < 0.45:
        _add_balconies(builder, (length, width), (foot, height, storeys), rng)
    if height < 11.0 and rng.random() < 0.6:
        add_pitched_roof(
            builder, (length, width, height), Material("roof_tiles", is_two_sided=True)
        )
    else:
        _add_flat_roof(builder, (length, width, height), rng)
    return builder.build(f"building {style % FACADES}")


def _add_walls(
    builder: MeshBuilder,
    plan: tuple[float, float],
    heights: tuple[float, float],
    look: Material,
    metres: tuple[float, float],
) -> None:
    """Four walls; repeats along are rounded so that windows never break at a corner."""
    length, width = plan
    low, high = heights
    bay = metres[0] / 4
    for sx, sy, along in ((1, 0, width), (-1, 0, width), (0, 1, length), (0, -1, length)):
        u = max(1, round(along / bay)) / 4
        v = (high - low) / metres[1]
        x, y = sx * length / 2, sy * width / 2
        tx, ty = -sy * length / 2, sx * width / 2  # half the wall, to the right seen from outside
        corners = [(x - tx, y - ty, low), (x + tx, y + ty, low),
                   (x + tx, y + ty, high), (x - tx, y - ty, high)]  # fmt: skip
        builder.quad(corners, look, (u, v))


def _add_ledge(
    builder: MeshBuilder,
    plan: tuple[float, float],
    z: float,
    out: float,
    tall: float,
    colour: Colour,
) -> None:
    look = Material("concrete", colour)
    builder.box((0, 0, z), (plan[0] + 2 * out, plan[1] + 2 * out, tall), look, (4, 4))


def _add_awnings(builder: MeshBuilder, plan: tuple[float, float], rng: np.random.Generator) -> None:
    """Slanted awnings over some shops on the two long fronts."""
    length, width = plan
    bays = int(length // 4)
    for side in (-1, 1):
        for k in range(bays):
            if rng.random() < 0.65:
                continue
            x = -length / 2 + (k + 0.5) * length / bays
            red, green, blue = (float(c) for c in rng.uniform(0.2, 0.75, 3))
            look = Material("cloth", (red, green, blue), is_two_sided=True)
            wall, tip = side * width / 2, side * (width / 2 + 0.9)
            half = 1.35
            top = [(x - half, wall, 3.0), (x + half, wall, 3.0),
                   (x + half, tip, 2.55), (x - half, tip, 2.55)]  # fmt: skip
            front = [(x - half, tip, 2.55), (x + half, tip, 2.55),
                     (x + half, tip, 2.35), (x - half, tip, 2.35)]  # fmt: skip
            for sheet in (top, front):
                builder.quad(sheet if side < 0 else sheet[::-1], look)


def _add_balconies(
    builder: MeshBuilder,
    plan: tuple[float, float],
    heights: tuple[float, float, int],
    rng: np.random.Generator,
) -> None:
    """Columns of balconies on the two long fronts, railings with bars."""
    length, width = plan
    foot, top, storeys = heights
    slab = Material("concrete", (0.8, 0.79, 0.77))
    rail = Material("metal", (0.2, 0.21, 0.23), is_two_sided=True)
    columns = [k for k in range(int(length // 4.2)) if rng.random() < 0.5]
    for side in (-1, 1):
        y = side * (width / 2 + 0.55)
        for k in columns:
            x = -length / 2 + (k + 0.5) * length / int(length // 4.2)
            for storey in range(1, storeys):
                z = foot + (top - foot) * storey / storeys
                builder.box((x, y, z), (2.4, 1.1, 0.14), slab, (4, 4))
                edge = side * (width / 2 + 1.08)
                front = [(x - 1.18, edge, z + 0.1), (x + 1.18, edge, z + 0.1),
                         (x + 1.18, edge, z + 1.0), (x - 1.18, edge, z + 1.0)]  # fmt: skip
                builder.quad(front, rail, (4.0, 1.0))


def _add_doors(builder: MeshBuilder, plan: tuple[float, float], rng: np.random.Generator) -> None:
    length, width = plan
    red, green, blue = (float(c) for c in rng.uniform(0.12, 0.5, 3))
    door = Material("plain", (red, green, blue), specular=0.2)
    frame = Material("concrete", (0.9, 0.88, 0.84))
    for side in (-1, 1):
        x = float(rng.uniform(-0.3, 0.3)) * length
        y = side * width / 2
        builder.box((x, y, 1.2), (1.5, 0.16, 2.4), frame)
        builder.box((x, y + side * 0.03, 1.1), (1.1, 0.16, 2.1), door)
        builder.box((x, y + side * 0.4, 0.08), (1.9, 0.8, 0.16), frame)


def _add_flat_roof(
    builder: MeshBuilder, size: tuple[float, float, float], rng: np.random.Generator
) -> None:
    length, width, height = size
    _add_ledge(builder, (length, width), height + 0.2, 0.3, 0.5, (0.8, 0.78, 0.75))
    builder.box((0, 0, height + 0.46), (length, width, 0.04), Material("roof"), (4, 4), "+z")
    x, y = rng.uniform(-0.25, 0.25, 2) * (length, width)
    hut = Material("concrete", (0.78, 0.76, 0.74))
    builder.box((x, y, height + 1.6), (3.2, 3.0, 2.4), hut, (4, 4))
    for _ in range(int(rng.integers(0, 4))):
        ux, uy = rng.uniform(-0.38, 0.38, 2) * (length, width)
        builder.box((ux, uy, height + 0.9), (1.4, 1.0, 0.9), Material("metal"))
