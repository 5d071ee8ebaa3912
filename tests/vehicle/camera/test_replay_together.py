"""Replays that begin together: pictures and poses from the instant that a file tells."""

import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import zmq

from scheduler import messages, replay_start
from scheduler.config import Camera, Config, Replay, Vehicle
from scheduler.errors import ConfigError
from scheduler.replay_start import ReplayStart
from vehicle.camera.base import Setup
from vehicle.camera.replay import ReplayCamera
from vehicle.camera.replay_feed import ReplayFeed
from vehicle.data.run_file import RunFile

MS = 1_000_000
ORIGIN = 5_000 * MS  # of the recording


def recording(folder: Path) -> Path:
    """Pictures 20, 60 and 100 ms after the origin, poses in between, one site."""
    log = RunFile(folder / "run.mcap")
    jpeg = cv2.imencode(".jpg", np.zeros((64, 96, 3), np.uint8))[1].tobytes()
    site = messages.Site(messages.VERSION, "Town", [], [], {"ego": [(0.0, 0.0), (9.0, 0.0)]})
    log.write("site", site, ORIGIN)
    for tick in range(3):
        stamp_ns = ORIGIN + (20 + 40 * tick) * MS
        header = messages.Frame(
            messages.VERSION, "ego", "front", tick, stamp_ns, 0, 96, 64, "jpeg",
            (48.0, 48.0, 48.0, 32.0), [], (1.5, 0.0, 1.5, 0.0, 0.0, 0.0),
        )  # fmt: skip
        log.write_image("frame/ego/front", header, jpeg, stamp_ns)
        pose = messages.Pose(
            messages.VERSION, "ego", tick, stamp_ns, 2000, (float(tick), 0.0, 0.0),
            (0.0, 0.0, 0.0), 5.0, 0.0, 0.0, False,
        )  # fmt: skip
        log.write("pose/ego", pose, stamp_ns + 3 * MS)
    log.close()
    return folder


def config_of(folder: Path) -> Config:
    camera = Camera(source=f"replay:{folder}")
    return Config(
        vehicles=[Vehicle(cameras=[camera])],
        replay=Replay(origin_ns=ORIGIN, start=str(folder / "start")),
    )


def wait(condition) -> None:
    end_s = time.monotonic() + 10.0
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.002)


def test_the_instant_is_read_once_it_is_written_whole(tmp_path: Path) -> None:
    start = ReplayStart(tmp_path / "start")
    assert start.ns() is None
    replay_start.tell(tmp_path / "start", 123)
    assert start.ns() == 123
    replay_start.tell(tmp_path / "start", 456)
    assert start.ns() == 123  # an instant does not change
    (tmp_path / "other").write_text("soon")
    with pytest.raises(ConfigError, match="soon"):
        ReplayStart(tmp_path / "other").ns()


def test_pictures_and_poses_keep_their_distance_from_the_origin(tmp_path: Path) -> None:
    config = config_of(recording(tmp_path))
    vehicle = config.vehicles[0]
    with zmq.Context() as context:
        camera = ReplayCamera(Setup(config, vehicle, vehicle.cameras[0], str(tmp_path), context))
        feed = ReplayFeed(config, vehicle, tmp_path)
        try:
            camera.open(time.monotonic_ns())
            time.sleep(0.05)
            assert camera.read(0) is None and feed.read(0) == []  # nobody has said when
            begin_ns = time.monotonic_ns() + 50 * MS
            replay_start.tell(tmp_path / "start", begin_ns)
            frames, said = [], []

            def is_over() -> bool:
                if (found := camera.read(time.monotonic_ns())) is not None:
                    frames.append(found)
                said.extend(feed.read(time.monotonic_ns()))
                return len(said) == 4 and camera.is_finished

            wait(is_over)
            for frame in frames:  # a starved machine may miss one, never move one
                assert frame.stamp_ns == begin_ns + (20 + 40 * frame.tick) * MS
            assert frames and frames[-1].tick == 2
            assert [topic for topic, _ in said] == ["site", *["pose/ego"] * 3]
            assert feed.route == ((0.0, 0.0), (9.0, 0.0))
            assert feed.pose is not None and feed.pose.position[0] == 2.0
            assert feed.pose_stamp_ns == begin_ns + (100 + 3 - 2) * MS  # told 3 ms late, 2 ms old
        finally:
            feed.close()
            camera.close()


def test_a_replay_that_never_begins_ends_when_it_is_told_to(tmp_path: Path) -> None:
    config = config_of(recording(tmp_path))
    vehicle = config.vehicles[0]
    with zmq.Context() as context:
        camera = ReplayCamera(Setup(config, vehicle, vehicle.cameras[0], str(tmp_path), context))
        camera.open(time.monotonic_ns())
        camera.close()
        assert camera.is_finished
