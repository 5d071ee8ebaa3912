import math
import random

import numpy as np
import pytest

from sim.engine.catalogue import all_blueprints
from sim.engine.geometry import Box, boxes_touch
from sim.engine.ground import ground_instances
from sim.engine.level_objects import TAG_OF_FURNITURE, level_obstacles
from sim.engine.town import Town, build_town, town_names
from sim.engine.town_names import parse_town
from sim.engine.towns.generate import generate

MARK = 0.02  # m that paint lies over the road
CAR = (2.7, 1.05)  # m, half sizes of a large car


def test_the_towns_of_the_readme_exist() -> None:
    assert town_names() == ["VdapTown01", "VdapTown02", "VdapTown03", "VdapTown04"]


def test_every_driving_lane_goes_on_and_can_be_reached(each_town: Town) -> None:
    lanes = each_town.lanes.lanes
    driving = [lane for lane in lanes.values() if lane.kind == "driving"]
    for lane in driving:
        assert lane.successors, f"{lane.id} is a dead end"
        assert lane.predecessors, f"nobody comes to {lane.id}"
        for after in (lanes[one] for one in lane.successors):
            assert math.dist(lane.points[-1], after.points[0]) < 1e-3
            turn = lane.pose_at(lane.length).yaw - after.pose_at(0.0).yaw
            assert abs(math.remainder(turn, math.tau)) < 0.12
    seen, waiting = {driving[0].id}, [driving[0].id]
    while waiting:
        new = [one for one in lanes[waiting.pop()].successors if one not in seen]
        seen.update(new)
        waiting += new
    assert len(seen) == len(driving)  # every lane can be reached from the first


def test_the_loop_is_closed(each_town: Town) -> None:
    loop = each_town.loop
    assert sum(each_town.lanes[lane].length for lane in loop) > 800.0
    for lane, after in zip(loop, [*loop[1:], loop[0]], strict=True):
        assert after in each_town.lanes[lane].successors


def test_spawn_points_are_on_lanes_and_free(each_town: Town) -> None:
    points = each_town.spawn_points
    assert len(points) >= 60
    obstacles = [one.box for one in level_obstacles(each_town)]
    middles = np.array([(box.x, box.y) for box in obstacles])
    for point in points:
        lane, _, offset = each_town.lanes.nearest(point.x, point.y, point.yaw)
        assert not lane.is_junction
        assert abs(offset) < 0.05
        assert point.z - each_town.ground_height(point.x, point.y) == pytest.approx(0.3, abs=0.05)
        car = Box(point.x, point.y, point.yaw, *CAR)
        near = np.flatnonzero(np.hypot(*(middles - (point.x, point.y)).T) < 25.0)
        assert not any(boxes_touch(car, obstacles[i]) for i in near)
    xy = np.array([(point.x, point.y) for point in points])
    apart = np.linalg.norm(xy[:, None] - xy[None], axis=2) + 100 * np.eye(len(xy))
    assert apart.min() > 3.0


def test_nothing_stands_where_one_drives(each_town: Town) -> None:
    for obstacle in level_obstacles(each_town):
        for x, y in obstacle.box.corners():
            assert not each_town.lanes.is_near(x, y, 1.7, "driving"), (obstacle.tag, x, y)


def test_the_ground_has_no_hole_and_is_as_high_as_it_says(each_town: Town) -> None:
    corners = np.concatenate(
        [one.mesh.vertices[one.mesh.triangles] for one in ground_instances(each_town)]
    ).astype(float)
    choose = random.Random(5)
    lanes = [
        lane for lane in each_town.lanes.lanes.values() if lane.kind in ("driving", "pavement")
    ]
    for lane in choose.choices(lanes, k=120):
        at = lane.pose_at(choose.uniform(0.0, lane.length), choose.uniform(-1.2, 1.2))
        height = _highest(corners, at.x, at.y)
        assert height is not None, f"no ground under {lane.id} at {at}"
        assert -0.03 < height - each_town.ground_height(at.x, at.y) < MARK + 0.03, (lane.id, at)


