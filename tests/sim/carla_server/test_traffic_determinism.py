"""Synchronous mode and a seed: a Traffic Manager's drive is the same in two new worlds."""

import importlib.util

import pytest

from .conftest import Server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("carla") is None,
        reason="needs the carla wheel (x86_64, Python 3.10-3.12)",
    ),
]


def drive(free_port, seed):
    server = Server("--lazy-rendering")
    try:
        out = server.run_script("traffic_hash.py", "--tm-port", free_port(), "--seed", seed)
    finally:
        server.stop()
    return dict(line.split() for line in out.splitlines() if line.startswith(("moving", "hash")))


def test_snapshots_of_two_runs_are_one(free_port):
    first = drive(free_port, 42)
    assert int(first["moving"]) >= 6
    assert drive(free_port, 42) == first
    assert drive(free_port, 43)["hash"] != first["hash"]
