"""How bodies move between contacts: a bicycle model with tyre grip, and walkers.

The bicycle model is the kinematic one of Rajamani, Vehicle Dynamics and Control (2nd ed., 2.2),
with the yaw rate held under the grip limit and the rear axle's side slip pulled to zero by no more
than the tyres can; state x, y, yaw, world velocity, yaw rate.
"""

from __future__ import annotations

import math

from sim.engine.actors import Actor
from sim.engine.geometry import Pose, wrap

GRAVITY = 9.81  # m/s^2
GRIP = 0.9 * GRAVITY  # m/s^2, tyre on dry asphalt
BRAKE = 8.0  # m/s^2 at a full pedal
HAND_BRAKE = 5.0  # m/s^2
ROLLING = 0.15  # m/s^2, rolling resistance
ENGINE_DRAG = 0.04  # 1/s, deceleration per m/s off the throttle
REVERSE_SPEED = 8.0  # m/s
MAX_STEER = math.radians(70.0)  # front wheels at full lock, CARLA's max_steer_angle
STEER_RATE = 4.0  # rad/s of the front wheels
YAW_ACCELERATION = 8.0  # rad/s^2 that the tyres can give
# CARLA's steering curve: share of the lock that full steer gives, by speed in m/s
STEERING_CURVE = ((0.0, 1.0), (20 / 3.6, 0.9), (60 / 3.6, 0.8), (120 / 3.6, 0.7))
STANDSTILL = 0.05  # m/s under which a vehicle that is not driven stands
WALKER_TURN = 6.0  # rad/s
WALKER_SLIDE = 5.0  # m/s^2 that slows a walker who was hit
CLIMB = 1.0  # m/s at which a body rises over a kerb


class Body:
    """An actor's motion while a tick is computed; read from it first, written back at the end.

    Plain floats: thirty bodies times ten steps have to fit in a few milliseconds.
    """

    __slots__ = (
        "actor", "ground", "half_length", "half_width", "inverse_inertia", "inverse_mass", "spin",
        "start", "steer", "vx", "vy", "vz", "x", "y", "yaw", "z",
    )  # fmt: skip

    def __init__(self, actor: Actor, ground: float) -> None:
        pose = actor.pose
        self.actor = actor
        self.x, self.y, self.z, self.yaw = pose.x, pose.y, pose.z, pose.yaw
        self.vx, self.vy, self.vz = actor.velocity
        self.start = actor.velocity
        self.spin = actor.angular_velocity[2]
        self.steer = actor.steer_angle
        self.half_length, self.half_width = actor.extent[0], actor.extent[1]
        self.ground = ground + actor.extent[2] - actor.box_offset[2]
        self.inverse_mass = self.inverse_inertia = 0.0
        if actor.is_simulated and actor.kind in ("vehicle", "walker"):
            mass = actor.blueprint.mass
            square = 4 * (self.half_length**2 + self.half_width**2)
            self.inverse_mass, self.inverse_inertia = 1 / mass, 12 / (mass * square)

    @property
    def is_asleep(self) -> bool:
        """Nothing moves it and it does not move."""
        actor = self.actor
        if not actor.is_simulated or actor.kind == "prop":
            return True
        if actor.constant_velocity is not None or self.z > self.ground + 1e-3:
            return False
        if abs(self.vx) + abs(self.vy) + abs(self.spin) > 1e-6:
            return False
        if actor.kind == "walker":
            return actor.walker_control.speed == 0.0
        control = actor.control
        return control.throttle == 0.0 or control.hand_brake or control.brake > 0.5

    def write_back(self, delta_s: float) -> None:
        """Put the new motion into the actor."""
        actor, start = self.actor, self.start
        pose = actor.pose
        ahead = self.vx * math.cos(self.yaw) + self.vy * math.sin(self.yaw)
        actor.rolled += ahead * delta_s
        actor.pose = Pose(self.x, self.y, self.z, wrap(self.yaw), pose.pitch, pose.roll)
        actor.velocity = (self.vx, self.vy, self.vz)
        actor.angular_velocity = (0.0, 0.0, self.spin)
        actor.acceleration = (
            (self.vx - start[0]) / delta_s,
            (self.vy - start[1]) / delta_s,
            (self.vz - start[2]) / delta_s,
        )
        actor.steer_angle = self.steer


def steer_limit(speed: float) -> float:
    """Radians of the front wheels at full steer, by CARLA's steering curve."""
    below = STEERING_CURVE[0]
    for above in STEERING_CURVE[1:]:
        if speed < above[0]:
            share = (speed - below[0]) / (above[0] - below[0])
            return MAX_STEER * (below[1] + share * (above[1] - below[1]))
        below = above
    return MAX_STEER * below[1]


