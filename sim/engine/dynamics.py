"""How vehicles move between contacts: a dynamic bicycle model on its drivetrain.

State x, y, yaw, world velocity, yaw rate, front wheel angle, gear. Side forces are linear in the
slip of the front and the rear axle up to the grip (Rajamani, Vehicle Dynamics and Control, 2nd ed.,
2.3, with a friction circle, 13.7). The stiff pair of side velocity and yaw rate is stepped
implicitly, so that the model holds at any speed: towards standstill it becomes the kinematic one
(same book, 2.2), whose rear axle runs on a circle of radius wheelbase / tan(steer).
"""

from __future__ import annotations

import math

from sim.engine.actors import Actor
from sim.engine.body import LEVEL_SLOPE, Body, drivetrain_of
from sim.engine.vehicle_physics import BRAKING, GRAVITY, MAX_STEER_DEG, STEERING_CURVE

__all__ = ["BRAKE", "GRIP", "MAX_STEER", "drive", "pedals", "settle", "steer_limit"]

GRIP = 0.9 * GRAVITY  # m/s^2, tyre on dry asphalt
BRAKE = BRAKING  # m/s^2 at a full pedal
MAX_STEER = math.radians(MAX_STEER_DEG)  # front wheels at full lock
STEER_RATE = 4.0  # rad/s of the front wheels
STANDSTILL = 0.05  # m/s under which a vehicle that is not driven stands
CREEP = 0.3  # m/s; slip at less is reckoned as at this
LEAST_SIDE_GRIP = 0.2  # of the grip that a braked or driven axle keeps for the side
CLIMB = 1.0  # m/s at which a body rises over a kerb
ON_GROUND = 0.05  # m over the ground up to which tyres touch it
TAKE_OFF = 1.0  # m/s upwards, over what the road rises by, from which a vehicle leaves it
SHIFT_PAUSE = 0.3  # s between two shifts of the automatic


def steer_limit(speed: float) -> float:
    """Radians of the front wheels at full steer, by CARLA's default steering curve."""
    below = STEERING_CURVE[0]
    for above in STEERING_CURVE[1:]:
        if 3.6 * speed < above[0]:
            share = (3.6 * speed - below[0]) / (above[0] - below[0])
            return MAX_STEER * (below[1] + share * (above[1] - below[1]))
        below = above
    return MAX_STEER * below[1]


def pedals(actor: Actor, acceleration: float, speed: float) -> tuple[float, float]:
    """(throttle, brake) in [0, 1] that give a forward acceleration, m/s^2, at a speed, m/s."""
    train = drivetrain_of(actor)
    gear = max(actor.gear, 1)
    coasting = train.air * speed * speed + (train.rolling if speed > 0.0 else 0.0)
    needed = train.mass * acceleration + coasting
    idle, full = train.engine_drag(gear, 0.0, speed), train.engine_drag(gear, 1.0, speed)
    if needed < -idle:
        brakes = max(train.front_brake + train.rear_brake, 1.0)
        return 0.0, min((-needed - idle) / brakes, 1.0)
    span = train.pull(gear, speed) + idle - full
    return min((needed + idle) / max(span, 1.0), 1.0), 0.0


def drive(body: Body, h: float) -> None:
    """Move a vehicle by `h` seconds under its control."""
    if body.z > body.ground + body.rest + ON_GROUND:
        _fly(body, h)
        return
    actor = body.actor
    control = actor.control
    cos, sin = body.cos, body.sin
    ahead = body.vx * cos + body.vy * sin
    side = body.vy * cos - body.vx * sin
    before_x, before_y = body.vx, body.vy
    steer = control.steer
    wanted = steer * body.drivetrain.steer_limit(abs(ahead)) if steer else 0.0
    if wanted != body.steer:
        step, turn = STEER_RATE * h, wanted - body.steer
        body.steer += -step if turn < -step else step if turn > step else turn
    if actor.constant_velocity is not None:
        along, side, _ = actor.constant_velocity
        limit = GRIP / max(abs(along), 1.0)
        spin = along * math.tan(body.steer) / body.drivetrain.wheelbase
        body.spin = min(max(spin, -limit), limit)
    else:
        along = _along(body, ahead, h)
        forces = _grip_left(body, control.hand_brake and not actor.is_dead)
        if abs(ahead) + abs(side) + abs(body.spin) + abs(along) > 1e-9:
            along, side = _turn(body, along, side, forces, h)
    if body.spin:
        body.yaw += body.spin * h
        body.cos, body.sin = cos, sin = math.cos(body.yaw), math.sin(body.yaw)
    body.vx, body.vy = along * cos - side * sin, along * sin + side * cos
    body.x += 0.5 * (before_x + body.vx) * h
    body.y += 0.5 * (before_y + body.vy) * h
    _keep_to_road(body, along, h)


