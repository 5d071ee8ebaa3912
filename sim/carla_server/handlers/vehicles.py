"""Driving vehicles, their lights and what a client may read of their mechanics."""

from __future__ import annotations

import math

from sim.carla_server.axes import checked, vector_to_carla
from sim.carla_server.handlers.registry import living, missing_actor, rpc
from sim.carla_server.layouts import (
    AckermannControl,
    AckermannSettings,
    Gear,
    LightFlags,
    PhysicsControl,
    Vector2D,
    Vector3D,
    VehicleControl,
    Wheel,
)
from sim.carla_server.world import ServedWorld, VehicleExtras
from sim.engine.actors import Actor
from sim.engine.actors import VehicleControl as EngineControl
from sim.engine.geometry import Pose

IDLE_RPM = 800.0
RPM_PER_SPEED = 90.0  # rpm per m/s: 50 km/h reads as about 2,000, as in a middle gear
FRONT_WHEELS = (0, 1)


def _vehicle(world: ServedWorld, actor_id: int, call: str) -> Actor:
    actor = living(world, actor_id, call)
    if actor.kind != "vehicle":
        raise missing_actor(actor_id, call)
    return actor


def _extras(world: ServedWorld, actor_id: int, call: str) -> VehicleExtras:
    _vehicle(world, actor_id, call)
    return world.extras_of(actor_id)


@rpc
def apply_control_to_vehicle(world: ServedWorld, actor_id: int, control: VehicleControl) -> None:
    """Set pedals and wheel; CARLA steers right positive, the engine left positive."""
    extras = _extras(world, actor_id, "apply_control_to_vehicle")
    checked(control.throttle, control.brake, control.steer)
    extras.ackermann = None
    world.engine.apply_vehicle_control(
        actor_id,
        EngineControl(
            control.throttle,
            -control.steer,
            control.brake,
            control.hand_brake,
            control.reverse,
            control.manual_gear_shift,
            control.gear,
        ),
    )


@rpc
def apply_ackermann_control_to_vehicle(
    world: ServedWorld, actor_id: int, control: AckermannControl
) -> None:
    """Follow a steering angle and a speed until the next control of either sort."""
    extras = _extras(world, actor_id, "apply_ackermann_control_to_vehicle")
    checked(control.steer, control.speed)
    extras.ackermann = control


@rpc
def get_ackermann_controller_settings(world: ServedWorld, actor_id: int) -> AckermannSettings:
    """Return the gains as last set."""
    return _extras(world, actor_id, "get_ackermann_controller_settings").ackermann_settings


@rpc
def apply_ackermann_controller_settings(
    world: ServedWorld, actor_id: int, settings: AckermannSettings
) -> None:
    """Keep the gains; this world's own speed controller needs none."""
    extras = _extras(world, actor_id, "apply_ackermann_controller_settings")
    extras.ackermann_settings = settings


@rpc
def get_physics_control(world: ServedWorld, actor_id: int) -> PhysicsControl:
    """Return the vehicle's mechanics: as last set, else made up from its blueprint."""
    extras = _extras(world, actor_id, "get_physics_control")
    return extras.physics or _default_physics(world.actor(actor_id))


@rpc
def apply_physics_control(world: ServedWorld, actor_id: int, physics: PhysicsControl) -> None:
    """Keep the mechanics for whoever reads them back; the engine's vehicles stay as they are."""
    _extras(world, actor_id, "apply_physics_control").physics = physics


@rpc
def get_vehicle_light_state(world: ServedWorld, actor_id: int) -> LightFlags:
    """Return a vehicle's lights."""
    return LightFlags(_vehicle(world, actor_id, "get_vehicle_light_state").light_flags)


@rpc
def set_vehicle_light_state(world: ServedWorld, actor_id: int, lights: LightFlags) -> None:
    """Set a vehicle's lights."""
    set_light_flags(world, actor_id, lights.flags)


@rpc
def set_light_flags(world: ServedWorld, actor_id: int, flags: int) -> None:
    """Set a vehicle's lights (batch command, whose flags are not wrapped)."""
    _vehicle(world, actor_id, "set_vehicle_light_state")
    world.engine.set_light_flags(actor_id, flags)


@rpc
def get_vehicle_light_states(world: ServedWorld) -> list[tuple[int, int]]:
    """Return (id, flags) of every vehicle."""
    actors = world.engine.actors.values()
    return [(actor.id, actor.light_flags) for actor in actors if actor.kind == "vehicle"]


