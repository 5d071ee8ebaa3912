"""`apply_batch`: many commands in one call, spawns with commands to follow."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import msgspec
from msgspec.structs import astuple

from sim.carla_server.handlers.actors import spawn
from sim.carla_server.handlers.registry import HANDLERS, unlocked_rpc
from sim.carla_server.layouts import ActorDescription, Transform
from sim.carla_server.protocol import PROTOCOLS
from sim.carla_server.rpc import RpcFailure, argument_decoder
from sim.carla_server.world import ServedWorld

WireCommand = tuple[tuple[int, msgspec.Raw]]
CommandResult = tuple[tuple[int, int]] | tuple[tuple[int, tuple[str]]]


@unlocked_rpc
def apply_batch(world: ServedWorld, commands: list[WireCommand], do_tick: bool) -> object:
    """Run commands in order and answer each with an actor id or an error; then tick if asked."""
    with world.lock:
        frame, next_id = world.engine.frame, world.engine.next_id
        results = [_run(world, command) for command in commands]
        has_spawned = world.engine.next_id > next_id
    if has_spawned:
        world.wait_until_published(frame)
    if do_tick:
        world.tick_when_subscribed()
    return results


class _Runner(NamedTuple):
    """A row of the table of commands, with what runs it; None: a spawn."""

    decode: Callable[[msgspec.Raw], msgspec.Struct]
    run: Callable[..., object] | None


@functools.cache
def _runners(version: str) -> list[_Runner]:
    """Return what runs each of a version's commands, by number."""
    return [
        _Runner(argument_decoder(row.handler, row.arguments).decode, HANDLERS.get(row.handler))
        for row in PROTOCOLS[version].commands
    ]


def _run(world: ServedWorld, command: WireCommand, actor_id: int | None = None) -> CommandResult:
    """Run one command; with `actor_id` it follows a spawn and is about that actor."""
    index, raw = command[0]
    runners = _runners(world.protocol.version)
    try:
        if not 0 <= index < len(runners):
            raise RpcFailure(f"no batch command has number {index}")
        decode, run = runners[index]
        fields = astuple(decode(raw))
        if run is None:
            return ((1, _spawn(world, fields)),)
        first = fields[0]
        if actor_id is None:
            run(world, *fields)
        else:
            first = actor_id  # the client could not know it: it sent 0
            run(world, actor_id, *fields[1:])
    except RpcFailure as failure:
        return ((0, (str(failure),)),)
    except msgspec.MsgspecError as error:
        return ((0, (f"command {index}: {error}",)),)
    return ((1, first if isinstance(first, int) else 0),)


def _spawn(world: ServedWorld, fields: tuple[object, ...]) -> int:
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
