"""What a vehicle is made of: engine, gearbox, brakes, tyres; CARLA's `VehiclePhysicsControl`.

Defaults follow from a blueprint's mass, pull and top speed; a client may set others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from sim.engine.blueprints import Blueprint

GRAVITY = 9.81  # m/s^2
AIR_DENSITY = 1.2  # kg/m^3, at 20 degrees
FRONTAL_SHARE = 0.85  # of width x height that meets the air
ROLLING = 0.015  # of the weight, rolling resistance on asphalt (Rajamani 4.1.3)
DRAG = {"motorcycle": 0.6, "bicycle": 0.9, "truck": 0.7, "bus": 0.65}  # cd; cars 0.3
CAR_DRAG = 0.3
BRAKING = 8.0  # m/s^2 of a full pedal with the default brakes
HAND_BRAKE_TORQUE = 3000.0  # N m, CARLA's default: it locks the rear wheels
DAMPING_SCALE = 0.1  # of CARLA's engine damping rates, kg m^2/s: 0.04 1/s off the throttle
FULL_DAMPING = 0.15  # CARLA's damping rate at full throttle
# CARLA's steering curve: share of the lock that full steer gives, by speed in km/h
STEERING_CURVE = ((0.0, 1.0), (20.0, 0.9), (60.0, 0.8), (120.0, 0.7))
MAX_STEER_DEG = 70.0  # of the front wheels at full lock, CARLA's default
OVER_TOP = 1.08  # of the top speed that the last gear reaches at the engine's limit
POWER_BAND = 2.0  # highest over lowest engine speed at which an engine with gears has full power
SINGLE_SPREAD = 2.5  # of speeds with full power up to which one gear does (bicycles, scooters)
STEP = 1.45  # of one gear to the next, at most
SWITCH_TIME = 0.1  # s without pull


@dataclass(frozen=True, slots=True)
class WheelPhysics:
    """One wheel.

    Attributes:
        tire_friction: 3.5 is a good tyre on dry asphalt.
        damping_rate: kg m^2/s, kept for whoever reads it back.
        max_steer_angle: degrees.
        radius: metres.
        max_brake_torque: N m at a full pedal.
        max_handbrake_torque: N m.
        lat_stiff_max_load: kept for whoever reads it back.
        lat_stiff_value: side force over load and radian of slip.
        long_stiff_value: kept for whoever reads it back.
    """

    tire_friction: float = 3.5
    damping_rate: float = 0.25
    max_steer_angle: float = 0.0
    radius: float = 0.35
    max_brake_torque: float = 1500.0
    max_handbrake_torque: float = 0.0
    lat_stiff_max_load: float = 2.0
    lat_stiff_value: float = 17.0
    long_stiff_value: float = 1000.0


@dataclass(frozen=True, slots=True)
class GearPhysics:
    """One forward gear: its ratio, and the shares of `max_rpm` at which the automatic leaves it."""

    ratio: float
    down_ratio: float = 0.5
    up_ratio: float = 0.65


@dataclass(frozen=True, slots=True)
class VehiclePhysics:
    """Everything about a vehicle's motion that a client may read and set.

    Attributes:
        torque_curve: (rpm, N m), rising rpm; straight lines between.
        max_rpm: the engine's limit.
        moi: kg m^2 of the engine, kept for whoever reads it back.
        damping_rate_full_throttle: of the engine, times `DAMPING_SCALE` kg m^2/s.
        damping_rate_zero_throttle_clutch_engaged: engine brake, the same.
        damping_rate_zero_throttle_clutch_disengaged: kept for whoever reads it back.
        use_gear_autobox: the gearbox shifts by itself.
        gear_switch_time: seconds without pull at a shift.
        clutch_strength: kept for whoever reads it back.
        final_ratio: of the axle; engine speed = wheel speed x gear's ratio x final_ratio.
        forward_gears: first gear first.
        mass: kg.
        drag_coefficient: cd; its area is `FRONTAL_SHARE` of the vehicle's width x height.
        center_of_mass: metres from the middle of the wheelbase, vehicle axes.
        steering_curve: (km/h, share of the lock).
        wheels: front left, front right, rear left, rear right; of cycles front, rear.
        use_sweep_wheel_collision: kept for whoever reads it back.
    """

    torque_curve: tuple[tuple[float, float], ...]
    max_rpm: float
    forward_gears: tuple[GearPhysics, ...]
    mass: float
    wheels: tuple[WheelPhysics, ...]
    final_ratio: float = 4.0
    drag_coefficient: float = CAR_DRAG
    moi: float = 1.0
    damping_rate_full_throttle: float = FULL_DAMPING
    damping_rate_zero_throttle_clutch_engaged: float = 2.0
    damping_rate_zero_throttle_clutch_disengaged: float = 0.35
    use_gear_autobox: bool = True
    gear_switch_time: float = SWITCH_TIME
    clutch_strength: float = 10.0
    center_of_mass: tuple[float, float, float] = (0.0, 0.0, 0.0)
    steering_curve: tuple[tuple[float, float], ...] = STEERING_CURVE
    use_sweep_wheel_collision: bool = False


def frontal_area(blueprint: Blueprint) -> float:
    """m^2 that meet the air."""
    return FRONTAL_SHARE * blueprint.mesh_size[1] * blueprint.mesh_size[2]


@lru_cache(maxsize=256)
def default_physics(blueprint: Blueprint) -> VehiclePhysics:
    """The mechanics of a blueprint's vehicle.

    The engine has just the power that the air, the tyres and itself take at its top speed, and in
    first gear just the torque for its pull from rest: a Tesla Model 3 (CARLA's: 0 to 100 km/h in
    about 6 s) comes to 6 m/s^2 up to 17 m/s and 190 kW from there.
    """
    mass, top = blueprint.mass, blueprint.max_speed
    drag = DRAG.get(blueprint.base_type, CAR_DRAG)
    resistance = 0.5 * AIR_DENSITY * drag * frontal_area(blueprint) * top**2
    max_rpm = _max_rpm(blueprint)
    own = DAMPING_SCALE * FULL_DAMPING * (max_rpm / OVER_TOP * math.pi / 30.0) ** 2
    power = (resistance + ROLLING * mass * GRAVITY) * top + own
    pull = mass * (blueprint.max_acceleration + ROLLING * GRAVITY)
    knee = min(power / pull, top)  # m/s up to which the pull lasts
    radius = _wheel_radius(blueprint)
    spread = OVER_TOP * top / knee  # of speeds over which the engine gives full power
    is_single = blueprint.is_electric or spread < SINGLE_SPREAD
    band = spread if is_single else POWER_BAND
    first = max_rpm / band * math.pi / 30.0 * radius / knee  # engine rad over wheel rad
    last = max_rpm * math.pi / 30.0 * radius / (OVER_TOP * top)
    count = 1 if is_single else max(2, math.ceil(math.log(first / last) / math.log(STEP)) + 1)
    gears = [first * (last / first) ** (k / max(count - 1, 1)) for k in range(count)]
    final = 4.0 if not is_single else first
    return VehiclePhysics(
        torque_curve=_torque_curve(pull * radius / first, max_rpm, band),
        max_rpm=max_rpm,
        forward_gears=tuple(GearPhysics(ratio / final) for ratio in gears),
        mass=mass,
        wheels=_wheels(blueprint, radius),
        final_ratio=final,
        drag_coefficient=drag,
        gear_switch_time=0.0 if is_single else SWITCH_TIME,
    )


def _torque_curve(torque: float, max_rpm: float, band: float) -> tuple[tuple[float, float], ...]:
    """Level up to `max_rpm / band`, from there as much as keeps the power."""
    knee, steps = max_rpm / band, 12
    falling = [knee * band ** (k / steps) for k in range(steps + 1)]
    return ((0.0, torque), *((rpm, torque * knee / rpm) for rpm in falling))


def _max_rpm(blueprint: Blueprint) -> float:
    if blueprint.is_electric:
        return 15000.0
    slow = {"bicycle": 200.0, "truck": 3000.0, "bus": 3200.0, "motorcycle": 9000.0}
    return slow.get(blueprint.base_type, 6000.0)


def _wheel_radius(blueprint: Blueprint) -> float:
    """Metres, as usual for the kind of vehicle."""
    known = {"truck": 0.50, "bus": 0.46, "motorcycle": 0.31, "bicycle": 0.34}
    return known.get(blueprint.base_type, 0.35)


def _wheels(blueprint: Blueprint, radius: float) -> tuple[WheelPhysics, ...]:
    count = 2 if blueprint.base_type in ("motorcycle", "bicycle") else 4
    brake = BRAKING * blueprint.mass * radius / count
    hand = max(HAND_BRAKE_TORQUE, 0.6 * GRAVITY * blueprint.mass * radius / count * 2)
    front = WheelPhysics(max_steer_angle=MAX_STEER_DEG, radius=radius, max_brake_torque=brake)
    rear = WheelPhysics(radius=radius, max_brake_torque=brake, max_handbrake_torque=hand)
    return (front,) * (count // 2) + (rear,) * (count // 2)
