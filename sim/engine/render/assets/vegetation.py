"""Trees with foliage that is cut out leaf by leaf."""

import numpy as np

from sim.engine.render.mesh_builder import Material, MeshBuilder
from sim.engine.render.scene import Mesh


def tree_mesh(seed: int) -> Mesh:
    """A street tree, 5 to 8 m tall, or a slender one; origin at the foot of the trunk."""
    rng = np.random.default_rng((seed, 0x7433))
    builder = MeshBuilder()
    trunk = float(rng.uniform(2.1, 3.0))
    lean = rng.uniform(-0.15, 0.15, 2)
    bark = Material("bark")
    top = (float(lean[0]), float(lean[1]), trunk + 0.9)
    builder.cylinder((0, 0, -0.1), top, (0.19, 0.1), bark, 9, has_caps=False, repeats=(2, 3))
    shade = float(rng.uniform(0.85, 1.12))
    autumn = float(rng.uniform(0.95, 1.25))
    if rng.random() < 0.25:
        _add_column(builder, top, (shade, autumn), rng)
        return builder.build("tree")
    spread = float(rng.uniform(1.1, 1.5))
    for k in range(6):
        angle = k * 2 * np.pi / 5 + rng.uniform(-0.4, 0.4)
        away = spread * 0.75 if k else 0.0
        size = spread * rng.uniform(0.72, 1.0)
        centre = (
            top[0] + away * float(np.cos(angle)),
            top[1] + away * float(np.sin(angle)),
            trunk + (1.1 if k else 1.9) + float(rng.uniform(-0.2, 0.7)),
        )
        if k:
            builder.cylinder((top[0], top[1], trunk - 0.2), centre, (0.07, 0.03), bark, 5,
                             has_caps=False)  # fmt: skip
        tone = shade * float(rng.uniform(0.88, 1.08))
        leaves = Material("foliage", (tone * autumn, tone, tone * 0.92), is_cutout=True,
                          is_two_sided=True)  # fmt: skip
        builder.blob(centre, (size, size, size * 0.82), leaves, (13, 8), 0.11, rng, repeats=2.0)
    return builder.build("tree")


def _add_column(
    builder: MeshBuilder,
    top: tuple[float, float, float],
    tone: tuple[float, float],
    rng: np.random.Generator,
) -> None:
    """The crown of a poplar or cypress."""
    leaves = Material("foliage", (0.8 * tone[0] * tone[1], 0.88 * tone[0], 0.8 * tone[0]),
                      is_cutout=True, is_two_sided=True)  # fmt: skip
    height = float(rng.uniform(2.2, 3.2))
    builder.blob((top[0], top[1], top[2] + 0.6 * height), (0.9, 0.9, height), leaves, (12, 9), 0.06,
                 rng, repeats=2.5)  # fmt: skip
