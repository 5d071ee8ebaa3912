"""A drive of fake processes: order, restarts, failures, Ctrl-C."""

import io
import json
import os
import time
from pathlib import Path

import pytest
from rich.console import Console

from scheduler.clock import MonotonicClock
from scheduler.config import Config
from sim.launcher import report, run_folder
from sim.launcher.drive import Drive, DriveError
from sim.launcher.plan import Plan, make_plan


def start(plan: Plan, root: Path, is_stopped=lambda: False) -> tuple[Drive, Path]:
    folder = run_folder.create(plan.config, root / "runs")
    console = Console(file=io.StringIO(), width=120)
    return Drive(plan, folder, console, MonotonicClock(), is_stopped), folder


def order(folder: Path) -> list[str]:
    return (folder / "order.txt").read_text().splitlines()


def test_the_bridge_starts_last_and_the_vehicle_ends_first(config, fakes, tmp_path) -> None:
    drive, folder = start(make_plan(config, table=fakes()), tmp_path)
    drive.run()
    assert order(folder) == [
        "rsu starts", "vehicle starts", "bridge starts", "bridge ends", "vehicle ends", "rsu ends",
    ]  # fmt: skip
    assert not drive.was_interrupted


def test_a_run_leaves_config_environment_and_summary(config: Config, fakes, tmp_path) -> None:
    plan = make_plan(config, table=fakes())
    drive, folder = start(plan, tmp_path)
    drive.run()
    report.show_summary(Console(file=io.StringIO()), folder)
    assert (tmp_path / "runs" / "latest").resolve() == folder
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["captured"] == summary["verdicts"] == 3
    environment = json.loads((folder / "environment.json").read_text())
    assert environment["seed"] == 1
    told = (folder / "environment.json").read_text()
    assert str(tmp_path) not in told and os.uname().nodename not in told


def test_a_roadside_unit_that_is_killed_comes_back(config: Config, fakes, tmp_path) -> None:
    back = tmp_path / "runs" / "latest" / "came_back"
    plan = make_plan(config, table=fakes(unit="dies_once", bridge="unit"))
    drive, folder = start(plan, tmp_path, back.exists)
    drive.run()
    log = (folder / "logs" / "rsu-rsu1.log").read_text()
    assert log.count("ready") >= 1
    assert back.exists()


def test_a_vehicle_that_fails_to_start_says_why(config: Config, fakes, tmp_path) -> None:
    drive, folder = start(make_plan(config, table=fakes(vehicle="fails")), tmp_path)
    with pytest.raises(DriveError, match="ConfigError: expected a policy, got 'nonesuch'") as info:
        drive.run()
    assert "vehicle-ego did not start and ended with 2" in str(info.value)
    assert "\n" not in str(info.value)
    assert order(folder) == ["rsu starts", "rsu ends"]


def test_a_bridge_that_dies_ends_the_drive_with_an_error(config, fakes, tmp_path) -> None:
    drive, folder = start(make_plan(config, table=fakes(bridge="fails")), tmp_path)
    with pytest.raises(DriveError, match="bridge"):
        drive.run()
    assert "vehicle ends" in order(folder)


@pytest.mark.slow  # it asserts wall time
def test_an_interrupt_ends_all_in_time_even_the_deaf(config: Config, fakes, tmp_path) -> None:
    seen: list[float] = []

    def is_stopped() -> bool:
        latest = tmp_path / "runs" / "latest" / "order.txt"
        if latest.exists() and "bridge starts" in latest.read_text():
            seen.append(time.monotonic())
        return bool(seen)

    drive, folder = start(make_plan(config, table=fakes(unit="deaf")), tmp_path, is_stopped)
    drive.run()
    assert drive.was_interrupted
    assert "vehicle ends" in order(folder)
    # The promise itself, and not a speed: a deaf process is killed by then.
    assert time.monotonic() - seen[0] < 2.5
