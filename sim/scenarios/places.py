"""Where on an ego's route a situation fits."""

import math

import numpy as np

from scheduler.errors import WorldError
from sim.engine.geometry import Pose
from sim.routes import Track

STRAIGHT = 1.0 / 150.0  # 1/m; roads that bend less count as straight
DROP_M = 0.3  # above the ground, as spawn points are


def straight_place(track: Track, first_m: float, before_m: float, after_m: float) -> float:
    """Metres along a route, from `first_m` on, with a straight stretch around.

    Raises:
        WorldError: there is none in the next 150 m.
    """
    curvature = np.abs(track.curvature())
    limit = min(len(curvature), int(first_m) + 150)
    for s in range(int(first_m), limit):
        stretch = curvature[max(0, s - int(before_m)) : s + int(after_m)]
        if len(stretch) and float(stretch.max()) < STRAIGHT:
            return float(s)
    raise WorldError(
        f"expected {before_m + after_m:.0f} m of straight road on the ego's route after "
        f"{first_m:.0f} m: give the ego another spawn_index"
    )


def beside(track: Track, s: float, lateral_m: float, turn: float = 0.0) -> Pose:
    """A pose beside the route: `lateral_m` to the left, turned from its direction (radians)."""
    x, y, z, heading = track.at(s)
    left = heading + math.pi / 2
    return Pose(
        x + lateral_m * math.cos(left),
        y + lateral_m * math.sin(left),
        z + DROP_M,
        heading + turn,
    )
