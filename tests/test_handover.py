"""Real processes of a drive from one unit to the next; the units are killed one after the other.

Each unit carries for its part of the drive (a trace says so) and one link is open at a time. A
third unit is reached over two radios, and a policy of this file sends every frame over both.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

REPOSITORY = Path(__file__).parents[1]
RUN = "import sys; from scheduler.processes import main; sys.exit(main())"  # the console script
RATE_HZ = 10
FRAMES = 260
STARTED_S = 60.0  # for all processes to be there, on any machine
MOST_LATE = 0.05  # a starved machine fires a timer late now and then; virtual time has none

PARTS = """
import time
import numpy as np
from scheduler.placement import Placement
from vehicle.perception.detections import Detections

class Half:
    stages_ns = {}
    def __init__(self, spec, threads):
        self.name = spec.name
    def detect(self, frame):
        height, width = frame.shape[:2]
        box = np.array([[0, 0, width / 2, height / 2]], np.float32)
        return Detections(box, np.array([0.9], np.float32), np.array([0], np.int16))

class Both:
    name = "both"
    def __init__(self, options):
        pass
    def place(self, task, view):
        ups = [link for link in view.usable_links() if link.models]
        if not ups:
            return Placement("onboard", "small")
        others = [link.unit_id for link in ups[1:]]
        model = ups[0].models[0].model
        return Placement("offload", model, ups[0].unit_id, 60, hedge=(others or [""])[0])
"""
CONFIG = f"""
name: past_units
duration_s: {FRAMES / RATE_HZ}
vehicles:
  - id: ego
    cameras: [{{id: front, source: "video:film.avi", width: 96, height: 64, rate_hz: {RATE_HZ}}}]
    services: [{{name: object_detection}}]
    policy: {{name: "past_units_parts:Both"}}
    deadline_ms: 250
    max_links: MAX_LINKS
    detectors: [{{id: small, kind: "past_units_parts:Half", accuracy: 0.5}}]
roadside_units: UNITS
link:
  radios:
    a: {{trace: "{{unit}}.csv", outage: drop}}
    b: {{trace: "{{unit}}.csv", outage: drop}}
"""
DETECTORS = 'detectors: [{id: large, kind: "past_units_parts:Half", accuracy: 0.9}]'
GOOD, OUT = "20e6,5,0,20e6,5,0", "0,5,0,0,5,0"
ALWAYS = f"0,{GOOD}\n1000,{GOOD}\n"


def write_drive(folder: Path, units: str, max_links: int, traces: dict[str, str]) -> None:
    (folder / "past_units_parts.py").write_text(PARTS)
    text = CONFIG.replace("UNITS", units).replace("MAX_LINKS", str(max_links))
    (folder / "past_units.yaml").write_text(text)
    for unit, rows in traces.items():
        (folder / f"{unit}.csv").write_text(rows)
    film = cv2.VideoWriter(
        str(folder / "film.avi"), cv2.VideoWriter.fourcc(*"MJPG"), RATE_HZ, (96, 64)
    )
    for k in range(FRAMES):
        film.write(np.full((64, 96, 3), k % 10 * 20, np.uint8))
    film.release()


class Drive:
    """A drive that was started here, and ends by itself or with this test."""

    def __init__(self, folder: Path) -> None:
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        self.folder = folder
        self.launcher = subprocess.Popen(
            [sys.executable, "-c", RUN, "run", "past_units.yaml", "--no-dashboard"],
            cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True,
        )  # fmt: skip

    def pid_of(self, *words: str) -> int | None:
        """The launcher's child whose command line has these words."""
        for path in Path("/proc").glob("[0-9]*"):
            try:
                parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
                line = (path / "cmdline").read_bytes().decode().split("\0")
            except (OSError, ValueError):
                continue
            if parent == self.launcher.pid and all(word in line for word in words):
                return int(path.name)
        return None

    def wait_for_frames(self, seconds: float) -> None:
        """Until the vehicle has driven for so long."""
        log = self.folder / "runs" / "latest" / "run.mcap"
        end_s = time.monotonic() + STARTED_S
        while not (log.exists() and log.stat().st_size > 2_000):
            assert self.launcher.poll() is None, "the drive has ended"
            assert time.monotonic() < end_s, "no frame came"
            time.sleep(0.05)
        time.sleep(seconds)

    def kill_unit(self, unit_id: str) -> None:
        pid = self.pid_of("roadside_unit", unit_id)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)

    def end(self) -> dict:
        said, _ = self.launcher.communicate(timeout=90)
        assert self.launcher.returncode == 0, said
        run = self.folder / "runs" / "latest"
        return json.loads((run / "vehicle-ego.json").read_text())

    def close(self) -> None:
        if self.launcher.poll() is None:
            self.launcher.send_signal(signal.SIGINT)
            self.launcher.communicate(timeout=20)


