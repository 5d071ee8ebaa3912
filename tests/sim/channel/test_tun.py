import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scheduler.errors import ConfigError
from sim.channel import tun_devices
from sim.channel.base import LinkState
from sim.channel.link_model import LinkModel
from sim.channel.trace import Trace
from sim.channel.tun import TunLink

MS = 1_000_000
NEEDS = tun_devices.missing()
needs_root = pytest.mark.skipif(NEEDS is not None, reason=f"TUN devices: {NEEDS}")
ROWS = (
    "0,4000000,5,0.1,4000000,5,0.1\n"
    "0.1,0,5,0,0,5,0\n"
    "0.15,2000000,20,0.3,8000000,20,0\n"
    "0.3,2000000,20,0.3,8000000,20,0\n"
)


class Pair:
    """A link between two pairs of packet sockets, which stand for the devices."""

    def __init__(self, model):
        self.selector = selectors.SelectSelector()
        self.near, near = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.far, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        for end in (self.near, self.far, near, far):
            end.setblocking(False)
        devices = (near.detach(), far.detach())
        self.link = TunLink(self.selector, "ego.rsu", devices, model, limit_bytes=20_000)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.link.close()
        self.selector.close()
        self.near.close()
        self.far.close()

    def turn(self, now_ns):
        for key, mask in self.selector.select(0):
            key.data(mask, now_ns)
        self.link.pump(now_ns)

    def taken(self, end):
        packets = []
        while True:
            try:
                packets.append(end.recv(2000))
            except BlockingIOError:
                return packets


def model_of(tmp_path, seed="s", outage="drop"):
    path = tmp_path / "trace.csv"
    path.write_text(ROWS)
    return LinkModel.of(Trace(path), limit_bytes=20_000, outage=outage, seed=seed)


def fates(model):
    """When each of the same packets arrives, by the millisecond."""
    arrivals = []
    with Pair(model) as pair:
        pair.link.begin(0)
        for now_ms in range(600):
            if now_ms % 2 == 0:
                pair.near.send(now_ms.to_bytes(2, "big") * 500)
                pair.far.send(now_ms.to_bytes(2, "big") * 20)
            pair.turn(now_ms * MS)
            arrivals += [(now_ms, "up", p[:2]) for p in pair.taken(pair.far)]
            arrivals += [(now_ms, "dn", p[:2]) for p in pair.taken(pair.near)]
    return arrivals


def test_same_trace_and_seed_give_the_same_packets_the_same_fates(tmp_path):
    first = fates(model_of(tmp_path))
    assert first == fates(model_of(tmp_path))
    assert first != fates(model_of(tmp_path, seed="other"))
    ups = sum(way == "up" for _, way, _ in first)
    assert 50 < ups < 250  # some were lost, some were not


def test_packets_are_released_when_the_model_says(tmp_path):
    with Pair(model_of(tmp_path)) as pair:
        pair.link.begin(1000 * MS)
        pair.near.send(bytes(1500))
        pair.turn(1000 * MS)
        due = pair.link.due_ns()
        assert due == (1000 + 5) * MS + 1448 * 8 * 250  # payload of a full packet at 4 Mbit/s
        pair.turn(due - 1)
        assert pair.taken(pair.far) == []
        pair.turn(due)
        assert pair.taken(pair.far) == [bytes(1500)]


def test_packets_out_of_range_are_lost_and_counted(tmp_path):
    with Pair(model_of(tmp_path)) as pair:
        pair.link.begin(0)
        pair.near.send(b"x")
        pair.turn(120 * MS)
        pair.turn(500 * MS)
        assert pair.taken(pair.far) == []
        assert pair.link.counters()["lost_up"] == 1


def test_live_rows_carry_packets_too():
    model = LinkModel.of(None, limit_bytes=20_000, outage="drop", seed="s")
    with Pair(model) as pair:
        pair.link.begin(0)
        pair.near.send(b"before any row")
        pair.turn(0)
        pair.link.apply(100 * MS, LinkState(8e6, 1, 0, 8e6, 1, 0))
        pair.near.send(bytes(1500))
        pair.turn(100 * MS)
        pair.turn(103 * MS)
        assert pair.taken(pair.far) == [bytes(1500)]
        pair.near.send(bytes(1500))
        pair.turn(104 * MS)
        pair.link.apply(104 * MS, LinkState(0, 1, 0, 0, 1, 0))  # lost in the queue
        pair.turn(500 * MS)
        assert pair.taken(pair.far) == []


