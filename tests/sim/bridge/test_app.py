"""The bridge over real sockets, in a thread, on a world that costs nothing."""

import json
import socket
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import zmq

from scheduler import config_file, messages, processes, telemetry, transport, wire
from scheduler.errors import ConfigError, PortInUseError, WorldError
from scheduler.security import Site, write_site
from sim import truth_file
from sim.bridge.app import run

sys.path.insert(0, str(Path(__file__).parent))
from fake_world import FakeWorld

WIDTH, HEIGHT = 64, 64
DRIVE_S, STEP_S = 0.6, 0.03


def free_port():
    """A base port with room for the bridge's two sockets."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return min(probe.getsockname()[1], 65_000)


def config_of(tmp_path, transport_name="ipc", **more):
    tree = {
        "duration_s": DRIVE_S,
        "world": {"adapter": "inprocess", "fixed_delta_s": STEP_S},
        "vehicles": [
            {
                "id": name,
                "cameras": [
                    {"id": camera, "width": WIDTH, "height": HEIGHT} for camera in ("front", "rear")
                ],
            }
            for name in ("ego", "second")
        ],
        "roadside_units": [
            {"id": "rsu", "along": {"count": 2, "first_m": 50.0, "lateral_m": -6.0}}
        ],
        "link": {},
        "source_folder": str(tmp_path),
        **more,
    }
    if transport_name == "tcp":
        tree["bridge"] = {"bind": {"host": "127.0.0.1", "port": free_port()}}
        names = [(n, "vehicle") for n in ("ego", "second")] + [("bridge", "bridge")]
        write_site(tmp_path / "certificates", names)
    return processes.resolve(config_file.decode(tree, "test"))


class Running:
    """A bridge in a thread, and what a vehicle of it would hold."""

    def __init__(self, config, tmp_path, world=None, vehicle_id="ego"):
        self.world = world or FakeWorld(STEP_S)
        self.folder = tmp_path / "run"
        self.is_stopped = False
        self.error = None
        self.summary = None
        self._is_ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(config,))
        self._context = zmq.Context()
        frames = processes.address(config, "bridge", "", "frames")
        keys = server = None
        if frames.startswith("tcp"):
            site = Site(config.path("certificates"))
            keys, server = site.keys(vehicle_id), site.peer("bridge").key
        self.frames = transport.connect_subscriber(
            self._context, [frames], [""], keys, server, high_water=1000
        )
        self.feedback = transport.connect_dealer(
            self._context, processes.address(config, "bridge", "", "feedback"), keys, server
        )
        self.heard = []

    def _run(self, config):
        try:
            self.summary = run(
                config,
                lambda _, __: self.world,
                self.folder,
                lambda: self.is_stopped,
                self._is_ready.set,
            )
        except Exception as error:  # noqa: BLE001 - handed to the test
            self.error = error

    def __enter__(self):
        self._thread.start()
        return self

    def listen(self, seconds=10.0):
        """Hear everything until the bridge has ended."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.frames.poll(50):
                self.heard.append(telemetry.read(self.frames.recv_multipart()))
            elif not self._thread.is_alive():
                break
        self._thread.join(5.0)
        return self

    def messages(self, kind):
        return [message for _, message, _ in self.heard if isinstance(message, kind)]

    def brake(self, vehicle_id, tick, share=1.0):
        asked = messages.Feedback(1, vehicle_id, tick, 300, share, "test", "stop")
        transport.send(self.feedback, wire.pack(asked))

    def __exit__(self, *error):
        self.is_stopped = True
        self._thread.join(5.0)
        self._context.destroy(linger=0)


@pytest.mark.parametrize("name", ["ipc", "tcp"])
def test_drive_is_heard_and_written(tmp_path, name):
    with Running(config_of(tmp_path, name), tmp_path) as bridge:
        bridge.listen()
    assert bridge.error is None
    assert bridge.world.is_closed
    frames = [(m, p[0]) for _, m, p in bridge.heard if isinstance(m, messages.Frame)]
    heard = {(m.vehicle_id, m.camera_id, m.tick) for m, _ in frames}
    truth = list(truth_file.read(bridge.folder / "truth.mcap"))
    written = {(f.vehicle_id, f.camera_id, f.tick) for f in truth}
    assert len(written) == 20 * 4
    assert heard <= written
    assert bridge.messages(messages.Traffic)  # there is a link: it needs to know who is in the way
    assert len(heard) > 0.3 * len(written)  # a subscriber misses what was sent before it came
    frame, payload = frames[-1]
    assert (frame.width, frame.height) == (WIDTH, HEIGHT)
    assert frame.intrinsics == pytest.approx((32.0, 32.0, 32.0, 32.0))
    assert frame.encoding == ("bgr" if name == "ipc" else "jpeg")
    if name == "ipc":
        picture = np.frombuffer(payload, np.uint8).reshape(HEIGHT, WIDTH, 3)
    else:
        picture = cv2.imdecode(np.frombuffer(payload, np.uint8), cv2.IMREAD_COLOR)
    assert abs(int(picture[0, 0, 0]) - frame.tick % 256) <= 2
    (box,) = truth[0].boxes
    assert box.actor_id == 99
    assert truth[0].sim_ns == truth[0].tick * 30_000_000


