import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.engine.geometry import Box, Pose, boxes_touch, overlap, ray_span, wrap

angles = st.floats(-3.0, 3.0)
places = st.floats(-50.0, 50.0)


def test_pitch_is_nose_up_and_roll_is_right_side_down() -> None:
    assert np.allclose(Pose(pitch=math.pi / 2).rotation() @ (1, 0, 0), (0, 0, 1))
    assert np.allclose(Pose(roll=math.pi / 2).rotation() @ (0, -1, 0), (0, 0, -1))
    assert np.allclose(Pose(yaw=math.pi / 2).rotation() @ (1, 0, 0), (0, 1, 0))


@given(angles, st.floats(-1.5, 1.5), angles, places)
def test_pose_comes_back_from_its_matrix(yaw: float, pitch: float, roll: float, x: float) -> None:
    pose = Pose(x, -x, 1.0, yaw, pitch, roll)
    assert np.allclose(Pose.from_matrix(pose.matrix()).matrix(), pose.matrix(), atol=1e-9)


@given(angles, st.sampled_from([0.0, 0.3]), angles, places)
def test_compose_is_the_product_of_the_matrices(
    yaw: float, pitch: float, inner: float, x: float
) -> None:
    outer, local = Pose(x, 2.0, 0.5, yaw, pitch), Pose(1.0, x, 0.2, inner, 0.1, -0.2)
    assert np.allclose(outer.compose(local).matrix(), outer.matrix() @ local.matrix(), atol=1e-9)


@pytest.mark.parametrize(
    ("angle", "expected"), [(0.0, 0.0), (4.0, 4.0 - math.tau), (-4.0, math.tau - 4.0)]
)
def test_wrap(angle: float, expected: float) -> None:
    assert wrap(angle) == pytest.approx(expected)


def test_overlap_tells_the_shortest_way_apart() -> None:
    a, b = Box(1.8, 0.0, 0.0, 1.0, 1.0), Box(0.0, 0.1, 0.0, 1.0, 1.0)
    assert overlap(a, b) == pytest.approx((0.2, 1.0, 0.0))
    assert overlap(Box(2.1, 0.0, 0.0, 1.0, 1.0), b) is None


@given(places, places, angles, angles)
def test_overlap_agrees_with_a_cloud_of_points(
    x: float, y: float, yaw_a: float, yaw_b: float
) -> None:
    a, b = Box(x / 15, y / 15, yaw_a, 2.0, 1.0), Box(0.0, 0.0, yaw_b, 1.5, 0.8)
    grid = np.stack(np.meshgrid(np.linspace(-2, 2, 41), np.linspace(-1, 1, 21)), -1).reshape(-1, 2)
    cos, sin = math.cos(yaw_a), math.sin(yaw_a)
    points = grid @ np.array([[cos, sin], [-sin, cos]]) + (a.x, a.y)
    cos, sin = math.cos(yaw_b), math.sin(yaw_b)
    inside = np.abs(points @ np.array([[cos, -sin], [sin, cos]])) <= (1.5, 0.8)
    if inside.all(axis=1).any():
        assert overlap(a, b) is not None
    elif (found := overlap(a, b)) is not None:
        assert found[0] < 0.15  # a corner between the points of the cloud


def test_boxes_over_each_other_do_not_touch() -> None:
    low, high = Box(0, 0, 0, 1, 1, 0.0, 1.5), Box(0, 0, 0, 1, 1, 2.0, 3.0)
    assert not boxes_touch(low, high)
    assert boxes_touch(low, Box(0, 0, 0, 1, 1, 1.0, 3.0))


@pytest.mark.parametrize(
    ("a", "b", "hits"),
    [
        ((-10, 0, 1), (10, 0, 1), True),
        ((-10, 0, 6), (10, 0, 6), False),  # over the roof
        ((-10, 3, 1), (10, 3, 1), False),  # past the side
        ((-10, 0, 1), (-5, 0, 1), False),  # ends before it
        ((0, 0, 1), (0, 0, 9), True),  # from inside, straight up
    ],
)
def test_ray_against_a_building(a: tuple, b: tuple, hits: bool) -> None:
    span = ray_span(Box(0, 0, 0.0, 4.0, 2.0, 0.0, 5.0), a, b)
    assert (span is not None and span[0] <= 1.0 and span[1] >= 0.0) is hits


def test_ray_through_a_turned_box_enters_and_leaves_at_its_sides() -> None:
    box = Box(10.0, 5.0, math.pi / 2, 4.0, 2.0, 0.0, 5.0)
    assert ray_span(box, (0.0, 5.0, 1.0), (20.0, 5.0, 1.0)) == pytest.approx((0.4, 0.6))
    assert ray_span(box, (10.0, 15.0, 1.0), (10.0, 13.0, 1.0)) == pytest.approx((3.0, 7.0))
