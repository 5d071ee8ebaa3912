"""Street furniture: traffic lights, lamps, benches, bins."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np

from sim.engine.render.mesh_builder import Colour, Material, MeshBuilder
from sim.engine.render.scene import LAMP_STATE, NIGHT_LAMP, LampSpot, Mesh

_STEEL: Final = Material("metal", (0.5, 0.52, 0.53), specular=0.15)
_BLACK: Final = Material("plain", (0.1, 0.1, 0.1))
# Where the heads of a traffic light hang: on the mast and over the lane; mesh axes, metres.
TRAFFIC_LIGHT_HEADS: Final = ((0.0, 0.35, 2.75), (0.0, 3.6, 5.15))
TRAFFIC_LIGHT_HEAD_SIZE: Final = (0.3, 0.6, 1.29)  # with the shade round its lenses


def traffic_light_mesh() -> Mesh:
    """A mast with an arm and two heads; lamps burn by `Instance.lamps` (0 red, 1 yellow, 2 green).

    The origin is the foot of the mast. The lamps look towards -x, that is, at drivers who go along
    +x; the arm reaches 3.6 m to +y, over the lane that lies on the left of the mast.
    """
    builder = MeshBuilder()
    builder.cylinder((0, 0, 0), (0, 0, 5.6), (0.11, 0.085), _STEEL, 10)
    builder.cylinder((0, 0, 0), (0, 0, 0.35), (0.17, 0.15), _STEEL, 10)
    arm = TRAFFIC_LIGHT_HEADS[1][1]
    builder.cylinder((0, 0, 5.45), (0, arm + 0.3, 5.78), (0.065, 0.05), _STEEL, 8)
    for head in TRAFFIC_LIGHT_HEADS:
        _add_head(builder, head)
    builder.cylinder((0, 0, 2.75), (0, 0.3, 2.75), (0.04, 0.04), _STEEL, 6)
    return replace(builder.build("traffic light"), spots=tuple(_head_spots()))


def _head_spots() -> Iterator[LampSpot]:
    """Where the lenses of a traffic light are; their colours as they glow."""
    colours = ((1.0, 0.12, 0.08), (1.0, 0.66, 0.1), (0.2, 1.0, 0.55))
    for x, y, z in TRAFFIC_LIGHT_HEADS:
        face = x - TRAFFIC_LIGHT_HEAD_SIZE[0] / 2
        for state, colour in enumerate(colours):
            place = (face - 0.03, y, z + 0.33 * (1 - state))
            yield LampSpot(place, (-1.0, 0.0, 0.0), colour, LAMP_STATE + state)


def _add_head(builder: MeshBuilder, centre: tuple[float, float, float]) -> None:
    x, y, z = centre
    deep, wide, tall = TRAFFIC_LIGHT_HEAD_SIZE
    builder.box(centre, (deep, wide - 0.22, tall - 0.24), _BLACK)
    builder.box((x + 0.02, y, z), (0.02, wide, tall), _BLACK)
    lenses: tuple[tuple[Colour, int], ...] = (
        ((0.95, 0.07, 0.05), 0),
        ((0.98, 0.68, 0.06), 1),
        ((0.08, 0.86, 0.42), 2),
    )
    face = x - deep / 2
    for (red, green, blue), state in lenses:
        at = z + 0.33 * (1 - state)
        # Unlit glass is a sixth as bright; the glow carries the colour.
        dim = (red / 6, green / 6, blue / 6)
        lamp = Material("plain", dim, emissive=7.5, lamp=LAMP_STATE + state)
        builder.cylinder((face + 0.01, y, at), (face - 0.03, y, at), (0.125, 0.125), lamp, 12)
        hood = [(face - 0.17, y - 0.14, at + 0.14), (face - 0.17, y + 0.14, at + 0.14),
                (face, y + 0.14, at + 0.16), (face, y - 0.14, at + 0.16)]  # fmt: skip
        builder.quad(hood, Material("plain", (0.08, 0.08, 0.08), is_two_sided=True))


def street_lamp_mesh() -> Mesh:
    """A street lamp, 7 m, its arm towards +y."""
    builder = MeshBuilder()
    builder.cylinder((0, 0, 0), (0, 0, 6.8), (0.1, 0.06), _STEEL, 8)
    builder.cylinder((0, 0, 0), (0, 0, 0.6), (0.15, 0.13), _STEEL, 8)
    builder.cylinder((0, 0, 6.75), (0, 1.5, 7.0), (0.05, 0.04), _STEEL, 6)
    builder.box((0, 1.75, 6.98), (0.3, 0.75, 0.12), Material("metal", (0.62, 0.63, 0.64)))
    glass = Material("plain", (0.95, 0.94, 0.86), emissive=2.0, lamp=NIGHT_LAMP)
    builder.box((0, 1.75, 6.91), (0.22, 0.6, 0.03), glass)
    spot = LampSpot((0, 1.75, 6.85), (0, 0, -1), (1.0, 0.82, 0.56), NIGHT_LAMP, 18.0)
    return replace(builder.build("street lamp"), spots=(spot,))


def bench_mesh() -> Mesh:
    """A park bench, 1.6 m along y, the seat looking towards +x."""
    builder = MeshBuilder()
    wood = Material("bark", (1.3, 1.05, 0.8))
    for k in range(3):
        builder.box((-0.18 + 0.18 * k, 0, 0.45), (0.14, 1.6, 0.04), wood, (1, 1))
        builder.box((-0.3 - 0.02 * k, 0, 0.6 + 0.15 * k), (0.04, 1.6, 0.12), wood, (1, 1))
    for side in (-0.65, 0.65):
        builder.box((0, side, 0.22), (0.46, 0.06, 0.44), _BLACK)
        builder.box((-0.3, side, 0.66), (0.05, 0.06, 0.5), _BLACK)
    return builder.build("bench")


def bin_mesh(seed: int = 0) -> Mesh:
    """A litter bin."""
    rng = np.random.default_rng((seed, 0xB17))
    builder = MeshBuilder()
    colour = [(0.16, 0.32, 0.2), (0.3, 0.31, 0.33), (0.5, 0.18, 0.12)][int(rng.integers(3))]
    builder.cylinder((0, 0, 0.05), (0, 0, 0.95), (0.24, 0.28), Material("plain", colour), 12)
    builder.cylinder((0, 0, 0.95), (0, 0, 1.03), (0.3, 0.3), _BLACK, 12)
    return builder.build("bin")
