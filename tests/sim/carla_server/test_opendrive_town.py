import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sim.carla_server.opendrive import OpenDriveError, town_from_opendrive
from sim.carla_server.opendrive.reading import read_opendrive
from sim.engine.lanes import LaneId
from sim.engine.surfaces import KERB_HEIGHT, MARKING_TAG, Strip

pytest.importorskip("carla", reason="the carla wheel parses OpenDRIVE")

MAPS = Path(__file__).parent / "maps"
WALL_TAG = 4


def town_of(name, **options):
    return town_from_opendrive((MAPS / f"{name}.xodr").read_text(), **options)


@pytest.fixture(scope="module")
def ring():
    return town_of("ring", wall_height=1.0)


@pytest.fixture(scope="module")
def motorway():
    return town_of("motorway")


@pytest.fixture(scope="module")
def crossroads():
    return town_of("crossroads")


@pytest.mark.slow
def test_maps_are_what_their_script_writes(tmp_path):
    pytest.importorskip("scenariogeneration")
    subprocess.run([sys.executable, MAPS / "make_maps.py", tmp_path], check=True)
    for path in MAPS.glob("*.xodr"):
        lines = path.read_text().splitlines()[2:]  # the header holds the date
        made = (tmp_path / path.name).read_text().splitlines()[2:]
        assert [x for x in made if "date=" not in x] == [x for x in lines if "date=" not in x]


def test_a_ring_leads_back_to_its_beginning(ring):
    driving = [lane for lane in ring.lanes.lanes.values() if lane.kind == "driving"]
    assert len(driving) == 8
    assert all(len(lane.successors) == len(lane.predecessors) == 1 for lane in driving)
    assert len(ring.loop) == 4
    length = sum(ring.lanes[name].length for name in ring.loop)
    inner, outer = (2 * 121 + 2 * math.pi * (30 + side) for side in (-1.75, 1.75))
    assert min(abs(length - inner), abs(length - outer)) < 1.5


def test_lanes_join_without_a_gap(ring, crossroads):
    for town in (ring, crossroads):
        for lane in town.lanes.lanes.values():
            for name in lane.successors:
                assert math.dist(lane.points[-1], town.lanes[name].points[0]) < 0.1


def test_lanes_have_the_kinds_speeds_and_places_of_the_file(ring):
    right = ring.lanes[LaneId(1, -1)]
    assert right.speed_limit == pytest.approx(50 / 3.6)
    assert right.width == pytest.approx(3.5)
    assert right.points[0][1] == pytest.approx(-1.75, abs=0.01)
    assert right.pose_at(10.0).yaw == pytest.approx(0.0, abs=1e-6)
    assert ring.lanes[LaneId(1, 1)].pose_at(10.0).yaw == pytest.approx(math.pi, abs=1e-6)
    assert {lane.kind for lane in ring.lanes.lanes.values()} == {"driving", "shoulder", "pavement"}
    assert right.right == LaneId(1, -3)


def test_a_pavement_has_the_road_on_its_left_and_lies_higher(ring):
    for number in (-3, 3):
        lane = ring.lanes[LaneId(1, number)]
        left, right = lane.edges()
        assert np.abs(left[:, 1]).max() < np.abs(right[:, 1]).min()
        assert lane.points[0][2] == pytest.approx(KERB_HEIGHT)
    assert ring.ground_height(20.0, -5.0) == pytest.approx(KERB_HEIGHT)
    assert ring.ground_height(20.0, -2.0) == pytest.approx(0.0)


def test_pavements_are_chained_and_crossed(ring):
    assert [way.is_ring for way in ring.pavements] == [True, True]
    assert all(len(way.lanes) == 4 for way in ring.pavements)
    (crossing,) = ring.crossings
    assert {round(abs(y), 1) for _, y, _ in crossing.ends} == {5.2}
    assert crossing.width == pytest.approx(3.0, abs=0.05)
    assert crossing.pavements[0] != crossing.pavements[1]
    for end, way, along in zip(crossing.ends, crossing.pavements, crossing.along, strict=True):
        at = ring.pavements[way].at(along)
        assert math.hypot(at.x - end[0], at.y - end[1]) < 2.0


def test_lights_and_signs_rule_their_lanes(ring):
    (light,) = ring.traffic_lights
    lane = ring.lanes[LaneId(1, -1)]
    assert light.lane_id == lane.id
    assert lane.light_id == light.id
    assert lane.stop_s == pytest.approx(100.0, abs=0.3)  # CARLA moves its lights a little
    assert abs(light.pose.yaw) == pytest.approx(math.pi)  # it looks back at who comes
    assert light.pose.y < -4.1
    kinds = {sign.kind: sign for sign in ring.signs}
    assert kinds["speed_limit"].value == 30
    assert kinds["speed_limit"].lanes == (LaneId(1, -1),)
    assert ring.lanes[LaneId(3, -1)].approach == "stop"
    assert ring.lanes[LaneId(3, 1)].approach == ""


