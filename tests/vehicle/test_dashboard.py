"""The dashboard: what it notes, what it shows at any size, and what it hears over sockets."""

import io
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
import zmq
from rich.console import Console

from scheduler import config_file, messages, processes, telemetry, transport
from scheduler.config import Config
from scheduler.errors import ConfigError
from vehicle.dashboard.__main__ import Watch, load
from vehicle.dashboard.state import State
from vehicle.dashboard.view import draw, line, sparkline

MS = 1_000_000


def verdict(**changes: object) -> messages.Verdict:
    values: dict[str, object] = {
        "version": 1, "vehicle_id": "ego", "camera_id": "front", "tick": 1, "sim_ns": 0,
        "service": "object_detection", "answer": "offloaded", "reason": "as placed",
        "placed": "rsu1/large@q70", "placed_reason": "worth more there", "unit_id": "rsu1",
        "model": "large", "stamp_ns": 0, "emitted_ns": 0, "valid_ns": 0, "deadline_ns": 0,
        "age_ms": 42.0, "answer_age_ms": 42.0, "is_late": False, "stages_ms": {},
        "size_bytes": 1, "boxes": [],
    }  # fmt: skip
    return messages.Verdict(**{**values, **changes})  # type: ignore[arg-type]


def link(unit_id: str = "rsu1", state: str = "up") -> messages.LinkStatus:
    return messages.LinkStatus(
        1, "ego", unit_id, 0, state, 5.5, 4.0, 12.0, 1, 2, 3.0, 90, 80, 4, 1, 5, 0
    )


def status() -> messages.VehicleStatus:
    stages = {"encode": (2.0, 3.0), "infer": (16.0, 22.0)}
    answers = {"onboard": 10, "offloaded": 80, "carried": 5}
    faults = {"worker": 1}
    return messages.VehicleStatus(
        1, "ego", "deadline", 100.0, 8.0, 95, 0, 95, 2, answers, 10.0, stages, faults, 5.0, 8.0
    )


def world(factor: float) -> messages.WorldStatus:
    return messages.WorldStatus(1, "inprocess", 100, 10_000 * MS, factor, {}, {}, {})


@pytest.fixture
def config() -> Config:
    return config_file.expand(config_file.load("demo", environment={}))


def full_state() -> State:
    state = State(0)
    for message in (
        verdict(), link(), link("rsu2", "down"), status(), world(0.80),
        messages.ProcessStatus(1, "bridge", "running", 7, 0),
        messages.ProcessStatus(1, "rsu-rsu1", "restarting", 0, 2),
        messages.Event(1, "link", "warning", "rsu2 went out of reach"),
    ):  # fmt: skip
        state.take(message, 100 * MS)
    return state


def text_of(state: State, config: Config, width: int, height: int) -> list[str]:
    console = Console(width=width, height=height, record=True, file=io.StringIO())
    console.print(draw(state, config, 200 * MS, width, height))
    return console.export_text().splitlines()


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 30), (200, 50)])
def test_it_fits_the_terminal(config: Config, width: int, height: int) -> None:
    state = full_state()
    for number in range(60):
        state.take(messages.Event(1, "x", "info", f"event {number} " + "long " * 60), 0)
        state.take(verdict(placed_reason="because " * 40), 0)
    lines = text_of(state, config, width, height)
    assert len(lines) <= height
    assert max(len(row) for row in lines) <= width


def test_two_vehicles_of_two_cameras_fit_too() -> None:
    config = config_file.expand(config_file.load("two_vehicles", environment={}))
    state = State(0)
    for vehicle in ("ego", "second"):
        for camera in ("front", "rear"):
            state.take(verdict(vehicle_id=vehicle, camera_id=camera), 0)
        for unit in ("rsu1", "rsu2", "rsu3"):
            state.take(msgspec.structs.replace(link(unit), vehicle_id=vehicle), 0)
        state.take(msgspec.structs.replace(status(), vehicle_id=vehicle), 0)
    rows = text_of(state, config, 80, 24)
    assert len(rows) <= 24
    assert sum("rsu1/large" in row for row in rows) == 4


