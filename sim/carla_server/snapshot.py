"""The world snapshot: one packed record for every living actor, sent every tick."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from sim.carla_server.actors import wire_pose
from sim.carla_server.axes import spin_to_carla, transform_floats, vector_to_carla
from sim.carla_server.layouts import (
    ACTOR_RECORD,
    ACTOR_STATE_ACTIVE,
    LIGHT_UNION,
    LIGHTS_CHANGED,
    MAP_CHANGED,
    MESSAGE_HEADER,
    NO_UNION,
    SNAPSHOT_HEADER,
    VEHICLE_UNION,
    WALKER_UNION,
)
from sim.engine.actors import Actor
from sim.engine.traffic_lights import LightState, TrafficLight

if TYPE_CHECKING:
    from sim.carla_server.world import ServedWorld

KMH = 3.6  # km/h in one m/s


def snapshot(world: ServedWorld, delta_s: float) -> bytes:
    """Return the message of the engine's present frame."""
    engine = world.engine
    parts = [
        MESSAGE_HEADER.pack(
            world.protocol.snapshot_type, engine.frame, engine.elapsed_s, *([0.0] * 6)
        ),
        SNAPSHOT_HEADER.pack(
            world.episode,
            time.monotonic(),
            delta_s,
            *(0, 0, 0),
            (MAP_CHANGED if world.has_map_changed else 0)
            | (LIGHTS_CHANGED if world.street_lights.is_news else 0),
        ),
    ]
    for actor in engine.actors.values():
        parts.append(
            ACTOR_RECORD.pack(
                actor.id,
                ACTOR_STATE_ACTIVE,
                *transform_floats(wire_pose(actor)),
                *vector_to_carla(actor.velocity),
                *spin_to_carla(actor.angular_velocity),
                *vector_to_carla(actor.acceleration),
            )
        )
        parts.append(_union(actor))
    return b"".join(parts)


def _union(actor: Actor) -> bytes:
    """Return the 54 bytes that depend on what the actor is."""
    if actor.kind == "vehicle":
        return _vehicle(actor)
    if actor.kind == "walker":
        control = actor.walker_control
        return WALKER_UNION.pack(*vector_to_carla(control.direction), control.speed, control.jump)
    if actor.light is not None:
        return _light(actor.light)
    return NO_UNION


def _vehicle(actor: Actor) -> bytes:
    control, light = actor.control, actor.traffic_light
    return VEHICLE_UNION.pack(
        control.throttle,
        -control.steer,  # the engine steers left positive, CARLA right positive
        control.brake,
        control.hand_brake,
        control.reverse,
        control.manual_gear_shift,
        control.gear,
        actor.speed_limit * KMH,
        LightState.GREEN if light is None else light.state,
        light is not None,
        0 if light is None else light.id,
        0,  # no failure
    )


def _light(light: TrafficLight) -> bytes:
    return LIGHT_UNION.pack(
        light.signal_id.encode()[:31],
        light.green_time,
        light.yellow_time,
        light.red_time,
        light.elapsed if math.isfinite(light.elapsed) else 0.0,
        light.group,
        light.is_frozen,
        light.state,
    )
