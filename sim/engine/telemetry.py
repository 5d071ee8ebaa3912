"""What a vehicle's instruments and tyres show, as its model has it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sim.engine.actors import Actor
from sim.engine.body import Body, drivetrain_of
from sim.engine.drivetrain import DRY_GRIP, GOOD_TYRE, Drivetrain

CREEP = 0.3  # m/s; slip at less is reckoned as at this


@dataclass(frozen=True, slots=True)
class WheelTelemetry:
    """One wheel.

    Attributes:
        tire_friction: as the wheel's physics has it.
        lat_slip: radians between where it points and where it goes, left positive.
        long_slip: share by which it turns faster than it rolls.
        omega: rad/s.
        tire_load: N.
        normalized_tire_load: of the load at rest.
        torque: N m from engine and brakes.
        long_force: N forwards.
        lat_force: N to the left.
        normalized_long_force: of the load.
        normalized_lat_force: of the load.
    """

    tire_friction: float
    lat_slip: float
    long_slip: float
    omega: float
    tire_load: float
    normalized_tire_load: float
    torque: float
    long_force: float
    lat_force: float
    normalized_long_force: float
    normalized_lat_force: float


@dataclass(frozen=True, slots=True)
class Telemetry:
    """A vehicle.

    Attributes:
        speed: m/s, forwards positive.
        steer: -1 to 1, left positive.
        throttle: 0 to 1.
        brake: 0 to 1.
        engine_rpm: 1/min.
        gear: -1 reverse, 0 neutral, 1 and up.
        drag: N of the air.
        wheels: as the physics lists them.
    """

    speed: float
    steer: float
    throttle: float
    brake: float
    engine_rpm: float
    gear: int
    drag: float
    wheels: tuple[WheelTelemetry, ...]


def vehicle_telemetry(actor: Actor, body: Body | None) -> Telemetry:
    """The telemetry of a vehicle; without a body (attached, say) its tyres feel nothing."""
    train, pose = drivetrain_of(actor), actor.pose
    cos, sin = math.cos(pose.yaw), math.sin(pose.yaw)
    ahead = actor.velocity[0] * cos + actor.velocity[1] * sin
    side = actor.velocity[1] * cos - actor.velocity[0] * sin
    control, count = actor.control, len(train.physics.wheels)
    return Telemetry(
        speed=ahead,
        steer=control.steer,
        throttle=control.throttle,
        brake=control.brake,
        engine_rpm=train.rpm(actor.gear, abs(ahead)),
        gear=actor.gear,
        drag=train.air * ahead * ahead,
        wheels=tuple(_wheel(train, actor, body, k, (ahead, side)) for k in range(count)),
    )


def _wheel(
    train: Drivetrain, actor: Actor, body: Body | None, k: int, velocity: tuple[float, float]
) -> WheelTelemetry:
    wheels = train.physics.wheels
    wheel, per_axle = wheels[k], max(len(wheels) // 2, 1)
    is_front = k < per_axle
    ahead, side = velocity
    arm = train.to_front if is_front else -train.to_rear
    steer = actor.steer_angle if is_front else 0.0
    going = math.atan2(side + arm * actor.angular_velocity[2], max(abs(ahead), CREEP))
    load = (train.front_load if is_front else train.rear_load) / per_axle
    along = across = 0.0
    if body is not None:
        along = body.drive_force / len(wheels)
        across = (body.front_force if is_front else body.rear_force) / per_axle
    grip = DRY_GRIP * wheel.tire_friction / GOOD_TYRE * load
    # a tyre slides in step with the share of its grip that it gives (brush model, linear part)
    slip = 0.1 * along / grip if grip else 0.0
    return WheelTelemetry(
        tire_friction=wheel.tire_friction,
        lat_slip=steer - going if abs(ahead) > CREEP else 0.0,
        long_slip=slip,
        omega=ahead / max(wheel.radius, 0.01) * (1.0 + slip),
        tire_load=load,
        normalized_tire_load=1.0,
        torque=along * wheel.radius,
        long_force=along,
        lat_force=across,
        normalized_long_force=along / load if load else 0.0,
        normalized_lat_force=across / load if load else 0.0,
    )
