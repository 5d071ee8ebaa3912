import math

import numpy as np
import pytest

from sim.engine.blocks import CLEAR_OF_PAVEMENT
from sim.engine.geometry import boxes_touch, ray_span
from sim.engine.level_objects import level_obstacles
from sim.engine.surfaces import KERB_HEIGHT
from sim.engine.town import Town, UnknownTown, build_town, forget_towns, town_names
from sim.engine.towns.network import Network


def test_every_driving_lane_goes_on_and_joins_its_successor(town: Town) -> None:
    lanes = town.lanes.lanes
    for lane in lanes.values():
        assert lane.successors, f"{lane.id} is a dead end"
        for after in (lanes[one] for one in lane.successors):
            assert math.dist(lane.points[-1], after.points[0]) < 1e-6
            turn = lane.pose_at(lane.length).yaw - after.pose_at(0.0).yaw
            assert abs(math.remainder(turn, math.tau)) < 0.1


def test_two_signalled_junctions_with_four_arms_each(network: Network, town: Town) -> None:
    assert [len(j.arms) for j in network.junctions] == [4, 4]
    assert len(town.traffic_lights) == 8
    assert len({light.signal_id for light in town.traffic_lights}) == 8


def test_the_loop_is_closed_long_enough_and_passes_both_junctions(
    network: Network, town: Town
) -> None:
    loop = town.loop
    assert all(
        after in town.lanes[lane].successors
        for lane, after in zip(loop, [*loop[1:], loop[0]], strict=True)
    )
    assert sum(town.lanes[lane].length for lane in loop) >= 900.0
    passed = {network.roads[lane.road].junction_id for lane in loop} - {-1}
    assert passed == {junction.id for junction in network.junctions}


def test_bends_are_wide_enough(network: Network, town: Town) -> None:
    for road in network.roads.values():
        if road.junction_id < 0:
            assert all(abs(part.curvature) <= 1 / 12.0 for part in road.segments)


def test_nearest_finds_the_lane_of_any_point_on_it(town: Town) -> None:
    for lane in town.lanes.lanes.values():
        if lane.is_junction:
            continue
        for share in (0.1, 0.5, 0.93):
            at = lane.pose_at(lane.length * share, offset=0.6)
            found, s, offset = town.lanes.nearest(at.x, at.y, at.yaw, lane.kind)
            assert found.id == lane.id
            assert s == pytest.approx(lane.length * share, abs=0.1)
            assert offset == pytest.approx(0.6, abs=0.02)


def test_nearest_works_far_from_any_road(town: Town) -> None:
    lane, s, offset = town.lanes.nearest(0.0, 400.0)
    assert lane.id.road == 4
    assert abs(offset) > 200.0
    assert 0.0 < s < lane.length


def test_heading_chooses_between_lanes_that_cross(network: Network, town: Town) -> None:
    x, y = network.junctions[0].middle
    east, _, _ = town.lanes.nearest(x, y, 0.0)
    north, _, _ = town.lanes.nearest(x, y, math.pi / 2)
    assert abs(math.remainder(east.pose_at(12.0).yaw, math.tau)) < 1.0
    assert abs(north.pose_at(12.0).yaw - math.pi / 2) < 1.0


def test_still_on_agrees_with_nearest(town: Town) -> None:
    lane = town.lanes.lanes[town.loop[0]]
    at = lane.pose_at(51.0, 0.3)
    found = town.lanes.still_on(lane, 50.0, at.x, at.y, at.yaw)
    assert found == pytest.approx((51.0, 0.3), abs=0.02)
    assert town.lanes.still_on(lane, 50.0, at.x, at.y, at.yaw + math.pi) is None
    beside = lane.pose_at(51.0, 3.5)
    assert town.lanes.still_on(lane, 50.0, beside.x, beside.y, at.yaw) is None


def test_spawn_points_stand_apart_on_lanes_outside_junctions(town: Town) -> None:
    points = town.spawn_points
    assert len(points) >= 60
    for point in points:
        lane, _, offset = town.lanes.nearest(point.x, point.y, point.yaw)
        assert not lane.is_junction
        assert abs(offset) < 0.05
        assert point.z == pytest.approx(0.3)
    xy = np.array([(point.x, point.y) for point in points])
    apart = np.linalg.norm(xy[:, None] - xy[None], axis=2) + 100 * np.eye(len(xy))
    assert apart.min() > 3.0


