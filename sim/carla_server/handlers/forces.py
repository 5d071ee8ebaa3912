"""Pushing, turning and holding actors, and whether physics moves them."""

from __future__ import annotations

from sim.carla_server.axes import spin_from_carla, vector_from_carla
from sim.carla_server.handlers.registry import living, rpc
from sim.carla_server.layouts import Vector3D
from sim.carla_server.world import ServedWorld
from sim.engine.geometry import Vector


@rpc
def set_actor_target_velocity(world: ServedWorld, actor_id: int, velocity: Vector3D) -> None:
    """Give an actor a velocity, m/s in the world."""
    living(world, actor_id, "set_actor_target_velocity")
    world.engine.set_velocity(actor_id, vector_from_carla(velocity))


@rpc
def set_actor_target_angular_velocity(world: ServedWorld, actor_id: int, spin: Vector3D) -> None:
    """Give an actor an angular velocity, deg/s in the world."""
    living(world, actor_id, "set_actor_target_angular_velocity")
    world.engine.set_angular_velocity(actor_id, spin_from_carla(spin))


@rpc
def enable_actor_constant_velocity(world: ServedWorld, actor_id: int, velocity: Vector3D) -> None:
    """Hold a velocity in the actor's axes."""
    living(world, actor_id, "enable_actor_constant_velocity")
    world.engine.enable_constant_velocity(actor_id, vector_from_carla(velocity))


@rpc
def disable_actor_constant_velocity(world: ServedWorld, actor_id: int) -> None:
    """End that."""
    living(world, actor_id, "disable_actor_constant_velocity")
    world.engine.disable_constant_velocity(actor_id)


@rpc
def set_actor_simulate_physics(world: ServedWorld, actor_id: int, is_on: bool) -> None:
    """Let physics move an actor or not.

    An unknown id is no failure: the Traffic Manager calls this for actors that others may just
    have destroyed, and ends its process on a failure.
    """
    if actor_id in world.engine.actors:
        world.engine.set_simulate_physics(actor_id, is_on)


@rpc
def set_actor_collisions(world: ServedWorld, actor_id: int, is_on: bool) -> None:
    """Let an actor hit others or pass through them."""
    living(world, actor_id, "set_actor_collisions")
    world.engine.set_collides(actor_id, is_on)


@rpc
def set_actor_enable_gravity(world: ServedWorld, actor_id: int, is_on: bool) -> None:
    """Let an actor fall, or hover where it is."""
    living(world, actor_id, "set_actor_enable_gravity")
    world.engine.set_gravity(actor_id, is_on)


@rpc
def set_actor_dead(world: ServedWorld, actor_id: int) -> None:
    """Let an actor obey no control any more."""
    living(world, actor_id, "set_actor_dead")
    world.engine.set_dead(actor_id)


@rpc
def add_actor_impulse(world: ServedWorld, actor_id: int, impulse: Vector3D) -> None:
    """Push an actor at its middle, N s."""
    living(world, actor_id, "add_actor_impulse")
    world.engine.add_impulse(actor_id, vector_from_carla(impulse))


@rpc
def add_actor_force(world: ServedWorld, actor_id: int, force: Vector3D) -> None:
    """Push an actor at its middle, N, for one tick."""
    living(world, actor_id, "add_actor_force")
    world.engine.add_impulse(actor_id, _for_a_tick(world, vector_from_carla(force)))


@rpc
def add_actor_impulse_at_location(
    world: ServedWorld, actor_id: int, impulse: Vector3D, location: Vector3D
) -> None:
    """Push an actor at a point of the world, N s; it turns with it."""
    living(world, actor_id, "add_actor_impulse_at_location")
    at = vector_from_carla(location)
    world.engine.add_impulse(actor_id, vector_from_carla(impulse), at)


@rpc
def add_actor_force_at_location(
    world: ServedWorld, actor_id: int, force: Vector3D, location: Vector3D
) -> None:
    """Push an actor at a point of the world, N, for one tick; it turns with it."""
    living(world, actor_id, "add_actor_force_at_location")
    at = vector_from_carla(location)
    world.engine.add_impulse(actor_id, _for_a_tick(world, vector_from_carla(force)), at)


@rpc
def add_actor_angular_impulse(world: ServedWorld, actor_id: int, impulse: Vector3D) -> None:
    """Turn an actor, kg m^2 deg/s, as CARLA's unit is."""
    living(world, actor_id, "add_actor_angular_impulse")
    world.engine.add_angular_impulse(actor_id, spin_from_carla(impulse))


@rpc
def add_actor_torque(world: ServedWorld, actor_id: int, torque: Vector3D) -> None:
    """Turn an actor for one tick, kg m^2 deg/s^2, as CARLA's unit is."""
    living(world, actor_id, "add_actor_torque")
    world.engine.add_angular_impulse(actor_id, _for_a_tick(world, spin_from_carla(torque)))


def _for_a_tick(world: ServedWorld, vector: Vector) -> Vector:
    x, y, z = vector
    return x * world.delta_s, y * world.delta_s, z * world.delta_s