def _highest(corners: np.ndarray, x: float, y: float) -> float | None:
    """Height of the highest of triangles (T, 3, 3) over a point."""
    low, high = corners[:, :, :2].min(axis=1), corners[:, :, :2].max(axis=1)
    near = corners[((low <= (x, y)) & (high >= (x, y))).all(axis=1)]
    a, b, c = near[:, 0], near[:, 1], near[:, 2]
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (c[:, 0] - a[:, 0]) * (b[:, 1] - a[:, 1])
    flat = np.abs(area) > 1e-9
    a, b, c, area = a[flat], b[flat], c[flat], area[flat]
    u = ((x - a[:, 0]) * (c[:, 1] - a[:, 1]) - (c[:, 0] - a[:, 0]) * (y - a[:, 1])) / area
    v = ((b[:, 0] - a[:, 0]) * (y - a[:, 1]) - (x - a[:, 0]) * (b[:, 1] - a[:, 1])) / area
    inside = (u >= -1e-6) & (v >= -1e-6) & (u + v <= 1 + 1e-6)
    z = a[:, 2] + u * (b[:, 2] - a[:, 2]) + v * (c[:, 2] - a[:, 2])
    return float(z[inside].max()) if inside.any() else None


def test_lights_and_signs_govern_lanes_that_stop_there(each_town: Town) -> None:
    blueprints = all_blueprints()
    for light in each_town.traffic_lights:
        for lane_id in light.lane_ids:
            lane = each_town.lanes[lane_id]
            assert (lane.light_id, lane.approach) == (light.id, "light")
            assert 0.0 < lane.stop_s < lane.length
    for sign in each_town.signs:
        assert sign.blueprint_id in blueprints
        lane, _, offset = each_town.lanes.nearest(sign.trigger.x, sign.trigger.y, sign.trigger.yaw)
        assert lane.id in sign.lanes
        assert abs(offset) < 0.1
        facing = math.remainder(sign.pose.yaw - sign.trigger.yaw, math.tau)
        assert abs(facing) > 3.0  # it looks back at those who come
        if sign.kind in ("stop", "yield"):
            assert lane.approach == sign.kind
        else:
            assert round(lane.speed_limit * 3.6) == sign.value


def test_things_have_a_tag_and_stand_on_the_ground(each_town: Town) -> None:
    assert {one.kind for one in each_town.furniture} <= TAG_OF_FURNITURE.keys()
    for one in each_town.furniture:
        assert abs(one.pose.z - each_town.ground_height(one.pose.x, one.pose.y)) < 0.35, one


def test_pavements_and_crossings_belong_together(each_town: Town) -> None:
    for crossing in each_town.crossings:
        assert (
            crossing.pavements[0] != crossing.pavements[1]
            or not each_town.pavements[crossing.pavements[0]].is_ring
        )
        for end in (0, 1):
            at = each_town.pavements[crossing.pavements[end]].at(crossing.along[end])
            assert math.dist((at.x, at.y), crossing.ends[end][:2]) < 0.01


def test_buildings_keep_off_each_other_and_the_roads(each_town: Town) -> None:
    bodies = [building.box() for building in each_town.buildings]
    for i, body in enumerate(bodies):
        assert not any(boxes_touch(body, other) for other in bodies[i + 1 :])
        for x, y in body.corners():
            assert not each_town.lanes.is_near(x, y, 1.5, "pavement")
            assert not each_town.lanes.is_near(x, y, 1.75, "driving")


@pytest.mark.parametrize(
    "name",
    [
        "VdapTown03-5",
        pytest.param("VdapTown02-5", marks=pytest.mark.slow),
        pytest.param("VdapTown04-5", marks=pytest.mark.slow),
    ],
)
def test_a_name_gives_the_same_town_again(name: str) -> None:
    first, again = generate(parse_town(name)), generate(parse_town(name))
    other = generate(parse_town(name.replace("-5", "-6")))
    assert first.buildings == again.buildings
    assert first.furniture == again.furniture
    assert first.opendrive == again.opendrive
    assert first.furniture != other.furniture
    assert first.spawn_points == other.spawn_points


def test_each_town_has_what_it_is_for() -> None:
    dense, motorway, mixed = (build_town(f"VdapTown0{k}") for k in (2, 3, 4))
    kinds = {one.kind for one in dense.furniture}
    assert {"parked_car", "bus_stop", "column", "bin", "bench", "sign"} <= kinds
    assert {"stop", "yield", "speed_limit"} == {sign.kind for sign in dense.signs}
    assert len({lane.speed_limit for lane in dense.lanes.lanes.values()}) >= 3
    assert {"guard_rail", "gantry"} <= {one.kind for one in motorway.furniture}
    lanes = motorway.lanes.lanes.values()
    assert max(lane.speed_limit for lane in lanes) == pytest.approx(120 / 3.6)
    heights = [z for lane in lanes for _, _, z in lane.points]
    assert max(heights) - min(heights) > 6.0
    assert {"hedge", "fence"} <= {one.kind for one in mixed.furniture}
    assert {building.form for building in mixed.buildings} == {"block", "house"}
