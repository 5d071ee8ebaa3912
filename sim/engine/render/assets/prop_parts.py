"""Paints and small parts that the meshes of props share."""

from __future__ import annotations

from typing import Final

from sim.engine.render.mesh_builder import Colour, Material

Size = tuple[float, float, float]  # length, width, height, metres


def paint(colour: Colour, specular: float = 0.08, *, two_sided: bool = False) -> Material:
    """One plain colour, linear rgb."""
    return Material("plain", colour, specular=specular, is_two_sided=two_sided)


def legs(x: float, y: float) -> list[tuple[float, float]]:
    """Four places, front left first, counter-clockwise."""
    return [(x, y), (-x, y), (-x, -y), (x, -y)]


ORANGE: Final = paint((0.85, 0.16, 0.02))
WHITE: Final = paint((0.80, 0.80, 0.78))
RED: Final = paint((0.62, 0.03, 0.03))
BLACK: Final = paint((0.03, 0.03, 0.03))
YELLOW: Final = paint((0.80, 0.50, 0.02))
STEEL: Final = Material("metal", (0.55, 0.56, 0.58), specular=0.3)
WOOD: Final = paint((0.30, 0.18, 0.09))
STONE: Final = paint((0.46, 0.44, 0.41))
LEAF: Final = paint((0.10, 0.24, 0.06))
GLASS: Final = paint((0.12, 0.17, 0.20), 0.9)
