"""`apply_batch`: many commands in one call, spawns with commands to follow."""

from __future__ import annotations

import functools

import msgspec
from msgspec.structs import astuple

from sim.carla_server.handlers.actors import spawn
from sim.carla_server.handlers.registry import HANDLERS, unlocked_rpc
from sim.carla_server.layouts import ActorDescription, Transform
from sim.carla_server.protocol import Command, Protocol
from sim.carla_server.rpc import RpcFailure, argument_decoder
from sim.carla_server.world import ServedWorld

WireCommand = tuple[tuple[int, msgspec.Raw]]
CommandResult = tuple[tuple[int, int]] | tuple[tuple[int, tuple[str]]]


@unlocked_rpc
def apply_batch(world: ServedWorld, commands: list[WireCommand], do_tick: bool) -> object:
    """Run commands in order and answer each with an actor id or an error; then tick if asked."""
    with world.lock:
        frame, last_id = world.engine.frame, max(world.engine.actors)
        results = [_run(world, command) for command in commands]
        has_spawned = max(world.engine.actors, default=0) > last_id
    if has_spawned:
        world.wait_until_published(frame)
    if do_tick:
        world.tick_when_subscribed()
    return results


@functools.lru_cache(maxsize=256)
def _decoder(command: Command) -> msgspec.msgpack.Decoder[msgspec.Struct]:
    return argument_decoder(command.handler, command.arguments)


def _run(world: ServedWorld, command: WireCommand, actor_id: int | None = None) -> CommandResult:
    """Run one command; with `actor_id` it follows a spawn and is about that actor."""
    ((index, raw),) = command
    try:
        row = _row(world.protocol, index)
        if row.handler == "spawn":
            return ((1, _spawn(world, list(astuple(_decoder(row).decode(raw))))),)
        first, *rest = astuple(_decoder(row).decode(raw))
        if actor_id is not None:
            first = actor_id  # the client could not know it: it sent 0
        HANDLERS[row.handler](world, first, *rest)
    except RpcFailure as failure:
        return ((0, (str(failure),)),)
    except msgspec.MsgspecError as error:
        return ((0, (f"command {index}: {error}",)),)
    return ((1, first if isinstance(first, int) else 0),)


def _row(protocol: Protocol, index: int) -> Command:
    if not 0 <= index < len(protocol.commands):
        raise RpcFailure(f"no batch command has number {index}")
    return protocol.commands[index]


def _spawn(world: ServedWorld, fields: list[object]) -> int:
    description, transform, parent, _attachment, _socket, do_after = fields
    assert isinstance(description, ActorDescription)
    assert isinstance(transform, Transform)
    assert isinstance(parent, list)
    assert isinstance(do_after, list)
    parent_id = int(parent[1]) if len(parent) > 1 and parent[0] else None
    spawned = spawn(world, description, transform, parent_id)
    for command in do_after:
        _run(world, command, spawned.id)
    return spawned.id