@rpc
def get_telemetry_data(world: ServedWorld, actor_id: int) -> tuple[object, ...]:
    """Return `VehicleTelemetryData`: what the engine knows, zeros for tyre forces it has not."""
    actor = _vehicle(world, actor_id, "get_telemetry_data")
    control, speed = actor.control, actor.speed
    radius = _wheel_radius(actor)
    wheel = (3.5, 0.0, 0.0, speed / radius, *([0.0] * 7))
    rpm = IDLE_RPM + RPM_PER_SPEED * speed
    return (
        *(speed, -control.steer, control.throttle, control.brake, rpm, control.gear, 0.3),
        (wheel,) * _wheel_count(actor),
    )


@rpc
def get_wheel_steer_angle(world: ServedWorld, actor_id: int, wheel: int) -> float:
    """Return a wheel's steering angle, degrees, right positive."""
    actor = _vehicle(world, actor_id, "get_wheel_steer_angle")
    turned = world.extras_of(actor_id).wheel_angles.get(wheel, 0.0)
    return turned + (math.degrees(-actor.steer_angle) if wheel in FRONT_WHEELS else 0.0)


@rpc
def set_wheel_steer_direction(
    world: ServedWorld, actor_id: int, wheel: int, angle_deg: float
) -> None:
    """Turn a wheel for show."""
    _extras(world, actor_id, "set_wheel_steer_direction").wheel_angles[wheel] = angle_deg


@rpc
def get_wheel_pitch_angle(world: ServedWorld, actor_id: int, wheel: int) -> float:
    """Return a wheel's roll angle as last set, degrees."""
    return _extras(world, actor_id, "get_wheel_pitch_angle").wheel_pitches.get(wheel, 0.0)


@rpc
def set_wheel_pitch_angle(world: ServedWorld, actor_id: int, wheel: int, angle_deg: float) -> None:
    """Roll a wheel for show."""
    _extras(world, actor_id, "set_wheel_pitch_angle").wheel_pitches[wheel] = angle_deg


def _wheel_count(actor: Actor) -> int:
    return int(actor.attributes.get("number_of_wheels", "4"))


def _wheel_radius(actor: Actor) -> float:
    """Metres: a usual wheel, larger under what is high."""
    return 0.5 if actor.extent[2] > 1.2 else 0.35


def _default_physics(actor: Actor) -> PhysicsControl:
    """Make up plausible mechanics; mass and wheel positions are the engine's own."""
    radius = _wheel_radius(actor)
    half_base = actor.blueprint.wheelbase / 2 or actor.extent[0] * 0.6
    half_track = actor.extent[1] * 0.85 if _wheel_count(actor) > 2 else 0.0
    corners = [(half_base, half_track), (half_base, -half_track)]
    corners += [(-half_base, half_track), (-half_base, -half_track)]
    wheels = []
    for index, (x, y) in enumerate(corners if half_track else corners[::2]):
        at = actor.pose.compose(Pose(x, y, radius))
        position = Vector3D(*(100.0 * c for c in vector_to_carla((at.x, at.y, at.z))))  # cm
        steers = index in FRONT_WHEELS if half_track else index == 0
        wheels.append(
            Wheel(
                radius=100.0 * radius,
                max_steer_angle=70.0 if steers else 0.0,
                position=position,
            )
        )
    return PhysicsControl(
        torque_curve=[Vector2D(0.0, 500.0), Vector2D(5000.0, 500.0)],
        max_rpm=5000.0,
        moi=1.0,
        damping_rate_full_throttle=0.15,
        damping_rate_zero_throttle_clutch_engaged=2.0,
        damping_rate_zero_throttle_clutch_disengaged=0.35,
        use_gear_autobox=True,
        gear_switch_time=0.5,
        clutch_strength=10.0,
        final_ratio=4.0,
        forward_gears=[Gear(ratio, 0.5, 0.65) for ratio in (4.0, 2.5, 1.6, 1.1, 0.8)],
        mass=actor.blueprint.mass,
        drag_coefficient=0.3,
        center_of_mass=Vector3D(),
        steering_curve=[Vector2D(0.0, 1.0), Vector2D(120.0, 0.5)],
        wheels=wheels,
        use_sweep_wheel_collision=False,
    )
