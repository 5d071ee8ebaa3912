"""Servers under test: in this process for a plain client, in one of its own for the carla client.

The carla client holds the interpreter lock while it waits.
"""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sim.carla_server.server import CarlaServer, Sockets
from sim.engine.simulation import Engine
from sim.engine.town import build_town

from .plain_client import Caller

ROOT = Path(__file__).parents[3]
SCRIPTS = Path(__file__).parent / "scripts"
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


# A synchronous Traffic Manager, threads of the client, can wait for itself for ever: both sides of
# its step notify without the lock that the other side checks under. Seen once in 30 runs with the
# cores overloaded; such a run is made again.
ATTEMPTS = 3


class Server:
    """`python -m sim.carla_server` under test."""

    def __init__(self, *flags):
        self._flags = flags
        self._start()

    def _start(self):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sim.carla_server", "--port", "0", *self._flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
        )
        line = self.process.stdout.readline()
        if not line.startswith("ready "):
            raise AssertionError(line + self.process.stderr.read())
        self.host, port = line.split()[1].split(":")
        self.port = int(port)

    def start_script(self, name, *flags):
        """Start a client script in a process of its own."""
        return subprocess.Popen(
            [
                *(sys.executable, SCRIPTS / "run_script.py", SCRIPTS / name),
                *("--host", self.host, "--port", str(self.port), *map(str, flags)),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
        )

    def run_script(self, name, *flags, timeout=40):
        """Run a client script to its end and return what it printed."""
        for attempt in range(1, ATTEMPTS + 1):
            process = self.start_script(name, *flags)
            try:
                out, log = process.communicate(timeout=timeout)
                break
            except subprocess.TimeoutExpired:
                if attempt == ATTEMPTS:
                    raise
            finally:
                process.kill()
                process.communicate()
            self.stop()  # the world of a stuck client waits for its next tick
            self._start()
        assert process.returncode == 0, out + log
        return out

    def stop(self):
        """End it as a user would; return (exit code, log)."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            _, log = self.process.communicate(timeout=5)
        finally:
            self.process.kill()
        return self.process.returncode, log


@pytest.fixture(scope="session")
def free_port():
    def take():
        with socket.create_server(("127.0.0.1", 0)) as listener:
            return listener.getsockname()[1]

    return take


@pytest.fixture(scope="session")
def server_process():
    running = Server()
    yield running
    code, log = running.stop()
    assert code == 0, log
    assert "Traceback" not in log, log


@pytest.fixture
def lazy_server():
    """A server that has prepared no renderer: quick to start."""
    running = Server("--lazy-rendering")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def town():
    return build_town()


@pytest.fixture
def server(town):
    """A server in this process, without a renderer."""
    running = CarlaServer(Sockets("127.0.0.1", 0), Engine(town))
    running.start()
    yield running
    running.close()


@pytest.fixture
def call(server):
    caller = Caller(server.port)
    yield caller
    caller.close()
