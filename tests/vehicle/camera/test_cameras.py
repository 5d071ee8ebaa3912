"""Frame sources: pacing, newest frame wins, gaps are counted, and clear errors."""

import select
import time
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
import zmq

from scheduler import messages, security, transport, wire
from scheduler.config import Bind, Bridge, Config, Mount, Security, Vehicle, World
from scheduler.config import Camera as Section
from scheduler.errors import ConfigError, SourceError
from vehicle.camera import lens
from vehicle.camera.base import Camera, Frame, Setup, TickGaps
from vehicle.camera.bridge import BridgeCamera, BridgeFeed
from vehicle.camera.registry import load_camera
from vehicle.camera.replay import ReplayCamera
from vehicle.camera.slot import NewestSlot
from vehicle.camera.video import VideoCamera, VideoFile
from vehicle.codec import encode_jpeg
from vehicle.data.run_file import RunFile


def setup_of(source: str = "video:x", config: Config | None = None, **fields: object) -> Setup:
    section = Section(source=source, **{"width": 64, "height": 48, **fields})  # type: ignore[arg-type]
    config = config or Config()
    return Setup(config, Vehicle(), section, source.partition(":")[2], zmq.Context.instance())


def wait_for(camera: Camera, timeout_s: float = 5.0) -> Frame:
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        source = camera.pollable()
        if isinstance(source, int):
            select.select([source], [], [], 0.05)
        else:
            source.poll(50)
        frame = camera.read(time.monotonic_ns())
        if frame is not None:
            return frame
    raise AssertionError("no frame came")


@pytest.mark.parametrize(
    ("ticks", "missed"),
    [
        ([1, 2, 3], 0),
        ([1, 2, 5], 2),
        ([10, 12, 14, 18], 1),
        ([5], 0),
        ([1, 2, 2, 3], 0),
        ([5, 6, 1, 2], 0),
    ],
)
def test_gaps_are_counted_in_the_cameras_own_step(ticks: list[int], missed: int) -> None:
    gaps = TickGaps()
    assert sum(gaps.missed(tick) for tick in ticks) == missed


def test_slot_keeps_the_newest_and_wakes_once() -> None:
    slot: NewestSlot[int] = NewestSlot()
    assert not slot.put(1)
    assert slot.put(2), "the first one is lost"
    assert select.select([slot.fileno()], [], [], 0)[0]
    assert slot.take() == 2 and slot.take() is None
    assert not select.select([slot.fileno()], [], [], 0)[0]
    slot.close()
    slot.put(3)


def test_pinhole_of_90_degrees() -> None:
    assert lens.pinhole(640, 384, 90.0) == pytest.approx((320.0, 320.0, 320.0, 192.0))


def test_calibration_is_scaled_to_the_configured_size(tmp_path: Path) -> None:
    file = tmp_path / "camera.yaml"
    file.write_text(
        "image_width: 1280\nimage_height: 768\n"
        "camera_matrix: {data: [700, 0, 640, 0, 710, 384, 0, 0, 1]}\n"
        "distortion_coefficients: {data: [0.1, 0, 0, 0, 0]}\n"
    )
    section = Section(width=640, height=384, calibration=str(file))
    intrinsics, distortion = lens.intrinsics_of(section, file)
    assert intrinsics == pytest.approx((350.0, 355.0, 320.0, 192.0))
    assert distortion == (0.1, 0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("text", ["", "image_width: 1", "camera_matrix: [1]", "a: [", "- 1"])
def test_wrong_calibration_is_one_clear_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "camera.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match="image_width"):
        lens.intrinsics_of(Section(), file)


def test_mount_is_in_radians() -> None:
    assert lens.mount_pose(Mount(yaw_deg=90.0)) == pytest.approx((1.5, 0, 1.5, 0, 0, np.pi / 2))


# --- video ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five pictures at 20 Hz, each of one grey: 0, 50, 100, 150, 200."""
    path = tmp_path_factory.mktemp("film") / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 20.0, (64, 48))
    for grey in range(0, 250, 50):
        writer.write(np.full((48, 64, 3), grey, np.uint8))
    writer.release()
    return path


def greys(file: VideoFile, indices: list[int]) -> list[int]:
    return [round(int(file.picture(i)[24, 32, 0]) / 50) for i in indices]


def test_film_starts_over_at_its_end(film: Path) -> None:
    file = VideoFile(film, 64, 48)
    assert file.rate_hz == 20.0
    assert greys(file, [0, 1, 4, 5, 6, 12]) == [0, 1, 4, 0, 1, 2]
    file.close()


class Damaged:
    """A film of which nothing decodes any more, as OpenCV shows it."""

    def grab(self) -> bool:
        return True

    def retrieve(self) -> tuple[bool, None]:
        return False, None

    def release(self) -> None:
        pass


