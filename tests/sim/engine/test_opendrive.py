import json
import math
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

import pytest

from sim.engine.lanes import LaneId
from sim.engine.town import Town
from sim.engine.towns.network import Network

# A process of its own: the carla module may end the interpreter when it is unloaded.
READ_MAP = """
import json, math, os, sys
import carla
town_map = carla.Map("VdapTown01", open(sys.argv[1]).read())
asked = json.load(open(sys.argv[2]))
answers = {"places": [], "next": [], "landmarks": [], "junctions": 0}
for road, lane, s in asked:
    here = town_map.get_waypoint_xodr(road, lane, s)
    at = here.transform.location
    answers["places"].append((at.x, -at.y, str(here.lane_type)))
for road, lane in ((1, -1), (2, -1), (3, 1), (4, 1)):
    here = town_map.get_waypoint_xodr(road, lane, 60.0)
    for _ in range(400):
        after = here.next(3.0)
        if not after:
            break
        here = after[0]
    answers["next"].append(len(after))
    here = town_map.get_waypoint_xodr(road, lane, 60.0)
    found = here.get_landmarks_of_type(1200.0, "1000001", True)
    answers["landmarks"].append(sorted({one.id for one in found}))
answers["all"] = sorted({one.id for one in town_map.get_all_landmarks_of_type("1000001")})
answers["crosswalks"] = len(town_map.get_crosswalks())
answers["topology"] = len(town_map.get_topology())
sys.stdout.write(json.dumps(answers))
sys.stdout.flush()
os._exit(0)
"""


@pytest.fixture(scope="module")
def asked(network: Network, town: Town) -> list[tuple[int, int, float]]:
    return [
        (road.id, lane, road.length * share)
        for road in network.roads.values()
        for lane in road.lanes
        for share in (0.02, 0.23, 0.5, 0.71, 0.97)
    ]


@pytest.fixture(scope="module")
def answers(town: Town, asked: list, tmp_path_factory: pytest.TempPathFactory) -> dict:
    if find_spec("carla") is None:
        pytest.skip("needs the carla wheel (x86_64, Python 3.10-3.12)")
    folder: Path = tmp_path_factory.mktemp("map")
    (folder / "town.xodr").write_text(town.opendrive)
    (folder / "asked.json").write_text(json.dumps(asked))
    arguments = [sys.executable, "-c", READ_MAP, folder / "town.xodr", folder / "asked.json"]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=True)
    assert "WARNING" not in done.stdout + done.stderr
    return json.loads(done.stdout)


def test_carla_sees_the_lanes_where_the_engine_has_them(
    network: Network, town: Town, asked: list, answers: dict
) -> None:
    worst = 0.0
    for (road, lane, s), (x, y, _) in zip(asked, answers["places"], strict=True):
        ours = network.roads[road].at(s, network.roads[road].middle(lane))
        worst = max(worst, math.dist((x, y), ours[:2]))
        on_lane, _, offset = town.lanes.nearest(x, y, kind=town.lanes[LaneId(road, lane)].kind)
        if not on_lane.is_junction:
            worst = max(worst, abs(offset))
    assert worst <= 0.1


def test_carla_reads_the_pavements_as_sidewalks(asked: list, answers: dict) -> None:
    kinds = {
        abs(lane): kind for (_, lane, _), (_, _, kind) in zip(asked, answers["places"], strict=True)
    }
    assert kinds == {1: "Driving", 2: "Sidewalk"}


def test_next_never_ends(answers: dict) -> None:
    assert min(answers["next"]) >= 1


def test_landmarks_are_the_lights_by_their_sign_id(town: Town, answers: dict) -> None:
    assert answers["all"] == sorted(light.signal_id for light in town.traffic_lights)
    own = {light.lane_id: light.signal_id for light in town.traffic_lights}
    for lane, found in zip(((1, -1), (2, -1), (3, 1), (4, 1)), answers["landmarks"], strict=True):
        assert own[LaneId(*lane)] in found


def test_carla_finds_the_crossings_and_the_topology(
    network: Network, town: Town, answers: dict
) -> None:
    assert answers["crosswalks"] == 5 * len(town.crossings)  # closed outlines of four corners
    assert answers["topology"] == sum(len(road.lanes) for road in network.roads.values())


def test_signals_and_controllers_belong_together(town: Town) -> None:
    root = ElementTree.fromstring(town.opendrive)
    signals = {one.get("id") for one in root.iter("signal") if one.get("type") == "1000001"}
    references = {one.get("id") for one in root.iter("signalReference")}
    controlled = [one.get("signalId") for one in root.iter("control")]
    assert signals == references == set(controlled)
    assert len(controlled) == len(signals)
    controllers = {one.get("id") for one in root.findall("controller")}
    assert controllers == {one.get("id") for one in root.findall("junction/controller")}
