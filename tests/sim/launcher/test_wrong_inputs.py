"""What a user gets wrong: one clear line, exit code 1 or 2, no traceback."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

REPOSITORY = Path(__file__).parents[3]
RUN = "import sys; from scheduler.processes import main; sys.exit(main())"  # the console script
NO_CARLA = """
import importlib.util, sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name == "carla" or name.startswith("carla."):
            raise ModuleNotFoundError("No module named 'carla'", name="carla")
sys.meta_path.insert(0, Hidden())
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name == "carla" else find(name)
"""
VIDEO = """
name: film
duration_s: 2
vehicles:
  - id: ego
    cameras: [{id: front, source: "video:film.mp4"}]
    services: [{name: object_detection}]
    detectors: [{id: small}]
"""
SCENE = """
name: scene
duration_s: 2
world: {adapter: inprocess, traffic: {vehicles: 0, pedestrians: 0}}
vehicles:
  - id: ego
    cameras: [{id: front, width: 64, height: 64}]
    services: [{name: object_detection}]
    detectors: [{id: small}]
"""


def vdap(folder: Path, *arguments: str, before: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-c", before + RUN, *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=90,
    )  # fmt: skip


def one_line(done: subprocess.CompletedProcess[str], code: int) -> str:
    assert done.returncode == code, done.stderr + done.stdout
    assert "Traceback" not in done.stderr + done.stdout
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("vdap: ")
    return lines[0]


def write(folder: Path, text: str) -> str:
    (folder / "drive.yaml").write_text(text)
    return "drive.yaml"


def test_a_missing_config(tmp_path: Path) -> None:
    said = one_line(vdap(tmp_path, "run", "nonesuch"), 2)
    assert "'nonesuch' is neither" in said and "demo" in said


def test_a_misspelt_key(tmp_path: Path) -> None:
    said = one_line(vdap(tmp_path, "run", write(tmp_path, VIDEO + "polcy: {}\n")), 2)
    assert "unknown key 'polcy'" in said


def test_a_missing_key(tmp_path: Path) -> None:
    text = VIDEO.replace("{id: small}", "{kind: yolox}")
    said = one_line(vdap(tmp_path, "run", write(tmp_path, text)), 2)
    assert "missing required field `id`" in said


def test_an_unknown_process(tmp_path: Path) -> None:
    said = one_line(vdap(tmp_path, "run", write(tmp_path, VIDEO), "--only", "vehikel"), 2)
    assert "--only vehikel: expected some of" in said


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        text = SCENE + f"roadside_units: [{{id: rsu, bind: {{port: {port}}}}}]\nlink: {{}}\n"
        said = one_line(vdap(tmp_path, "run", write(tmp_path, text)), 1)
    assert f"expected 127.0.0.1:{port} to be free" in said and "`bind.port`" in said


def test_no_carla_wheel(tmp_path: Path) -> None:
    text = SCENE.replace("inprocess", "carla")
    said = one_line(vdap(tmp_path, "run", write(tmp_path, text), before=NO_CARLA), 1)
    assert "pip install 'vdap[carla]'" in said and "x86_64" in said


def test_missing_keys_of_a_part(tmp_path: Path) -> None:
    done = vdap(tmp_path, "run", write(tmp_path, VIDEO), "--only", "vehicle")
    assert "vdap keygen" in one_line(done, 1)


@pytest.mark.parametrize("size", [None, 5000], ids=["missing", "no film"])
def test_an_unreadable_video(tmp_path: Path, size: int | None) -> None:
    if size is not None:
        (tmp_path / "film.mp4").write_bytes(os.urandom(size))
    done = vdap(tmp_path, "run", write(tmp_path, VIDEO), "--no-dashboard")
    assert "film.mp4" in one_line(done, 1)


def test_an_unknown_policy(tmp_path: Path) -> None:
    text = VIDEO.replace("    services", "    policy: {name: nonesuch}\n    services")
    done = vdap(tmp_path, "run", write(tmp_path, text), "--no-dashboard")
    assert "nonesuch" in one_line(done, 1)


def test_an_unknown_detector(tmp_path: Path) -> None:
    film = cv2.VideoWriter(
        str(tmp_path / "film.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 10, (64, 64)
    )
    film.write(np.zeros((64, 64, 3), np.uint8))
    film.release()
    text = VIDEO.replace("{id: small}", "{id: small, kind: nonesuch}")
    done = vdap(tmp_path, "run", write(tmp_path, text), "--no-dashboard")
    assert "nonesuch" in one_line(done, 1)


@pytest.mark.parametrize("change", ["damaged", "another's"])
def test_a_wrong_key(tmp_path: Path, change: str) -> None:
    text = SCENE + "roadside_units: [{id: rsu}]\nlink: {}\n"
    made = vdap(tmp_path, "keygen", write(tmp_path, text))
    assert made.returncode == 0, made.stderr
    folder = tmp_path / "certificates"
    other = (folder / "ego.key_secret").read_text()
    (folder / "rsu.key_secret").write_text("too short\n" if change == "damaged" else other)
    done = vdap(tmp_path, "run", "drive.yaml", "--no-dashboard")
    assert "rsu.key_secret" in one_line(done, 1)


def test_a_key_that_others_can_read(tmp_path: Path) -> None:
    text = SCENE + "roadside_units: [{id: rsu}]\nlink: {}\n"
    vdap(tmp_path, "keygen", write(tmp_path, text))
    (tmp_path / "certificates" / "rsu.key_secret").chmod(0o644)
    done = vdap(tmp_path, "run", "drive.yaml", "--no-dashboard")
    assert "chmod 600" in one_line(done, 1)