def test_poses_site_and_status_are_told(tmp_path):
    seconds = 1.5  # a subscriber that comes late misses the first site, not the next
    with Running(config_of(tmp_path, duration_s=seconds), tmp_path) as bridge:
        bridge.listen()
    poses = bridge.messages(messages.Pose)
    assert {pose.vehicle_id for pose in poses} == {"ego", "second"}
    assert poses[-1].speed > 0.5
    site = bridge.messages(messages.Site)[-1]
    assert [unit.unit_id for unit in site.units] == ["rsu1", "rsu2"]
    assert site.units[0].position == pytest.approx((50.0, -6.0, 5.0))
    assert set(site.routes) == {"ego", "second"}
    assert len(site.buildings[0]) == 4
    status = bridge.messages(messages.WorldStatus)[-1]
    assert status.adapter == "fake"
    assert status.real_time_factor == pytest.approx(1.0, abs=0.5)
    assert status.collisions == {"ego": 0, "second": 0}
    summary = json.loads((bridge.folder / "bridge.json").read_text())
    assert (summary["town"], summary["weather"]) == ("Straight", "rain")
    assert summary["sim_s"] == pytest.approx(seconds)
    assert set(summary["stages_ms"]) == {"tick", "picture", "control", "truth", "busy"}


@pytest.mark.parametrize("name", ["ipc", "tcp"])
def test_feedback_brakes_its_ego_alone(tmp_path, name):
    config = config_of(tmp_path, name, duration_s=20.0)
    with Running(config, tmp_path) as bridge:
        until = time.monotonic() + 10.0
        last = {}
        while time.monotonic() < until:
            if not bridge.frames.poll(100):
                continue
            _, message, _ = telemetry.read(bridge.frames.recv_multipart())
            if isinstance(message, messages.Pose):
                last[message.vehicle_id] = message
                bridge.brake("ego", message.tick)
                if name == "tcp":
                    bridge.brake("second", message.tick)
                is_braked = len(last) == 2 and last["ego"].is_braked_by_feedback
                if is_braked and last["second"].speed > 0.5:
                    break
        bridge.is_stopped = True
        bridge.listen()
    assert last["ego"].brake == 1.0
    # Over tcp the key of "ego" may not brake "second".
    assert not last["second"].is_braked_by_feedback
    assert (bridge.summary.feedback["alien"] > 0) is (name == "tcp")
    assert bridge.summary.feedback["ego.received"] > 0


def test_garbage_on_the_feedback_socket_is_counted(tmp_path):
    with Running(config_of(tmp_path), tmp_path) as bridge:
        for parts in ([b"x"], [b"FEEDBACK", b"\xff\xff"], [b"FEEDBACK", b"\x91\x01", b"more"]):
            time.sleep(0.05)
            transport.send(bridge.feedback, parts)
        bridge.listen()
    assert bridge.error is None
    assert bridge.summary.feedback["malformed"] >= 1


def test_stop_ends_the_drive_and_leaves_the_truth(tmp_path):
    config = config_of(tmp_path, duration_s=1000.0)
    with Running(config, tmp_path) as bridge:
        while bridge.world.ticks < 10:
            bridge.frames.poll(20)
        bridge.is_stopped = True
        bridge.listen()
        assert not bridge._thread.is_alive()
    assert bridge.world.is_closed
    assert list(truth_file.read(bridge.folder / "truth.mcap"))


def test_world_is_closed_when_it_fails_in_the_middle(tmp_path):
    world = FakeWorld(fails_at=10)
    with Running(config_of(tmp_path), tmp_path, world) as bridge:
        bridge.listen()
    assert isinstance(bridge.error, WorldError)
    assert world.is_closed
    assert (bridge.folder / "bridge.json").is_file()


def test_taken_port_is_one_clear_line(tmp_path):
    config = config_of(tmp_path, "tcp")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", config.bridge.bind.port))
        taken.listen()
        world = FakeWorld()
        with Running(config, tmp_path, world) as bridge:
            bridge.listen()
    assert isinstance(bridge.error, PortInUseError)
    assert not world.is_closed  # it was never opened


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"roadside_units": [{"id": "rsu"}]}, "no place"),
        ({"world": {"scenario": "stoped"}}, r"world\.scenario"),
        ({"bridge": {"pace": "hold", "encoding": "jpeg"}}, "one machine"),
    ],
)
def test_wrong_config_ends_before_the_drive(tmp_path, change, message):
    with Running(config_of(tmp_path, **change), tmp_path) as bridge:
        bridge.listen()
    assert isinstance(bridge.error, ConfigError)
    with pytest.raises(ConfigError, match=message):
        raise bridge.error
