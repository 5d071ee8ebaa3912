import math
import random
from itertools import pairwise

import pytest

from sim.engine.lane_path import BRAKING, LaneMarks, LanePath
from sim.engine.lanes import project
from sim.engine.town import build_town


@pytest.fixture(scope="module")
def paths() -> list[LanePath]:
    """Ways from the middle of some lanes of a small town."""
    lanes = build_town().lanes
    marks, rng, found = LaneMarks(lanes), random.Random(4), []
    for lane in [one for one in lanes.lanes.values() if one.kind == "driving"][::7]:
        path = LanePath(marks, rng, lane, lane.length * rng.random())
        path.extend(80.0)
        found.append(path)
    return found


def test_marks_ahead_are_in_order_and_on_the_way(paths: list[LanePath]) -> None:
    for path in paths:
        seen = path.ahead(60.0)
        distances = [distance for distance, _ in seen]
        assert distances == sorted(distances)
        assert 0.0 <= distances[0] < 3.0
        assert distances[-1] <= 60.0
        assert all(after - before < 2.5 for before, after in pairwise(distances))
        for distance, mark in seen:
            pose = path.pose_ahead(distance)
            assert math.hypot(pose.x - mark.x, pose.y - mark.y) < 0.1


def test_speed_allows_for_what_comes_on_the_next_lanes(paths: list[LanePath]) -> None:
    for path in paths:
        allowed, start = path.speed_limit(1.0), path.lanes[0].length - path.s
        assert allowed <= path.lanes[0].speed_limit + 2.0
        for lane in path.lanes[1:3]:
            first = path._marks.marks[lane.id][0].speed
            assert allowed <= math.sqrt(first**2 + 2 * BRAKING * start) + 1e-9
            start += lane.length


def test_a_point_is_projected_onto_each_piece_of_a_line(paths: list[LanePath]) -> None:
    for path in paths:
        lane = path.lanes[0]
        for i in (0, len(lane.points) // 2, len(lane.points) - 2):
            (x0, y0, _), (x1, y1, _) = lane.points[i], lane.points[i + 1]
            middle = ((x0 + x1) / 2, (y0 + y1) / 2)
            s, offset, distance, heading = project(lane, i, *middle)
            assert lane.lengths[i] < s < lane.lengths[i + 1]
            assert abs(offset) < 1e-9 > distance
            assert heading == pytest.approx(math.atan2(y1 - y0, x1 - x0))
