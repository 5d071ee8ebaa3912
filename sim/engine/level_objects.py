"""The fixed things of the level that bodies can hit, and the numbers that pictures give them."""

from __future__ import annotations

from sim.engine.collisions import Obstacle
from sim.engine.geometry import Box
from sim.engine.town import Town

BUILDING_TAG, FENCE_TAG, POLE_TAG, SIGN_TAG, VEGETATION_TAG = 3, 5, 6, 8, 9  # CityObjectLabel
CAR_TAG, STATIC_TAG, RAIL_TAG = 14, 20, 28
TAG_OF_FURNITURE = {
    "tree": VEGETATION_TAG,
    "street_lamp": POLE_TAG,
    "bin": STATIC_TAG,
    "bench": STATIC_TAG,
    "planter": STATIC_TAG,
    "mailbox": STATIC_TAG,
    "column": STATIC_TAG,
    "bus_stop": STATIC_TAG,
    "bush": VEGETATION_TAG,
    "hedge": VEGETATION_TAG,
    "fence": FENCE_TAG,
    "parked_car": CAR_TAG,
    "guard_rail": RAIL_TAG,
    "gantry": SIGN_TAG,
    "gantry_post": SIGN_TAG,
    "sign": SIGN_TAG,
}
FIRST_LEVEL_ID = 1 << 24  # above any actor's id
POLE_RADIUS = 0.12  # m of a traffic light's pole


def level_obstacles(town: Town) -> list[Obstacle]:
    """Buildings, furniture and the poles of traffic lights as boxes."""
    found = [Obstacle(building.box(), BUILDING_TAG) for building in town.buildings]
    found += [Obstacle(one.box(), TAG_OF_FURNITURE[one.kind]) for one in town.furniture]
    for light in town.traffic_lights:
        pose = light.pose
        body = Box(pose.x, pose.y, pose.yaw, POLE_RADIUS, POLE_RADIUS, pose.z, pose.z + 5.0)
        found.append(Obstacle(body, POLE_TAG))
    return found


def building_id(index: int) -> int:
    """Instance id of `Town.buildings[index]`."""
    return FIRST_LEVEL_ID + index


def furniture_id(town: Town, index: int) -> int:
    """Instance id of `Town.furniture[index]`."""
    return FIRST_LEVEL_ID + len(town.buildings) + index
