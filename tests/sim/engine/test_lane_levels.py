import numpy as np
import pytest

from sim.engine.lanes import Lane, LaneGraph, LaneId


@pytest.fixture
def bridge():
    """A road eastwards and, six metres over it, one northwards."""
    steps = np.arange(-20.0, 21.0, 2.0)
    level, zero = np.full(len(steps), 6.0), np.zeros(len(steps))
    low = Lane(LaneId(1, -1), np.stack([steps, zero, zero], 1), 3.5, 10.0)
    high = Lane(LaneId(2, -1), np.stack([zero, steps, level], 1), 3.5, 10.0)
    return LaneGraph({lane.id: lane for lane in (low, high)})


@pytest.mark.parametrize(("z", "road"), [(0.0, 1), (1.0, 1), (5.5, 2), (6.3, 2)])
def test_the_lane_of_ones_own_level_is_the_nearest(bridge, z, road):
    for yaw in (0.0, np.pi / 2, None):
        assert bridge.nearest(0.4, 0.3, yaw, z=z)[0].road_id == road
    assert bridge.nearest(12.0, 0.5, 0.0, z=z)[0].road_id == 1


def test_whoever_is_farther_off_than_floats_count_metres_has_a_nearest_lane(bridge):
    assert bridge.nearest(1e25, -3.0, 0.0, z=0.0)[0].id in bridge.lanes
