"""`vdap dataset --world HOST:PORT` records from a CARLA server what it records from our world."""

import importlib.util
import json
import subprocess
import sys

import numpy as np
import pytest

from sim.calibration import Intrinsics
from sim.dataset.stats import stats_of
from sim.engine.geometry import Pose
from sim.ground_truth import GroundTruth
from sim.inprocess_world import InprocessWorld
from sim.world import LEVEL_IDS, CameraMount

from .conftest import ENVIRONMENT, Server

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("carla") is None or importlib.util.find_spec("numba") is None,
    reason="needs the carla wheel (x86_64, Python 3.10-3.12) and numba",
)
TOWN = "VdapTown02"  # the one with parked cars


def parked_here(world):
    return [
        [b.class_id, b.actor_id, b.pose.x, b.pose.y, b.pose.z, b.pose.yaw, *b.extent]
        for b in world.tick().bodies
        if b.actor_id >= LEVEL_IDS
    ]


@pytest.mark.slow
def test_parked_cars_are_the_same_in_both_worlds():
    server = Server("--lazy-rendering", "--town", TOWN)
    try:
        lines = server.run_script("parked_cars.py").splitlines()
    finally:
        server.stop()
    own = parked_here(InprocessWorld(town=TOWN))
    other = [json.loads(line) for line in lines if line.startswith("[")]
    assert len(own) == len(other) > 50
    here, there = np.array(own)[:, 2:], np.array(other)[:, 2:]
    apart = np.abs(here[:, None] - there).max(axis=2)
    assert apart.min(axis=1).max() < 2e-3
    assert len(set(apart.argmin(axis=1))) == len(own)
    assert len({row[1] for row in other}) == len(other)


def test_what_a_killed_client_left_is_cleared_by_loading_anew(lazy_server):
    out = lazy_server.run_script("left_behind.py")
    assert "left behind 1\n" in out
    assert "after loading anew 0\n" in out


def test_parked_cars_are_truth_where_they_are_seen():
    world = InprocessWorld(town=TOWN, shadows=False)
    lens = Intrinsics.from_fov(320, 192, 90.0)
    parked = np.array(parked_here(world))
    ego = world.spawn_ego("ego", 0)
    x, y = ego.route[0][:2]
    near = parked[np.argsort(np.hypot(parked[:, 2] - x, parked[:, 3] - y))[0]]
    # From its side, 9 m away and a little above, whatever stands about.
    at = Pose(*near[2:5], near[5]).compose(Pose(0.0, 9.0, 1.0, -np.pi / 2))
    start = world.tick().egos[ego.actor_id].pose
    camera = world.attach_camera(ego, CameraMount(_relative(start, at), lens))
    seen = world.tick()
    picture = world.picture(camera)
    boxes = {b.actor_id: b for b in GroundTruth(lens, ego.actor_id).boxes(picture, seen.bodies)}
    box = boxes[int(near[1])]
    assert box.class_id == 0
    assert box.visibility > 0.7
    assert abs((box.xyxy[0] + box.xyxy[2]) / 2 - 160) < 20
    assert box.velocity == (0.0, 0.0, 0.0)


def _relative(base, at):
    """A pose in the axes of another; neither leans by much."""
    inside = np.linalg.inv(base.matrix()) @ at.matrix()
    return Pose(*inside[:3, 3], float(np.arctan2(inside[1, 0], inside[0, 0])))


def recorded(out, *flags):
    done = subprocess.run(
        [
            *(sys.executable, "-m", "sim.dataset", out, "--images", "60", "--split", "val"),
            *("--towns", "VdapTown01", "--seed", "5", "--width", "320", "--height", "192", *flags),
        ],
        env=ENVIRONMENT,
        timeout=300,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "60 pictures" in done.stdout
    return json.loads((out / "annotations.json").read_text()), done.stderr


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_sets_of_both_worlds_look_alike(tmp_path):
    server = Server()
    try:
        address = f"{server.host}:{server.port}"
        other, said = recorded(tmp_path / "carla", "--world", address, "--asset-seeds", "2")
    finally:
        code, log = server.stop()
    assert code == 0, log
    assert "its own looks" in said
    own, _ = recorded(tmp_path / "own", "--asset-seeds", "1")
    assert other["categories"] == own["categories"]
    assert other["info"]["world"] == "carla"
    assert {image["town"] for image in other["images"]} == {"VdapTown01"}
    assert [i["weather"] for i in other["images"]] == [i["weather"] for i in own["images"]]
    assert (tmp_path / "carla" / "masks" / "s0001_0029.png").is_file()
    ours, theirs = stats_of(own), stats_of(other)
    assert 0.5 < theirs.boxes / ours.boxes < 2.0
    for name in ("car", "pedestrian"):
        counts = sum(theirs.by_class[name]), sum(ours.by_class[name])
        assert 0.4 < counts[0] / counts[1] < 2.5, name
    for key in ("visibility", "distance_m"):
        medians = [np.median([box[key] for box in t["annotations"]]) for t in (own, other)]
        assert medians[0] == pytest.approx(medians[1], rel=0.5), key
