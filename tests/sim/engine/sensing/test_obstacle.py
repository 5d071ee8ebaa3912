import math

import pytest

from sim.engine.geometry import Box, Pose
from sim.engine.sensing.obstacle import ObstacleSettings, first_obstacle

BOX = Box(10.0, 0.0, 0.0, 2.0, 1.0, 0.0, 1.5)


def settings(distance=20.0, radius=0.5):
    return ObstacleSettings(distance, radius, False)


def test_ball_stops_a_radius_before_the_face():
    found = first_obstacle(Pose(z=0.7), settings(), [("car", BOX)])
    assert found == ("car", pytest.approx(7.5, abs=2e-3))


def test_ball_meets_a_corner_later_than_the_face():
    offset = 1.3  # 0.3 m beside the box, so that the ball meets its edge
    found = first_obstacle(Pose(y=offset, z=0.7), settings(), [("car", BOX)])
    assert found[1] == pytest.approx(8.0 - math.sqrt(0.5**2 - 0.3**2), abs=5e-3)
    assert first_obstacle(Pose(y=1.6, z=0.7), settings(), [("car", BOX)]) is None


def test_nearest_of_several_counts_and_what_lies_beyond_or_behind_does_not():
    things = [
        ("far", Box(18.0, 0.0, 0.3, 1.0, 1.0)),
        ("near", BOX),
        ("behind", Box(-5.0, 0.0, 0.0, 1.0, 1.0)),
    ]
    assert first_obstacle(Pose(z=0.7), settings(), things)[0] == "near"
    assert first_obstacle(Pose(z=0.7), settings(distance=7.0), things) is None


def test_ball_that_touches_at_the_start_has_not_moved():
    assert first_obstacle(Pose(9.0, z=1.0), settings(), [("car", BOX)]) == ("car", 0.0)


def test_ball_flies_over_what_is_low():
    assert first_obstacle(Pose(z=2.5), settings(), [("car", BOX)]) is None
    nose_down = Pose(z=2.5, pitch=-0.2)
    assert first_obstacle(nose_down, settings(), [("car", BOX)]) is not None
