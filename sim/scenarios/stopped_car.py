"""A car stands still in the first ego's lane, some metres after a bend that hides it."""

import math
from collections.abc import Sequence

import numpy as np

from scheduler.errors import WorldError
from sim.engine.geometry import Pose
from sim.routes import Track
from sim.world import Ego, World

BLUEPRINT = "vehicle.audi.tt"
FIRST_BEND_M = 40.0  # the ego is at speed by then
BEND = 1.0 / 40.0  # 1/m from which a road bends
MIN_TURN = math.radians(60.0)  # that hides what is behind it
AFTER_M = 18.0  # from the end of the bend to the middle of the car
DROP_M = 0.3  # above the ground, as spawn points are


def stopped_car_round_bend(world: World, egos: Sequence[Ego], *, after_m: float = AFTER_M) -> None:
    """Place the car, `after_m` metres after the end of the bend.

    Raises:
        WorldError: the route has no bend.
    """
    track = Track(egos[0].route, is_loop=egos[0].is_loop)
    x, y, z, heading = track.at(bend_end(track) + after_m)
    world.place_vehicle(BLUEPRINT, Pose(x, y, z + DROP_M, heading))


def bend_end(track: Track) -> float:
    """Metres along a route where its first sharp bend is over.

    Raises:
        WorldError: it has none.
    """
    curvature = track.curvature()
    turned = 0.0
    for s in range(int(FIRST_BEND_M), len(curvature)):
        if abs(curvature[s]) >= BEND:
            turned += float(curvature[s])
        elif abs(turned) >= MIN_TURN:
            return float(s)
        else:
            turned = 0.0
    sharpest = float(np.degrees(np.abs(curvature).max() * 10.0))
    raise WorldError(
        f"expected a bend of {math.degrees(MIN_TURN):.0f} degrees on the ego's route, which turns "
        f"at most {sharpest:.0f} in 10 m: give the ego another spawn_index"
    )
