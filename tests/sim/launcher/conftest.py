"""Tiny processes that behave as the contract says, or as they should not."""

import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scheduler import config_file
from scheduler.config import Config
from scheduler.processes import Process

SERVES = """
    import json, pathlib, signal, sys, time
    is_asked = False
    def end(number, frame):
        global is_asked
        is_asked = True
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    folder = pathlib.Path(sys.argv[sys.argv.index("--run-folder") + 1])
    name = "-".join([__name__ if __name__ != "__main__" else sys.argv[0]])
    def trace(text):
        with (folder / "order.txt").open("a") as file:
            file.write(text + "\\n")
"""
VEHICLE = """
    trace("vehicle starts")
    sys.stdout.write("ready\\n"); sys.stdout.flush()
    while not is_asked:
        time.sleep(0.01)
    counters = {"captured": 3, "verdicts": 3, "answers": {"onboard": 3}, "fps": 10.0}
    (folder / "vehicle-ego.json").write_text(json.dumps(counters))
    trace("vehicle ends")
"""
UNIT = """
    trace("rsu starts")
    sys.stdout.write("ready\\n"); sys.stdout.flush()
    while not is_asked:
        time.sleep(0.01)
    trace("rsu ends")
"""
BRIDGE = """
    trace("bridge starts")
    sys.stdout.write("ready\\n"); sys.stdout.flush()
    end_s = time.monotonic() + 0.4
    while not is_asked and time.monotonic() < end_s:
        time.sleep(0.01)
    trace("bridge ends")
"""
FAILS = """
    sys.stderr.write("a line before\\nvdap: ConfigError: expected a policy, got 'nonesuch'\\n")
    sys.exit(2)
"""
DEAF = """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.stdout.write("ready\\n"); sys.stdout.flush()
    time.sleep(60)
"""
DIES_ONCE = """
    sys.stdout.write("ready\\n"); sys.stdout.flush()
    mark = folder / "died"
    if not mark.exists():
        mark.write_text("")
        time.sleep(0.05)
        import os
        os.kill(os.getpid(), signal.SIGKILL)
    (folder / "came_back").write_text("")
    while not is_asked:
        time.sleep(0.01)
"""
BODIES = {
    "fake_vehicle": VEHICLE, "fake_unit": UNIT, "fake_bridge": BRIDGE, "fake_fails": FAILS,
    "fake_deaf": DEAF, "fake_dies_once": DIES_ONCE,
}  # fmt: skip

YAML = """
name: fake
duration_s: 1
world: {adapter: inprocess}
roadside_units: [{id: rsu1}]
link: {}
"""
Table = Callable[..., tuple[Process, ...]]


@pytest.fixture(autouse=True)
def short_scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A scratch folder of our own for unix sockets, whose paths must be short."""
    with tempfile.TemporaryDirectory(prefix="v") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield


@pytest.fixture
def fakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Table:
    """Writes the fake modules and makes process tables of them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    for name, body in BODIES.items():
        text = textwrap.dedent(SERVES) + textwrap.dedent(body)
        (tmp_path / f"{name}.py").write_text(text)
    (tmp_path / "fake.yaml").write_text(YAML)

    def table(vehicle: str = "vehicle", unit: str = "unit", bridge: str = "bridge"):
        return (
            Process("bridge", f"fake_{bridge}", "", 5600, ("frames", "feedback")),
            Process("rsu", f"fake_{unit}", "", 5700, ("control", "frames", "telemetry"),
                    is_offload=True, is_restarted=True),
            Process("vehicle", f"fake_{vehicle}", "", 5610, ("telemetry",)),
        )  # fmt: skip

    return table


@pytest.fixture
def config(fakes: Table, tmp_path: Path) -> Config:
    """A small drive; its folder goes on no import path of ours."""
    path = list(sys.path)
    loaded = config_file.load(str(tmp_path / "fake.yaml"), environment={})
    sys.path[:] = path
    return loaded
