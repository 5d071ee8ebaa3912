"""What trees become far away: a body of revolution without holes, then a handful of triangles."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sim.engine.render.mesh_builder import Material, MeshBuilder
from sim.engine.render.scene import Mesh

FEW_TRIANGLES = 40  # a mesh of fewer needs no far form
ROUND = (0.6, 1.7)  # depth by width of what a body of revolution can stand for
FULLNESS = 0.9  # of the crown's greatest radius at a height: leaves do not fill it all


def far_form(mesh: Mesh) -> Mesh | None:
    """A few triangles for a tree, some pixels tall; None for what is no tree.

    It has a coarse form of its own for where it is a few pixels.
    """
    if len(mesh.triangles) < FEW_TRIANGLES or not mesh.is_cutout.any():
        return None
    leaves = np.unique(mesh.triangles[mesh.is_cutout])
    points = mesh.vertices[leaves].astype(np.float64)
    wide, deep = (np.ptp(points[:, axis]) for axis in (0, 1))
    if not ROUND[0] * wide < deep < ROUND[1] * wide:
        return None
    colour = mesh.colour[leaves, :3].mean(0).tolist()
    look = Material("foliage", (colour[0], colour[1], colour[2]))
    near = _crown(mesh, points, look, sides=6, bands=4, has_trunk=True)
    return replace(near, coarse=_crown(mesh, points, look, sides=4, bands=2, has_trunk=False))


def _crown(
    mesh: Mesh,
    points: NDArray[np.float64],
    look: Material,
    *,
    sides: int,
    bands: int,
    has_trunk: bool,
) -> Mesh:
    """The outline of points (N, 3) turned about their middle."""
    low, high = points.min(0), points.max(0)
    x, y = ((low + high) / 2)[:2].tolist()
    heights = np.linspace(low[2], high[2], bands + 1)
    away = np.hypot(points[:, 0] - x, points[:, 1] - y)
    half_band = (high[2] - low[2]) / bands / 2
    radii = np.array(
        [away[np.abs(points[:, 2] - z) <= half_band + 1e-6].max(initial=0.0) for z in heights]
    )
    radii *= FULLNESS
    radii[[0, -1]] *= 0.4  # closes bottom and top but for a little
    angle = np.linspace(0.0, 2.0 * np.pi, sides + 1)[:, None]
    around, across = np.cos(angle), np.sin(angle)
    surface = np.stack(
        [x + around * radii, y + across * radii, np.broadcast_to(heights, (sides + 1, bands + 1))],
        -1,
    )
    normals = np.stack(np.broadcast_arrays(around, across, np.linspace(-0.4, 0.9, bands + 1)), -1)
    uv = np.stack(np.broadcast_arrays(angle / np.pi, np.linspace(2.0, 0.0, bands + 1)), -1)
    builder = MeshBuilder()
    builder.grid(surface, uv, look, normals=normals)
    if has_trunk:
        foot = float(mesh.vertices[:, 2].min())
        builder.cylinder((0.0, 0.0, foot), (x, y, float(heights[1])), (0.16, 0.09),
                         Material("bark"), 3, has_caps=False)  # fmt: skip
    return builder.build(f"far {mesh.name}")