def test_it_says_where_why_and_how_old(config: Config) -> None:
    text = "\n".join(text_of(full_state(), config, 120, 40))
    assert "rsu1/large" in text and "worth more there" in text and "42 ms" in text
    assert "5.5 Mb/s" in text and "80 ok 4 late 6 lost" in text
    assert "16/22" in text
    assert "95 frames 95 verdicts 2 late" in text and "worker 1" in text
    assert "rsu2 went out of reach" in text
    assert "rsu-rsu1 restarting x3" in text
    assert "compute 1/8" in text


def test_it_says_by_which_pipeline(config: Config) -> None:
    state = full_state()
    state.take(verdict(pipeline="split", model="medium"), 0)
    assert "rsu1/medium+split" in "\n".join(text_of(state, config, 120, 40))
    state.take(verdict(pipeline="escalate"), 0)
    assert "rsu1/large after a first look" in "\n".join(text_of(state, config, 120, 40))


def test_links_fit_eighty_columns_whole(config: Config) -> None:
    rows = text_of(full_state(), config, 80, 24)
    assert any(row.rstrip().endswith("80 ok 4 late 6 lost") for row in rows)


def test_a_slow_world_is_warned_of(config: Config) -> None:
    assert "latencies are flattered" in text_of(full_state(), config, 100, 30)[0]
    assert "real time 0.80!" in line(full_state(), config, 0)
    state = full_state()
    state.take(world(0.99), 0)
    assert "flattered" not in text_of(state, config, 100, 30)[0]


def test_a_silent_service_is_called_silent(config: Config) -> None:
    state = full_state()
    assert "silent" not in "".join(text_of(state, config, 100, 30))
    state.services["ego", "front", "object_detection"].heard_ns = -5000 * MS
    assert "silent" in "".join(text_of(state, config, 140, 30))


def test_it_shows_before_anything_was_heard(config: Config) -> None:
    text = "\n".join(text_of(State(0), config, 80, 24))
    assert "waiting for frames" in text
    assert line(State(0), config, 0).endswith("ego waiting")


def test_shares_are_those_of_the_last_ten_seconds() -> None:
    state = State(0)
    state.take(verdict(answer="carried"), 0)
    state.take(verdict(answer="onboard"), 20_000 * MS)
    view = state.services["ego", "front", "object_detection"]
    assert view.share("onboard", 21_000 * MS) == 1.0


def test_a_sparkline_shows_the_newest_values() -> None:
    assert sparkline([9.0, 0.0, 4.0, 8.0], 3, 8.0) == " ▅█"


def test_a_link_that_is_down_has_no_rate() -> None:
    state = State(0)
    state.take(link(state="down"), 0)
    assert state.links["ego", "rsu1"].rate_mbps() == 0.0


def test_it_hears_what_processes_publish(config: Config, tmp_path: Path) -> None:
    config = config_file.replace(config, ipc_folder=str(tmp_path))
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    bind = processes.address(config, "vehicle", "ego", "telemetry", is_bind=True)
    publisher = telemetry.Publisher(transport.bind_publisher(context, bind, None), "ego")
    watch = Watch(config)
    try:
        end_s = time.monotonic() + 10
        while not watch.state.services and time.monotonic() < end_s:
            publisher.publish(verdict(), "ego", "front", "object_detection")
            time.sleep(0.02)
            watch.hear()
        assert watch.state.services["ego", "front", "object_detection"].last == verdict()
    finally:
        watch.close()
        context.destroy(linger=0)


def test_a_drive_that_ended_is_said_so(config: Config, tmp_path: Path) -> None:
    gone = config_file.replace(config, ipc_folder=str(tmp_path / "gone"))
    (tmp_path / "config.yaml").write_text(config_file.dump(gone))
    with pytest.raises(ConfigError, match="has ended: `vdap summary"):
        load(str(tmp_path))


def test_nothing_to_watch_is_one_clear_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "vehicle.dashboard"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60,
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("vdap: ConfigError: expected a drive to watch")
    assert "Traceback" not in done.stderr


def test_its_picture_needs_no_server(config: Config, tmp_path: Path) -> None:
    watch = Watch(config_file.replace(config, ipc_folder=str(tmp_path)))
    watch.state = full_state()
    try:
        watch.picture(tmp_path / "dashboard.svg", 100, 0.0, False)  # type: ignore[arg-type]
    finally:
        watch.close()
    drawn = (tmp_path / "dashboard.svg").read_text()
    assert "<svg" in drawn and "rsu1/large" in drawn
    assert "@font-face" not in drawn
