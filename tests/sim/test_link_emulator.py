import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import zmq

from scheduler import config_file, processes, telemetry, transport, wire
from scheduler.clock import MonotonicClock
from scheduler.errors import ConfigError, PortInUseError, VdapError
from scheduler.messages import VERSION, LinkRow, Obstacle, Pose, Site, Traffic, Unit
from sim import link_emulator
from sim.channel.trace import Trace

ROOT = Path(__file__).parents[2]
STEADY = "0,5000000,20,0,8000000,20,0\n1000,5000000,20,0,8000000,20,0\n"
UP_THEN_OUT = (
    "0,8000000,1,0,8000000,1,0\n0.3,0,1,0,0,1,0\n1.0,8000000,1,0,8000000,1,0\n"
    "1000,8000000,1,0,8000000,1,0\n"
)


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for opened in sockets:
        opened.bind(("127.0.0.1", 0))
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports


def config_of(tmp_path, trace=None, outage="drop", world=False):
    # The three ports of a unit, and of the link's one pair, follow each other.
    (tmp_path / "ipc").mkdir(mode=0o700, exist_ok=True)
    tree = {
        "vehicles": [{"id": "ego", "cameras": [{"id": "front", "source": "video:none.mp4"}]}],
        "roadside_units": [{"id": "rsu", "at": [0, 0, 5], "bind": {"port": base_port()}}],
        "link": {"outage": outage, "bind": {"port": base_port()}},
        "ipc_folder": str(tmp_path / "ipc"),
        "source_folder": str(tmp_path),
    }
    if world:
        tree["world"] = {"adapter": "inprocess"}
    if trace is not None:
        (tmp_path / "trace.csv").write_text(trace)
        tree["link"]["trace"] = "trace.csv"
    return config_file.decode(tree, "test")


def base_port():
    while True:
        (port,) = free_ports(1)
        if port > 65_000:
            continue
        try:
            for step in (1, 2):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port + step))
        except OSError:
            continue
        return port


class Running:
    """An emulator in a thread, with a fake unit behind it."""

    def __init__(self, config, folder=None, bridge=None):
        self.config = config
        self.context = zmq.Context()
        first = ".".join(processes.pairs(config)[0])
        publish_at = processes.address(config, "link", first, "telemetry", is_bind=True)
        publisher = telemetry.Publisher(
            transport.bind_publisher(self.context, publish_at, None), "link"
        )
        try:
            self.emulator = link_emulator.Emulator(
                config, MonotonicClock(), publisher, bridge, folder
            )
        except VdapError:
            self.context.destroy(linger=0)
            raise
        self.unit = {}
        for name in ("control", "frames"):
            listener = socket.socket()
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", processes.port_of(config, "rsu", "rsu", name)))
            listener.listen()
            listener.settimeout(3)
            self.unit[name] = listener
        self.emulator.turn()  # the first row: out of range until then
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        while not self._stop.is_set():
            self.emulator.turn()

    def connect(self, name="frames"):
        port = processes.port_of(self.config, "link", "ego.rsu", name)
        near = socket.create_connection(("127.0.0.1", port), 3)
        near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        near.settimeout(3)
        try:
            far, _ = self.unit[name].accept()
        except TimeoutError:
            near.close()
            raise
        far.settimeout(3)
        return near, far

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._stop.set()
        self._thread.join(3)
        self.emulator.report()
        self.emulator.close()
        for listener in self.unit.values():
            listener.close()
        self.context.destroy(linger=0)


def read_exactly(source, size):
    data = b""
    while len(data) < size:
        part = source.recv(65536)
        assert part, "closed early"
        data += part
    return data


def test_message_takes_the_time_of_the_emulated_link(tmp_path):
    with Running(config_of(tmp_path, STEADY)) as link:
        near, far = link.connect()
        with near, far:
            begin = time.monotonic()
            near.sendall(os.urandom(30_000))
            read_exactly(far, 30_000)
            took_ms = (time.monotonic() - begin) * 1e3
            far.sendall(b"answer")
            assert read_exactly(near, 6) == b"answer"
    assert took_ms >= 68.0  # 48 ms of air time and 20 ms of delay; never faster


