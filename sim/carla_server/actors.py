"""Actors and blueprints as MessagePack structs."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

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
from sim.engine.geometry import Pose
from sim.engine.signs import TRIGGER_EXTENT, Sign
from sim.engine.simulation import TRIGGER_LENGTH
from sim.engine.traffic_lights import TrafficLight

if TYPE_CHECKING:
    from sim.carla_server.world import ServedWorld

ATTRIBUTE_TYPES = {"bool": 1, "int": 2, "float": 3, "string": 4, "color": 5}
TRIGGER_HEIGHT = 2.0  # m
LEVEL_NAMES = {3: "static.building", 6: "static.pole", 9: "static.vegetation"}
"""What a collision sensor calls what is no actor, by semantic tag."""


def wire_pose(actor: Actor) -> Pose:
    """Return the pose that clients see: the actor's own, but for traffic lights.

    CARLA's light blueprints stand turned by 90 degrees: x runs across the road, and it is y, to
    the right, that looks at the drivers. Client scripts lay the trigger volume out by that.
    """
    return actor.pose if actor.light is None else actor.pose.compose(Pose(yaw=math.pi / 2))


def bounding_box(world: ServedWorld, actor: Actor) -> BoundingBox:
    """Return the box in the actor's axes; of a traffic light or sign its trigger volume."""
    if actor.light is not None:
        return _trigger_volume(world, actor, actor.light)
    if actor.sign is not None:
        return _sign_trigger(actor, actor.sign)
    return BoundingBox(
        Vector3D(*vector_to_carla(actor.box_offset)), Vector3D(*actor.extent), Rotation(), actor.id
    )


def _sign_trigger(actor: Actor, sign: Sign) -> BoundingBox:
    """Return where vehicles are at the sign, in its axes."""
    sign_from_world = np.linalg.inv(actor.pose.matrix())
    at = sign.trigger
    x, y, z, _ = (sign_from_world @ (at.x, at.y, at.z + TRIGGER_EXTENT[2], 1.0)).tolist()
    turn = math.degrees(actor.pose.yaw - at.yaw)
    return BoundingBox(
        Vector3D(*vector_to_carla((x, y, z))),
        Vector3D(*TRIGGER_EXTENT),
        Rotation(yaw=turn),
        actor.id,
    )


def _trigger_volume(world: ServedWorld, actor: Actor, light: TrafficLight) -> BoundingBox:
    """Return where vehicles are at the light: its lane, for some metres before the stop line."""
    centre = light.stop_line.compose(Pose(x=-TRIGGER_LENGTH / 2, z=TRIGGER_HEIGHT / 2))
    light_from_world = np.linalg.inv(wire_pose(actor).matrix())
    x, y, z, _ = (light_from_world @ (centre.x, centre.y, centre.z, 1.0)).tolist()
    half_width = world.engine.town.lanes[light.lane_id].width / 2
    return BoundingBox(
        Vector3D(*vector_to_carla((x, y, z))),
        Vector3D(half_width, TRIGGER_LENGTH / 2, TRIGGER_HEIGHT / 2),
        Rotation(),
        actor.id,
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
        bounding_box(world, actor),
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
