import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.calibration import Intrinsics
from sim.engine.geometry import Pose
from sim.projection import box_corners, clipped_area, convex_hull, rigid_inverse, silhouette

coordinate = st.floats(-300.0, 900.0, allow_nan=False).map(lambda v: round(v, 3))
points = st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=20)


@given(points)
def test_hull_holds_all_points_and_turns_one_way(cloud):
    hull = convex_hull(cloud)
    if len(hull) < 3:
        return  # all on one line
    for a, b in zip(hull, [*hull[1:], hull[0]], strict=True):
        turns = [(b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0]) for x, y in cloud]
        assert min(turns) > -1e-6


@given(points)
def test_halves_of_a_picture_hold_what_the_whole_holds(cloud):
    hull = convex_hull(cloud)
    moved = [(x - 320.0, y) for x, y in hull]
    halves = clipped_area(hull, 320, 384) + clipped_area(moved, 320, 384)
    assert clipped_area(hull, 640, 384) == pytest.approx(halves, abs=1e-3)


@given(points)
def test_clipped_area_is_no_larger_than_picture_or_polygon(cloud):
    hull = convex_hull(cloud)
    whole = clipped_area([(x + 300.0, y + 300.0) for x, y in hull], 2000, 2000)
    assert -1e-9 <= clipped_area(hull, 640, 384) <= min(640 * 384, whole) + 1e-3


@given(
    st.floats(-20, 20), st.floats(-20, 20), st.floats(-3, 3), st.floats(-3.1, 3.1),
    st.floats(-0.5, 0.5),
)  # fmt: skip
def test_inverse_of_a_pose(x, y, z, yaw, pitch):
    matrix = Pose(x, y, z, yaw, pitch).matrix()
    assert rigid_inverse(matrix) @ matrix == pytest.approx(np.eye(4), abs=1e-9)


def test_box_ahead_of_the_camera_by_hand():
    corners = box_corners([Pose(10.0, 0.0, 0.0)], [(2.0, 1.0, 0.5)], np.eye(4))[0]
    hull = silhouette(corners, Intrinsics.from_fov(640, 384, 90.0))
    us, vs = zip(*hull, strict=True)
    assert (min(us), max(us)) == pytest.approx((320 - 40, 320 + 40))  # its near face, 8 m off
    assert (min(vs), max(vs)) == pytest.approx((192 - 20, 192 + 20))
    behind = box_corners([Pose(-10.0, 0.0, 0.0)], [(2.0, 1.0, 0.5)], np.eye(4))[0]
    assert silhouette(behind, Intrinsics.from_fov(640, 384, 90.0)) is None