def check_exactly(record: dict) -> None:
    """One verdict a frame; each request ended once, in all and on each link."""
    answers, offload, links = record["answers"], record["offload"], record["links"]
    assert record["captured"] == record["verdicts"] == sum(answers.values())
    assert record["captured"] + record["missed_upstream"] >= 0.9 * FRAMES
    ends = ("ok", "late", "rejected", "lost")
    assert offload["sent"] == sum(offload[end] for end in ends)
    assert offload["ok"] + offload["late"] >= answers["offloaded"] + links["spare"]
    total: Counter[str] = Counter()
    for unit in record["units"].values():
        assert unit["sent"] == sum(unit[end] for end in ends) and unit["lost"] >= 0
        total.update(unit)
    assert all(total[name] == offload[name] for name in ("sent", *ends))
    assert record["late"] <= MOST_LATE * record["captured"]
    assert not record["faults"].keys() & {"duplicates", "wire", "policy", "worker"}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")
def test_from_one_unit_to_the_next_with_one_link_open_and_each_unit_killed(tmp_path: Path) -> None:
    units = f"[{{id: west, radios: [a], {DETECTORS}}}, {{id: east, radios: [a], {DETECTORS}}}]"
    west = f"0,{GOOD}\n14,{OUT}\n1000,{OUT}\n"
    east = f"0,{OUT}\n10,{GOOD}\n1000,{GOOD}\n"
    write_drive(tmp_path, units, 1, {"west": west, "east": east})
    drive = Drive(tmp_path)
    try:
        drive.wait_for_frames(3.0)
        drive.kill_unit("west")
        time.sleep(13.0)
        drive.kill_unit("east")
        record = drive.end()
    finally:
        drive.close()
    check_exactly(record)
    assert record["links"]["opened"] >= 1 and record["links"]["closed"] >= 1
    assert record["links"]["opened"] <= 12, "the links flap"
    assert all(unit["ok"] > 5 for unit in record["units"].values()), record["units"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")
def test_over_two_radios_the_unit_looks_once_and_answers_on_both(tmp_path: Path) -> None:
    units = f"[{{id: rsu, radios: [a, b], {DETECTORS}}}]"
    write_drive(tmp_path, units, 2, {"rsu-a": ALWAYS, "rsu-b": ALWAYS})
    drive = Drive(tmp_path)
    try:
        drive.wait_for_frames(4.0)
        drive.kill_unit("rsu")
        record = drive.end()
    finally:
        drive.close()
    check_exactly(record)
    assert set(record["units"]) == {"rsu/a", "rsu/b"}
    assert record["links"]["hedged"] > 50 and record["links"]["spare"] > 50
    unit = json.loads((tmp_path / "runs" / "latest" / "rsu-rsu.json").read_text())
    assert unit["copies"] > 50 and unit["aliens"] == 0
    assert unit["beacons"] > 20, "both paths hear beacons"
    assert unit["received"] == sum(unit[k] for k in ("ok", "rejected", "late", "bad", "dropped"))