def test_bytes_come_out_as_they_went_in_both_ways(tmp_path):
    sent = os.urandom(200_000)
    with Running(config_of(tmp_path, STEADY.replace("5000000", "200000000"))) as link:
        near, far = link.connect()
        with near, far:
            sender = threading.Thread(target=near.sendall, args=(sent,))
            sender.start()
            assert read_exactly(far, len(sent)) == sent
            sender.join()
            far.sendall(sent[:20_000])
            assert read_exactly(near, 20_000) == sent[:20_000]


def test_control_waits_behind_frames_of_its_pair(tmp_path):
    with Running(config_of(tmp_path, STEADY)) as link:
        near_f, far_f = link.connect("frames")
        near_c, far_c = link.connect("control")
        with near_f, far_f, near_c, far_c:
            begin = time.monotonic()
            near_f.sendall(bytes(30_000))
            time.sleep(0.02)
            near_c.sendall(b"ping")
            read_exactly(far_c, 4)
            took_ms = (time.monotonic() - begin) * 1e3
    assert took_ms >= 68.0


def test_full_queue_stops_reading(tmp_path):
    slow = STEADY.replace("5000000", "80000")
    with Running(config_of(tmp_path, slow)) as link:
        near, far = link.connect()
        with near, far:
            near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)
            near.settimeout(0.3)
            taken = 0
            with pytest.raises(TimeoutError):
                while taken < 2_000_000:
                    taken += near.send(bytes(10_000))
            # The queue (64 KiB), a kernel buffer each side, and 10 kB a second that were served.
            assert taken < 64 * 1024 + 200_000
            assert link.emulator.links[0].carrier.up.waiting_bytes <= 64 * 1024


def test_long_outage_resets_and_then_serves_again(tmp_path):
    with Running(config_of(tmp_path, UP_THEN_OUT, "drop"), tmp_path) as link:
        near, far = link.connect()
        with near, far, pytest.raises(ConnectionResetError):
            near.settimeout(5)
            assert near.recv(1) != b""
        link.unit["frames"].settimeout(0.1)
        with pytest.raises((ConnectionResetError, TimeoutError)):  # refused while it lasts
            refused, _ = link.connect()
            refused.close()
        near, far = reconnected(link)
        with near, far:
            near.sendall(b"again")
            assert read_exactly(far, 5) == b"again"
    summary = json.loads((tmp_path / "link.json").read_text())["ego.rsu"]
    assert summary["resets"] == 1
    assert 0.0 < summary["outage_share"] < 1.0
    assert summary["expected_outage_share"] is None


def reconnected(link):
    for _ in range(50):
        try:
            link.unit["frames"].settimeout(0.2)
            return link.connect()
        except (ConnectionResetError, TimeoutError):
            time.sleep(0.05)
    raise AssertionError("never in range again")


@pytest.mark.parametrize(
    ("trace", "outage"), [(UP_THEN_OUT, "hold"), (f"# outage: hold\n{UP_THEN_OUT}", None)]
)
def test_outage_on_hold_keeps_connections_and_bytes(tmp_path, trace, outage):
    """As the config says; where it does not, as the trace does."""
    with Running(config_of(tmp_path, trace, outage)) as link:
        near, far = link.connect()
        with near, far:
            time.sleep(0.4)
            near.sendall(b"patience")
            assert read_exactly(far, 8) == b"patience"
            assert link.emulator.links[0].carrier.resets == 0


def test_unit_that_is_not_there_closes_the_vehicle_s_end(tmp_path):
    with Running(config_of(tmp_path, STEADY)) as link:
        link.unit["frames"].close()
        port = processes.port_of(link.config, "link", "ego.rsu", "frames")
        with (
            pytest.raises(ConnectionResetError),
            socket.create_connection(("127.0.0.1", port), 3) as near,
        ):
            near.settimeout(3)
            assert near.recv(1) != b""


def test_end_of_the_vehicle_reaches_the_unit(tmp_path):
    with Running(config_of(tmp_path, STEADY)) as link:
        near, far = link.connect()
        with far:
            near.sendall(b"last words")
            near.close()
            assert read_exactly(far, 10) == b"last words"
            assert far.recv(1) == b""


