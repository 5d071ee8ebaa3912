"""Rays, gravity and what sensors may be asked for."""

from __future__ import annotations

from sim.carla_server.axes import checked
from sim.carla_server.handlers.registry import rpc
from sim.carla_server.layouts import LabelledPoint, Vector3D
from sim.carla_server.level import ray_hits
from sim.carla_server.world import ServedWorld


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
    hits = ray_hits(world, origin, end)  # checks both
    return (True, hits[0]) if hits else (False, LabelledPoint(Vector3D(), 0))


@rpc
def cast_ray(world: ServedWorld, start: Vector3D, end: Vector3D) -> list[LabelledPoint]:
    """Return everything between two points, nearest first."""
    return ray_hits(world, start, end)


@rpc
def get_imui_gravity(world: ServedWorld) -> float:
    """Return gravity as inertial sensors see it, m/s^2."""
    return world.gravity


@rpc
def set_imui_gravity(world: ServedWorld, gravity: float) -> None:
    """Set gravity as inertial sensors see it, m/s^2."""
    checked(gravity)
    world.gravity = gravity


@rpc
def is_sensor_enabled_for_ros(_world: ServedWorld, _stream_id: int) -> bool:
    """Return False: there is no ROS bridge in the server."""
    return False


@rpc
def are_gbuffers_enabled(_world: ServedWorld, _actor_id: int) -> bool:
    """Return False: cameras here have no g-buffers."""
    return False
