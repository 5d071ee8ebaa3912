"""Actors and blueprints as MessagePack structs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sim.carla_server.axes import vector_to_carla
from sim.carla_server.layouts import (
    ActorAttribute,
    ActorDefinition,
    ActorDescription,
    AttributeValue,
    BoundingBox,
    Rotation,
    Vector3D,
    WireActor,
)
from sim.engine.actors import Actor
from sim.engine.blueprints import Blueprint

if TYPE_CHECKING:
    from sim.carla_server.world import ServedWorld

ATTRIBUTE_TYPES = {"bool": 1, "int": 2, "float": 3, "string": 4, "color": 5}
LEVEL_NAMES = {3: "static.building", 6: "static.pole", 9: "static.vegetation"}
"""What a collision sensor calls what is no actor, by semantic tag."""


def bounding_box(actor: Actor) -> BoundingBox:
    """Return the box in the actor's axes."""
    return BoundingBox(
        Vector3D(*vector_to_carla(actor.box_offset)), Vector3D(*actor.extent), Rotation(), actor.id
    )


def wire_actor(world: ServedWorld, actor: Actor) -> WireActor:
    """Return the actor as every call answers it."""
    blueprint = actor.blueprint
    types = {attribute.id: ATTRIBUTE_TYPES[attribute.type] for attribute in blueprint.attributes}
    sensor = world.sensors.get(actor.id)
    return WireActor(
        actor.id,
        actor.parent.id if actor.parent is not None else 0,
        ActorDescription(
            world.definition_uid(blueprint.id),
            blueprint.id,
            [
                AttributeValue(name, types.get(name, ATTRIBUTE_TYPES["string"]), value)
                for name, value in actor.attributes.items()
            ],
        ),
        bounding_box(actor),
        bytes([blueprint.semantic_tag]) if blueprint.semantic_tag else b"",
        world.streams.token(sensor.stream_id) if sensor is not None else b"",
    )


def level_actor(semantic_tag: int) -> WireActor:
    """Return the stand-in that collision events name for buildings and other parts of the level."""
    name = LEVEL_NAMES.get(semantic_tag, "static.unknown")
    box = BoundingBox(Vector3D(), Vector3D())
    return WireActor(0, 0, ActorDescription(0, name, []), box, bytes([semantic_tag]), b"")


def definitions(blueprints: Iterable[Blueprint]) -> list[ActorDefinition]:
    """Return the blueprint library: what a client may spawn, numbered from 1."""
    return [
        ActorDefinition(
            uid,
            blueprint.id,
            ",".join(blueprint.tags),
            [
                ActorAttribute(
                    attribute.id,
                    ATTRIBUTE_TYPES[attribute.type],
                    attribute.value,
                    list(attribute.recommended),
                    attribute.is_modifiable,
                    attribute.is_restricted,
                )
                for attribute in blueprint.attributes
            ],
        )
        for uid, blueprint in enumerate(blueprints, start=1)
    ]
