"""Spawning, destroying, finding and moving actors."""

from __future__ import annotations

from msgspec.structs import replace

from sim.carla_server.actors import bounding_box, wire_actor
from sim.carla_server.axes import checked, pose_from_transform, vector_from_carla
from sim.carla_server.handlers.registry import living, missing_actor, rpc, unlocked_rpc
from sim.carla_server.layouts import (
    ActorDescription,
    BoundingBox,
    Transform,
    Vector3D,
    WalkerControl,
    WireActor,
)
from sim.carla_server.rpc import RpcFailure
from sim.carla_server.sensors import check_sensor, prepare_sensor
from sim.carla_server.world import ServedWorld
from sim.engine.actors import Attachment
from sim.engine.actors import WalkerControl as EngineWalkerControl
from sim.engine.prop_catalogue import UNREAL_MESH
from sim.engine.sensing.attributes import SensorError
from sim.engine.simulation import SpawnCollision, UnknownActor, UnknownBlueprint

ATTACHMENTS: tuple[Attachment, ...] = ("rigid", "spring_arm", "spring_arm_ghost")


@rpc
def get_spectator(world: ServedWorld) -> WireActor:
    """Return the spectator."""
    return wire_actor(world, world.spectator)


@rpc
def get_actors_by_id(world: ServedWorld, ids: list[int]) -> list[WireActor]:
    """Return the living ones of these actors."""
    actors = world.engine.actors
    return [wire_actor(world, actors[i]) for i in ids if i in actors]


@unlocked_rpc
def spawn_actor(
    world: ServedWorld, description: ActorDescription, transform: Transform
) -> WireActor:
    """Spawn a free actor."""
    return _spawn_and_show(world, description, transform, None)


@unlocked_rpc
def spawn_actor_with_parent(
    world: ServedWorld,
    description: ActorDescription,
    transform: Transform,
    parent_id: int,
    attachment: int,
    _socket: str,
) -> WireActor:
    """Spawn an attached actor; an unknown sort of attachment is rigid."""
    arm = ATTACHMENTS[attachment] if attachment < len(ATTACHMENTS) else "rigid"
    return _spawn_and_show(world, description, transform, parent_id, arm)


def _spawn_and_show(
    world: ServedWorld,
    description: ActorDescription,
    transform: Transform,
    parent_id: int | None,
    attachment: Attachment = "rigid",
) -> WireActor:
    prepare_sensor(description.id)
    with world.lock:
        frame = world.engine.frame
        spawned = spawn(world, description, transform, parent_id, attachment)
    world.wait_until_published(frame)
    return spawned


def spawn(
    world: ServedWorld,
    description: ActorDescription,
    transform: Transform,
    parent_id: int | None,
    attachment: Attachment = "rigid",
) -> WireActor:
    """Spawn an actor and give a sensor its stream.

    Raises:
        RpcFailure: unknown blueprint or parent, a clash, or impossible attributes.
    """
    attributes = {attribute.id: attribute.value for attribute in description.attributes}
    if description.id == UNREAL_MESH and attributes.get("mesh_path"):
        raise RpcFailure(
            f"{UNREAL_MESH}: expected no mesh_path, got '{attributes['mesh_path']}', an asset of "
            "Unreal's, and there are none here: use another static.prop"
        )
    try:
        if description.id.startswith("sensor.") and description.id in world.engine.blueprints:
            check_sensor(world.engine.blueprints[description.id], attributes)
        actor = world.engine.spawn(
            description.id, pose_from_transform(transform), attributes, parent_id, attachment
        )
    except UnknownBlueprint as error:
        raise RpcFailure(f"unknown blueprint '{description.id}'") from error
    except UnknownActor as error:
        raise RpcFailure("unable to attach actor: parent actor not found") from error
    except SpawnCollision as error:
        raise RpcFailure("Spawn failed because of collision at spawn position") from error
    except SensorError as error:
        raise RpcFailure(f"{description.id}: {error}") from error
    world.add_sensor(actor)
    return wire_actor(world, actor)


@rpc
def destroy_actor(world: ServedWorld, actor_id: int) -> bool:
    """End an actor; lights and spectator belong to the episode and stay."""
    if actor_id == world.spectator.id or actor_id in world.engine.traffic_lights:
        raise RpcFailure("unable to destroy actor: it is part of the level")
    if not world.destroy(actor_id):
        raise RpcFailure("unable to destroy actor: not found")
    return True


@rpc
def get_actor_bounding_box(world: ServedWorld, actor_id: int) -> BoundingBox:
    """Return an actor's box; of an unknown actor an empty one, as the real server does."""
    actor = world.engine.actors.get(actor_id)
    return BoundingBox(Vector3D(), Vector3D()) if actor is None else bounding_box(world, actor)


@rpc
def set_actor_transform(world: ServedWorld, actor_id: int, transform: Transform) -> None:
    """Put an actor elsewhere; of an attached one the transform is relative to its parent."""
    living(world, actor_id, "set_actor_transform")
    world.engine.set_pose(actor_id, pose_from_transform(transform))


@rpc
def set_actor_location(world: ServedWorld, actor_id: int, location: Vector3D) -> None:
    """Put an actor elsewhere without turning it."""
    actor = living(world, actor_id, "set_actor_location")
    x, y, z = vector_from_carla(location)
    pose = actor.pose if actor.parent is None else actor.local_pose
    world.engine.set_pose(actor_id, replace(pose, x=x, y=y, z=z))


@rpc
def apply_control_to_walker(world: ServedWorld, actor_id: int, control: WalkerControl) -> None:
    """Set where a walker goes and how fast."""
    if living(world, actor_id, "apply_control_to_walker").kind != "walker":
        raise missing_actor(actor_id, "apply_control_to_walker")
    checked(control.speed)
    world.engine.apply_walker_control(
        actor_id,
        EngineWalkerControl(vector_from_carla(control.direction), control.speed, control.jump),
    )


@rpc
def apply_walker_state(
    world: ServedWorld, actor_id: int, transform: Transform, speed: float
) -> None:
    """Put a walker somewhere, going on at a speed in the direction it looks (batch command)."""
    actor = living(world, actor_id, "apply_walker_state")
    checked(speed)
    pose = pose_from_transform(transform)
    if actor.kind == "walker":  # as CARLA: the navigation mesh knows feet, a walker is its middle
        pose = replace(pose, z=pose.z + actor.extent[2])
    world.engine.set_pose(actor_id, pose)
    if actor.kind == "walker":
        forward = pose.rotation()[:, 0]
        direction = (float(forward[0]), float(forward[1]), 0.0)
        world.engine.apply_walker_control(actor_id, EngineWalkerControl(direction, speed))
