"""The command line of `vdap world`."""

import struct
import subprocess
import sys

import pytest

from sim.carla_server.__main__ import VERSIONS
from sim.carla_server.protocol import NEWEST, PROTOCOLS
from sim.engine.town_names import town_names

from .conftest import ENVIRONMENT, Server
from .plain_client import Caller, Subscriber, description, spawn_point


def run(*flags):
    return subprocess.run(
        [sys.executable, "-m", "sim.carla_server", *flags],
        capture_output=True,
        text=True,
        timeout=60,
        env=ENVIRONMENT,
        check=False,
    )


def test_versions_on_offer_are_those_with_tables():
    assert VERSIONS[0] == NEWEST
    assert set(VERSIONS) == set(PROTOCOLS)


def test_towns_are_listed_by_the_names_that_load_world_takes():
    done = run("--list-towns")
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == town_names()


def test_unknown_town_is_one_line_that_names_those_there_are():
    done = run("--town", "Town10HD", "--port", "0")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1 and "--town" in done.stderr
    assert all(name in done.stderr for name in town_names())


@pytest.fixture
def plain_server():
    running = Server("--no-rendering", "--carla-version", "0.9.15", "--town", "VdapTown01-3")
    yield running
    running.stop()


def test_a_world_without_pictures_whatever_a_client_sets(plain_server):
    call = Caller(plain_server.port)
    assert call.value("version") == "0.9.15"
    assert call.value("get_map_info")[0] == "Carla/Maps/VdapTown01-3"
    call.settings(True, 0.05)
    assert call.value("get_episode_settings")[1] is True  # no rendering
    camera = call.value("spawn_actor", description(call, "sensor.camera.rgb"), spawn_point(call))
    stream = Subscriber(call, struct.unpack_from("<I", camera[5])[0])
    snapshots = Subscriber(call, 1)
    for _ in range(3):
        call.value("tick_cue")
        snapshots.receive()
    stream.socket.settimeout(0.05)
    with pytest.raises(TimeoutError):
        stream.receive()
    for one in (stream, snapshots, call):
        one.close()
