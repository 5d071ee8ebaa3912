"""A roadside unit over real sockets with CURVE; the worker is a fake but for the last test."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import zmq

from roadside_unit.server import ALLOW_LIST_NS, Server
from scheduler import config_file, processes, telemetry, transport, wire
from scheduler.clock import MonotonicClock
from scheduler.errors import CertificateError, PortInUseError
from scheduler.messages import VERSION
from scheduler.offload_messages import Ping, Pong, Result, Welcome
from scheduler.security import Keys, Site, write_site

from .fakes import FakeWorker, config_of, free_port, hello, request

ROOT = Path(__file__).parents[2]
WAIT_MS = 3000


class Running:
    """A unit in a thread."""

    def __init__(self, tmp_path, **security):
        self.config = config_of(tmp_path, free_port(), **security)
        write_site(tmp_path / "certificates", processes.site_names(self.config))
        self.site = Site(tmp_path / "certificates")
        self.worker = FakeWorker(answers_at_once=True)
        self.server = Server(
            self.config, self.config.unit("rsu"), MonotonicClock(), self.worker, tmp_path
        )
        self.context = zmq.Context()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        while not self._stop.is_set():
            self.server.turn()

    def dealer(self, name, keys):
        address = processes.address(self.config, "rsu", "rsu", name)
        known = self.site.peer("rsu").key if keys is not None else None
        return transport.connect_dealer(self.context, address, keys, known)

    def open(self, vehicle="ego", session=7, keys=None):
        """Both sockets of a vehicle, after the welcome."""
        keys = keys if keys is not None else self.site.keys(vehicle)
        control, frames = self.dealer("control", keys), self.dealer("frames", keys)
        for name, socket in (("control", control), ("frames", frames)):
            assert sent(socket, hello(name, vehicle, session))
        assert isinstance(received(control, Welcome)[0], Welcome)
        return control, frames

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._stop.set()
        self._thread.join(3)
        self.server.report()
        self.server.close()
        self.worker.close()
        self.context.destroy(linger=0)


def sent(socket, parts):
    """Send as soon as the socket is connected."""
    for _ in range(200):
        if transport.send(socket, parts):
            return True
        time.sleep(0.01)
    return False


def received(socket, *kinds):
    assert socket.poll(WAIT_MS), "nothing came"
    return wire.unpack(transport.receive(socket), *kinds)


def refused(unit, keys, server_key):
    """Whether a handshake with these keys fails, and nothing can be sent; monitored from before."""
    socket = unit.context.socket(zmq.DEALER)
    socket.immediate = True
    if keys is not None:
        socket.curve_publickey, socket.curve_secretkey = keys.public, keys.secret
        socket.curve_serverkey = server_key
    monitor = socket.get_monitor_socket(
        zmq.EVENT_HANDSHAKE_FAILED_AUTH
        | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
        | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    )
    socket.connect(processes.address(unit.config, "rsu", "rsu", "control"))
    try:
        return bool(monitor.poll(WAIT_MS)) and not transport.send(socket, hello("control"))
    finally:
        socket.disable_monitor()
        monitor.close()
        socket.close(linger=0)


def test_request_is_answered_over_curve(tmp_path):
    with Running(tmp_path) as unit:
        control, frames = unit.open()
        assert sent(frames, request(5))
        result, payload = received(control, Result)
        assert (result.status, result.seq, result.unit_id) == ("ok", 5, "rsu")
        assert len(payload[0]) == 21  # one detection
        assert sent(control, wire.pack(Ping(VERSION, "ego", 7, 3)))
        assert received(control, Pong)[0].number == 3
    assert json.loads((tmp_path / "rsu-rsu.json").read_text())["ok"] == 1


def test_vehicle_cannot_speak_as_another(tmp_path):
    with Running(tmp_path) as unit:
        control, _ = unit.open("ego")
        other = unit.dealer("frames", unit.site.keys("other"))
        assert sent(other, hello("frames", "ego"))
        assert sent(other, request(1, "ego"))
        assert not control.poll(300)
        assert unit.server.desk.counters.aliens == 2
        assert unit.server.desk.counters.received == 0


def test_unknown_key_gets_no_message_through(tmp_path):
    with Running(tmp_path) as unit:
        stranger = Keys(*zmq.curve_keypair())
        assert refused(unit, stranger, unit.site.peer("rsu").key)
        assert unit.server.desk.counters == type(unit.server.desk.counters)()


def test_vehicle_without_curve_is_refused(tmp_path):
    with Running(tmp_path) as unit:
        assert refused(unit, None, None)


def test_wrong_server_key_never_connects(tmp_path):
    with Running(tmp_path) as unit:
        public, _ = zmq.curve_keypair()
        assert refused(unit, unit.site.keys("ego"), public)


def test_revoked_key_is_refused_on_a_live_connection(tmp_path):
    with Running(tmp_path) as unit:
        control, frames = unit.open()
        listed = tmp_path / "certificates" / "allowed.yaml"
        kept = listed.read_text().split("\n")
        start = kept.index("ego:")
        listed.write_text("\n".join(kept[:start] + kept[start + 3 :]))
        assert "other" in listed.read_text() and "ego" not in listed.read_text()
        os.utime(listed, ns=(1, 1))
        assert not control.poll(ALLOW_LIST_NS // 1_000_000 + 20)  # until it has been looked at
        assert sent(frames, request(1))
        assert not control.poll(300)
        assert unit.server.desk.counters.aliens == 1


def test_reconnected_vehicle_replaces_its_session(tmp_path):
    with Running(tmp_path) as unit:
        old_control, old_frames = unit.open(session=7)
        control, frames = unit.open(session=8)
        assert sent(old_frames, request(1, session=7))
        assert sent(frames, request(2, session=8))
        assert received(control, Result)[0].seq == 2
        assert not old_control.poll(200)


def test_over_curve_a_checksum_may_be_left_out_but_not_be_wrong(tmp_path):
    with Running(tmp_path) as unit:
        control, frames = unit.open()
        for number, crc32, status in ((1, 0, "ok"), (2, 1, "bad")):
            assert sent(frames, request(number, crc32=crc32))
            result = received(control, Result)[0]
            assert (result.seq, result.status) == (number, status)


def test_status_is_published(tmp_path):
    with Running(tmp_path) as unit:
        _sockets = unit.open()
        address = processes.address(unit.config, "rsu", "rsu", "telemetry")
        heard = transport.connect_subscriber(unit.context, [address], ["unit/"])
        for _ in range(8):
            assert heard.poll(WAIT_MS)
            topic, status, _ = telemetry.read(transport.receive(heard))
            if status.vehicles:
                break
        assert (topic, status.vehicles) == ("unit/rsu", ["ego"])


def test_watchers_are_told_of_a_worker_that_is_away_and_back(tmp_path):
    with Running(tmp_path) as unit:
        address = processes.address(unit.config, "rsu", "rsu", "telemetry")
        heard = transport.connect_subscriber(unit.context, [address], ["unit/", "event/"])
        told = []
        for is_ready in (False, True):
            while not told or told[-1] == "unit":  # until it is subscribed, then one by one
                assert heard.poll(WAIT_MS)
                _, message, _ = telemetry.read(transport.receive(heard))
                told.append(getattr(message, "text", "unit"))
                unit.worker.is_ready = is_ready
            last = told[-1]
            assert last == (
                "rsu: the inference worker is back"
                if is_ready
                else "rsu: the inference worker is away: requests are refused"
            )
            told.append("unit")


def test_insecure_loopback_needs_no_keys(tmp_path):
    with Running(tmp_path, insecure_loopback=True) as unit:
        control, frames = unit.dealer("control", None), unit.dealer("frames", None)
        assert sent(control, hello("control")) and sent(frames, hello("frames"))
        received(control, Welcome)


def test_missing_key_and_taken_port_are_one_clear_line(tmp_path):
    config = config_of(tmp_path, free_port())
    worker = FakeWorker()
    try:
        with pytest.raises(CertificateError, match="vdap keygen"):
            Server(config, config.unit("rsu"), MonotonicClock(), worker, None)
        write_site(tmp_path / "certificates", processes.site_names(config))
        context = zmq.Context()
        holder = context.socket(zmq.PULL)
        holder.bind(processes.address(config, "rsu", "rsu", "frames", is_bind=True))
        try:
            with pytest.raises(PortInUseError, match=r"bind\.port"):
                Server(config, config.unit("rsu"), MonotonicClock(), worker, None)
        finally:
            context.destroy(linger=0)
    finally:
        worker.close()


DETECTOR = """
import os, numpy as np
from vehicle.perception.detections import Detections
class Fixed:
    name = "fixed"
    stages_ns = {"pre": 0, "infer": 0, "post": 0}
    def __init__(self, spec, threads): pass
    def detect(self, frame):
        height, width = frame.shape[:2]
        if os.path.exists(os.environ["VDAP_TEST_CRASH"]) and height == 64: os._exit(9)
        box = np.array([[0, 0, width, height]], np.float32)
        return Detections(box, np.ones(1, np.float32), np.zeros(1, np.int16))
