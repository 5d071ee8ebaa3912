from types import SimpleNamespace

import numpy as np
import pytest

from sim.engine.geometry import Pose

pytest.importorskip("numba", reason="pictures need the engine extra")

from sim.engine.render.renderer import CameraView
from sim.engine.sensing.optical_flow import OpticalFlow

WIDTH, HEIGHT = 64, 48
FOCAL = WIDTH / 2.0  # at 90 degrees


def view(pose):
    return CameraView(WIDTH, HEIGHT, 90.0, pose.matrix())


def picture(depth, instance=0, semantic=3):
    shape = (HEIGHT, WIDTH)
    return SimpleNamespace(
        depth=np.full(shape, depth, np.float32),
        instance=np.full(shape, instance, np.uint32),
        semantic=np.full(shape, semantic, np.uint8),
    )


def pixels(flow):
    """Motion in pixels, x right and y down."""
    return flow * np.array([WIDTH / 2.0, -HEIGHT / 2.0], np.float32)


def flow_of(before, after, shot, poses_before=(), poses_after=()):
    camera = OpticalFlow()
    first = camera.between(view(before), shot, dict(poses_before))
    assert not first.any()
    return pixels(camera.between(view(after), shot, dict(poses_after)))


def test_sidestep_moves_a_wall_the_other_way():
    # half a metre to the right before a wall at 10 m
    flow = flow_of(Pose(), Pose(y=-0.5), picture(10.0))
    assert flow[..., 0] == pytest.approx(-FOCAL * 0.5 / 10.0, abs=1e-4)
    assert flow[..., 1] == pytest.approx(0.0, abs=1e-4)


def test_way_forward_lets_the_picture_grow_from_its_middle():
    flow = flow_of(Pose(), Pose(x=2.0), picture(10.0))
    columns, rows = np.arange(WIDTH) + 0.5 - WIDTH / 2, np.arange(HEIGHT) + 0.5 - HEIGHT / 2
    assert flow[5, :, 0] == pytest.approx(columns * (1.0 - 10.0 / 12.0), abs=1e-3)
    assert flow[:, 9, 1] == pytest.approx(rows * (1.0 - 10.0 / 12.0), abs=1e-3)


def test_turn_moves_all_depths_alike_and_the_sky_too():
    turn = 0.05
    for shot in (picture(10.0), picture(500.0), picture(1000.0, semantic=11)):
        flow = flow_of(Pose(), Pose(yaw=turn), shot)
        # a turn to the left moves the middle of the picture to the right
        assert flow[HEIGHT // 2, WIDTH // 2, 0] == pytest.approx(FOCAL * np.tan(turn), rel=0.02)


def test_sky_is_not_moved_by_a_way():
    flow = flow_of(Pose(), Pose(x=3.0, y=1.0), picture(1000.0, semantic=11))
    assert np.abs(flow).max() < 1e-6


def test_actor_moves_by_itself_and_turns():
    shot = picture(10.0, instance=4)
    still = {4: Pose(x=10.0).matrix()}
    flow = flow_of(Pose(), Pose(), shot, still, {4: Pose(x=10.0, y=1.0, z=0.5).matrix()})
    assert flow[..., 0] == pytest.approx(-FOCAL * 1.0 / 10.0, abs=1e-4)
    assert flow[..., 1] == pytest.approx(-FOCAL * 0.5 / 10.0, abs=1e-4)
    turned = flow_of(Pose(), Pose(), shot, still, {4: Pose(x=10.0, yaw=0.1).matrix()})
    assert turned[24, 8, 0] * turned[24, 56, 0] > 0  # both ends of a turning body pass by
    level = picture(10.0, instance=5)  # what is in no list stands
    assert np.abs(flow_of(Pose(), Pose(), level, still, still)).max() < 1e-6


def test_actor_that_has_just_come_stands_at_first():
    flow = flow_of(Pose(), Pose(), picture(10.0, instance=4), {}, {4: Pose().matrix()})
    assert np.abs(flow).max() < 1e-6


def test_point_found_by_the_flow_is_the_same_point_of_the_world():
    """Every pixel's point, projected into the picture before, lies where the flow says."""
    before, after = Pose(1.0, 2.0, 1.5, 0.3, 0.05, -0.1), Pose(1.6, 2.4, 1.4, 0.36, 0.02, -0.05)
    rng = np.random.default_rng(1)
    shot = picture(10.0)
    shot.depth[:] = rng.uniform(3.0, 80.0, shot.depth.shape)
    flow = flow_of(before, after, shot)
    for row, column in rng.integers(0, (HEIGHT, WIDTH), (50, 2)):
        d = float(shot.depth[row, column])
        u, v = column + 0.5, row + 0.5
        body = np.array([d, -d * (u - WIDTH / 2) / FOCAL, -d * (v - HEIGHT / 2) / FOCAL, 1.0])
        x, y, z, _ = np.linalg.inv(before.matrix()) @ after.matrix() @ body
        old = WIDTH / 2 - FOCAL * y / x, HEIGHT / 2 - FOCAL * z / x
        assert (u, v) - flow[row, column] == pytest.approx(old, abs=2e-3)
