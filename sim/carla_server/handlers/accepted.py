"""Calls that this world takes and that change nothing in it: what they set does not exist here."""

from __future__ import annotations

import logging

from sim.carla_server.handlers.registry import HANDLERS
from sim.carla_server.world import ServedWorld

logger = logging.getLogger(__name__)

ACCEPTED = {
    "draw_debug_shape": "CARLA shows it in the server's window, and there is none",
    "clear_debug_shape": "CARLA shows it in the server's window, and there is none",
    "clear_debug_string": "CARLA shows it in the server's window, and there is none",
    "set_actor_autopilot": "the Traffic Manager drives from inside the client",
    "show_vehicle_debug_telemetry": "CARLA shows it in the server's window, and there is none",
    "set_annotations_traverse_translucency": "no surface here is translucent",
    "enable_sensor_for_ros": "there is no ROS bridge in the server",
    "disable_sensor_for_ros": "there is no ROS bridge in the server",
    "set_ignored_vehicles": "sensors see every vehicle",
    "console_command": "there is no Unreal console",
    "send": "CARLA's actors take no message either, but for a few of its makers' own",
}
"""Each is common in client scripts, and none changes what a sensor or a snapshot shows here."""


def _enter(name: str) -> None:
    seen: list[str] = []

    def accept(_world: ServedWorld, *_arguments: object) -> None:
        if not seen:
            seen.append(name)
            logger.info("%s is accepted and has no effect in this world", name)

    HANDLERS[name] = accept


for _name in ACCEPTED:
    _enter(_name)