"""


def test_process_serves_survives_its_worker_and_ends(tmp_path):
    """The whole command: a crash of the worker costs one BAD, then it answers again."""
    config = config_of(tmp_path, free_port())
    write_site(tmp_path / "certificates", processes.site_names(config))
    site = Site(tmp_path / "certificates")
    (tmp_path / "fixed.py").write_text(DETECTOR)
    crash = tmp_path / "crash"
    text = config_file.dump(config).replace(
        "id: large\n    kind: vdap", "id: large\n    kind: fixed:Fixed"
    )
    assert "fixed:Fixed" in text
    (tmp_path / "drive.yaml").write_text(
        text.replace("source_folder: null", f"source_folder: {tmp_path}")
    )
    command = [sys.executable, "-m", "roadside_unit", str(tmp_path / "drive.yaml"), "--id", "rsu"]
    command += ["--run-folder", str(tmp_path)]
    environment = os.environ | {"VDAP_TEST_CRASH": str(crash)}
    context = zmq.Context()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment
    ) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            sockets = []
            for name in ("control", "frames"):
                address = processes.address(config, "rsu", "rsu", name)
                dealer = transport.connect_dealer(
                    context, address, site.keys("ego"), site.peer("rsu").key
                )
                assert sent(dealer, hello(name))
                sockets.append(dealer)
            control, frames = sockets
            assert received(control, Welcome)[0].models == ["large"]
            assert answer_to(control, frames, 1) == "ok"
            crash.touch()
            assert answer_to(control, frames, 2) == "bad"
            crash.unlink()
            seq = 3
            while (status := answer_to(control, frames, seq)) != "ok":
                assert status == "reject" and seq < 200
                time.sleep(0.05)
                seq += 1
            process.send_signal(signal.SIGTERM)
            assert process.wait(5) == 0
        finally:
            process.kill()
            context.destroy(linger=0)
    counted = json.loads((tmp_path / "rsu-rsu.json").read_text())
    assert (counted["ok"], counted["bad"], counted["worker_restarts"]) == (2, 1, 1)


def answer_to(control, frames, seq):
    assert sent(frames, request(seq, budget_us=2_000_000))
    result, _ = received(control, Result)
    assert result.seq == seq
    return result.status
