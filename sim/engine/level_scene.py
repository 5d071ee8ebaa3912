"""The level as a scene: ground, buildings and furniture, standing still before every camera."""

from __future__ import annotations

import math
from functools import lru_cache

from sim.engine.furniture_meshes import FurnitureMeshes
from sim.engine.geometry import Pose
from sim.engine.ground import ground_instances
from sim.engine.level_objects import BUILDING_TAG, TAG_OF_FURNITURE, building_id, furniture_id
from sim.engine.render.assets.buildings import building_mesh
from sim.engine.render.scene import Instance, Mesh, Scene
from sim.engine.render.texture_cache import kept_textures
from sim.engine.render.textures import Textures
from sim.engine.town import Town

# The turn from a thing's x to the x of its mesh, where they differ.
MESH_YAW = {"street_lamp": -math.pi / 2}


def level_scene(town: Town, asset_seed: int) -> Scene:
    """The scene of a town without its actors; what stands still is built once and shared."""
    textures, static = _level(town, asset_seed)
    return Scene(textures=textures, static=list(static))


def forget_levels() -> None:
    """Free the levels that are kept for the next engine of the same town."""
    _level.cache_clear()


@lru_cache(maxsize=2)
def _level(town: Town, asset_seed: int) -> tuple[Textures, tuple[Instance, ...]]:
    static = ground_instances(town)
    houses: dict[tuple[float, float, float, int, int, str], Mesh] = {}
    for index, building in enumerate(town.buildings):
        shape = (
            building.length,
            building.width,
            building.height - building.centre.z,
            building.style,
            building.seed + asset_seed,
            building.form,
        )
        if shape not in houses:
            houses[shape] = building_mesh(*shape)
        mesh = houses[shape]
        static.append(
            Instance(
                mesh=mesh,
                world_from_mesh=building.centre.matrix(),
                instance_id=building_id(index),
                semantic_tag=BUILDING_TAG,
            )
        )
    meshes = FurnitureMeshes(asset_seed)
    for index, one in enumerate(town.furniture):
        turned = one.pose.compose(Pose(yaw=MESH_YAW.get(one.kind, 0.0)))
        static.append(
            Instance(
                mesh=meshes.of(one),
                tint=meshes.tint(one),
                world_from_mesh=turned.matrix(),
                instance_id=furniture_id(town, index),
                semantic_tag=TAG_OF_FURNITURE[one.kind],
            )
        )
    return kept_textures(asset_seed), tuple(static)
