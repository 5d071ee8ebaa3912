"""The way a driver is going: the lane under it and those it has chosen to take next."""

from __future__ import annotations

import math
import random
from bisect import bisect_left, bisect_right
from typing import NamedTuple

from sim.engine.geometry import Pose, wrap
from sim.engine.lanes import Lane, LaneGraph, LaneId, project

MARK_SPACING = 2.0  # m between the marks at which speed and clearance are looked at
SEARCH = 8.0  # m ahead in which one looks for oneself; a tick moves less
FARTHER = 2.0  # m beyond the nearest point at which one has passed it
KNOWN_LANES = 3  # that are always chosen: the one under it, through a junction, out of it
LOST = 4.0  # m off the path at which one looks for another lane
LATERAL_ACCELERATION = 2.2  # m/s^2 in bends, comfortable in a town
BRAKING = 2.0  # m/s^2 with which one slows down before a bend


class Mark(NamedTuple):
    """A point of a lane's middle."""

    s: float  # m along the lane
    x: float
    y: float
    cos: float  # of the heading
    sin: float
    speed: float  # m/s allowed here by the limit, this bend and those that follow on the lane


class LaneMarks:
    """Marks of every driving lane, computed once for a town."""

    def __init__(self, lanes: LaneGraph) -> None:
        self.lanes = lanes
        self.marks = {
            lane.id: _marks(lane) for lane in lanes.lanes.values() if lane.kind == "driving"
        }


def _marks(lane: Lane) -> list[Mark]:
    count = max(2, math.ceil(lane.length / MARK_SPACING))
    step = lane.length / count
    poses = [lane.pose_at(step * k) for k in range(count + 1)]
    speeds = []
    for k in range(count + 1):
        before, after = poses[max(k - 1, 0)], poses[min(k + 1, count)]
        span = step * (min(k + 1, count) - max(k - 1, 0))
        bend = abs(wrap(after.yaw - before.yaw)) / span
        allowed = math.sqrt(LATERAL_ACCELERATION / bend) if bend > 1e-4 else math.inf
        speeds.append(min(lane.speed_limit, allowed))
    for k in range(count - 1, -1, -1):
        speeds[k] = min(speeds[k], math.sqrt(speeds[k + 1] ** 2 + 2 * BRAKING * step))
    return [
        Mark(step * k, pose.x, pose.y, math.cos(pose.yaw), math.sin(pose.yaw), speeds[k])
        for k, pose in enumerate(poses)
    ]


class LanePath:
    """Lanes to follow, with one's place on the first; grows by random turns.

    Attributes:
        lanes: from the one under the driver on.
        s: metres along the first.
    """

    def __init__(self, marks: LaneMarks, rng: random.Random, lane: Lane, s: float) -> None:
        self._marks = marks
        self._rng = rng
        self.lanes = [lane]
        self.s = s

    def locate(self, x: float, y: float, yaw: float) -> None:
        """Find one's place again after moving; look for another lane if one has left the path."""
        best = (math.inf, 0, 0.0)
        reach = self.s + SEARCH
        for k, lane in enumerate(self.lanes[:2]):
            first = bisect_right(lane.lengths, self.s) - 2 if k == 0 else 0
            for i in range(max(first, 0), len(lane.points) - 1):
                if lane.lengths[i] > reach:
                    break
                s, _, distance, _ = project(lane, i, x, y)
                if distance < best[0]:
                    best = (distance, k, s)
                elif distance > best[0] + FARTHER:
                    break
            reach -= lane.length
        if best[0] > LOST:
            lane, self.s, _ = self._marks.lanes.nearest(x, y, yaw)
            self.lanes = [lane]
            return
        self.s = best[2]
        del self.lanes[: best[1]]

    def extend(self, distance: float) -> None:
        """Choose turns until the path is known `distance` metres ahead."""
        ahead = sum(lane.length for lane in self.lanes) - self.s
        while ahead < distance or len(self.lanes) < KNOWN_LANES:
            if not self.lanes[-1].successors:
                return
            lane = self._marks.lanes[self._rng.choice(self.lanes[-1].successors)]
            self.lanes.append(lane)
            ahead += lane.length

    def pose_ahead(self, distance: float) -> Pose:
        """The pose on the path `distance` metres on, at most at its known end."""
        s = self.s + distance
        for lane in self.lanes[:-1]:
            if s <= lane.length:
                return lane.pose_at(s)
            s -= lane.length
        return self.lanes[-1].pose_at(s)

    def ahead(self, distance: float) -> list[tuple[float, Mark]]:
        """(metres from here, mark) of the marks within `distance` metres."""
        start, found = -self.s, []
        for lane in self.lanes:
            marks = self._marks.marks[lane.id]
            first = 1 if start > -self.s else bisect_left(marks, (self.s,))
            last = bisect_right(marks, (distance - start, math.inf))
            found += [(start + mark.s, mark) for mark in marks[first:last]]
            if last < len(marks):
                break
            start += lane.length
        return found

    def speed_limit(self, haste: float) -> float:
        """Speed that limits and bends allow here, m/s; `haste` scales the limits."""
        marks = self._marks.marks
        own = marks[self.lanes[0].id]
        mark = own[min(bisect_left(own, (max(self.s, 0.0),)), len(own) - 1)]
        gain = 2 * BRAKING * max(mark.s - self.s, 0.0)
        square = (mark.speed * haste) ** 2 + gain
        start = self.lanes[0].length - self.s
        for lane in self.lanes[1:3]:
            gain = 2 * BRAKING * start if start > 0.0 else 0.0
            if gain >= square:
                break
            allowed = (marks[lane.id][0].speed * haste) ** 2 + gain
            if allowed < square:
                square = allowed
            start += lane.length
        return math.sqrt(square)

    def next_junction(self) -> tuple[float, Lane] | None:
        """(metres to its start, lane) of the first junction lane ahead, if the path knows one."""
        start = -self.s
        for lane in self.lanes:
            if lane.is_junction and start > 0.0:
                return start, lane
            start += lane.length
        return None

    def lane_ids(self) -> list[LaneId]:
        """Ids of the lanes from here on."""
        return [lane.id for lane in self.lanes]
