"""`python -m sim.bridge` as the launcher starts it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sim.carla_world import CarlaWorld
from sim.truth_file import read

ROOT = Path(__file__).parents[3]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
WITHOUT_PICTURES = """
name: test
duration_s: 60
world: {adapter: inprocess, traffic: {vehicles: 2, pedestrians: 1}}
vehicles: [{id: ego, cameras: [{id: front, source: "video:nothing.mp4"}]}]
"""


def start(tmp_path, *flags):
    (tmp_path / "drive.yaml").write_text(WITHOUT_PICTURES)
    command = [sys.executable, "-m", "sim.bridge", tmp_path / "drive.yaml", *flags]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    )


def test_it_says_ready_and_ends_with_0_on_a_signal(tmp_path):
    bridge = start(tmp_path, "--run-folder", tmp_path / "run")
    try:
        assert bridge.stdout.readline() == "ready\n"
        bridge.send_signal(signal.SIGTERM)
        _, log = bridge.communicate(timeout=20)
    finally:
        bridge.kill()
    assert bridge.returncode == 0, log
    assert (tmp_path / "run" / "bridge.json").is_file()
    assert list(read(tmp_path / "run" / "truth.mcap")) == []


@pytest.mark.parametrize(
    ("flags", "code", "text"),
    [
        (["--set", "world.scenario=stoped_car"], 2, "stopped_car_round_bend"),
        (["--set", "world.town=Town10HD"], 2, "VdapTown01"),
        (["--set", "world.adapter=carla", "--set", "world.address=nowhere"], 2, "HOST:PORT"),
    ],
)
def test_wrong_wish_is_one_clear_line(tmp_path, flags, code, text):
    bridge = start(tmp_path, *flags)
    out, log = bridge.communicate(timeout=60)
    assert (bridge.returncode, out) == (code, "")
    (line,) = [line for line in log.splitlines() if line.startswith("vdap: ")]
    assert text in line
    assert "Traceback" not in log


def test_server_that_does_not_answer_is_one_clear_line():
    pytest.importorskip("carla")
    from scheduler.errors import WorldError

    with pytest.raises(WorldError, match=r"127\.0\.0\.1:9.*vdap world"):
        CarlaWorld.connect("127.0.0.1", 9, fixed_delta_s=0.1, town=None, seed=1, patience_s=0.0)
