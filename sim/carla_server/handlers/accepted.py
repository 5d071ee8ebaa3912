"""Calls that this world takes and that change nothing in it: what they set does not exist here."""

from __future__ import annotations

import logging

from sim.carla_server.handlers.registry import HANDLERS
from sim.carla_server.world import ServedWorld

logger = logging.getLogger(__name__)

# Each is common in client scripts, and none changes what a camera or a snapshot shows here.
ACCEPTED = (
    "draw_debug_shape",
    "clear_debug_shape",
    "clear_debug_string",
    "update_lights_state",
    "update_day_night_cycle",
    "set_actor_enable_gravity",
    "set_actor_dead",
    "set_actor_autopilot",  # the Traffic Manager drives from inside the client
    "add_actor_angular_impulse",
    "add_actor_torque",
    "show_vehicle_debug_telemetry",
    "open_vehicle_door",
    "close_vehicle_door",
    "enable_environment_objects",
    "load_map_layer",
    "unload_map_layer",
    "set_annotations_traverse_translucency",
    "enable_sensor_for_ros",
    "disable_sensor_for_ros",
    "set_ignored_vehicles",
    "console_command",
    "send",
)


def _enter(name: str) -> None:
    seen: list[str] = []

    def accept(_world: ServedWorld, *_arguments: object) -> None:
        if not seen:
            seen.append(name)
            logger.info("%s is accepted and has no effect in this world", name)

    HANDLERS[name] = accept


for _name in ACCEPTED:
    _enter(_name)