def test_no_pose_no_link_then_the_model_decides(tmp_path):
    config = config_of(tmp_path, world=True)
    context = zmq.Context()
    address = processes.address(config, "bridge", "", "frames", is_bind=True)
    bridge = telemetry.Publisher(transport.bind_publisher(context, address, None), "bridge")
    heard = transport.connect_subscriber(context, [address], ["pose/", "site", "traffic"])
    rows = None
    try:
        with Running(config, tmp_path, heard) as link:
            name = ".".join(processes.pairs(config)[0])
            listen_at = processes.address(config, "link", name, "telemetry")
            rows = transport.connect_subscriber(context, [listen_at], ["channel/"])
            assert next_row(rows, lambda row: True).state == "unknown"
            for tick in range(40):
                publish_world(bridge, tick)
                row = next_row(rows, lambda row: True)
                if row.state != "unknown":
                    break
            assert row.state in ("LOS", "NLOSv")
            assert (row.vehicle_id, row.unit_id) == ("ego", "rsu")
            assert row.sim_ns > 0
            assert row.up_bps > 10e6
            truck = Obstacle(7, (10.0, 0.0, 2.5), 0.0, (4.0, 1.2, 2.5))  # before the vehicle
            for traffic, state in (([], "LOS"), ([truck], "NLOSv")):
                for tick in range(40, 60):
                    bridge.publish(Traffic(VERSION, 0, traffic))
                    publish_world(bridge, tick)
                    if next_row(rows, lambda row: True).state == state:
                        break
                assert next_row(rows, lambda row: True).state == state
            near, far = link.connect()
            near.close()
            far.close()
        summary = json.loads((tmp_path / "link.json").read_text())["ego.rsu"]
        assert summary["unknown_rows"] > 0
        assert summary["outage_share"] == 0.0
        assert summary["expected_outage_share"] < 0.01
        replayed = Trace(tmp_path / "link-ego-rsu.csv")
        assert replayed.outage == "drop"
        assert replayed.at(0.0).is_outage
        assert not replayed.at(replayed.length_s - 0.05).is_outage
    finally:
        context.destroy(linger=0)


def next_row(rows, wanted):
    for _ in range(20):
        if rows.poll(1000):
            _, message, _ = telemetry.read(transport.receive(rows))
            assert isinstance(message, LinkRow)
            if wanted(message):
                return message
    raise AssertionError("no row came")


def publish_world(bridge, tick):
    bridge.publish(Site(VERSION, "t", [Unit("rsu", (0.0, 0.0, 5.0))], [], {}))
    bridge.publish(
        Pose(
            VERSION, "ego", tick, tick + 1, 0, (30.0, 0.0, 0.0), (0.0, 0.0, 0.0),
            8.0, 0.0, 0.0, False,
        ),
        "ego",
    )  # fmt: skip


def test_port_in_use_is_one_clear_line(tmp_path):
    config = config_of(tmp_path, STEADY)
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", processes.port_of(config, "link", "ego.rsu", "frames")))
        holder.listen()
        with pytest.raises(PortInUseError, match=r"link ego\.rsu: cannot listen"):
            Running(config)


def test_missing_trace_is_said_before_anything_starts(tmp_path):
    config = config_of(tmp_path, STEADY)
    (tmp_path / "trace.csv").unlink()
    with pytest.raises(ConfigError, match=r"link\.trace"):
        Running(config)


def test_process_serves_and_ends_within_a_second(tmp_path):
    config = config_of(tmp_path, STEADY)
    (tmp_path / "drive.yaml").write_text(config_file.dump(config))
    (tmp_path / "other.csv").write_text(UP_THEN_OUT)
    command = [sys.executable, "-m", "sim.link_emulator", str(tmp_path / "drive.yaml")]
    command += ["--run-folder", str(tmp_path), "--trace", str(tmp_path / "other.csv")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            time.sleep(0.3)
            begin = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert process.wait(5) == 0
            assert time.monotonic() - begin < 2.0
        finally:
            process.kill()
    assert json.loads((tmp_path / "link.json").read_text())["ego.rsu"]["rows"] >= 2
    assert Trace(tmp_path / "link-ego-rsu.csv").at(0.0).up_bps == 8e6  # the flag's, not the file's


def test_wire_of_a_row_is_small():
    row = LinkRow(VERSION, "ego", "rsu", 1.0, 0, 5e6, 1.0, 0.0, 5e6, 1.0, 0.0, 20.0, "LOS", 0, 0)
    assert len(wire.encode(row)) < 300
