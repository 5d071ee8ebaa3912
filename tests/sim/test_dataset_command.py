"""The command as a user runs it: with workers, ended in the middle, gone on, the same set."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("numba")
ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def start(out, *flags):
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "sim.dataset", out, "--images", "31", "--split", "val"),
            *("--towns", "VdapTown01", "--width", "96", "--height", "64", *flags),
        ],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_command_with_workers_is_ended_and_goes_on(tmp_path):
    command = start(tmp_path / "two", "--workers", "2")
    end = time.monotonic() + 180
    while not list((tmp_path / "two" / "images").glob("*.jpg")):
        assert command.poll() is None, command.communicate()
        assert time.monotonic() < end
        time.sleep(0.1)
    command.send_signal(signal.SIGTERM)
    _, said = command.communicate(timeout=20)
    assert command.returncode == 130
    assert "the same command goes on" in said
    assert not (tmp_path / "two" / "annotations.json").exists()
    for name, flags in (("two", ("--workers", "2")), ("one", ())):
        command = start(tmp_path / name, *flags)
        out, said = command.communicate(timeout=180)
        assert command.returncode == 0, said
        assert "31 pictures" in out
    one, two = (tmp_path / name for name in ("one", "two"))
    assert json.loads((one / "annotations.json").read_text()) == json.loads(
        (two / "annotations.json").read_text()
    )
    for picture in (one / "images").iterdir():
        assert picture.read_bytes() == (two / "images" / picture.name).read_bytes()
    assert "vdap dataset" in (two / "README.md").read_text()