def test_lights_stand_at_the_far_right_and_look_back_at_their_lane(town: Town) -> None:
    for light in town.traffic_lights:
        stop = light.stop_line
        dx, dy = light.pose.x - stop.x, light.pose.y - stop.y
        ahead = dx * math.cos(stop.yaw) + dy * math.sin(stop.yaw)
        right = dx * math.sin(stop.yaw) - dy * math.cos(stop.yaw)
        assert ahead > 20.0
        assert 2.0 < right < 5.0
        assert abs(math.remainder(light.pose.yaw - stop.yaw, math.tau)) == pytest.approx(math.pi)
        assert town.lanes[light.lane_id].stop_s == pytest.approx(light.stop_s)


def test_pavements_are_closed_rings_joined_by_crossings(town: Town) -> None:
    assert len(town.pavements) == 4
    for ring in town.pavements:
        assert np.array_equal(ring.centre[0], ring.centre[-1])
    assert len(town.crossings) == 8
    for crossing in town.crossings:
        assert crossing.pavements[0] != crossing.pavements[1]
        for end in (0, 1):
            at = town.pavements[crossing.pavements[end]].at(crossing.along[end])
            assert math.dist((at.x, at.y), crossing.ends[end][:2]) < 0.01


def test_buildings_keep_off_roads_pavements_and_each_other(town: Town) -> None:
    bodies = [building.box() for building in town.buildings]
    assert len(bodies) > 120
    for i, body in enumerate(bodies):
        assert not any(boxes_touch(body, other) for other in bodies[i + 1 :])
        for x, y in body.corners():
            assert not town.lanes.is_near(x, y, 1.25 + CLEAR_OF_PAVEMENT - 0.01, "pavement")
            assert not town.lanes.is_near(x, y, 1.75, "driving")


def test_no_obstacle_stands_on_a_road(town: Town) -> None:
    for obstacle in level_obstacles(town):
        for x, y in obstacle.box.corners():
            assert not town.lanes.is_near(x, y, 1.75, "driving")


def test_ground_height(network: Network, town: Town) -> None:
    lane = town.lanes.lanes[town.loop[0]]
    on_road, on_pavement = lane.pose_at(50.0), lane.pose_at(50.0, -3.0)
    assert town.ground_height(on_road.x, on_road.y) == 0.0
    assert town.ground_height(on_pavement.x, on_pavement.y) == KERB_HEIGHT
    assert town.ground_height(*network.junctions[0].middle) == 0.0
    assert town.ground_height(500.0, 500.0) < 0.0


def test_a_seed_gives_the_same_town_again_and_another_seed_another() -> None:
    first = build_town("VdapTown01-7")
    forget_towns()
    again, other = build_town("VdapTown01-7"), build_town("VdapTown01-8")
    assert first is not again
    assert first.buildings == again.buildings
    assert first.furniture == again.furniture
    assert first.opendrive == again.opendrive
    assert first.buildings != other.buildings
    assert first.spawn_points == other.spawn_points  # the roads stay


def test_side_streets_are_hidden_from_each_other(network: Network, town: Town) -> None:
    west, east = (junction.middle[0] for junction in network.junctions)
    blocked = sum(
        any(
            _hits(building.box(), (west, float(y), 5.0), (east, float(y), 5.0))
            for building in town.buildings
        )
        for y in range(30, 100, 5)
    )
    assert blocked >= 12  # of 14


def test_along_a_street_nothing_stands_in_between(network: Network, town: Town) -> None:
    west, east = (junction.middle[0] for junction in network.junctions)
    ends = (west, 0.0, 5.0), (east, 0.0, 5.0)
    assert not any(_hits(building.box(), *ends) for building in town.buildings)


def _hits(box, a, b) -> bool:
    span = ray_span(box, a, b)
    return span is not None and span[0] <= 1.0 and span[1] >= 0.0


def test_names_mean_towns_and_a_wrong_one_lists_what_there_is() -> None:
    assert town_names()[0] == "VdapTown01"
    assert build_town("Carla/Maps/VdapTown01-1") is build_town()
    assert build_town("VdapTown01-9").name == "Carla/Maps/VdapTown01-9"
    for wrong in ("Town10HD", "VdapTown01-", "VdapTown99", ""):
        with pytest.raises(UnknownTown, match="VdapTown01"):
            build_town(wrong)