def _keep_to_road(body: Body, along: float, h: float) -> None:
    """Follow the road up and down: its height under a moving vehicle goes on along its slope."""
    rise = along * math.tan(body.slope) if body.slope else 0.0
    if body.vz > rise + TAKE_OFF:  # thrown up
        settle(body, h)
        return
    body.ground += rise * h
    off = body.ground + body.rest - body.z
    if off or rise or body.vz:
        step = CLIMB * h + abs(rise) * h
        body.z += -step if off < -step else step if off > step else off
        body.vz = rise


def _along(body: Body, ahead: float, h: float) -> float:
    """Forward speed after engine, brakes, drag and slope, m/s."""
    train, control = body.drivetrain, body.actor.control
    throttle, brake, is_held = control.throttle, control.brake, control.hand_brake
    if body.actor.is_dead:
        throttle, brake = 0.0, 1.0
    throttle = 0.0 if throttle < 0.0 else throttle if throttle < 1.0 else 1.0
    speed = ahead if ahead >= 0.0 else -ahead
    if throttle and not is_held:
        push = _push(body, throttle, ahead, h)
    else:
        push = 0.0
        if body.gear < 1 and not control.reverse and not control.manual_gear_shift:
            body.gear = 1
    ratio = train.ratios[body.gear]
    damping = train.free_damping + throttle * (train.full_damping - train.free_damping)
    drag = train.rolling + train.air * speed * speed
    stop = 0.0
    if brake > 0.0 or is_held:
        brake = min(brake, 1.0) if brake > 0.0 else 0.0
        hand = train.hand_brake if is_held else 0.0
        stop = min(brake * train.front_brake, train.front_grip) + min(
            brake * train.rear_brake + hand, train.rear_grip
        )
    if ratio:  # the engine brakes through the same tyres
        stop = min(stop + damping * ratio * ratio * speed, train.grip)
    body.drive_force = push if not stop or not speed else push - math.copysign(stop, ahead)
    ahead += push / train.mass * h
    if body.slope:
        ahead -= body.gravity * math.sin(body.slope) * h
    slower = abs(ahead) - (stop + drag) / train.mass * h
    if slower <= 0.0:
        return 0.0
    is_braked = brake > 0.0 or is_held
    if slower < STANDSTILL and throttle == 0.0 and (abs(body.slope) < LEVEL_SLOPE or is_braked):
        return 0.0
    return slower if ahead >= 0.0 else -slower


def _push(body: Body, throttle: float, ahead: float, h: float) -> float:
    """N from the engine at the wheels, with the gears shifted as speed and control ask."""
    train, control = body.drivetrain, body.actor.control
    if control.manual_gear_shift:
        body.gear = min(max(control.gear, -1), len(train.gears))
    elif control.reverse:
        body.gear = -1
    elif body.gear < 1:
        body.gear = 1
    elif len(train.gears) > 1 and train.physics.use_gear_autobox:
        _shift(body, throttle, abs(ahead), h)
    if body.gear == 0:
        return 0.0
    if body.shift_left > 0.0:
        body.shift_left -= h
        return 0.0
    if body.gear < 0:
        return -min(throttle * train.pull(-1, max(-ahead, 0.0)), train.grip)
    pull = throttle * train.pull(body.gear, ahead if ahead > 0.0 else 0.0)
    return pull if pull < train.grip else train.grip


