"""A pedestrian steps out from behind a parked van, so near that seconds decide."""

import math
from collections.abc import Callable, Sequence

from scheduler.errors import WorldError
from sim.routes import Track
from sim.scenarios.places import beside, straight_place
from sim.world import Ego, World, WorldTick

VAN = "vehicle.mercedes.sprinter"
PEDESTRIAN = "walker.pedestrian.0001"
FIRST_M = 45.0  # the ego is at speed by then
VAN_LATERAL = -3.1  # m: on the kerb, its side half a metre beside the ego's
KERB_LATERAL = -3.6  # m, where the pedestrian waits, hidden by the van
BEHIND_VAN_M = 4.2  # from the van's middle to the pedestrian


def pedestrian_steps_out(
    world: World, egos: Sequence[Ego], *, lead_s: float = 2.6, pace: float = 1.6,
    first_m: float = FIRST_M,
) -> Callable[[WorldTick], None]:  # fmt: skip
    """Place van and pedestrian.

    Args:
        lead_s: Seconds before the ego would be there at which the pedestrian sets off.
        pace: m/s.
        first_m: Metres along the route before which nothing happens.

    Raises:
        WorldError: the route has no straight stretch, or something stands there.
    """
    if not egos:
        raise WorldError("pedestrian_steps_out: expected an ego")
    ego = egos[0]
    track = Track(ego.route, is_loop=ego.is_loop)
    at_m = straight_place(track, first_m, 25.0, 15.0)
    world.place_vehicle(VAN, beside(track, at_m - BEHIND_VAN_M, VAN_LATERAL))
    start = beside(track, at_m, KERB_LATERAL, math.pi / 2)
    walker = world.place_walker(PEDESTRIAN, start)
    velocity = (pace * math.cos(start.yaw), pace * math.sin(start.yaw))
    has_set_off = False

    def script(seen: WorldTick) -> None:
        nonlocal has_set_off
        state = seen.egos[ego.actor_id]
        s, _ = track.nearest(state.pose.x, state.pose.y)
        gap = at_m - s - ego.extent[0]
        if not has_set_off and state.speed > 1.0 and gap < lead_s * state.speed:
            has_set_off = True
            world.walk(walker, velocity)

    return script
