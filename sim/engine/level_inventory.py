"""The things of a level one by one, as clients list, hide and show them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from sim.engine.collisions import Obstacle
from sim.engine.geometry import Box, Pose
from sim.engine.level_objects import (
    BUILDING_TAG,
    TAG_OF_FURNITURE,
    building_id,
    furniture_id,
    level_obstacles,
)
from sim.engine.town import Town

# Bits of CARLA's MapLayer.
BUILDINGS, FOLIAGE, PARKED_VEHICLES, PROPS, STREET_LIGHTS, WALLS = 1, 4, 16, 64, 128, 256
WALL_TAG, FENCE_TAG, VEGETATION_TAG, CAR_TAG, GUARD_RAIL_TAG = 4, 5, 9, 14, 28  # CityObjectLabel
LAYER_OF_TAG = {
    WALL_TAG: WALLS,
    FENCE_TAG: WALLS,
    GUARD_RAIL_TAG: WALLS,
    VEGETATION_TAG: FOLIAGE,
    CAR_TAG: PARKED_VEHICLES,
}
STREET_LAMP = "street_lamp"


@dataclass(frozen=True, slots=True)
class LevelObject:
    """One thing that stands in a town.

    Attributes:
        id: instance id in pictures, unique in the town.
        name: unique in the town.
        tag: CityObjectLabel.
        layer: the bit of CARLA's MapLayer to which it belongs.
        pose: its foot.
        box: its body in the world.
    """

    id: int
    name: str
    tag: int
    layer: int
    pose: Pose
    box: Box


def level_inventory(town: Town) -> Iterator[LevelObject]:
    """Buildings, then furniture, in the town's own order."""
    for index, building in enumerate(town.buildings):
        yield LevelObject(
            building_id(index),
            f"building_{index:04d}",
            BUILDING_TAG,
            BUILDINGS,
            building.centre,
            replace(building.box(), z_low=building.centre.z),  # which goes down to its cellar
        )
    for index, one in enumerate(town.furniture):
        tag = TAG_OF_FURNITURE[one.kind]
        layer = STREET_LIGHTS if one.kind == STREET_LAMP else LAYER_OF_TAG.get(tag, PROPS)
        identity = furniture_id(town, index)
        name = f"{one.kind}_{index:04d}"
        yield LevelObject(identity, name, tag, layer, one.pose, one.box())


def standing_obstacles(town: Town, hidden: frozenset[int]) -> list[Obstacle]:
    """What bodies can hit while the objects with `hidden` ids are away."""
    ids = [building_id(index) for index in range(len(town.buildings))]
    ids += [furniture_id(town, index) for index in range(len(town.furniture))]
    obstacles = level_obstacles(town)  # in this order, then the poles of traffic lights
    kept = [one for one, number in zip(obstacles, ids, strict=False) if number not in hidden]
    return kept + obstacles[len(ids) :]
