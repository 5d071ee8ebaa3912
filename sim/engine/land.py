"""The land round a town as meshes: meadows and fields, level or in hills."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.engine.render.mesh_builder import Colour, Material, MeshBuilder, split_by_cell
from sim.engine.render.scene import Instance, Mesh
from sim.engine.render.textures import METRES_PER_REPEAT
from sim.engine.surfaces import LAWN_HEIGHT, TERRAIN_TAG
from sim.engine.town import Town

LAWN_REACH = 900.0  # m from the origin; the lawn's edge lies behind the haze
BEYOND_LANES = 300.0  # m of land beyond lanes that lie farther out
FIELD = 100.0  # m, side of a field
UNDER_VERGES = 0.05  # m by which hills lie lower than verges, whose lines they cannot follow
CLEAR_OF_LANES = 30.0  # m from any lane within which there is lawn and no field
CELL = 300.0  # m, side of the pieces that are culled one by one
LAWN: tuple[str, Colour] = ("grass", (1.0, 1.0, 1.0))
FIELDS: tuple[tuple[str, Colour], ...] = (
    LAWN,
    LAWN,
    ("grass", (1.22, 1.1, 0.8)),
    ("grass", (0.86, 0.92, 0.8)),
    ("grass", (1.4, 1.22, 0.78)),
    ("soil", (0.95, 0.9, 0.85)),
)


def land_instances(town: Town) -> list[Instance]:
    """Everything that the town's own surfaces leave free."""
    builder = MeshBuilder()
    near = _fields_with_lanes(town)
    rng = np.random.default_rng((town.seed, 0xF1E1D))
    columns, rows = _reach(town)
    for i in columns:
        for j in rows:
            low = (-LAWN_REACH + i * FIELD, -LAWN_REACH + j * FIELD)
            drawn = FIELDS[int(rng.integers(len(FIELDS)))]
            _field(builder, town, low, LAWN if (i, j) in near else drawn)
    parts: list[Mesh] = split_by_cell(builder.build("land"), CELL)
    return [
        Instance(mesh=part, world_from_mesh=np.eye(4), semantic_tag=TERRAIN_TAG) for part in parts
    ]


def _reach(town: Town) -> tuple[range, range]:
    """Columns and rows of fields, as numbered from `LAWN_REACH` west and south of the origin."""
    points = np.concatenate([lane.centre[:, :2] for lane in town.lanes.lanes.values()])
    around = np.array([LAWN_REACH, LAWN_REACH])
    low = np.minimum(points.min(axis=0) - BEYOND_LANES, -around)
    high = np.maximum(points.max(axis=0) + BEYOND_LANES, around)
    first = np.floor((low + LAWN_REACH) / FIELD).astype(int)
    last = np.ceil((high + LAWN_REACH) / FIELD).astype(int)
    return range(int(first[0]), int(last[0])), range(int(first[1]), int(last[1]))


def _fields_with_lanes(town: Town) -> set[tuple[int, int]]:
    """Fields near which a lane runs."""
    points = np.concatenate([lane.centre[::4, :2] for lane in town.lanes.lanes.values()])
    found: set[tuple[int, int]] = set()
    for dx in (-CLEAR_OF_LANES, CLEAR_OF_LANES):
        for dy in (-CLEAR_OF_LANES, CLEAR_OF_LANES):
            cells = np.floor((points + np.array([dx, dy]) + LAWN_REACH) / FIELD).astype(int)
            found |= {(int(i), int(j)) for i, j in np.unique(cells, axis=0)}
    return found


def _field(
    builder: MeshBuilder, town: Town, low: tuple[float, float], look: tuple[str, Colour]
) -> None:
    corners = [
        town.land_height(low[0] + u * FIELD, low[1] + v * FIELD)
        for u in (0.0, 0.5, 1.0)
        for v in (0.0, 0.5, 1.0)
    ]
    is_level = not any(corners)
    cells = 1 if is_level else round(FIELD / town.land_cell)
    axis = np.linspace(0.0, FIELD, cells + 1)
    x, y = np.meshgrid(low[0] + axis, low[1] + axis, indexing="ij")
    z: NDArray[np.float64] = np.full(x.shape, LAWN_HEIGHT)
    if not is_level:
        heights = [town.land_height(a, b) for a, b in zip(x.ravel(), y.ravel(), strict=True)]
        hills = np.array(heights).reshape(x.shape)
        z = z + hills - np.where(hills > 0.0, UNDER_VERGES, 0.0)
    texture, colour = look
    size = METRES_PER_REPEAT[texture]
    points = np.stack([x, y, z], -1)
    step = FIELD / cells
    rise = np.gradient(z, step) if not is_level else [np.zeros(x.shape)] * 2
    normals = np.stack([-rise[0], -rise[1], np.ones(x.shape)], -1)
    builder.grid(points, np.stack([x, y], -1) / size, Material(texture, colour), normals)
