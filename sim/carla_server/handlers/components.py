"""The parts of actors that Unreal calls components: each actor has its root, and its bounds."""

from __future__ import annotations

from sim.carla_server.actors import wire_pose
from sim.carla_server.axes import transform_from_pose
from sim.carla_server.handlers.registry import living, rpc
from sim.carla_server.layouts import Transform
from sim.carla_server.rpc import RpcFailure
from sim.carla_server.world import ServedWorld
from sim.engine.actors import Actor
from sim.engine.geometry import Pose

# What CARLA's own blueprints call the root, and the box around the body.
ROOTS = {"vehicle": "VehicleMesh", "walker": "CollisionCylinder"}
PLAIN_ROOT = "DefaultSceneRoot"
BOUNDS = {"vehicle": "VehicleBounds", "walker": "CharacterMesh0"}


def _root(actor: Actor) -> str:
    return ROOTS.get(actor.kind, PLAIN_ROOT)


def _offset(actor: Actor, name: str, call: str) -> Pose:
    """Return a component's pose in the actor's axes."""
    if name == _root(actor):
        return Pose()
    if name == BOUNDS.get(actor.kind):
        return Pose(*actor.box_offset)
    raise RpcFailure(
        f"Responding error from function {call}: Component Name not found.  Actor Id: {actor.id}"
    )


@rpc
def get_actor_component_names(world: ServedWorld, actor_id: int) -> list[str]:
    """Return the names of an actor's components: its root and, with a body, its bounds."""
    actor = living(world, actor_id, "get_actor_component_names")
    return [_root(actor), *([BOUNDS[actor.kind]] if actor.kind in BOUNDS else [])]


@rpc
def get_actor_component_world_transform(world: ServedWorld, actor_id: int, name: str) -> Transform:
    """Return where a component is in the world."""
    actor = living(world, actor_id, "get_actor_component_world_transform")
    offset = _offset(actor, name, "get_actor_component_world_transform")
    return transform_from_pose(wire_pose(actor).compose(offset))


@rpc
def get_actor_component_relative_transform(
    world: ServedWorld, actor_id: int, name: str
) -> Transform:
    """Return where a component is in the axes of its parent: a root's is the world."""
    actor = living(world, actor_id, "get_actor_component_relative_transform")
    offset = _offset(actor, name, "get_actor_component_relative_transform")
    return transform_from_pose(wire_pose(actor) if name == _root(actor) else offset)