def pedals(actor: Actor, acceleration: float, speed: float) -> tuple[float, float]:
    """(throttle, brake) in [0, 1] that give a forward acceleration, m/s^2, at a speed, m/s."""
    needed = acceleration + _coasting(speed)
    if needed < 0.0:
        return 0.0, min(-needed / BRAKE, 1.0)
    blueprint = actor.blueprint
    full = blueprint.max_acceleration * max(1.0 - speed / blueprint.max_speed, 0.05)
    return min(needed / full, 1.0), 0.0


def _coasting(speed: float) -> float:
    """Deceleration without pedals, m/s^2."""
    return ROLLING + ENGINE_DRAG * speed if speed > 0.0 else 0.0


def drive(body: Body, h: float) -> None:
    """Move a vehicle by `h` seconds under its control."""
    actor = body.actor
    control = actor.control
    cos, sin = math.cos(body.yaw), math.sin(body.yaw)
    ahead = body.vx * cos + body.vy * sin
    side = body.vy * cos - body.vx * sin
    ahead = _speed_after(body, ahead, h)
    wanted = control.steer * steer_limit(abs(ahead))
    step = STEER_RATE * h
    body.steer += min(max(wanted - body.steer, -step), step)

    wheelbase = actor.blueprint.wheelbase
    spin = ahead * math.tan(body.steer) / wheelbase
    limit = GRIP / max(abs(ahead), 1.0)
    spin = min(max(spin, -limit), limit)
    step = YAW_ACCELERATION * h
    body.spin += min(max(spin - body.spin, -step), step)
    step = GRIP * h
    side += min(max(body.spin * wheelbase / 2 - side, -step), step)
    if actor.constant_velocity is not None:
        ahead, side = actor.constant_velocity[0], actor.constant_velocity[1]

    body.vx, body.vy = ahead * cos - side * sin, ahead * sin + side * cos
    body.x += body.vx * h
    body.y += body.vy * h
    turned = body.spin * h
    body.yaw += turned
    # the tyres turn the velocity with the body as far as they grip; the rest shows as side slip
    held = min(abs(turned), GRIP * h / max(abs(ahead), 1.0))
    turned = math.copysign(held, turned)
    c, s = math.cos(turned), math.sin(turned)
    body.vx, body.vy = body.vx * c - body.vy * s, body.vx * s + body.vy * c
    if body.z != body.ground or body.vz != 0.0:
        _settle(body, h)


def _speed_after(body: Body, ahead: float, h: float) -> float:
    """Forward speed after pedals, drag and brakes, m/s."""
    actor, control = body.actor, body.actor.control
    blueprint = actor.blueprint
    drag = _coasting(abs(ahead))
    if control.throttle > 0.0 and not control.hand_brake:
        top = REVERSE_SPEED if control.reverse else blueprint.max_speed
        way = -1.0 if control.reverse else 1.0
        push = blueprint.max_acceleration * max(1.0 - way * ahead / top, 0.0)
        ahead += way * min(control.throttle, 1.0) * push * h
    drag += BRAKE * min(max(control.brake, 0.0), 1.0) + (HAND_BRAKE if control.hand_brake else 0.0)
    slower = abs(ahead) - drag * h
    if slower <= 0.0 or (slower < STANDSTILL and control.throttle == 0.0):
        return 0.0
    return math.copysign(slower, ahead)


def walk(body: Body, h: float) -> None:
    """Move a walker by `h` seconds under its control, or let it slide after a hit."""
    actor = body.actor
    control = actor.walker_control
    if actor.stunned_s > 0.0:
        actor.stunned_s -= h
        speed = math.hypot(body.vx, body.vy)
        share = max(speed - WALKER_SLIDE * h, 0.0) / speed if speed else 0.0
        body.vx, body.vy = body.vx * share, body.vy * share
    else:
        dx, dy, _ = control.direction
        size = math.hypot(dx, dy)
        pace = control.speed / size if size > 1e-6 else 0.0
        body.vx, body.vy = dx * pace, dy * pace
        if pace > 0.0:
            step = WALKER_TURN * h
            body.yaw += min(max(wrap(math.atan2(dy, dx) - body.yaw), -step), step)
    body.spin = 0.0
    body.x += body.vx * h
    body.y += body.vy * h
    actor.walked += math.hypot(body.vx, body.vy) * h
    if body.z != body.ground or body.vz != 0.0:
        _settle(body, h)


def _settle(body: Body, h: float) -> None:
    """Fall to the ground, or climb onto it."""
    if body.z > body.ground:
        body.vz -= GRAVITY * h
        body.z += body.vz * h
        if body.z <= body.ground:
            body.z, body.vz = body.ground, 0.0
    elif body.z < body.ground:
        body.z, body.vz = min(body.z + CLIMB * h, body.ground), 0.0
    else:
        body.vz = 0.0
