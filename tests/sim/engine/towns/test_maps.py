"""Every town as the client's own map parser reads it."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from sim.engine.lanes import Lane, LaneId, project
from sim.engine.town import Town, build_town, town_names

# A process of its own: the carla module may end the interpreter when it is unloaded.
READ_MAPS = """
import json, os, sys
import carla
answers = {}
for path in sys.argv[1:]:
    name = path.rsplit("/", 1)[-1]
    town_map = carla.Map(name, open(path).read())
    waypoints = town_map.generate_waypoints(8.0)
    driving = [one for one in waypoints if one.lane_type == carla.LaneType.Driving]
    answers[name] = {
        "places": [
            (one.road_id, one.lane_id, one.transform.location.x, -one.transform.location.y,
             one.transform.location.z)
            for one in driving[::3]
        ],
        "dead": sum(not one.next(6.0) for one in driving),
        "changes": sum(
            one.lane_change != carla.LaneChange.NONE and one.get_left_lane() is not None
            for one in driving
        ),
        "crosswalks": len(town_map.get_crosswalks()),
        "landmarks": {
            kind: sorted({(one.id, one.value) for one in town_map.get_all_landmarks_of_type(kind)})
            for kind in ("1000001", "205", "206", "274")
        },
    }
sys.stdout.write(json.dumps(answers))
sys.stdout.flush()
os._exit(0)
"""
KINDS = {"205": "yield", "206": "stop", "274": "speed_limit"}


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict:
    if find_spec("carla") is None:
        pytest.skip("needs the carla wheel (x86_64, Python 3.10-3.12)")
    folder: Path = tmp_path_factory.mktemp("maps")
    paths = []
    for name in town_names():
        town = build_town(name)
        paths.append(folder / town.name.rsplit("/", 1)[-1])
        paths[-1].write_text(town.opendrive)
    arguments = [sys.executable, "-c", READ_MAPS, *paths]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=120, check=True)
    assert "WARNING" not in done.stdout + done.stderr
    return json.loads(done.stdout)


def _of(answers: dict, town: Town) -> dict:
    return answers[town.name.rsplit("/", 1)[-1]]


def test_the_client_sees_lanes_where_they_are_and_no_dead_end(
    each_town: Town, answers: dict
) -> None:
    found = _of(answers, each_town)
    assert found["dead"] == 0
    assert len(found["places"]) > 50
    for road, lane, x, y, z in found["places"]:
        own = each_town.lanes[LaneId(road, lane)]
        s, offset = _on(own, x, y)
        assert abs(offset) < 0.1, (road, lane)
        assert z == pytest.approx(own.pose_at(s).z, abs=0.2)  # the client's roads are level across


def _on(lane: Lane, x: float, y: float) -> tuple[float, float]:
    pieces = [project(lane, i, x, y) for i in range(len(lane.points) - 1)]
    s, offset, _, _ = min(pieces, key=lambda piece: piece[2])
    return s, offset


def test_the_client_finds_lights_signs_and_crossings(each_town: Town, answers: dict) -> None:
    found = _of(answers, each_town)
    assert found["crosswalks"] == 5 * len(each_town.crossings)  # closed outlines of four corners
    landmarks = {kind: dict(pairs) for kind, pairs in found["landmarks"].items()}
    assert set(landmarks.pop("1000001")) == {light.signal_id for light in each_town.traffic_lights}
    for kind, by_id in landmarks.items():
        own = [sign for sign in each_town.signs if sign.kind == KINDS[kind]]
        assert set(by_id) == {sign.signal_id for sign in own}
        for sign in own:
            assert sign.kind != "speed_limit" or by_id[sign.signal_id] == sign.value


def test_where_there_are_more_lanes_one_may_change_them(answers: dict) -> None:
    assert answers["VdapTown03"]["changes"] > 100
