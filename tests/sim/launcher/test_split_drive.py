"""A whole drive of real processes with a codec of the user's own: film, link, unit, summary."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

REPOSITORY = Path(__file__).parents[3]
RUN = "import sys; from scheduler.processes import main; sys.exit(main())"
CODEC = '''
import numpy as np
from vehicle.perception.detections import Detections

class Codec:
    """Finds one box; unsure of every picture, and its features are its brightness."""
    stages_ns = {}
    def __init__(self, spec, threads):
        self.name = spec.name
    def _found(self, value):
        box = np.array([[4, 4, 20 + value / 8, 40]], np.float32)
        return Detections(box, np.array([0.5], np.float32), np.array([0], np.int16))
    def detect(self, frame):
        return self._found(int(frame[0, 0, 0]))
    def encode(self, frame):
        return bytes([frame[0, 0, 0]]) * 100
    def decode(self, payload):
        return self._found(payload[0])
'''
CONFIG = """
name: pipelines
duration_s: 6
vehicles:
  - id: ego
    cameras: [{id: front, source: "video:film.avi", width: 96, height: 64, rate_hz: 5}]
    services: [{name: object_detection}]
    policy: {name: deadline}
    pipelines: [PIPELINES]
    doubt_above: 0.5
    deadline_ms: 600
    stays_on_board: STAYS
    detectors: [{id: mine, kind: "codec_of_mine:Codec", accuracy: 0.3}]
roadside_units:
  - {id: rsu, at: [0, 0, 5], detectors: [{id: mine, kind: "codec_of_mine:Codec", accuracy: 0.9}]}
link: {trace: steady.csv}
record: {frames: none}
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pipelines", "stays", "expected"),
    [("onboard, split", "true", "split"), ("onboard, escalate", "false", "escalate")],
)
def test_a_drive_takes_the_pipelines_that_its_config_lists(
    tmp_path: Path, pipelines: str, stays: str, expected: str
) -> None:
    writer = cv2.VideoWriter(
        str(tmp_path / "film.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 5.0, (96, 64)
    )
    for grey in range(60):
        writer.write(np.full((64, 96, 3), grey * 4, np.uint8))
    writer.release()
    (tmp_path / "codec_of_mine.py").write_text(CODEC)
    (tmp_path / "steady.csv").write_text("0,9e6,5,0,9e6,5,0\n100,9e6,5,0,9e6,5,0\n")
    config = CONFIG.replace("PIPELINES", pipelines).replace("STAYS", stays)
    (tmp_path / "mine.yaml").write_text(config)
    done = subprocess.run(
        [sys.executable, "-c", RUN, "run", "mine.yaml"],
        cwd=tmp_path, capture_output=True, text=True, timeout=100,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    folder = tmp_path / "runs" / "latest"
    own = json.loads((folder / "summary.json").read_text())["vehicles"]["ego"]
    assert own["verdicts"] == own["captured"] == sum(own["placements"].values()) > 0
    row = own["pipelines"][expected]
    assert row["offloaded"] > 0 and row["sent"] >= row["offloaded"]
    assert "offload" not in own["pipelines"]
    with (folder / "verdicts.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {"split": "rsu/mine+split", "escalate": "mine>rsu/mine@q"}[expected] in "".join(
        row["placed"] for row in rows
    )
    if expected == "split":
        assert {row["size_bytes"] for row in rows} <= {"0", "100"}, "features alone have left"
    else:
        assert any(row["reason"].startswith("unsure, doubt 1.00") for row in rows)
