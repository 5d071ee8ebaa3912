"""Driving vehicles, their lights and what a client may read of their mechanics."""

from __future__ import annotations

import msgspec

from sim.carla_server.axes import LARGEST, checked
from sim.carla_server.handlers.registry import living, missing_actor, rpc
from sim.carla_server.layouts import (
    AckermannControl,
    AckermannSettings,
    LightFlags,
    PhysicsControl,
    VehicleControl,
)
from sim.carla_server.mechanics import (
    physics_from_wire,
    physics_to_wire,
    steer_degrees,
    telemetry_to_wire,
)
from sim.carla_server.world import ServedWorld, VehicleExtras
from sim.engine.actors import Actor
from sim.engine.actors import VehicleControl as EngineControl

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
    actor = world.engine.actors.get(actor_id)
    if actor is None or actor.kind != "vehicle":
        raise missing_actor(actor_id, "apply_control_to_vehicle")
    # a sum of three is out of range, infinite or no number if one is: one look for all of them
    if not abs(control.throttle) + abs(control.brake) + abs(control.steer) <= LARGEST:
        checked(control.throttle, control.brake, control.steer)
    extras = world.extras.get(actor_id)
    if extras is not None:
        extras.ackermann.target = None
    actor.control = EngineControl(
        control.throttle,
        -control.steer,
        control.brake,
        control.hand_brake,
        control.reverse,
        control.manual_gear_shift,
        control.gear,
    )


@rpc
def apply_ackermann_control_to_vehicle(
    world: ServedWorld, actor_id: int, control: AckermannControl
) -> None:
    """Follow a steering angle and a speed until the next control of either sort."""
    extras = _extras(world, actor_id, "apply_ackermann_control_to_vehicle")
    checked(control.steer, control.steer_speed, control.speed, control.acceleration, control.jerk)
    extras.ackermann.aim(control)


@rpc
def get_ackermann_controller_settings(world: ServedWorld, actor_id: int) -> AckermannSettings:
    """Return the gains as last set."""
    return _extras(world, actor_id, "get_ackermann_controller_settings").ackermann.settings


@rpc
def apply_ackermann_controller_settings(
    world: ServedWorld, actor_id: int, settings: AckermannSettings
) -> None:
    """Set the gains of the controllers that follow speed and acceleration."""
    extras = _extras(world, actor_id, "apply_ackermann_controller_settings")
    checked(*msgspec.structs.astuple(settings))
    extras.ackermann.settings = settings


@rpc
def get_physics_control(world: ServedWorld, actor_id: int) -> PhysicsControl:
    """Return the vehicle's mechanics, the blueprint's or as last set."""
    return physics_to_wire(_vehicle(world, actor_id, "get_physics_control"))


@rpc
def apply_physics_control(world: ServedWorld, actor_id: int, physics: PhysicsControl) -> None:
    """Give the vehicle other mechanics; they have their effect from the next tick."""
    _vehicle(world, actor_id, "apply_physics_control")
    world.engine.set_physics(actor_id, physics_from_wire(physics))


@rpc
def open_vehicle_door(world: ServedWorld, actor_id: int, door: int) -> None:
    """Open a door; pictures do not show it."""
    _vehicle(world, actor_id, "open_vehicle_door")
    world.engine.set_door(actor_id, door, True)


@rpc
def close_vehicle_door(world: ServedWorld, actor_id: int, door: int) -> None:
    """Close a door."""
    _vehicle(world, actor_id, "close_vehicle_door")
    world.engine.set_door(actor_id, door, False)


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
    """Return `VehicleTelemetryData` as the vehicle model has it."""
    _vehicle(world, actor_id, "get_telemetry_data")
    return telemetry_to_wire(world.engine.telemetry(actor_id))


@rpc
def get_wheel_steer_angle(world: ServedWorld, actor_id: int, wheel: int) -> float:
    """Return a wheel's steering angle, degrees, right positive."""
    actor = _vehicle(world, actor_id, "get_wheel_steer_angle")
    turned = world.extras_of(actor_id).wheel_angles.get(wheel, 0.0)
    return turned + (steer_degrees(actor) if wheel in FRONT_WHEELS else 0.0)


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