def test_film_that_no_longer_decodes_is_given_up(film: Path) -> None:
    camera = VideoCamera(setup_of(f"video:{film}", rate_hz=100.0))
    assert isinstance(camera._film, VideoFile)
    camera._film.close()
    camera._film._capture = Damaged()  # type: ignore[assignment]
    camera.open(time.monotonic_ns())
    end = time.monotonic() + 10
    while not camera.is_finished and time.monotonic() < end:
        time.sleep(0.01)
    assert camera.is_finished
    with pytest.raises(SourceError, match="in a row do not decode"):
        camera._film.picture(9)
    camera.close()


def test_film_is_fitted_to_the_configured_size(film: Path) -> None:
    file = VideoFile(film, 128, 96)
    assert file.picture(0).shape == (96, 128, 3)
    file.close()


def test_video_frames_are_stamped_with_their_due_instant(film: Path) -> None:
    camera = VideoCamera(setup_of(f"video:{film}", rate_hz=100.0, fov_deg=90))
    start_ns = time.monotonic_ns()
    camera.open(start_ns)
    frames = [wait_for(camera) for _ in range(3)]
    camera.close()
    camera.close()
    for frame in frames:
        assert frame.stamp_ns == start_ns + frame.tick * 10_000_000
        assert frame.sim_ns == frame.tick * 10_000_000
        assert frame.image.shape == (48, 64, 3)
        assert frame.intrinsics == pytest.approx((32.0, 32.0, 32.0, 24.0))
    assert frames[-1].tick == 2 + camera.missed


def test_slower_camera_takes_every_second_picture(film: Path) -> None:
    camera = VideoCamera(setup_of(f"video:{film}", rate_hz=10.0))
    film_at_20 = camera._film
    assert [int(t * film_at_20.rate_hz / 10.0 + 1e-6) for t in range(3)] == [0, 2, 4]
    camera.close()


def test_missing_and_unreadable_videos_are_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file"):
        VideoCamera(setup_of("video:/nowhere.mp4"))
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"not a film" * 100)
    with pytest.raises(SourceError, match="no picture"):
        VideoCamera(setup_of(f"video:{broken}"))


# --- bridge --------------------------------------------------------------------------------


@pytest.fixture
def bridge(tmp_path: Path) -> tuple[Config, zmq.Socket]:
    folder = tmp_path / "s"
    folder.mkdir(mode=0o700)
    config = Config(world=World(), ipc_folder=str(folder))
    return config, transport.bind_publisher(
        zmq.Context.instance(), f"ipc://{folder}/bridge-frames", None
    )


def header(tick: int, camera: str = "front", age_us: int = 2000) -> messages.Frame:
    return messages.Frame(
        1, "ego", camera, tick, tick * 10, age_us, 64, 48, "bgr", (32.0, 32.0, 32.0, 24.0), [],
        (1.5, 0.0, 1.5, 0.0, 0.0, 0.0),
    )  # fmt: skip


def publish(socket: zmq.Socket, topic: str, message: messages.Message, *payload: bytes) -> None:
    socket.send_multipart([topic.encode(), message.kind, wire.encode(message), *payload])


def test_bridge_camera_takes_the_newest_and_counts_the_rest(
    bridge: tuple[Config, zmq.Socket],
) -> None:
    config, socket = bridge
    camera = BridgeCamera(setup_of("bridge", config))
    camera.open(0)
    pixels = np.arange(64 * 48 * 3, dtype=np.uint32).astype(np.uint8)
    end = time.monotonic() + 5
    while not camera.pollable().poll(10) and time.monotonic() < end:  # type: ignore[union-attr]
        publish(socket, "frame/ego/front", header(1), pixels.tobytes())
    time.sleep(0.05)
    camera.read(1)
    for tick in (2, 3, 6):
        publish(socket, "frame/ego/front", header(tick), pixels.tobytes())
    publish(socket, "frame/ego/front2", header(7, "front2"), pixels.tobytes())
    time.sleep(0.1)
    frame = camera.read(now_ns=50_000_000)
    assert frame is not None and frame.tick == 6 and camera.missed == 4
    assert frame.stamp_ns == 48_000_000
    assert frame.image.ravel().tolist() == pixels.tolist()
    publish(socket, "frame/ego/front", header(7), b"short")
    publish(socket, "frame/ego/front", header(7), b"short")
    time.sleep(0.1)
    assert camera.read(50_000_000) is None and camera.malformed == 1
    camera.close()
    socket.close()


