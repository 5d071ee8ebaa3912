"""A user's own OpenDRIVE through the unmodified client."""

import re
from pathlib import Path

import pytest

pytest.importorskip("carla", reason="the carla wheel parses OpenDRIVE")

MAPS = Path(__file__).parent / "maps"


def test_a_users_map_is_loaded_and_driven_and_what_is_none_is_refused(lazy_server, free_port):
    out = lazy_server.run_script(
        "foreign_world.py", "--map", MAPS / "ring.xodr", "--tm-port", free_port()
    )
    assert "opendrive could not be correctly parsed: at least one road expected" in out
    assert "map Carla/Maps/OpenDriveMap" in out
    cars, moved, off = re.search(r"cars (\d+) moved \[(.*)\] off (\d+)", out).groups()
    distances = [int(one) for one in moved.split(", ")]
    assert int(cars) == len(distances) >= 5
    assert sum(one > 30 for one in distances) >= 0.6 * len(distances)  # others wait at the light
    assert int(off) < 0.02 * 200 * len(distances)
