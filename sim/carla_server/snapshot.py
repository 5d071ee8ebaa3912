"""The world snapshot: one packed record for every living actor, sent every tick."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from sim.carla_server.actors import wire_pose
from sim.carla_server.axes import vector_to_carla
from sim.carla_server.layouts import (
    ACTOR_RECORD,
    ACTOR_STATE_ACTIVE,
    LIGHT_UNION,
    LIGHTS_CHANGED,
    MAP_CHANGED,
    MESSAGE_HEADER,
    NO_UNION,
    SIGN_UNION,
    SNAPSHOT_HEADER,
    VEHICLE_RECORD,
    WALKER_UNION,
)
from sim.engine.actors import Actor
from sim.engine.geometry import Pose
from sim.engine.traffic_lights import LightState, TrafficLight

if TYPE_CHECKING:
    from sim.carla_server.world import ServedWorld

KMH = 3.6  # km/h in one m/s
DEGREES = 180.0 / math.pi
SIGN_ID_SIZE = 31  # bytes before the closing zero
KEPT = 4096  # records of things that never move


class SnapshotWriter:
    """Writes a message a tick; what never moves is packed once."""

    def __init__(self) -> None:
        self._still: dict[int, tuple[Pose, bytes]] = {}

    def message(self, world: ServedWorld, delta_s: float) -> bytes:
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
            if actor.kind == "vehicle":
                parts.append(_vehicle(actor))
            elif actor.light is not None:
                parts.append(self._of_level(actor))
                parts.append(_light(actor.light))
            elif actor.sign is not None:
                parts.append(self._of_level(actor))
            else:
                parts.append(_record(actor, actor.pose))
                parts.append(_walker(actor) if actor.kind == "walker" else NO_UNION)
        return b"".join(parts)

    def _of_level(self, actor: Actor) -> bytes:
        """Return the record of a light (without its union) or a sign (with it)."""
        known = self._still.get(actor.id)
        if known is not None and known[0] is actor.pose:
            return known[1]
        record = _record(actor, wire_pose(actor))
        if actor.sign is not None:
            record += SIGN_UNION.pack(actor.sign.signal_id.encode()[:SIGN_ID_SIZE])
        if len(self._still) > KEPT:
            self._still.clear()  # of many episodes: ids are never used twice
        self._still[actor.id] = (actor.pose, record)
        return record


def _record(actor: Actor, pose: Pose) -> bytes:
    """Return the 65 bytes that every actor has."""
    vx, vy, vz = actor.velocity
    wx, wy, wz = actor.angular_velocity
    ax, ay, az = actor.acceleration
    return ACTOR_RECORD.pack(
        actor.id,
        ACTOR_STATE_ACTIVE,
        *(pose.x, -pose.y, pose.z, pose.pitch * DEGREES, -pose.yaw * DEGREES, pose.roll * DEGREES),
        *(vx, -vy, vz),
        *(-wx * DEGREES, wy * DEGREES, -wz * DEGREES),
        *(ax, -ay, az),
    )


def _vehicle(actor: Actor) -> bytes:
    """Return a vehicle's whole record, in one go: there are many."""
    pose, control, light = actor.pose, actor.control, actor.traffic_light
    vx, vy, vz = actor.velocity
    wx, wy, wz = actor.angular_velocity
    ax, ay, az = actor.acceleration
    return VEHICLE_RECORD.pack(
        actor.id, ACTOR_STATE_ACTIVE,
        pose.x, -pose.y, pose.z, pose.pitch * DEGREES, -pose.yaw * DEGREES, pose.roll * DEGREES,
        vx, -vy, vz,
        -wx * DEGREES, wy * DEGREES, -wz * DEGREES,
        ax, -ay, az,
        control.throttle,
        -control.steer,  # the engine steers left positive, CARLA right positive
        control.brake, control.hand_brake, control.reverse, control.manual_gear_shift,
        actor.gear,  # the one it is in, as the real server says
        actor.speed_limit * KMH,
        LightState.GREEN if light is None else light.state,
        light is not None,
        0 if light is None else light.id,
        0,  # no failure
    )  # fmt: skip


def _walker(actor: Actor) -> bytes:
    control = actor.walker_control
    return WALKER_UNION.pack(*vector_to_carla(control.direction), control.speed, control.jump)


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