def _shift(body: Body, throttle: float, speed: float, h: float) -> None:
    body.shift_wait -= h
    if body.shift_wait > 0.0:
        return
    gear = body.drivetrain.gear_at(body.gear, speed, throttle)
    if gear != body.gear:
        body.gear = gear
        body.shift_left = body.drivetrain.physics.gear_switch_time
        body.shift_wait = SHIFT_PAUSE + body.shift_left


def _grip_left(body: Body, is_locked: bool) -> tuple[float, float]:
    """N of side force that the front and the rear tyres have beside what pulls and brakes."""
    train = body.drivetrain
    if not train.grip:
        return 0.0, 0.0
    used = body.drive_force / train.grip
    square = 1.0 - used * used
    share = math.sqrt(square) if square > LEAST_SIDE_GRIP**2 else LEAST_SIDE_GRIP
    rear = LEAST_SIDE_GRIP if is_locked else share
    return train.front_grip * share, train.rear_grip * rear


def _turn(
    body: Body, along: float, side: float, grip: tuple[float, float], h: float
) -> tuple[float, float]:
    """Step side velocity and yaw rate by an implicit step; returns (along, side), m/s."""
    train = body.drivetrain
    speed = along if along >= 0.0 else -along
    speed = speed if speed > CREEP else CREEP
    a, b, mass = train.to_front, train.to_rear, train.mass
    tan = math.tan(body.steer)
    straight = 1.0 / math.sqrt(1.0 + tan * tan)  # share of the front's force across the body
    front, rear = train.front_stiffness * straight / speed, train.rear_stiffness / speed
    front_grip, rear_grip = grip[0] * straight, grip[1]
    inertia = 1.0 / body.inverse_inertia if body.inverse_inertia else mass * a * b
    fixed_front = fixed_rear = 0.0
    spin, slid = body.spin, side
    for _ in range(3):  # an axle that would slip is held at its grip, and the step made again
        pull = front * along * tan
        m11 = mass + h * (front + rear)
        m12 = h * (front * a - rear * b + mass * along)
        m21 = h * (front * a - rear * b)
        m22 = inertia + h * (front * a * a + rear * b * b)
        right = mass * side + h * (pull + fixed_front + fixed_rear)
        turn = inertia * body.spin + h * (a * (pull + fixed_front) - b * fixed_rear)
        over = m11 * m22 - m12 * m21
        slid = (right * m22 - turn * m12) / over
        spin = (m11 * turn - m21 * right) / over
        front_force = front * (along * tan - slid - a * spin) + fixed_front
        rear_force = rear * (b * spin - slid) + fixed_rear
        if front and abs(front_force) > front_grip:
            fixed_front, front = math.copysign(front_grip, front_force), 0.0
        elif rear and abs(rear_force) > rear_grip:
            fixed_rear, rear = math.copysign(rear_grip, rear_force), 0.0
        else:
            break
    body.front_force, body.rear_force = front_force, rear_force
    scrub = front_force * tan / mass * h
    if abs(scrub) < abs(along):
        along -= scrub
    along += h * slid * spin
    body.spin = spin if abs(spin) > 1e-9 else 0.0
    return along, slid if abs(slid) > 1e-9 else 0.0


def _fly(body: Body, h: float) -> None:
    """No tyre touches the ground: gravity alone."""
    actor = body.actor
    if actor.constant_velocity is not None:
        ahead, side = actor.constant_velocity[0], actor.constant_velocity[1]
        body.vx = ahead * body.cos - side * body.sin
        body.vy = ahead * body.sin + side * body.cos
    body.front_force = body.rear_force = body.drive_force = 0.0
    body.x += body.vx * h
    body.y += body.vy * h
    if body.spin:
        body.yaw += body.spin * h
        body.cos, body.sin = math.cos(body.yaw), math.sin(body.yaw)
    settle(body, h)


def settle(body: Body, h: float) -> None:
    """Fall to the ground, or climb onto it."""
    low = body.ground + body.rest
    if body.z > low or body.vz > 0.0:
        body.vz -= body.gravity * h
        body.z += body.vz * h
        if body.z <= low:
            body.z, body.vz = low, 0.0
    elif body.z < low:
        body.z, body.vz = min(body.z + CLIMB * h, low), 0.0
    else:
        body.vz = 0.0
