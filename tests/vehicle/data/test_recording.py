"""The run's log: what goes in comes out, also from a file that was cut off; drops are counted."""

import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import zmq
from mcap.reader import NonSeekingReader, make_reader

from scheduler import messages, wire
from vehicle.camera.base import Frame
from vehicle.data import recorder as recording
from vehicle.data.recorder import Keeper, Recorder
from vehicle.data.run_file import RunFile
from vehicle.data.run_reader import images


def verdict(tick: int) -> messages.Verdict:
    box = messages.Box((1.0, 2.0, 3.0, 4.0), (0.0, 0.0, 0.0, 0.0), 0.5, 0, 7)
    return messages.Verdict(
        1, "ego", "front", tick, 0, "object_detection", "onboard", "as placed", "onboard/small",
        "why", "", "small", 10, 20, 20, 110, 1e-5, 1e-5, False, {"local": 5.0}, 0, [box],
    )  # fmt: skip


def frame(tick: int) -> Frame:
    noise = np.random.default_rng(tick).integers(0, 255, (96, 128, 3), dtype=np.uint8)
    return Frame(
        "ego", "front", tick, tick * 5, 1_000 + tick, noise,
        (32.0, 32.0, 32.0, 24.0), (), (1.5, 0.0, 1.5, 0.0, 0.0, 0.0),
    )  # fmt: skip


def parts(stamp_ns: int, topic: str, message: wire.AnyMessage, *payload: bytes) -> list[bytes]:
    stamp = stamp_ns.to_bytes(8, "little")
    return [stamp, topic.encode(), message.kind, wire.encode(message), *payload]


def messages_of(path: Path) -> list[tuple[str, int, dict]]:
    with path.open("rb") as stream:
        return [
            (channel.topic, message.log_time, json.loads(message.data))
            for _, channel, message in NonSeekingReader(stream).iter_messages(log_time_order=False)
        ]


def test_verdicts_keep_their_field_names(tmp_path: Path) -> None:
    file = RunFile(tmp_path / "run.mcap")
    file.write("verdict/ego/front/object_detection", verdict(3), 42)
    pose = messages.Pose(1, "ego", 3, 30, 0, (1.0, 2.0, 3.0), (0.0, 0.0, 0.5), 8.0, 0.1, 0.0, False)
    file.write("pose/ego", pose, 43)
    file.close()
    (_, at, first), (topic, _, second) = messages_of(tmp_path / "run.mcap")
    assert at == 42 and first["tick"] == 3 and first["boxes"][0]["track_id"] == 7
    assert topic == "pose/ego" and second["position"] == [1.0, 2.0, 3.0]
    with (tmp_path / "run.mcap").open("rb") as stream:
        summary = make_reader(stream).get_summary()
    assert summary is not None and summary.statistics is not None
    assert summary.statistics.message_count == 2


