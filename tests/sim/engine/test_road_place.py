import pytest

from sim.engine.geometry import Pose
from sim.engine.road_place import ON_LANE
from sim.engine.simulation import Engine
from sim.engine.town import build_town


@pytest.mark.parametrize("yaw", [0.0, 1.2, -2.5])
def test_whoever_comes_from_open_land_is_on_a_lane_as_soon_as_one_is_under_it(yaw: float) -> None:
    engine = Engine(build_town())
    car = engine.spawn("vehicle.tesla.model3", Pose(3.0, 400.0, 1.0, yaw))
    lanes, met = engine.town.lanes, 0
    for step in range(1200):
        y = 400.0 - 0.35 * step
        engine.set_pose(car.id, Pose(3.0, y, 0.0, yaw))
        engine.tick(0.05)
        pose = car.pose
        lane, _, offset = lanes.nearest(pose.x, pose.y, pose.yaw, z=pose.z)
        if abs(offset) < ON_LANE:
            met += 1
            assert car.lane is lane
            assert car.lane_offset == pytest.approx(offset, abs=0.05)
        assert car.ground == pytest.approx(engine.town.ground_height(pose.x, pose.y), abs=0.2)
    assert met > 5