def test_what_is_missing_is_said(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ConfigError, match=r"link\.emulator tun: expected .*proxy"):
        tun_devices.Namespaces({"vdap-test": None})


def names_here():
    return {path.name for path in tun_devices.NAMESPACES.glob("vdaptest*")}


@needs_root
def test_namespaces_go_with_their_owner_only(tmp_path):
    name = f"vdaptest{os.getpid()}a"
    owner = tun_devices.Namespaces({name: None})
    guest = tun_devices.Namespaces({name: None})  # as the link process under the launcher
    guest.close()
    assert name in names_here()
    owner.close()
    assert name not in names_here()


@needs_root
def test_killed_owner_leaves_no_namespace():
    name = f"vdaptest{os.getpid()}b"
    code = (
        "import sys, time; from sim.channel.tun_devices import Namespaces; "
        f"kept = Namespaces({{'{name}': None}}); sys.stdout.write('made\\n'); sys.stdout.flush(); "
        "time.sleep(60)"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]
    )
    assert owner.stdout is not None
    with owner.stdout:
        assert owner.stdout.readline() == b"made\n"
        assert name in names_here()
        owner.send_signal(signal.SIGKILL)
        owner.wait(5)
    end = time.monotonic() + 5
    while name in names_here() and time.monotonic() < end:
        time.sleep(0.02)
    assert name not in names_here()


ECHO = """
import socket, sys
got = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
got.bind((sys.argv[1], 7000))
sys.stdout.write("ready\\n"); sys.stdout.flush()
while True:
    data, sender = got.recvfrom(2000)
    got.sendto(data, sender)
"""
PING = """
import socket, sys
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out.settimeout(5)
out.bind((sys.argv[1], 0))
out.sendto(b"hello", (sys.argv[2], 7000))
sys.stdout.write(out.recv(100).decode())
"""


@needs_root
def test_real_packets_cross_between_namespaces_by_each_of_two_links(tmp_path):
    near, far = (f"vdaptest{os.getpid()}{end}" for end in "vu")
    kept = tun_devices.Namespaces({near: None, far: "10.78.0.1"})
    selector = selectors.SelectSelector()
    links, started = [], []
    try:
        for index in (0, 1):
            host = f"10.77.0.{index + 1}"
            devices = (
                tun_devices.open_tun(near, f"link{index}", host, ["10.78.0.1"], 1000 + index),
                tun_devices.open_tun(far, f"link{index}", "10.78.0.1", [host], None),
            )
            model = LinkModel.of(None, limit_bytes=20_000, outage="hold", seed="s")
            link = TunLink(selector, f"l{index}", devices, model, limit_bytes=20_000)
            link.begin(0)
            link.apply(0, LinkState(8e6, 0, 0, 8e6, 0, 0))
            links.append(link)
        echo = subprocess.Popen(
            tun_devices.inside(far, [sys.executable, "-c", ECHO, "10.78.0.1"]),
            stdout=subprocess.PIPE,
        )
        started.append(echo)
        assert echo.stdout is not None
        assert echo.stdout.readline() == b"ready\n"
        for index in (0, 1):
            ping = subprocess.Popen(
                tun_devices.inside(
                    near, [sys.executable, "-c", PING, f"10.77.0.{index + 1}", "10.78.0.1"]
                ),
                stdout=subprocess.PIPE,
            )
            started.append(ping)
            while ping.poll() is None:
                for key, mask in selector.select(0.01):
                    key.data(mask, time.monotonic_ns())
                for link in links:
                    link.pump(time.monotonic_ns())
            assert ping.stdout is not None
            assert ping.stdout.read() == b"hello"
            assert links[index].bytes_up == links[index].bytes_dn == 33  # 5 + IP and UDP
    finally:
        for process in started:
            if process.poll() is None:
                process.kill()
            process.wait(5)
            if process.stdout is not None:
                process.stdout.close()
        for link in links:
            link.close()
        selector.close()
        kept.close()
