"""A whole drive in hold mode leaves the same verdicts on a busy machine."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from vehicle.perception.rungs import RUNGS

REPOSITORY = Path(__file__).parents[3]
RUN = "import sys; from scheduler.processes import main; sys.exit(main())"  # the console script
BUSY = "while True: pass"

pytestmark = pytest.mark.skipif(
    not {"small", "medium"} <= set(RUNGS), reason="no weights are shipped in this checkout"
)


def drive(folder: Path) -> Path:
    folder.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    overrides = ["world.adapter=inprocess", "world.shadows=false", "bridge.pace=hold",
                 "world.traffic.vehicles=4", "world.traffic.pedestrians=2"]  # fmt: skip
    words = [word for pair in overrides for word in ("--set", pair)]
    done = subprocess.run(
        [sys.executable, "-c", RUN, "run", "demo", "--duration", "3", "--no-dashboard", *words],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "runs" / "latest"


@pytest.mark.slow
def test_two_drives_leave_the_same_verdicts_also_under_load(tmp_path: Path) -> None:
    calm = drive(tmp_path / "calm")
    busy = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(os.cpu_count() or 2)]
    try:
        loaded = drive(tmp_path / "busy")
    finally:
        for process in busy:
            process.kill()
            process.wait()
    for name in ("verdicts.csv", "link-ego-rsu1.csv", "link-ego-rsu2.csv"):
        assert (calm / name).read_bytes() == (loaded / name).read_bytes(), name
    summary = json.loads((loaded / "summary.json").read_text())
    assert summary["captured"] == summary["verdicts"] == 30
    assert summary["late"] == 0
    assert not any("flattered" in note for note in summary["notes"])
