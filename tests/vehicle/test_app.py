"""A whole vehicle on a film, with a detector of a few lines: as a process and in this one."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import zmq

from scheduler import config_file, messages, processes, telemetry, transport
from scheduler.clock import MonotonicClock
from scheduler.config import Config
from vehicle.__main__ import split_camera, with_source
from vehicle.app import VehicleApp
from vehicle.assembly import Assembly
from vehicle.data.run_reader import images

DETECTOR = """
import numpy as np
from vehicle.perception.detections import Detections

class Half:
    stages_ns = {}
    def __init__(self, spec, threads):
        self.name = spec.name
    def detect(self, frame):
        height, width = frame.shape[:2]
        box = np.array([[0, 0, width / 2, height / 2]], np.float32)
        return Detections(box, np.array([0.9], np.float32), np.array([0], np.int16))
"""
CONFIG = """
name: film
duration_s: {duration}
vehicles:
  - id: ego
    cameras:
      - {{id: front, source: "video:film.avi", width: 96, height: 64, rate_hz: 20}}
      - {{id: rear, source: "video:film.avi", width: 96, height: 64, rate_hz: 10}}
    services: [{{name: object_detection}}]
    policy: {{name: local_only}}
    deadline_ms: 200
    detectors: [{{id: half, kind: "app_detector:Half", accuracy: 0.5}}]
