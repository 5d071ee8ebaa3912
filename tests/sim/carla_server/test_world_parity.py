"""Both worlds show the same town: frames byte-equal, truth equal, whatever the server's ids say."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sim.inprocess_world import InprocessWorld

from .conftest import ENVIRONMENT, Server

sys.path.insert(0, str(Path(__file__).parent))
import scripted_drive

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("carla") is None or importlib.util.find_spec("numba") is None,
    reason="needs the carla wheel (x86_64, Python 3.10-3.12) and numba",
)


def drive_through(server, out):
    """The client in a process of its own, because it holds the interpreter lock while it waits."""
    script = Path(scripted_drive.__file__)
    done = subprocess.run(
        [sys.executable, script, server.host, str(server.port), out],
        env=ENVIRONMENT,
        timeout=90,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return np.load(out / "pictures.npy"), json.loads((out / "drive.json").read_text())


@pytest.fixture(scope="module")
def through_the_server(tmp_path_factory):
    server = Server()  # of its own: what other scripts did to the weather would show
    try:
        return drive_through(server, tmp_path_factory.mktemp("actor"))
    finally:
        server.stop()


@pytest.fixture(scope="module")
def in_this_process(through_the_server):
    world = InprocessWorld()
    first = through_the_server[1]["frame"]

    def same_frame_number():  # the picture's noise is drawn from it
        world.engine.frame = first

    return scripted_drive.drive(world, same_frame_number)


def test_frames_are_byte_equal(through_the_server, in_this_process):
    pictures, plain = through_the_server
    states = plain["states"]
    assert len(pictures) >= scripted_drive.TICKS - 1  # a server may lose its first pictures
    own = in_this_process[0][[state["tick"] for state in states]]
    assert own.shape == pictures.shape
    assert (own != pictures).sum() == 0


def test_weather_changes_from_the_next_tick_on_in_both(through_the_server, in_this_process):
    for pictures, plain in (through_the_server, in_this_process):
        when = [state["tick"] for state in plain["states"]]
        light = pictures[:, :40].mean(axis=(1, 2, 3))  # of the sky
        first = when.index(scripted_drive.RAIN_FROM)
        assert np.ptp(light[:first]) < 4
        assert np.ptp(light[first:]) < 4
        assert abs(light[first] - light[first - 1]) > 15
    told = through_the_server[1]["weather"]
    assert told["after"] == told["before"]  # the server has its own back


def test_truth_is_equal(through_the_server, in_this_process):
    own = in_this_process[1]["states"]
    seen = set()
    for state in through_the_server[1]["states"]:
        other = own[state["tick"]]
        assert state["lights"] == [list(pair) for pair in other["lights"]]
        assert state["pose"] == pytest.approx(other["pose"], abs=1e-4)
        assert state["speed"] == pytest.approx(other["speed"], abs=1e-4)
        assert state["speed_limit"] == pytest.approx(other["speed_limit"], abs=1e-4)
        assert len(state["boxes"]) == len(other["boxes"])
        for box, same in zip(state["boxes"], other["boxes"], strict=True):
            for name in ("actor_id", "class_id", "xyxy"):
                assert box[name] == json.loads(json.dumps(same[name])), name
            for name in ("visibility", "distance_m", "position", "velocity"):
                assert box[name] == pytest.approx(same[name], abs=2e-3), name
            seen.add(box["actor_id"])
    assert {"placed 0", "placed 1"} < seen
    assert any(name.startswith("light") for name in seen)


def test_site_is_the_same(through_the_server, in_this_process):
    other, own = (one[1]["about"]["site"] for one in (through_the_server, in_this_process))
    assert own["town"].endswith(other["town"].rpartition("/")[2])
    assert np.array(other["buildings"]).shape == (len(own["buildings"]), 4, 2)
    assert np.array(other["buildings"]) == pytest.approx(np.array(own["buildings"]), abs=0.01)
    assert len(own["routes"]) == 1 + len(scripted_drive.STARTS)
    for name, points in own["routes"].items():
        assert np.array(other["routes"][name]) == pytest.approx(np.array(points), abs=0.15), name
    assert set(own["units"]) == set(other["units"]) == {"rsu1", "rsu2", "rsu3"}
    for name, position in own["units"].items():
        assert other["units"][name] == pytest.approx(position, abs=0.15)


def test_egos_and_stop_lines_are_the_same(through_the_server, in_this_process):
    other, own = (one[1]["about"] for one in (through_the_server, in_this_process))
    assert other["is_loop"] is own["is_loop"] is True
    assert other["wheelbase"] == pytest.approx(own["wheelbase"], abs=0.01)
    assert other["max_steer"] == pytest.approx(own["max_steer"], abs=0.01)
    assert other["stop_lines"] == own["stop_lines"]


def test_server_gets_its_settings_and_its_room_back(through_the_server):
    assert through_the_server[1]["synchronous"] == [True, False]
    assert through_the_server[1]["kinds_left"] == ["spectator", "traffic"]


@pytest.mark.slow
def test_truth_does_not_depend_on_what_the_ids_are(through_the_server, tmp_path):
    server = Server("--instance-ids", "engine")
    try:
        _, plain = drive_through(server, tmp_path)
    finally:
        assert server.stop()[0] == 0
    states = {state["tick"]: state for state in through_the_server[1]["states"]}
    assert plain["states"]
    for state in plain["states"]:
        if state["tick"] in states:
            assert state["boxes"] == states[state["tick"]]["boxes"]
