"""Who may stand in the radio's way: the vehicles near an ego, told to the links and nobody else."""

from scheduler.messages import VERSION, Obstacle, Traffic
from sim.ground_truth import CLASSES
from sim.world import Body, WorldTick

NEAR_M = 300.0  # of an ego; farther ones stand below the line to any mast that it hears
BLOCKING = frozenset(CLASSES.index(name) for name in ("car", "truck", "bus"))


def traffic_of(seen: WorldTick) -> Traffic:
    """The message of one tick; the egos are in it, each may stand in another's way."""
    egos = [(state.pose.x, state.pose.y) for state in seen.egos.values()]
    near = (body for body in seen.bodies if body.class_id in BLOCKING and _is_near(body, egos))
    return Traffic(VERSION, seen.sim_ns, [_obstacle(body) for body in near])


def _is_near(body: Body, egos: list[tuple[float, float]]) -> bool:
    return any((body.pose.x - x) ** 2 + (body.pose.y - y) ** 2 < NEAR_M**2 for x, y in egos)


def _obstacle(body: Body) -> Obstacle:
    pose = body.pose
    return Obstacle(body.actor_id, (pose.x, pose.y, pose.z), pose.yaw, body.extent)
