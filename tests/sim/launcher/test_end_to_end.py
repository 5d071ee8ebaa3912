"""Whole drives of real processes, small and short: world, bridge, vehicles, link, unit."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vehicle.perception.rungs import RUNGS

REPOSITORY = Path(__file__).parents[3]
RUN = "import sys; from scheduler.processes import main; sys.exit(main())"  # the console script
LIGHT = ("world.adapter=inprocess", "world.shadows=false", "world.traffic.vehicles=2",
         "world.traffic.pedestrians=1")  # fmt: skip

pytestmark = pytest.mark.skipif(
    not {"small", "large"} <= set(RUNGS), reason="no weights are shipped in this checkout"
)


def start(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    overrides = [word for pair in LIGHT for word in ("--set", pair)]
    return subprocess.Popen(
        [sys.executable, "-c", RUN, "run", *arguments, *overrides],
        cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def summary_of(folder: Path) -> dict[str, object]:
    return json.loads((folder / "runs" / "latest" / "summary.json").read_text())


def running_in(folder: Path) -> list[str]:
    """Command lines of processes that were started with a config of this folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if Path(path.parent / "cwd").resolve() == folder:
                found.append(line)
        except OSError:
            continue
    return found


@pytest.mark.slow
def test_two_vehicles_of_two_cameras_each_drive_at_five_fps(tmp_path: Path) -> None:
    done = start(tmp_path, "two_vehicles", "--duration", "3")
    out, err = done.communicate(timeout=110)
    assert done.returncode == 0, out + err
    summary = summary_of(tmp_path)
    for vehicle in ("ego", "second"):
        own = summary["vehicles"][vehicle]  # type: ignore[index]
        # 15 ticks of two cameras; the first may pass before the vehicle has subscribed.
        assert 26 <= own["captured"] <= 30
        assert own["verdicts"] == own["captured"] == sum(own["placements"].values())
        offload = own["offload"]
        assert offload["sent"] == sum(offload[k] for k in ("ok", "late", "rejected", "lost"))
    assert "verdicts" in out
    assert running_in(tmp_path) == []


@pytest.mark.slow
def test_ctrl_c_ends_everything_and_still_writes_the_summary(tmp_path: Path) -> None:
    going = start(tmp_path, "demo", "--duration", "60")
    truth = tmp_path / "runs" / "latest" / "truth.mcap"
    end_s = time.monotonic() + 90
    while time.monotonic() < end_s and not (truth.exists() and truth.stat().st_size > 20_000):
        time.sleep(0.1)
    going.send_signal(signal.SIGINT)
    out, err = going.communicate(timeout=20)
    assert going.returncode == 0, out + err
    assert summary_of(tmp_path)["captured"] == summary_of(tmp_path)["verdicts"] > 0  # type: ignore[operator]
    assert running_in(tmp_path) == []


@pytest.mark.slow
def test_one_file_drives_on_two_addresses(tmp_path: Path) -> None:
    made = subprocess.run(
        [sys.executable, "-c", RUN, "keygen", "two_machines"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, check=False,
    )  # fmt: skip
    assert made.returncode == 0
    road = ("two_machines", "--only", "world,bridge,rsu,link", "--duration", "6")
    first = start(tmp_path, *road, "--set", "record.folder=road")
    second = start(tmp_path, "two_machines", "--only", "vehicle", "--duration", "6")
    told, wrong = second.communicate(timeout=110)
    first.communicate(timeout=60)
    assert (first.returncode, second.returncode) == (0, 0), told + wrong
    summary = summary_of(tmp_path)
    assert summary["captured"] == summary["verdicts"] > 20  # type: ignore[operator]
    assert summary["offload"]["sent"] > 0  # type: ignore[index]
