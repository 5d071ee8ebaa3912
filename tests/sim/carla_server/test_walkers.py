"""Walkers under the unmodified client's own controllers, which find their way by our mesh."""

import math

import pytest

from sim.engine.geometry import Box, boxes_touch
from sim.engine.town import build_town

pytest.importorskip("carla", reason="the carla wheel has the controllers")

HALF = 0.2  # m of a body beside its middle


def places_of(out):
    """{walker: [(x, y, z)]} of what a script printed, the engine's axes."""
    found = {}
    for line in out.splitlines():
        if line.startswith("at "):
            _, name, *place = line.split()
            found.setdefault(name, []).append(tuple(map(float, place)))
    return found


def is_on_crossing(town, x, y):
    for crossing in town.crossings:
        (x0, y0, _), (x1, y1, _) = crossing.ends
        length = math.hypot(x1 - x0, y1 - y0)
        ux, uy = (x1 - x0) / length, (y1 - y0) / length
        along, aside = (x - x0) * ux + (y - y0) * uy, (y - y0) * ux - (x - x0) * uy
        if 0.0 <= along <= length and abs(aside) <= crossing.width / 2:
            return True
    return False


def is_on_pavement(town, x, y):
    return town.lanes.height_at(x, y, "pavement") is not None


def test_walkers_stay_on_the_ground_of_pavements_and_crossings_and_out_of_buildings(
    lazy_server, tmp_path
):
    out = lazy_server.run_script("walker_navigation.py", "--cache", tmp_path, "--ticks", 400)
    town = build_town()
    walkers = places_of(out)
    assert len(walkers) >= 16
    places = [place for way in walkers.values() for place in way]
    kept = [is_on_pavement(town, x, y) or is_on_crossing(town, x, y) for x, y, _ in places]
    assert sum(kept) / len(kept) >= 0.95
    bodies = [building.box() for building in town.buildings]
    for x, y, _ in places[::5]:
        near = [body for body in bodies if math.hypot(body.x - x, body.y - y) < 40.0]
        assert not any(boxes_touch(Box(x, y, 0.0, HALF, HALF), body) for body in near)
    moved = [float(line.split()[1]) for line in out.splitlines() if line.startswith("moved ")]
    assert sorted(moved)[len(moved) // 4] > 10.0  # 20 s at up to 1.4 m/s
    assert max(moved) < 400 * 0.05 * 1.6
    for way in walkers.values():
        heights = [z for x, y, z in way if is_on_pavement(town, x, y)]
        assert max(heights) - min(heights) < 0.02  # nobody hops
        assert 0.5 < heights[0] < 1.2


def test_a_walker_crosses_at_the_crossing(lazy_server, tmp_path):
    town = build_town()
    crossing = town.crossings[0]
    (x0, y0, _), (x1, y1, _) = crossing.ends
    length = math.hypot(x1 - x0, y1 - y0)
    ux, uy = (x1 - x0) / length, (y1 - y0) / length
    ways = []
    for side in (1, -1):  # along the pavement away from the junction there is more of it
        start = (x0 - side * 12.0 * uy, y0 + side * 12.0 * ux)
        target = (x1 - side * 12.0 * uy, y1 + side * 12.0 * ux)
        if is_on_pavement(town, *start) and is_on_pavement(town, *target):
            ways.append((start, target))
    (start, target), *_ = ways
    out = lazy_server.run_script(
        *("walker_crossing.py", "--cache", tmp_path, "--way"),
        *(start[0], -start[1], target[0], -target[1]),
    )
    assert "arrived" in out
    ((_, way),) = places_of(out).items()
    on_road = [(x, y) for x, y, _ in way if not is_on_pavement(town, x, y)]
    assert len(on_road) > 20
    assert all(is_on_crossing(town, x, y) for x, y in on_road)
