"""The level as a scene: ground, buildings and furniture, standing still before every camera."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache, partial

from sim.engine.geometry import Pose
from sim.engine.ground import ground_instances
from sim.engine.level_objects import BUILDING_TAG, TAG_OF_FURNITURE, building_id, furniture_id
from sim.engine.render.assets.buildings import building_mesh
from sim.engine.render.assets.street import bench_mesh, bin_mesh, street_lamp_mesh
from sim.engine.render.assets.vegetation import tree_mesh
from sim.engine.render.scene import Instance, Mesh, Scene
from sim.engine.render.textures import Textures
from sim.engine.town import Town

TREES, BINS = 8, 3  # how many different ones a town has; more cost time at the start
# The turn from a thing's x, which points at the road, to the x of its mesh.
MESH_YAW = {"tree": 0.0, "street_lamp": -math.pi / 2, "bin": 0.0, "bench": 0.0}


def level_scene(town: Town, asset_seed: int) -> Scene:
    """The scene of a town without its actors; what stands still is built once and shared."""
    textures, static = _level(town, asset_seed)
    return Scene(textures=textures, static=list(static))


@lru_cache(maxsize=2)
def _level(town: Town, asset_seed: int) -> tuple[Textures, tuple[Instance, ...]]:
    static = ground_instances(town)
    for index, building in enumerate(town.buildings):
        mesh = building_mesh(
            building.length,
            building.width,
            building.height - building.centre.z,
            building.style,
            building.seed + asset_seed,
        )
        static.append(
            Instance(
                mesh=mesh,
                world_from_mesh=building.centre.matrix(),
                instance_id=building_id(index),
                semantic_tag=BUILDING_TAG,
            )
        )
    meshes = _FurnitureMeshes(asset_seed)
    for index, one in enumerate(town.furniture):
        turned = one.pose.compose(Pose(yaw=MESH_YAW[one.kind]))
        static.append(
            Instance(
                mesh=meshes.of(one.kind, one.seed),
                world_from_mesh=turned.matrix(),
                instance_id=furniture_id(town, index),
                semantic_tag=TAG_OF_FURNITURE[one.kind],
            )
        )
    return Textures(asset_seed), tuple(static)


class _FurnitureMeshes:
    """Meshes of furniture, each made once."""

    def __init__(self, asset_seed: int) -> None:
        self._asset_seed = asset_seed
        self._made: dict[tuple[str, int], Mesh] = {}

    def of(self, kind: str, seed: int) -> Mesh:
        variant = seed % {"tree": TREES, "bin": BINS}.get(kind, 1)
        look = variant + 100 * self._asset_seed
        makers: dict[str, Callable[[], Mesh]] = {
            "tree": partial(tree_mesh, look),
            "bin": partial(bin_mesh, look),
            "bench": bench_mesh,
            "street_lamp": street_lamp_mesh,
        }
        if (kind, variant) not in self._made:
            self._made[kind, variant] = makers[kind]()
        return self._made[kind, variant]
