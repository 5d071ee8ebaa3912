"""`vdap link --emulator tun` as a process: its namespaces come and go with it."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from scheduler import config_file, processes, tun_addresses
from sim.channel import tun_devices

from .test_link_emulator import STEADY, config_of

ROOT = Path(__file__).parents[2]
NEEDS = tun_devices.missing()
needs_root = pytest.mark.skipif(NEEDS is not None, reason=f"TUN devices: {NEEDS}")

ANSWER = """
import socket, sys
listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
sys.stdout.write("ready\\n"); sys.stdout.flush()
accepted, _ = listener.accept()
accepted.sendall(accepted.recv(100))
accepted.recv(1)
"""
ASK = """
import socket, sys, time
begin = time.monotonic()
near = socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)
near.sendall(b"hello")
assert near.recv(100) == b"hello"
sys.stdout.write(str(time.monotonic() - begin))
"""


def on_tun(config):
    return replace(config, link=replace(config.link, emulator="tun"))


def test_vehicle_and_unit_meet_at_the_unit_s_address(tmp_path):
    config = on_tun(config_of(tmp_path, STEADY))
    unit_port = processes.port_of(config, "rsu", "rsu", "frames")
    there = f"10.78.0.1:{unit_port}"
    assert processes.address(config, "rsu", "rsu", "frames", is_bind=True) == f"tcp://{there}"
    # From the vehicle's own address on this link, by which it is told from another one.
    assert processes.address(config, "link", "ego.rsu", "frames") == f"tcp://10.77.0.1:0;{there}"
    assert processes.address(config, "link", "ego.rsu", "telemetry").startswith("ipc://")


def existing(config):
    names = tun_addresses.namespaces(config)
    return [name for name in names if (tun_devices.NAMESPACES / name).exists()]


@pytest.fixture
def link(tmp_path):
    """A running `vdap link --emulator tun` over a config that says nothing of it."""
    config = config_of(tmp_path, STEADY)
    (tmp_path / "drive.yaml").write_text(config_file.dump(config))
    process = subprocess.Popen(
        [sys.executable, "-m", "sim.link_emulator", str(tmp_path / "drive.yaml"),
         "--emulator", "tun"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        assert process.stdout.readline() == "ready\n"
        yield process, on_tun(config)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(5)
        process.stdout.close()
        process.stderr.close()


@needs_root
def test_tcp_crosses_and_takes_the_link_s_time(link):
    _, config = link
    unit, vehicle = (tun_addresses.namespace(config, end) for end in ("rsu", "ego"))
    started = []
    try:
        answer = subprocess.Popen(
            tun_devices.inside(unit, [sys.executable, "-c", ANSWER, "10.78.0.1", "7000"]),
            stdout=subprocess.PIPE,
        )
        started.append(answer)
        assert answer.stdout is not None
        assert answer.stdout.readline() == b"ready\n"
        ask = subprocess.Popen(
            tun_devices.inside(vehicle, [sys.executable, "-c", ASK, "10.78.0.1", "7000"]),
            stdout=subprocess.PIPE,
        )
        started.append(ask)
        text, _ = ask.communicate(timeout=10)
        assert float(text) >= 0.080  # SYN and greeting: two round trips of 2 x 20 ms
    finally:
        for each in started:
            each.kill()
            each.wait(5)
            if each.stdout is not None:
                each.stdout.close()


@needs_root
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_namespaces_are_gone_however_it_ends(link, number):
    process, config = link
    assert len(existing(config)) == 2
    process.send_signal(number)
    process.wait(5)
    end = time.monotonic() + 5
    while existing(config) and time.monotonic() < end:
        time.sleep(0.02)
    assert existing(config) == []
