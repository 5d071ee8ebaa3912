"""`vdap listen` prints verdicts as JSON lines."""

import json
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from scheduler import messages, transport, wire
from scheduler.errors import ConfigError
from vehicle import listen


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.fixture
def run_folder(tmp_path: Path) -> Iterator[Path]:
    ipc = tmp_path / "ipc"
    ipc.mkdir(mode=0o700)
    (tmp_path / "config.yaml").write_text(
        f'vehicles: [{{id: ego, cameras: [{{source: "video:x"}}]}}]\nipc_folder: {ipc}\n'
    )
    context = zmq.Context()
    socket = transport.bind_publisher(context, f"ipc://{ipc}/vehicle-ego-telemetry", None)
    stop = threading.Event()

    def publish() -> None:
        tick = 0
        while not stop.wait(0.01):
            tick += 1
            for topic, message in (
                ("verdict/ego/front/object_detection", verdict(tick)),
                ("event/vehicle-ego", messages.Event(1, "vehicle-ego", "info", "hello")),
            ):
                socket.send_multipart([topic.encode(), message.kind, wire.encode(message)])
            socket.send_multipart([b"verdict/ego/front/x", b"VERDICT", b"\xc1"])

    thread = threading.Thread(target=publish)
    thread.start()
    yield tmp_path
    stop.set()
    thread.join()
    socket.close()
    context.term()


def verdict(tick: int) -> messages.Verdict:
    box = messages.Box((1.0, 2.0, 3.0, 4.0), (0.0, 0.0, 0.0, 0.0), 0.5, 0, 7)
    return messages.Verdict(
        1, "ego", "front", tick, 0, "object_detection", "onboard", "as placed", "onboard/small",
        "why", "", "small", 10, 20, 20, 110, 1e-5, 1e-5, False, {"local": 5.0}, 0, [box],
    )  # fmt: skip


def test_prints_so_many_verdicts_and_nothing_else(
    run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert listen.main([str(run_folder), "--count", "3"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == 3
    assert [line["tick"] - lines[0]["tick"] for line in lines] == [0, 1, 2]
    assert lines[0]["answer"] == "onboard" and lines[0]["boxes"][0]["xyxy"] == [1, 2, 3, 4]


def test_ends_when_told(run_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt() -> None:
        time.sleep(0.3)
        signal.raise_signal(signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    assert listen.main(["--run-folder", str(run_folder), "--vehicle", "other"]) == 0
    thread.join()
    assert capsys.readouterr().out == ""


def test_no_drive_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="vdap run"):
        listen.main(["--run-folder", str(tmp_path)])
