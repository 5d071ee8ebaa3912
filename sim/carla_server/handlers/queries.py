"""What stands where: level boxes, environment objects, rays."""

from __future__ import annotations

from sim.carla_server.handlers.registry import rpc
from sim.carla_server.layouts import (
    BoundingBox,
    EnvironmentObject,
    LabelledPoint,
    Transform,
    Vector3D,
)
from sim.carla_server.level import BUILDINGS, actor_box, building_box, light_heads, ray_hits
from sim.carla_server.world import ServedWorld

ANY = 255  # CityObjectLabel.Any


@rpc
def get_environment_objects(world: ServedWorld, tag: int) -> list[EnvironmentObject]:
    """Return the level's objects with this tag: buildings, the ones with a place of their own."""
    if tag not in (BUILDINGS, ANY):
        return []
    objects = []
    for index, building in enumerate(world.engine.town.buildings):
        box = building_box(building)
        transform = Transform(
            Vector3D(box.location.x, box.location.y, building.centre.z), box.rotation
        )
        name = f"Building_{index:03d}"
        objects.append(EnvironmentObject(transform, box, index + 1, name, BUILDINGS))
    return objects


@rpc
def get_all_level_BBs(world: ServedWorld, tag: int) -> list[BoundingBox]:  # noqa: N802 - CARLA's
    """Return world boxes of everything with this tag: buildings, lights, actors."""
    boxes: list[BoundingBox] = []
    for actor in world.engine.actors.values():
        if tag not in (actor.blueprint.semantic_tag, ANY):
            continue
        if actor.light is not None:
            boxes += light_heads(actor)
        elif actor.has_body:
            boxes.append(actor_box(actor))
    if tag in (BUILDINGS, ANY):
        boxes += [building_box(building) for building in world.engine.town.buildings]
    return boxes


@rpc
def get_names_of_all_objects(world: ServedWorld) -> list[str]:
    """Return the names that `get_environment_objects` gives."""
    return [o.name for o in get_environment_objects(world, ANY)]


@rpc
def project_point(
    world: ServedWorld, origin: Vector3D, direction: Vector3D, distance: float
) -> tuple[bool, LabelledPoint]:
    """Return the first thing in a direction, and whether there is one."""
    end = Vector3D(
        origin.x + direction.x * distance,
        origin.y + direction.y * distance,
        origin.z + direction.z * distance,
    )
    hits = ray_hits(world.engine, origin, end)  # checks both
    return (True, hits[0]) if hits else (False, LabelledPoint(Vector3D(), 0))


@rpc
def cast_ray(world: ServedWorld, start: Vector3D, end: Vector3D) -> list[LabelledPoint]:
    """Return everything between two points, nearest first."""
    return ray_hits(world.engine, start, end)


@rpc
def get_imui_gravity(world: ServedWorld) -> float:
    """Return gravity as inertial sensors see it, m/s^2."""
    return world.gravity


@rpc
def set_imui_gravity(world: ServedWorld, gravity: float) -> None:
    """Set it."""
    world.gravity = gravity


@rpc
def is_sensor_enabled_for_ros(_world: ServedWorld, _stream_id: int) -> bool:
    """Return False: there is no ROS bridge in the server."""
    return False


@rpc
def are_gbuffers_enabled(_world: ServedWorld, _actor_id: int) -> bool:
    """Return False: cameras here have no g-buffers."""
    return False
