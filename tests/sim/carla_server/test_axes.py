import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.carla_server.axes import (
    pose_from_transform,
    spin_from_carla,
    spin_to_carla,
    transform_from_pose,
    vector_from_carla,
    vector_to_carla,
)
from sim.carla_server.layouts import Rotation, Transform, Vector3D
from sim.engine.geometry import Pose

MIRROR = np.diag([1.0, -1.0, 1.0])
angles = st.floats(-math.pi, math.pi)


def carla_rotation(pitch, yaw, roll):
    """Columns forward, right, up, as the carla client computes them."""
    (cp, sp), (cy, sy), (cr, sr) = (
        (math.cos(a), math.sin(a)) for a in map(math.radians, (pitch, yaw, roll))
    )
    return np.array(
        [
            [cp * cy, cy * sp * sr - sy * cr, -cy * sp * cr - sy * sr],
            [cp * sy, sy * sp * sr + cy * cr, -sy * sp * cr + cy * sr],
            [sp, -cp * sr, cp * cr],
        ]
    )


@given(angles, angles, angles)
def test_rotation_is_the_mirrored_one(yaw, pitch, roll):
    pose = Pose(1.0, 2.0, 3.0, yaw, pitch, roll)
    transform = transform_from_pose(pose)
    rotation = transform.rotation
    mirrored = MIRROR @ pose.rotation() @ MIRROR
    assert np.allclose(
        carla_rotation(rotation.pitch, rotation.yaw, rotation.roll), mirrored, atol=1e-9
    )


def test_turning_left_is_negative_yaw_and_north_is_negative_y():
    transform = transform_from_pose(Pose(10.0, 20.0, 1.0, math.radians(30.0)))
    assert (transform.location.x, transform.location.y) == (10.0, -20.0)
    assert transform.rotation.yaw == pytest.approx(-30.0)


def test_there_and_back():
    transform = Transform(Vector3D(1.0, 2.0, 3.0), Rotation(4.0, 5.0, 6.0))
    back = transform_from_pose(pose_from_transform(transform))
    assert (back.location.x, back.location.y, back.location.z) == (1.0, 2.0, 3.0)
    assert back.rotation.pitch == pytest.approx(4.0)
    assert back.rotation.yaw == pytest.approx(5.0)
    assert back.rotation.roll == pytest.approx(6.0)
    assert vector_to_carla(vector_from_carla(Vector3D(1.0, 2.0, 3.0))) == (1.0, 2.0, 3.0)
    assert spin_to_carla(spin_from_carla(Vector3D(1.0, 2.0, 3.0))) == pytest.approx((1, 2, 3))


def test_a_left_turn_has_negative_yaw_rate():
    assert spin_to_carla((0.0, 0.0, math.radians(10.0)))[2] == pytest.approx(-10.0)


@pytest.mark.parametrize("yaw", [math.pi, -math.pi])
def test_spawning_at_a_point_that_looks_west_keeps_its_yaw(yaw):
    point = transform_from_pose(Pose(yaw=yaw))
    assert transform_from_pose(pose_from_transform(point)) == point
