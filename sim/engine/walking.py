"""How walkers move between contacts: as they are told, or falling and sliding after a hit."""

from __future__ import annotations

import math

from sim.engine.body import Body
from sim.engine.dynamics import settle
from sim.engine.geometry import wrap

WALKER_TURN = 6.0  # rad/s
WALKER_SLIDE = 5.0  # m/s^2 that slows a walker who was hit
FALL_RATE, RISE_RATE = 4.0, 1.6  # rad/s
LYING = math.pi / 2  # rad of lean of who lies on the ground
JUMP_SPEED = 3.0  # m/s upwards
ON_GROUND = 0.02  # m


def walk(body: Body, h: float) -> None:
    """Move a walker by `h` seconds under its control, or let it fall and slide after a hit."""
    actor = body.actor
    control = actor.walker_control
    if actor.stunned_s > 0.0 or actor.is_dead:
        _slide(body, h)
    elif actor.lean:
        body.vx = body.vy = 0.0
        actor.lean = math.copysign(max(abs(actor.lean) - RISE_RATE * h, 0.0), actor.lean)
    else:
        dx, dy, _ = control.direction
        size = math.hypot(dx, dy)
        pace = control.speed / size if size > 1e-6 else 0.0
        body.vx, body.vy = dx * pace, dy * pace
        if pace > 0.0:
            step = WALKER_TURN * h
            body.yaw += min(max(wrap(math.atan2(dy, dx) - body.yaw), -step), step)
            body.cos, body.sin = math.cos(body.yaw), math.sin(body.yaw)
        if control.jump and body.z < body.ground + body.rest + ON_GROUND:
            body.vz = JUMP_SPEED
    body.spin = 0.0
    body.x += body.vx * h
    body.y += body.vy * h
    actor.walked += math.hypot(body.vx, body.vy) * h
    body.rest = _middle_height(body)
    if body.z != body.ground + body.rest or body.vz != 0.0:
        settle(body, h)


def knock_over(body: Body) -> None:
    """Choose which way a walker falls: with its motion, forwards, backwards or to a side."""
    actor = body.actor
    ahead = body.vx * body.cos + body.vy * body.sin
    side = body.vy * body.cos - body.vx * body.sin
    if actor.lean == 0.0:
        actor.falls_sideways = abs(side) > abs(ahead)
        actor.lean = 1e-3 * (math.copysign(1.0, -side if actor.falls_sideways else -ahead))


def _slide(body: Body, h: float) -> None:
    actor = body.actor
    actor.stunned_s = max(actor.stunned_s - h, 0.0)
    if actor.lean:
        actor.lean = math.copysign(min(abs(actor.lean) + FALL_RATE * h, LYING), actor.lean)
    speed = math.hypot(body.vx, body.vy)
    share = max(speed - WALKER_SLIDE * h, 0.0) / speed if speed else 0.0
    body.vx, body.vy = body.vx * share, body.vy * share


def _middle_height(body: Body) -> float:
    """Metres from the ground to the middle of a body that leans."""
    actor = body.actor
    if not actor.lean:
        return actor.extent[2] - actor.box_offset[2]
    lying = actor.extent[1] if actor.falls_sideways else actor.extent[0]
    up, flat = math.cos(actor.lean), abs(math.sin(actor.lean))
    return actor.extent[2] * up + lying * flat
