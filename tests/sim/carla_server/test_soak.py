"""Some hundred ticks of the soak benchmark: nothing errs, nothing is left behind."""

import importlib.util
import subprocess
import sys

import pytest

from .conftest import ENVIRONMENT, ROOT


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("carla") is None or importlib.util.find_spec("numba") is None,
    reason="needs the carla wheel and numba",
)
def test_cars_and_sensors_come_and_go_and_nothing_is_left():
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "soak.py", "--ticks", "450", "--cars", "10"],
        capture_output=True,
        text=True,
        timeout=300,
        env=ENVIRONMENT,
        check=False,
    )
    # So short a run is still warming up: its memory says nothing, all else must hold.
    left = [line for line in done.stdout.splitlines() if not line.startswith("memory")]
    assert "client gone" in done.stdout, done.stdout + done.stderr
    assert left[-1] == "ok" or "memory grew" in done.stdout, done.stdout + done.stderr
    for bad in ("left behind", "of 450 ticks", "has errors", "ended with"):
        assert bad not in done.stdout, done.stdout
