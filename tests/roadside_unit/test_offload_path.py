"""Vehicle's end, emulated radio and roadside unit together: real sockets, CURVE, a fake worker."""

import threading
import time

import pytest
import zmq

from roadside_unit.server import Server
from scheduler import config_file, processes, telemetry, transport
from scheduler.clock import MonotonicClock
from scheduler.effects import Send
from scheduler.security import write_site
from scheduler.tasks import Task
from sim import link_emulator
from vehicle.offload import Addresses, Answered, Beaconed, OffloadLink, Welcomed

from .fakes import JPEG, MS, FakeWorker, config_of, free_port

STEADY = "0,5e6,10,0,5e6,10,0\n100,5e6,10,0,5e6,10,0\n"
GAP = "0,5e6,5,0,5e6,5,0\n1.2,0,5,0,0,5,0\n2.0,5e6,5,0,5e6,5,0\n100,5e6,5,0,5e6,5,0\n"
STALL_NS = 300 * MS


class Path:
    """A unit and a link in one thread each."""

    def __init__(self, folder, trace, worker=None):
        (folder / "t.csv").write_text(trace)
        tree = config_file.msgspec.to_builtins(config_of(folder, free_port()))
        tree["vehicles"] = tree["vehicles"][:1]
        tree["link"] |= {"trace": str(folder / "t.csv"), "bind": {"port": free_port()}}
        self.config = config_file.decode(tree, "test")
        write_site(folder / "certificates", processes.site_names(self.config))
        self.worker = worker or FakeWorker(answers_at_once=True)
        self.unit = self.new_unit()
        self.context = zmq.Context()
        at = processes.address(self.config, "link", "ego.rsu", "telemetry", is_bind=True)
        publisher = telemetry.Publisher(transport.bind_publisher(self.context, at, None), "link")
        self.link = link_emulator.Emulator(self.config, MonotonicClock(), publisher, None, None)
        self.link.turn()
        self.stop = threading.Event()
        self.dies_at = self.returns_at = float("inf")
        self.threads = [
            threading.Thread(target=self._run_unit),
            threading.Thread(target=self._run_link),
        ]
        self.offload = OffloadLink(
            self.context, "ego", "rsu", Addresses.of(self.config, "ego", "rsu")
        )
        for thread in self.threads:
            thread.start()

    def new_unit(self):
        unit = self.config.unit("rsu")
        server = Server(self.config, unit, MonotonicClock(), self.worker, None)
        server.open_desk()
        return server

    def _run_link(self):
        while not self.stop.is_set():
            self.link.turn()

    def _run_unit(self):
        """Serve; die and come back, with no memory of any session, when that is planned."""
        while not self.stop.is_set():
            if time.monotonic() >= self.dies_at:
                self.unit.close()
                time.sleep(max(0.0, self.returns_at - time.monotonic()))
                self.unit = self.new_unit()
                self.dies_at = float("inf")
            self.unit.turn()

    def close(self):
        self.stop.set()
        for thread in self.threads:
            thread.join(3)
        self.offload.close()
        self.unit.close()
        self.link.close()
        self.worker.close()
        self.context.destroy(linger=0)


@pytest.fixture
def path(tmp_path, request):
    made = Path(tmp_path, request.param)
    yield made
    made.close()


def send(offload, seq, jpeg=JPEG):
    now = time.monotonic_ns()
    task = Task(seq, "ego", "front", seq, 0, "object_detection", now, now + 10**9, 96, 64)
    effect = Send(task, "rsu", seq, "large", 800 * MS)
    return offload.send(effect, jpeg, now)


def drive(offload, seconds):
    """A vehicle in small: hello until welcome, a frame each 50 ms, reopen on a stall."""
    begin = time.monotonic_ns()
    heard_at, sent_at, is_open, seq, answers = begin, 0, False, 0, []
    offload.reopen(begin)
    while (now := time.monotonic_ns()) - begin < seconds * 1e9:
        offload.greet(now)
        offload.control.poll(5)
        for heard in offload.receive(time.monotonic_ns()):
            heard_at = time.monotonic_ns()
            if isinstance(heard, Welcomed):
                is_open = True
            elif isinstance(heard, Answered):
                answers.append(((heard_at - begin) / 1e9, heard))
        if now - heard_at > STALL_NS:
            offload.reopen(now)
            heard_at, is_open = now, False
        if is_open and now - sent_at > 50 * MS:
            seq += 1
            send(offload, seq)
            sent_at = now
    return answers


@pytest.mark.parametrize("path", [STEADY], ids=["steady"], indirect=True)
def test_frame_travels_to_the_unit_and_back(path):
    answers = drive(path.offload, 1.0)
    assert len(answers) > 5
    assert {answer.report.status for _, answer in answers} == {"ok"}
    assert len(answers[0][1].detections) == 1
    assert answers[0][1].report.infer_ns == 20 * MS


@pytest.mark.parametrize("path", [STEADY], ids=["steady"], indirect=True)
def test_beacons_come_through_the_link(path):
    path.offload.reopen(time.monotonic_ns())
    loads, end_s = [], time.monotonic() + 20.0
    while len(loads) < 2 and time.monotonic() < end_s:
        now = time.monotonic_ns()
        path.offload.greet(now)
        path.offload.ping(1)
        path.offload.control.poll(20)
        heard = path.offload.receive(time.monotonic_ns())
        loads += [item.load for item in heard if isinstance(item, Beaconed)]
    assert len(loads) == 2 and loads[0].models.keys() == {"large"}
    assert loads[0].credits == 2 and loads[0].busy_share == 0.0


@pytest.mark.slow  # it asserts wall time
@pytest.mark.parametrize("path", [GAP], ids=["gap"], indirect=True)
def test_offloading_is_back_within_a_second_of_the_link(path):
    offset = time.monotonic() - path.link.started_ns / 1e9  # the trace began before the drive
    answers = [at + offset for at, _ in drive(path.offload, 3.0 - offset)]
    assert any(at < 1.2 for at in answers)
    assert not any(1.3 < at < 2.0 for at in answers)
    assert any(at > 2.0 for at in answers)


@pytest.mark.slow  # it asserts wall time
@pytest.mark.parametrize("path", [STEADY], ids=["steady"], indirect=True)
def test_offloading_is_back_after_the_unit_s_restart(path):
    begin = time.monotonic()
    path.dies_at, path.returns_at = begin + 0.8, begin + 1.4
    answers = [at for at, _ in drive(path.offload, 2.4)]
    assert any(at < 0.8 for at in answers)
    assert not any(0.9 < at < 1.4 for at in answers)
    assert any(at > 1.4 for at in answers)