record: {{frames: {frames}}}
ipc_folder: {ipc}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app_detector.py").write_text(DETECTOR)
    writer = cv2.VideoWriter(
        str(tmp_path / "film.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 20.0, (96, 64)
    )
    for grey in range(10):
        writer.write(np.full((64, 96, 3), grey * 20, np.uint8))
    writer.release()
    (tmp_path / "ipc").mkdir(mode=0o700)
    (tmp_path / "run").mkdir()
    return tmp_path


def write(folder: Path, duration: float = 60, frames: str = "all") -> Path:
    path = folder / "config.yaml"
    path.write_text(CONFIG.format(duration=duration, frames=frames, ipc=folder / "ipc"))
    return path


def load(path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.syspath_prepend(str(path.parent))
    return config_file.load(str(path))


def drive(config: Config, folder: Path, is_stopping: Callable[[VehicleApp], bool]) -> VehicleApp:
    parts = Assembly(config, config.vehicles[0], folder / "run", MonotonicClock())
    try:
        app = VehicleApp(parts)
        app.run(lambda: is_stopping(app))
        app.finish()
    finally:
        parts.close()
    return app


def record_of(folder: Path) -> dict:
    return json.loads((folder / "run" / "vehicle-ego.json").read_text())


def test_film_ends_after_its_duration_with_a_verdict_for_every_frame(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load(write(folder, duration=1.0), monkeypatch)
    end = time.monotonic() + 30
    drive(config, folder, lambda app: time.monotonic() > end)
    record = record_of(folder)
    assert record["captured"] == record["verdicts"] == sum(record["answers"].values())
    assert record["captured"] + record["missed_upstream"] >= 30 - 2
    assert record["answers"]["onboard"] > 0
    assert record["cameras"] == ["front", "rear"] and record["offload"]["sent"] == 0
    assert record["faults"].get("worker", 0) == 0 and record["recorder_dropped"] == 0


def test_killed_worker_is_replaced_and_a_killed_recorder_costs_no_verdict(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load(write(folder), monkeypatch)
    killed: list[int] = []
    onboard_at_kill = [0]
    end = time.monotonic() + 30

    def is_stopping(app: VehicleApp) -> bool:
        onboard = app.dispatcher.counters.onboard
        if not killed and onboard >= 8:
            killed.append(app.worker.pid)
            onboard_at_kill[0] = onboard
            os.kill(app.worker.pid, signal.SIGKILL)
            assert app.recorder is not None
            os.kill(app.recorder.pid, signal.SIGKILL)
        return time.monotonic() > end or (
            bool(killed) and app.worker.restarts == 1 and onboard >= onboard_at_kill[0] + 5
        )

    app = drive(config, folder, is_stopping)
    record = record_of(folder)
    assert app.worker.restarts == 1 and record["worker_restarts"] == 1
    assert record["answers"]["onboard"] >= onboard_at_kill[0] + 5
    assert record["faults"]["recorder"] == 1
    assert record["captured"] == record["verdicts"] == sum(record["answers"].values())


def test_process_serves_publishes_and_ends_on_sigterm(folder: Path) -> None:
    path = write(folder)
    config = config_file.load(str(path))
    process = subprocess.Popen(
        [sys.executable, "-m", "vehicle", str(path), "--run-folder", str(folder / "run")],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    context = zmq.Context()
    address = processes.address(config, "vehicle", "ego", "telemetry")
    socket = transport.connect_subscriber(context, [address], [""])
    seen: dict[str, messages.Verdict | messages.VehicleStatus] = {}
    try:
        assert process.stdout.readline() == "ready\n"
        end = time.monotonic() + 20
        while len(seen) < 3 and time.monotonic() < end:
            if socket.poll(100):
                topic, message, _ = telemetry.read(socket.recv_multipart())
                assert isinstance(message, messages.Verdict | messages.VehicleStatus)
                seen[topic] = message
        process.terminate()
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        context.destroy(linger=0)
    verdict = seen["verdict/ego/front/object_detection"]
    assert isinstance(verdict, messages.Verdict) and verdict.boxes
    assert verdict.boxes[0].xyxy == pytest.approx((0, 0, 48, 32), abs=1)
    assert set(seen) == {
        "verdict/ego/front/object_detection", "verdict/ego/rear/object_detection", "status/ego"
    }  # fmt: skip
    record = record_of(folder)
    assert record["captured"] == record["verdicts"] > 0
    assert (folder / "run" / "run.mcap").read_bytes()[-8:] == b"\x89MCAP0\r\n"


def test_a_signal_while_the_models_load_ends_it_at_once(folder: Path) -> None:
    slow = "import pathlib, time\npathlib.Path('loading').touch()\ntime.sleep(3)\n"
    (folder / "app_detector.py").write_text(slow + DETECTOR)
    process = subprocess.Popen(
        [sys.executable, "-m", "vehicle", str(write(folder))],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    end = time.monotonic() + 20
    while not (folder / "loading").exists() and time.monotonic() < end:
        time.sleep(0.02)
    process.terminate()
    assert process.wait(2) == -signal.SIGTERM


def test_camera_flag_is_split_from_the_shared_ones() -> None:
    assert split_camera(["a.yaml", "--camera", "replay:x", "-v"]) == ("replay:x", ["a.yaml", "-v"])
    assert split_camera(["a.yaml", "--id", "ego"]) == (None, ["a.yaml", "--id", "ego"])


def test_recorded_drive_runs_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load(write(folder, duration=0.6), monkeypatch)
    drive(first, folder, lambda app: False)
    captured = dict.fromkeys(("front", "rear"), 0)
    for image, _ in images(folder / "run" / "run.mcap"):
        captured[image.camera_id] += 1
    again = with_source(first, first.vehicles[0], f"replay:{folder / 'run'}")
    (folder / "again").mkdir()
    parts = Assembly(again, again.vehicles[0], folder / "again", MonotonicClock())
    try:
        app = VehicleApp(parts)
        app.run(lambda: app.cameras["front"].is_finished)
        record = app.finish()
    finally:
        parts.close()
    assert captured["front"] > 0 and captured["rear"] > 0
    assert record.captured == record.verdicts > 0


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ("vehicles.0.cameras.0.source=video:nowhere.mp4", 1, "no such file"),
        ("vehicles.0.policy.name=fastest", 2, "unknown policy 'fastest'"),
        ("vehicles.0.services.0.name=x", 2, "unknown service 'x'"),
        ("vehicles.0.detectors.0.kind=y", 2, "unknown kind 'y'"),
    ],
)
def test_wrong_configuration_is_one_line_and_an_exit_code(
    folder: Path, change: str, code: int, message: str
) -> None:
    command = [sys.executable, "-m", "vehicle", str(write(folder)), "--set", change]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code
    assert message in done.stderr and "Traceback" not in done.stderr
    assert len([line for line in done.stderr.splitlines() if line.startswith("vdap:")]) == 1
