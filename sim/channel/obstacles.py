"""What stands between two antennas: the buildings of a town and the vehicles of a scene."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scheduler.messages import Metres3, Obstacle
from sim.channel.propagation import NEAREST_M

CAR_M = 1.6  # height of the blocking vehicle where none is known (TR 37.885 vehicle type 2)
TRUCK_M = 3.0  # vehicle type 3
DEEP_DB, SHALLOW_DB = 9.0, 5.0  # both antennas below the blocker's top; one above (37.885 6.2.1)
DEEP_SIGMA_DB, SHALLOW_SIGMA_DB = 4.5, 4.0


def blocking_db(
    distance: float, lower: float, higher: float, blocker: float
) -> tuple[float, float]:
    """(mean, sigma) of the loss by a vehicle in between, to be drawn once a block (TR 37.885).

    Args:
        distance: Between the antennas, metres.
        lower: Height of the lower antenna.
        higher: Of the other.
        blocker: Of the vehicle in between.
    """
    if lower > blocker:
        return 0.0, 0.0
    extra = max(0.0, 15.0 * math.log10(max(distance, NEAREST_M)) - 41.0)
    if higher < blocker:
        return DEEP_DB + extra, DEEP_SIGMA_DB
    return SHALLOW_DB + extra, SHALLOW_SIGMA_DB


class Blocker(NamedTuple):
    """A vehicle that a line between two antennas passes below its top.

    Attributes:
        actor_id: Who.
        top: Its height in the world, metres.
    """

    actor_id: int
    top: float


def blocker_between(a: Metres3, b: Metres3, obstacles: Sequence[Obstacle]) -> Blocker | None:
    """The tallest vehicle in the line from a to b (metres, world); None if it is clear.

    One whose footprint holds an end does not count: it carries that antenna.

    Args:
        a: One antenna.
        b: The other.
        obstacles: Who is on the road.
    """
    found: Blocker | None = None
    for obstacle in obstacles:
        top = obstacle.position[2] + obstacle.extent[2]
        if found is not None and top <= found.top:
            continue
        span = _span(a, b, obstacle)
        if span is None or span[0] <= 0.0 or span[1] >= 1.0:
            continue
        heights = (a[2] + share * (b[2] - a[2]) for share in span)
        if min(heights) < top:
            found = Blocker(obstacle.actor_id, top)
    return found


def _span(a: Metres3, b: Metres3, box: Obstacle) -> tuple[float, float] | None:
    """From where to where, as shares of the way a to b, a line is over a footprint."""
    cos, sin = math.cos(box.yaw), math.sin(box.yaw)
    ax, ay = a[0] - box.position[0], a[1] - box.position[1]
    dx, dy = b[0] - a[0], b[1] - a[1]
    enter, leave = -math.inf, math.inf
    for start, step, half in (
        (cos * ax + sin * ay, cos * dx + sin * dy, box.extent[0]),
        (cos * ay - sin * ax, cos * dy - sin * dx, box.extent[1]),
    ):
        if abs(step) < 1e-12:
            if abs(start) > half:
                return None
            continue
        first, last = sorted(((-half - start) / step, (half - start) / step))
        enter, leave = max(enter, first), min(leave, last)
    return (enter, leave) if enter <= leave and leave >= 0.0 and enter <= 1.0 else None


class Buildings:
    """The footprints of a town, asked whether they stand between two points."""

    def __init__(self, footprints: Sequence[Sequence[tuple[float, float]]]) -> None:
        edges, owners = [], []
        for owner, footprint in enumerate(footprints):
            for index, corner in enumerate(footprint):
                edges.append((*corner, *footprint[(index + 1) % len(footprint)]))
                owners.append(owner)
        self._edges: NDArray[np.float64] = np.array(edges, np.float64).reshape(-1, 4)
        self._owners: NDArray[np.intp] = np.array(owners, np.intp)

    def block(self, a: tuple[float, float], b: tuple[float, float]) -> bool:
        """Whether a building stands between a and b (metres, world).

        One that holds exactly one of the two does not count: the antenna is on its wall, or its
        footprint is a box round something that spans the street.
        """
        x1, y1, x2, y2 = self._edges.T
        dx, dy = b[0] - a[0], b[1] - a[1]
        # Each edge's ends lie on different sides of the line, and the line's of the edge; a point
        # on it counts to one side, so that a line through a corner is not missed.
        side_1 = dx * (y1 - a[1]) - dy * (x1 - a[0])
        side_2 = dx * (y2 - a[1]) - dy * (x2 - a[0])
        ex, ey = x2 - x1, y2 - y1
        side_a = ex * (a[1] - y1) - ey * (a[0] - x1)
        side_b = ex * (b[1] - y1) - ey * (b[0] - x1)
        is_crossed = ((side_1 >= 0) != (side_2 >= 0)) & ((side_a >= 0) != (side_b >= 0))
        crossings = np.bincount(self._owners[is_crossed])
        return bool(np.any((crossings > 0) & (crossings % 2 == 0)))