def test_spawn_points_stand_on_driving_lanes(ring, motorway, crossroads):
    for town in (ring, motorway, crossroads):
        assert len(town.spawn_points) >= 8
        for point in town.spawn_points:
            lane, _, offset = town.lanes.nearest(point.x, point.y, point.yaw)
            assert lane.kind == "driving"
            assert abs(offset) < 0.05
            assert point.z == pytest.approx(lane.pose_at(0.0).z + 0.3, abs=16.1)
            assert town.ground_height(point.x, point.y) == pytest.approx(point.z - 0.3, abs=0.05)


def test_sections_split_and_merge_with_their_widths(motorway):
    third = motorway.lanes[LaneId(1, -3, 1)]
    assert third.widths is not None
    assert third.widths[0] < 0.1
    assert third.widths[-1] == pytest.approx(3.75, abs=0.05)
    assert third.predecessors == []
    assert third.successors == [LaneId(1, -3, 2)]
    assert motorway.lanes[LaneId(1, -3, 0)].kind == "shoulder"
    assert motorway.lanes[LaneId(1, -3, 0)].successors == [LaneId(1, -4, 1)]
    assert motorway.lanes[LaneId(1, -1, 0)].successors == [LaneId(1, -1, 1)]
    assert motorway.lanes[LaneId(1, -2, 1)].left == LaneId(1, -1, 1)
    assert motorway.lanes[LaneId(1, -1, 1)].speed_limit == pytest.approx(120 / 3.6)


def test_roads_climb_and_the_land_follows(motorway):
    lane = motorway.lanes[LaneId(1, -1, 0)]
    assert lane.points[0][2] == pytest.approx(10.0, abs=0.01)
    assert lane.points[-1][2] == pytest.approx(16.0, abs=0.01)
    assert motorway.land_height(200.0, -4.0) == pytest.approx(18.0, abs=0.5)


def test_a_crossroads_has_all_turns_a_floor_and_gives_way(crossroads):
    inside = [lane for lane in crossroads.lanes.lanes.values() if lane.is_junction]
    assert len(inside) == 12
    assert {turn: sum(lane.turn == turn for lane in inside) for turn in ("left", "straight")} == {
        "left": 4,
        "straight": 4,
    }
    (floor,) = crossroads.junctions
    middle = floor.outline.mean(axis=0)
    assert floor.height_at(float(middle[0]), float(middle[1])) == pytest.approx(0.0)
    for lane in inside:
        assert all(floor.height_at(x, y) is not None for x, y, _ in lane.points[1:-1])
        for name in lane.predecessors:
            assert crossroads.lanes[name].approach == "yield"


def test_walls_stand_where_they_are_asked_for(ring, motorway):
    tall = [one for one in ring.surfaces if one.tag == WALL_TAG]
    assert not [one for one in motorway.surfaces if one.tag == WALL_TAG]
    assert tall == []  # pavements bound this ring
    walled = town_of("motorway", wall_height=1.2)
    walls = [one for one in walled.surfaces if one.tag == WALL_TAG]
    assert walls
    for one in walls:
        assert isinstance(one, Strip)
        assert np.allclose(np.abs(one.left[:, 2] - one.right[:, 2]), 1.2)


def test_lines_are_painted_as_the_file_says(ring):
    textures = [one.texture for one in ring.surfaces if one.tag == MARKING_TAG]
    assert textures.count("marking_yellow") == 4  # one broken line down the middle of each road
    assert textures.count("marking_white") >= 8


def test_a_file_that_the_parser_does_not_survive_is_refused():
    """A lane that leads to one that is not there ends the process that parses it."""
    lane = (
        '<lane id="-1" type="driving"><link><successor id="-7"/></link>'
        '<width sOffset="0" a="3.5" b="0" c="0" d="0"/></lane>'
    )
    roads = "".join(
        f'<road id="{k}" length="50" junction="-1"><link>{link}</link><planView>'
        '<geometry s="0" x="0" y="0" hdg="0" length="50"><line/></geometry></planView><lanes>'
        f'<laneSection s="0"><center><lane id="0" type="none"/></center><right>{lane}</right>'
        "</laneSection></lanes></road>"
        for k, link in (
            (1, '<successor elementType="road" elementId="2" contactPoint="start"/>'),
            (2, ""),
        )
    )
    with pytest.raises(OpenDriveError, match=r"parser failed on it \(status -\d+\)"):
        town_from_opendrive(f"<OpenDRIVE>{roads}</OpenDRIVE>")


def test_a_file_that_takes_too_long_is_refused():
    with pytest.raises(OpenDriveError, match=r"a map within 0\.01 s expected"):
        read_opendrive((MAPS / "ring.xodr").read_text(), patience_s=0.01)


def test_a_file_without_roads_is_refused():
    with pytest.raises(OpenDriveError, match="correctly parsed: at least one road expected"):
        town_from_opendrive("<OpenDRIVE/>")


def test_what_the_parser_would_not_read_is_said_again(crossroads, ring):
    assert 'curvEnd="0.0921' in crossroads.opendrive
    assert "<arc" in crossroads.opendrive
    assert "<arc" not in (MAPS / "crossroads.xodr").read_text()
    assert "<outlines>" not in ring.opendrive
