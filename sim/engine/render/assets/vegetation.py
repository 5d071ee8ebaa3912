"""Trees with foliage that is cut out leaf by leaf: broad crowns, limes, birches, poplars, firs."""

from dataclasses import replace
from typing import Final

import numpy as np

from sim.engine.render.mesh_builder import Material, MeshBuilder
from sim.engine.render.scene import Mesh

Tone = tuple[float, float, float]

# Of ten looks, which kind each is.
KINDS: Final = ("oak", "oak", "lime", "lime", "birch", "fir", "poplar", "oak", "lime", "fir")


def tree_mesh(seed: int) -> Mesh:
    """A tree, 5 to 11 m tall, with a coarse form for far away; origin at the foot of the trunk."""
    kind = KINDS[seed % len(KINDS)]
    return replace(_tree(kind, seed, 1.0), coarse=_tree(kind, seed, 0.55))


def _tree(kind: str, seed: int, detail: float) -> Mesh:
    rng = np.random.default_rng((seed, 0x7433))
    builder = MeshBuilder()
    shade, autumn = float(rng.uniform(0.85, 1.12)), float(rng.uniform(0.95, 1.25))
    tone = (shade * autumn, shade, shade * 0.92)
    makers = {"oak": _broad, "lime": _oval, "birch": _birch, "poplar": _column, "fir": _fir}
    makers[kind](builder, tone, detail, rng)
    return builder.build("tree")


def _leaves(tone: Tone, by: float = 1.0) -> Material:
    red, green, blue = tone
    return Material("foliage", (red * by, green * by, blue * by), is_cutout=True, is_two_sided=True)


def _trunk(
    builder: MeshBuilder, height: float, radius: float, detail: float, rng: np.random.Generator,
    bark: Material,
) -> tuple[float, float]:  # fmt: skip
    """A slightly leaning trunk; returns where its top is."""
    lean = rng.uniform(-0.15, 0.15, 2)
    top = (float(lean[0]), float(lean[1]), height)
    sides = max(5, round(9 * detail))
    builder.cylinder((0, 0, -0.3), top, (radius, radius * 0.5), bark, sides, has_caps=False,
                     repeats=(2, 3))  # fmt: skip
    return top[0], top[1]


def _cells(detail: float, around: int, down: int) -> tuple[int, int]:
    return max(5, round(around * detail)), max(4, round(down * detail))


def _broad(builder: MeshBuilder, tone: Tone, detail: float, rng: np.random.Generator) -> None:
    """A crown of several round parts on branches."""
    height = float(rng.uniform(2.1, 3.0))
    x0, y0 = _trunk(builder, height + 0.9, 0.19, detail, rng, Material("bark"))
    spread = float(rng.uniform(1.2, 1.7))
    for k in range(7):
        angle = k * 2 * np.pi / 6 + rng.uniform(-0.4, 0.4)
        away = spread * 0.8 if k else 0.0
        size = spread * float(rng.uniform(0.72, 1.0))
        lift = float(rng.uniform(-0.2, 0.8))
        centre = (
            x0 + away * float(np.cos(angle)),
            y0 + away * float(np.sin(angle)),
            height + (1.2 if k else 2.3) + lift,
        )
        by = float(rng.uniform(0.86, 1.08))
        if k and detail > 0.8:
            builder.cylinder((x0, y0, height - 0.2), centre, (0.07, 0.03), Material("bark"), 5,
                             has_caps=False)  # fmt: skip
        cells = _cells(detail, 12, 7)
        builder.blob(centre, (size, size, size * 0.85), _leaves(tone, by), cells, 0.11, rng, 2.0)


def _oval(builder: MeshBuilder, tone: Tone, detail: float, rng: np.random.Generator) -> None:
    """A tall oval crown, as limes and maples have beside streets."""
    height = float(rng.uniform(2.3, 3.0))
    x, y = _trunk(builder, height + 1.5, 0.2, detail, rng, Material("bark"))
    wide, tall = float(rng.uniform(1.5, 2.0)), float(rng.uniform(2.3, 3.2))
    centre = (x, y, height + tall * 0.8)
    cells = _cells(detail, 15, 10)
    builder.blob(centre, (wide, wide, tall), _leaves(tone), cells, 0.1, rng, 3.0)
    for _ in range(3):
        angle = float(rng.uniform(0, 2 * np.pi))
        size = wide * float(rng.uniform(0.5, 0.65))
        part = (
            x + 0.7 * wide * float(np.cos(angle)),
            y + 0.7 * wide * float(np.sin(angle)),
            height + tall * float(rng.uniform(0.3, 1.0)),
        )
        by = float(rng.uniform(0.88, 1.05))
        small = _cells(detail, 9, 6)
        builder.blob(part, (size, size, size * 1.1), _leaves(tone, by), small, 0.12, rng, 1.5)


def _birch(builder: MeshBuilder, tone: Tone, detail: float, rng: np.random.Generator) -> None:
    """A white trunk and a light, loose crown."""
    bark = Material("bark", (3.2, 3.3, 3.5))
    x, y = _trunk(builder, 5.5, 0.13, detail, rng, bark)
    light = (tone[0] * 1.12, tone[1] * 1.08, tone[2] * 0.85)
    for k in range(6):
        angle, z = 2.4 * k, 2.9 + 0.85 * k
        away, size = 0.75 - 0.1 * k, 1.25 - 0.13 * k
        centre = (x + away * float(np.cos(angle)), y + away * float(np.sin(angle)), z)
        by = float(rng.uniform(0.9, 1.08))
        cells = _cells(detail, 10, 6)
        builder.blob(centre, (size, size, size * 0.9), _leaves(light, by), cells, 0.15, rng, 1.4)


def _column(builder: MeshBuilder, tone: Tone, detail: float, rng: np.random.Generator) -> None:
    """The crown of a poplar or cypress."""
    height = float(rng.uniform(2.6, 4.2))
    x, y = _trunk(builder, 2.4, 0.17, detail, rng, Material("bark"))
    centre = (x, y, 1.3 + 0.95 * height)
    builder.blob(centre, (0.95, 0.95, height), _leaves(tone, 0.85), _cells(detail, 12, 9), 0.06,
                 rng, 2.5)  # fmt: skip


def _fir(builder: MeshBuilder, tone: Tone, detail: float, rng: np.random.Generator) -> None:
    """Skirts of branches, one above the other, to a tip."""
    x, y = _trunk(builder, 2.0, 0.17, detail, rng, Material("bark", (0.8, 0.75, 0.72)))
    height, skirts = float(rng.uniform(6.5, 10.0)), 7 if detail > 0.8 else 4
    dark = (tone[0] * 0.52, tone[1] * 0.66, tone[2] * 0.66)
    sides = max(6, round(11 * detail))
    for k in range(skirts):
        share = k / skirts
        low = 1.0 + (height - 1.0) * share
        high = min(height, low + (height - 1.0) / skirts * 1.9)
        radius = 0.24 * height * (1.0 - share) * float(rng.uniform(0.92, 1.08))
        builder.cylinder((x, y, low), (x, y, high), (radius, 0.06), _leaves(dark), sides,
                         has_caps=False, repeats=(max(2.0, radius * 3), 1.4))  # fmt: skip
