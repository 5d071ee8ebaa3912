"""A server in a process of its own: the carla client holds the interpreter lock while it waits."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SCRIPTS = Path(__file__).parent / "scripts"
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


class Server:
    """`python -m sim.carla_server` under test."""

    def __init__(self, *flags):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sim.carla_server", "--port", "0", *flags],
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

    def run_script(self, name, *flags, timeout=60):
        """Run a client script to its end and return what it printed."""
        process = self.start_script(name, *flags)
        try:
            out, log = process.communicate(timeout=timeout)
        finally:
            process.kill()
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
def server():
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
