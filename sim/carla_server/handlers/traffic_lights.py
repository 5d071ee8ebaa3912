"""Traffic lights: states, times, freezing, groups."""

from __future__ import annotations

from sim.carla_server.axes import checked
from sim.carla_server.handlers.registry import living, missing_actor, rpc
from sim.carla_server.layouts import BoundingBox
from sim.carla_server.level import light_heads
from sim.carla_server.rpc import RpcFailure
from sim.carla_server.world import ServedWorld
from sim.engine.actors import Actor
from sim.engine.traffic_lights import LightState


def _light(world: ServedWorld, actor_id: int, call: str) -> Actor:
    actor = living(world, actor_id, call)
    if actor.light is None:
        raise missing_actor(actor_id, call)
    return actor


@rpc
def set_traffic_light_state(world: ServedWorld, actor_id: int, state: int) -> None:
    """Show a state until the junction goes on."""
    _light(world, actor_id, "set_traffic_light_state")
    if state not in LightState._value2member_map_:
        raise RpcFailure(f"set_traffic_light_state: no state {state}")
    world.engine.set_light_state(actor_id, LightState(state))


@rpc
def set_traffic_light_green_time(world: ServedWorld, actor_id: int, seconds: float) -> None:
    """Set the green time of one light."""
    _light(world, actor_id, "set_traffic_light_green_time")
    checked(seconds, low=0.0)
    world.engine.set_light_times(actor_id, green=seconds)


@rpc
def set_traffic_light_yellow_time(world: ServedWorld, actor_id: int, seconds: float) -> None:
    """Set the yellow time of one light."""
    _light(world, actor_id, "set_traffic_light_yellow_time")
    checked(seconds, low=0.0)
    world.engine.set_light_times(actor_id, yellow=seconds)


@rpc
def set_traffic_light_red_time(world: ServedWorld, actor_id: int, seconds: float) -> None:
    """Set how long all are red after one light's yellow."""
    _light(world, actor_id, "set_traffic_light_red_time")
    checked(seconds, low=0.0)
    world.engine.set_light_times(actor_id, red=seconds)


@rpc
def freeze_traffic_light(world: ServedWorld, actor_id: int, is_frozen: bool) -> None:
    """Stop or restart the cycle of a light's junction."""
    _light(world, actor_id, "freeze_traffic_light")
    world.engine.freeze_light(actor_id, is_frozen)


@rpc
def freeze_all_traffic_lights(world: ServedWorld, is_frozen: bool) -> None:
    """Stop or restart all cycles."""
    world.engine.freeze_all_lights(is_frozen)


@rpc
def reset_traffic_light_group(world: ServedWorld, actor_id: int) -> None:
    """Begin the cycle of a light's junction anew."""
    _light(world, actor_id, "reset_traffic_light_group")
    world.engine.reset_lights(actor_id)


@rpc
def reset_all_traffic_lights(world: ServedWorld) -> None:
    """Begin all cycles anew."""
    world.engine.reset_lights()


@rpc
def get_group_traffic_lights(world: ServedWorld, actor_id: int) -> list[int]:
    """Return the lights of the same junction, this one among them."""
    actor = world.engine.actors.get(actor_id)
    if actor is None or actor.light is None:
        raise RpcFailure("unable to get group traffic lights: actor not found")
    return world.engine.light_group(actor_id)


@rpc
def get_light_boxes(world: ServedWorld, actor_id: int) -> list[BoundingBox]:
    """Return the boxes of the light's heads, in the world."""
    return light_heads(_light(world, actor_id, "get_light_boxes"))
