"""How an attached actor follows its parent: rigidly, or behind it on an arm that swings."""

from __future__ import annotations

import math

from sim.engine.actors import Actor
from sim.engine.geometry import Pose, ray_span, wrap
from sim.engine.level import Level

SWING_RATE = 8.0  # 1/s; lower trails farther behind in bends (CARLA's arms have 8 too)
ARM_SLACK = 0.2  # m that an arm stays off what it would run into


def follow(actor: Actor, level: Level, delta_s: float) -> None:
    """Put an attached actor where its parent takes it within `delta_s` seconds; 0 at once."""
    parent = actor.parent
    assert parent is not None
    if actor.attachment == "rigid":
        actor.pose = parent.pose.compose(actor.local_pose)
    else:
        actor.pose = _on_arm(actor, parent, level, delta_s)
    actor.velocity = parent.velocity
    actor.angular_velocity = parent.angular_velocity
    actor.acceleration = parent.acceleration


def _on_arm(actor: Actor, parent: Actor, level: Level, delta_s: float) -> Pose:
    """At the arm's end, looking along it to the parent, turned further by its own rotation.

    The arm keeps level and swings towards the parent's heading like a damped spring; a plain
    spring arm draws in before a wall, a ghost's goes through it.
    """
    behind = parent.pose.yaw - actor.arm_yaw
    share = 1.0 - math.exp(-SWING_RATE * delta_s) if delta_s > 0.0 else 1.0
    actor.arm_yaw = wrap(actor.arm_yaw + share * wrap(behind))
    local, origin = actor.local_pose, parent.pose
    base = Pose(origin.x, origin.y, origin.z, actor.arm_yaw)
    reach = 1.0
    if actor.attachment == "spring_arm":
        reach = _free_share(level, base, base.compose(local))
    out = math.hypot(local.x, local.y)
    look = math.atan2(-local.y, -local.x) if out > 1e-9 else 0.0
    end = base.compose(Pose(reach * local.x, reach * local.y, reach * local.z, look,
                            math.atan2(-local.z, out) if out > 1e-9 else 0.0))  # fmt: skip
    return end.compose(Pose(0.0, 0.0, 0.0, local.yaw, local.pitch, local.roll))


def _free_share(level: Level, foot: Pose, end: Pose) -> float:
    """How much of the way from a parent to its arm's end lies before any wall."""
    a, b = (foot.x, foot.y, foot.z + 0.5), (end.x, end.y, end.z)
    length = math.dist(a, b)
    share = 1.0
    if length < 1e-6:
        return share
    for obstacle in level.near(foot.x, foot.y, length):
        span = ray_span(obstacle.box, a, b)
        if span is not None and 0.0 < span[0] < share:
            share = max(span[0] - ARM_SLACK / length, 0.0)
    return share
