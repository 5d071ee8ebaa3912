"""All sensors through the real client."""

import importlib.util

import pytest

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("carla") is None, reason="the carla wheel is not installed"
    ),
    pytest.mark.skipif(
        importlib.util.find_spec("numba") is None, reason="pictures need the engine extra"
    ),
]


def test_every_sensor_agrees_with_the_others(server_process):
    assert "sensors agree" in server_process.run_script("all_sensors.py", timeout=90)
