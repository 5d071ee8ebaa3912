"""The one place of the server that knows CARLA's axes: left-handed, y to the south, degrees."""

from __future__ import annotations

import math

from sim.carla_server.layouts import Rotation, Transform, Vector3D
from sim.carla_server.rpc import RpcFailure
from sim.engine.geometry import Pose, Vector, wrap

LARGEST = 1e6  # m, m/s, N s or degrees: beyond it is a mistake, and no number stops a tick for all


def checked(*values: float, low: float = -LARGEST, high: float = LARGEST) -> None:
    """Refuse numbers from a client that the world could not go on with.

    Raises:
        RpcFailure: one is no number, infinite or out of range.
    """
    for value in values:
        if not low <= value <= high:  # false for what is no number too
            raise RpcFailure(f"expected a number from {low:g} to {high:g}, got {value}")


def pose_from_transform(transform: Transform) -> Pose:
    """Return the engine's pose: y and yaw change sign, pitch and roll keep it."""
    location, rotation = transform.location, transform.rotation
    checked(location.x, location.y, location.z, rotation.yaw, rotation.pitch, rotation.roll)
    return Pose(
        location.x,
        -location.y,
        location.z,
        wrap(math.radians(-rotation.yaw)),
        math.radians(rotation.pitch),
        math.radians(rotation.roll),
    )


def transform_floats(pose: Pose) -> tuple[float, float, float, float, float, float]:
    """Return x, y, z, pitch, yaw, roll as CARLA writes them: metres and degrees."""
    return (
        pose.x,
        -pose.y,
        pose.z,
        math.degrees(pose.pitch),
        math.degrees(-wrap(pose.yaw)),
        math.degrees(pose.roll),
    )


def transform_from_pose(pose: Pose) -> Transform:
    """Return CARLA's transform of a pose."""
    x, y, z, pitch, yaw, roll = transform_floats(pose)
    return Transform(Vector3D(x, y, z), Rotation(pitch, yaw, roll))


def vector_from_carla(vector: Vector3D) -> Vector:
    """Return a location, velocity or force in the engine's axes (world or body alike)."""
    checked(vector.x, vector.y, vector.z)
    return (vector.x, -vector.y, vector.z)


def vector_to_carla(vector: Vector) -> tuple[float, float, float]:
    """Return a location, velocity or force in CARLA's axes (world or body alike)."""
    return (vector[0], -vector[1], vector[2])


def spin_from_carla(vector: Vector3D) -> Vector:
    """Return rad/s from CARLA's deg/s; mirroring turns the two axes that lie in the mirror."""
    checked(vector.x, vector.y, vector.z)
    return (-math.radians(vector.x), math.radians(vector.y), -math.radians(vector.z))


def spin_to_carla(vector: Vector) -> tuple[float, float, float]:
    """Return CARLA's deg/s from rad/s."""
    return (-math.degrees(vector[0]), math.degrees(vector[1]), -math.degrees(vector[2]))
