import math

import numpy as np
import pytest

from sim.routes import RouteLane, Track, closed_route, polyline, random_route


def lane(a, b, *successors):
    centre = np.linspace((*a, 0.0), (*b, 0.0), 21)
    return RouteLane(centre, [(key,) for key in successors])


SQUARE = {
    (1,): lane((0, 0), (100, 0), 2, 5),
    (2,): lane((100, 0), (100, 100), 3),
    (3,): lane((100, 100), (0, 100), 4),
    (4,): lane((0, 100), (0, 0), 1),
    (5,): lane((100, 0), (50, 50), 6),  # a short cut
    (6,): lane((50, 50), (0, 100), 4),
    (7,): lane((500, 0), (600, 0)),
}


def test_longest_loop_is_taken():
    assert closed_route(SQUARE, (1,)) == [(1,), (2,), (3,), (4,)]
    assert closed_route(SQUARE, (5,)) == [(5,), (6,), (4,), (1,)]


def test_no_loop_is_said():
    assert closed_route(SQUARE, (7,)) is None


def test_loop_longer_than_the_bound_is_not_taken(monkeypatch):
    monkeypatch.setattr("sim.routes.MAX_LOOP_M", 390.0)
    assert closed_route(SQUARE, (1,)) == [(1,), (5,), (6,), (4,)]


def test_random_route_is_seeded_and_long_enough():
    first = random_route(SQUARE, (1,), 1000.0, seed=3)
    assert first == random_route(SQUARE, (1,), 1000.0, seed=3)
    assert sum(SQUARE[key].length for key in first) >= 1000.0
    assert random_route(SQUARE, (7,), 1000.0, seed=3) == [(7,)]


def test_polyline_starts_where_the_ego_stands_and_closes():
    points = polyline(SQUARE, [(1,), (2,), (3,), (4,)], 30.0, is_loop=True)
    assert points[0] == pytest.approx([30.0, 0.0, 0.0])
    assert points[-1] == pytest.approx([29.0, 0.0, 0.0])
    gaps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    assert gaps.max() <= 1.001
    assert Track(points, is_loop=True).length == pytest.approx(400.0)


def test_open_route_ends_at_its_last_lane():
    points = polyline(SQUARE, [(1,), (2,)], 10.0, is_loop=False)
    assert points[-1] == pytest.approx([100.0, 99.0 + 1.0, 0.0], abs=1.001)


def test_track_projects_and_wraps():
    track = Track(polyline(SQUARE, [(1,), (2,), (3,), (4,)], 0.0, is_loop=True), is_loop=True)
    s, left = track.nearest(40.2, 1.5)
    assert (s, left) == pytest.approx((40.2, 1.5))
    assert track.nearest(103.0, 20.0) == pytest.approx((120.0, -3.0))
    x, y, _, heading = track.at(410.0)
    assert (x, y, heading) == pytest.approx((10.0, 0.0, 0.0))


def test_crossing_route_is_followed_where_one_is():
    eight = np.array(
        [(x, 0.0, 0.0) for x in range(51)] + [(25.0, y, 0.0) for y in range(20, -21, -1)]
    )
    track = Track(eight, is_loop=False)
    assert track.nearest(25.0, 0.4, around=24.0)[0] == pytest.approx(25.0, abs=1.0)
    assert track.nearest(25.0, 0.4, around=93.0)[0] > 80.0


def test_curvature_of_a_circle():
    angle = np.linspace(0, 2 * math.pi, 126, endpoint=False)
    circle = np.stack([20 * np.cos(angle), 20 * np.sin(angle), 0 * angle], axis=1)
    assert Track(circle, is_loop=True).curvature() == pytest.approx(np.full(125, 0.05), rel=0.2)
