"""Collision and obstacle detectors: messages that name another actor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from sim.carla_server.actors import level_actor, wire_actor
from sim.carla_server.axes import vector_to_carla
from sim.carla_server.layouts import Vector3D, WireActor
from sim.carla_server.sensors.instrument import Body, Still
from sim.engine.actors import Actor
from sim.engine.geometry import Box
from sim.engine.sensing.attributes import Attributes
from sim.engine.sensing.obstacle import ObstacleSettings, first_obstacle

if TYPE_CHECKING:
    from sim.carla_server.world import ServedWorld

MOVERS = ("vehicle", "walker", "prop")


class CollisionInstrument(Still):
    """Tells every contact of its parent."""

    def __init__(self, _attributes: Attributes) -> None:
        pass

    def measure(self, world: ServedWorld, actor: Actor) -> Iterator[Body]:
        """Yield a message for each contact of this tick."""
        parent = actor.parent
        for collision in world.engine.collisions:
            if parent is not None and collision.actor_id == parent.id:
                other = _named(world, collision.other_id, collision.level_tag)
                impulse = Vector3D(*vector_to_carla(collision.impulse))
                yield [msgspec.msgpack.encode((wire_actor(world, parent), other, impulse))]


class ObstacleInstrument(Still):
    """Tells what stands in front, by boxes; the ground is no obstacle."""

    def __init__(self, attributes: Attributes) -> None:
        self._settings = ObstacleSettings.read(attributes)

    def measure(self, world: ServedWorld, actor: Actor) -> Iterator[Body]:
        """Yield one message if anything is in the way."""
        found = first_obstacle(actor.pose, self._settings, self._things(world, actor))
        if found is not None:
            (other_id, tag), distance = found
            other = _named(world, other_id, tag)
            # CARLA names the detector itself here, not its parent
            yield [msgspec.msgpack.encode((wire_actor(world, actor), other, distance))]

    def _things(self, world: ServedWorld, actor: Actor) -> Iterator[tuple[tuple[int, int], Box]]:
        for one in world.engine.actors.values():
            if one.has_body and one is not actor.parent and one.kind in MOVERS:
                yield (one.id, 0), one.box()
        if not self._settings.is_for_movers:
            reach = self._settings.distance + self._settings.radius
            for obstacle in world.engine.obstacles_near(actor.pose.x, actor.pose.y, reach):
                yield (0, obstacle.semantic_tag), obstacle.box


def _named(world: ServedWorld, actor_id: int, level_tag: int) -> WireActor:
    other = world.engine.actors.get(actor_id)
    return level_actor(level_tag) if other is None else wire_actor(world, other)