def test_log_that_was_cut_off_is_read_up_to_there(tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    file = RunFile(path)
    noise = np.random.default_rng(1).integers(0, 255, 40_000, dtype=np.uint8).tobytes()
    header = messages.Frame(
        1, "ego", "front", 1, 0, 0, 64, 48, "jpeg", (1.0, 1.0, 1.0, 1.0), [], (0.0,) * 6
    )
    for tick in range(5):
        file.write_image("frame/ego/front", header, noise, tick)
    file.flush()
    size = path.stat().st_size  # as a killed process would leave it
    copy = tmp_path / "cut.mcap"
    copy.write_bytes(path.read_bytes()[: size - 100])
    file.close()
    found = list(images(copy))
    assert [image.stamp_ns for image, _ in found] == [0, 1, 2, 3]
    assert all(jpeg == noise for _, jpeg in found)


def test_keeper_writes_pictures_and_stops_them_at_the_allowance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alarms: list[str] = []
    monkeypatch.setattr(recording, "alarm", alarms.append)
    keeper = Keeper(tmp_path / "run.mcap", max_bytes=40_000)
    header = messages.Frame(
        1, "ego", "front", 1, 0, 0, 160, 120, "bgr", (1.0, 1.0, 1.0, 1.0), [], (0.0,) * 6
    )
    rng = np.random.default_rng(1)
    for tick in range(12):
        noise = rng.integers(0, 255, (120, 160, 3), dtype=np.uint8)
        keeper.keep(parts(tick, "frame/ego/front", header, noise.tobytes()))
        keeper.keep(parts(tick, "verdict/ego/front/s", verdict(tick)))
    keeper.keep([b"rubbish"])
    keeper.close()
    topics = [topic for topic, _, _ in messages_of(tmp_path / "run.mcap")]
    assert 1 <= topics.count("frame/ego/front") < 12
    assert topics.count("verdict/ego/front/s") == 12, "verdicts are kept on"
    assert len(alarms) == 1 and "pictures stop" in alarms[0]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_full_disk_is_one_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    alarms: list[str] = []
    monkeypatch.setattr(recording, "alarm", alarms.append)
    keeper = Keeper(Path("/dev/full"), 10**9)
    for tick in range(100):
        keeper.keep(parts(tick, "verdict/ego/front/s", verdict(tick)))
        keeper.flush()
    keeper.close()
    assert alarms == ["recording stops: the disk is full"]


def test_without_opencv_pictures_are_left_out_and_verdicts_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alarms: list[str] = []
    monkeypatch.setattr(recording, "alarm", alarms.append)
    monkeypatch.setitem(sys.modules, "cv2", None)  # as where it is not installed
    header = messages.Frame(
        1, "ego", "front", 1, 0, 0, 160, 120, "bgr", (1.0, 1.0, 1.0, 1.0), [], (0.0,) * 6
    )
    keeper = Keeper(tmp_path / "run.mcap", 10**9)
    for tick in range(3):
        keeper.keep(parts(tick, "frame/ego/front", header, bytes(160 * 120 * 3)))
        keeper.keep(parts(tick, "verdict/ego/front/s", verdict(tick)))
    keeper.close()
    topics = [topic for topic, _, _ in messages_of(tmp_path / "run.mcap")]
    assert topics == ["verdict/ego/front/s"] * 3
    assert len(alarms) == 1 and "vdap[headless]" in alarms[0]


def start(tmp_path: Path, path: Path) -> tuple[zmq.Context, Recorder]:
    context = zmq.Context()
    return context, Recorder(
        context, f"ipc://{tmp_path}/r", path, max_bytes=10**9, is_keeping_frames=True
    )


def test_recorder_process_ends_its_file(tmp_path: Path) -> None:
    context, recorder = start(tmp_path, tmp_path / "run.mcap")
    path = tmp_path / "run.mcap"
    for tick in range(5):
        recorder.put("verdict/ego/front/s", verdict(tick), tick)
        recorder.put_frame(frame(tick))
    end = time.monotonic() + 10
    while not (path.exists() and path.stat().st_size > 10_000) and time.monotonic() < end:
        time.sleep(0.02)
    recorder.stop()
    context.destroy(linger=0)
    topics = [topic for topic, _, _ in messages_of(tmp_path / "run.mcap")]
    assert topics.count("frame/ego/front") == 5 and topics.count("verdict/ego/front/s") == 5
    assert recorder.dropped == 0
    with pytest.raises(ProcessLookupError):
        os.kill(recorder.pid, 0)


def test_stopped_recorder_costs_only_drops(tmp_path: Path) -> None:
    context, recorder = start(tmp_path, tmp_path / "run.mcap")
    recorder._process.kill()
    recorder._process.wait(5)
    for tick in range(100):
        recorder.put("verdict/ego/front/s", verdict(tick), tick)
    assert recorder.dropped > 0
    assert recorder.alarms() == ([], False)
    recorder.stop()
    context.destroy(linger=0)


def test_recorder_that_cannot_write_says_so(tmp_path: Path) -> None:
    context, recorder = start(tmp_path, tmp_path / "no" / "such" / "folder.mcap")
    end = time.monotonic() + 10
    lines: list[str] = []
    while not lines and time.monotonic() < end:
        lines, is_alive = recorder.alarms()
        assert is_alive
        time.sleep(0.02)
    recorder.stop()
    context.destroy(linger=0)
    assert lines == ["recording stops: No such file or directory"]
