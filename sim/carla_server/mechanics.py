"""A vehicle's mechanics between CARLA's structs and the engine's."""

from __future__ import annotations

import math

from sim.carla_server.axes import checked, vector_from_carla, vector_to_carla
from sim.carla_server.layouts import Gear, PhysicsControl, Vector2D, Vector3D, Wheel
from sim.engine.actors import Actor
from sim.engine.body import drivetrain_of
from sim.engine.geometry import Pose
from sim.engine.telemetry import Telemetry
from sim.engine.vehicle_physics import GearPhysics, VehiclePhysics, WheelPhysics

CM = 100.0  # in a metre: wheel radii and positions travel so
LIGHTEST = 1.0  # kg
MOST_POINTS = 1000  # of a curve, and gears


def physics_to_wire(actor: Actor) -> PhysicsControl:
    """Return a vehicle's mechanics, its wheels where they are in the world now."""
    physics = drivetrain_of(actor).physics
    return PhysicsControl(
        torque_curve=[Vector2D(*point) for point in physics.torque_curve],
        max_rpm=physics.max_rpm,
        moi=physics.moi,
        damping_rate_full_throttle=physics.damping_rate_full_throttle,
        damping_rate_zero_throttle_clutch_engaged=physics.damping_rate_zero_throttle_clutch_engaged,
        damping_rate_zero_throttle_clutch_disengaged=(
            physics.damping_rate_zero_throttle_clutch_disengaged
        ),
        use_gear_autobox=physics.use_gear_autobox,
        gear_switch_time=physics.gear_switch_time,
        clutch_strength=physics.clutch_strength,
        final_ratio=physics.final_ratio,
        forward_gears=[Gear(g.ratio, g.down_ratio, g.up_ratio) for g in physics.forward_gears],
        mass=physics.mass,
        drag_coefficient=physics.drag_coefficient,
        center_of_mass=Vector3D(*vector_to_carla(physics.center_of_mass)),
        steering_curve=[Vector2D(*point) for point in physics.steering_curve],
        wheels=[_wheel_to_wire(actor, physics, k) for k in range(len(physics.wheels))],
        use_sweep_wheel_collision=physics.use_sweep_wheel_collision,
    )


def _wheel_to_wire(actor: Actor, physics: VehiclePhysics, k: int) -> Wheel:
    wheel = physics.wheels[k]
    local = wheel_place(actor, k, len(physics.wheels))
    at = actor.pose.compose(Pose(*local[:2], wheel.radius))
    return Wheel(
        wheel.tire_friction,
        wheel.damping_rate,
        wheel.max_steer_angle,
        CM * wheel.radius,
        wheel.max_brake_torque,
        wheel.max_handbrake_torque,
        wheel.lat_stiff_max_load,
        wheel.lat_stiff_value,
        wheel.long_stiff_value,
        Vector3D(*(CM * c for c in vector_to_carla((at.x, at.y, at.z)))),
    )


def wheel_place(actor: Actor, k: int, count: int) -> tuple[float, float]:
    """Return where a wheel stands in the vehicle's axes, metres: front first, left first."""
    half_base = actor.blueprint.wheelbase / 2
    half_track = actor.extent[1] * 0.85 if count > 2 else 0.0
    is_front = k < max(count // 2, 1)
    return (half_base if is_front else -half_base), (half_track if k % 2 == 0 else -half_track)


def physics_from_wire(control: PhysicsControl) -> VehiclePhysics:
    """Return the engine's form of mechanics that a client sends.

    Raises:
        RpcFailure: a number that no vehicle can drive with.
    """
    checked(control.mass, low=LIGHTEST)
    checked(control.max_rpm, control.final_ratio, low=1e-3)
    checked(control.drag_coefficient, control.gear_switch_time, low=0.0)
    checked(
        control.moi,
        control.damping_rate_full_throttle,
        control.damping_rate_zero_throttle_clutch_engaged,
        control.damping_rate_zero_throttle_clutch_disengaged,
        control.clutch_strength,
    )
    checked(len(control.torque_curve), len(control.steering_curve), high=MOST_POINTS)
    checked(len(control.wheels), low=2, high=MOST_POINTS)
    checked(len(control.forward_gears), high=MOST_POINTS)
    return VehiclePhysics(
        torque_curve=_curve(control.torque_curve),
        max_rpm=control.max_rpm,
        forward_gears=tuple(_gear(gear) for gear in control.forward_gears),
        mass=control.mass,
        wheels=tuple(_wheel(wheel) for wheel in control.wheels),
        final_ratio=control.final_ratio,
        drag_coefficient=control.drag_coefficient,
        moi=control.moi,
        damping_rate_full_throttle=control.damping_rate_full_throttle,
        damping_rate_zero_throttle_clutch_engaged=control.damping_rate_zero_throttle_clutch_engaged,
        damping_rate_zero_throttle_clutch_disengaged=(
            control.damping_rate_zero_throttle_clutch_disengaged
        ),
        use_gear_autobox=control.use_gear_autobox,
        gear_switch_time=control.gear_switch_time,
        clutch_strength=control.clutch_strength,
        center_of_mass=vector_from_carla(control.center_of_mass),
        steering_curve=_curve(control.steering_curve),
        use_sweep_wheel_collision=control.use_sweep_wheel_collision,
    )


def _curve(points: list[Vector2D]) -> tuple[tuple[float, float], ...]:
    for point in points:
        checked(point.x, point.y)
    return tuple(sorted((point.x, point.y) for point in points))


def _gear(gear: Gear) -> GearPhysics:
    checked(gear.ratio, low=1e-3)
    checked(gear.down_ratio, gear.up_ratio)
    return GearPhysics(gear.ratio, gear.down_ratio, gear.up_ratio)


def _wheel(wheel: Wheel) -> WheelPhysics:
    checked(wheel.radius, low=1.0)
    checked(wheel.max_steer_angle, low=-89.0, high=89.0)
    checked(
        wheel.tire_friction,
        wheel.max_brake_torque,
        wheel.max_handbrake_torque,
        wheel.lat_stiff_value,
        low=0.0,
    )
    checked(wheel.damping_rate, wheel.lat_stiff_max_load, wheel.long_stiff_value)
    return WheelPhysics(
        wheel.tire_friction,
        wheel.damping_rate,
        wheel.max_steer_angle,
        wheel.radius / CM,
        wheel.max_brake_torque,
        wheel.max_handbrake_torque,
        wheel.lat_stiff_max_load,
        wheel.lat_stiff_value,
        wheel.long_stiff_value,
    )


def telemetry_to_wire(shown: Telemetry) -> tuple[object, ...]:
    """Return `VehicleTelemetryData`; what is left positive here is right positive there."""
    wheels = tuple(
        (
            one.tire_friction,
            -one.lat_slip,
            one.long_slip,
            one.omega,
            one.tire_load,
            one.normalized_tire_load,
            one.torque,
            one.long_force,
            -one.lat_force,
            one.normalized_long_force,
            -one.normalized_lat_force,
        )
        for one in shown.wheels
    )
    return (
        *(shown.speed, -shown.steer, shown.throttle, shown.brake, shown.engine_rpm),
        *(shown.gear, shown.drag, wheels),
    )


def steer_degrees(actor: Actor) -> float:
    """Return the angle of the front wheels, right positive."""
    return math.degrees(-actor.steer_angle)
