"""Where handlers are entered under the name of the RPC that they answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sim.carla_server.rpc import RpcFailure
from sim.carla_server.world import ServedWorld
from sim.engine.actors import Actor
from sim.engine.simulation import UnknownActor

HANDLERS: dict[str, Callable[..., object]] = {}
UNLOCKED: set[str] = set()

Function = TypeVar("Function", bound=Callable[..., object])


def rpc(function: Function) -> Function:
    """Enter a handler under its own name; it runs while holding the world's lock."""
    HANDLERS[function.__name__] = function
    return function


def unlocked_rpc(function: Function) -> Function:
    """Enter a handler that reads one immutable value, or takes the lock itself."""
    UNLOCKED.add(function.__name__)
    return rpc(function)


def living(world: ServedWorld, actor_id: int, call: str) -> Actor:
    """Return an actor, or fail with the real server's words.

    Raises:
        RpcFailure: the actor is gone.
    """
    try:
        return world.actor(actor_id)
    except UnknownActor as error:
        raise missing_actor(actor_id, call) from error


def missing_actor(actor_id: int, call: str) -> RpcFailure:
    """Return the failure for a stale id."""
    return RpcFailure(
        f"Responding error from function {call}: Actor not found.  Actor Id: {actor_id}"
    )