def test_bridge_on_another_host_sends_jpeg_under_curve(tmp_path: Path) -> None:
    security.write_site(tmp_path, [("ego", "vehicle"), ("bridge", "bridge")])
    site = security.Site(tmp_path)
    context = zmq.Context()
    authenticator = security.start_authenticator(context, site)
    socket = transport.bind_publisher(context, "tcp://127.0.0.1:*", site.keys("bridge"))
    port = int(socket.getsockopt(zmq.LAST_ENDPOINT).decode().rpartition(":")[2])
    config = Config(
        world=World(),
        bridge=Bridge(bind=Bind(host="127.0.0.1", port=port)),
        security=Security(certificates=str(tmp_path)),
    )
    section = Section(width=64, height=48)
    camera = BridgeCamera(Setup(config, Vehicle(), section, "", context))
    camera.open(0)
    jpeg = encode_jpeg(np.full((48, 64, 3), 120, np.uint8), 95)
    end = time.monotonic() + 10
    frame, tick = None, 0
    while frame is None and time.monotonic() < end:
        tick += 1
        sent = msgspec.structs.replace(header(tick), encoding="jpeg")
        publish(socket, "frame/ego/front", sent, jpeg)
        select.select([camera.pollable()], [], [], 0.02)
        frame = camera.read(0)
    camera.close()
    socket.close()
    authenticator.stop()
    context.destroy(linger=0)
    assert frame is not None and frame.image.shape == (48, 64, 3)
    assert abs(int(frame.image.mean()) - 120) <= 2
    assert frame.stamp_ns < time.monotonic_ns() - 2_000_000


def test_feed_gives_pose_and_own_route(bridge: tuple[Config, zmq.Socket]) -> None:
    config, socket = bridge
    feed = BridgeFeed(config, Vehicle(), zmq.Context.instance())
    pose = messages.Pose(
        1, "ego", 3, 30, 1000, (1.0, 2.0, 0.0), (0.0, 0.0, 0.5), 8.0, 0.1, 0.0, False
    )
    site = messages.Site(1, "town", [], [], {"ego": [(0.0, 0.0), (5.0, 0.0)], "b": []})
    end = time.monotonic() + 5
    topics: set[str] = set()
    while len(topics) < 2 and time.monotonic() < end:
        publish(socket, "pose/ego", pose)
        publish(socket, "site", site)
        feed.pollable().poll(10)
        topics |= {topic for topic, _ in feed.read(now_ns=9_000_000)}
    assert topics == {"pose/ego", "site"}
    assert feed.pose == pose and feed.pose_stamp_ns == 8_000_000
    assert feed.route == ((0.0, 0.0), (5.0, 0.0))
    feed.close()
    socket.close()


# --- replay --------------------------------------------------------------------------------


def recorded(path: Path, ticks: list[int]) -> Path:
    file = RunFile(path / "run.mcap")
    for tick in ticks:
        jpeg = encode_jpeg(np.full((48, 64, 3), 20 * tick, np.uint8), 95)
        file.write_image("frame/ego/front", header(tick), jpeg, 1_000_000_000 + tick * 20_000_000)
    file.close()
    return path


def test_replay_keeps_ticks_and_pace(tmp_path: Path) -> None:
    camera = ReplayCamera(setup_of(f"replay:{recorded(tmp_path, [1, 2, 3])}"))
    start_ns = time.monotonic_ns()
    camera.open(start_ns)
    frames: dict[int, Frame] = {}
    while not camera.is_finished or select.select([camera.pollable()], [], [], 0)[0]:
        select.select([camera.pollable()], [], [], 0.05)
        frame = camera.read(0)
        if frame is not None:
            frames[frame.tick] = frame
    camera.close()
    assert 1 in frames or camera.missed
    for tick, frame in frames.items():
        assert frame.stamp_ns == start_ns + (tick - 1) * 20_000_000
        assert abs(int(frame.image[24, 32, 0]) - 20 * tick) <= 2
    assert len(frames) + camera.missed == 3


def test_replay_of_nothing_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"run\.mcap"):
        ReplayCamera(setup_of(f"replay:{tmp_path}"))
    with pytest.raises(SourceError, match="'rear'"):
        ReplayCamera(setup_of(f"replay:{recorded(tmp_path, [1])}", id="rear"))
    (tmp_path / "run.mcap").write_bytes(b"no log at all")
    with pytest.raises(SourceError, match="not an MCAP"):
        ReplayCamera(setup_of(f"replay:{tmp_path}"))


# --- registry ------------------------------------------------------------------------------


def test_cameras_are_found_by_name(film: Path) -> None:
    context = zmq.Context.instance()
    vehicle = Vehicle()
    section = Section(source=f"video:{film}")
    camera = load_camera(Config(), vehicle, section, context)
    assert isinstance(camera, VideoCamera)
    camera.close()
    own = Section(source="vehicle.camera.bridge:BridgeCamera")
    assert isinstance(load_camera(Config(), vehicle, own, context), BridgeCamera)
    with pytest.raises(ConfigError, match="unknown camera source 'film'"):
        load_camera(Config(), vehicle, Section(source="film"), context)
