"""Finds a camera by the `source` of its section: short name, entry point or module:Class."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import cast

import zmq

from scheduler.config import Camera as Section
from scheduler.config import Config, Vehicle
from scheduler.plugins import find
from vehicle.camera.base import Camera, Setup

ENTRY_POINT_GROUP = "vdap.cameras"
SHORT_NAMES = {
    "bridge": "vehicle.camera.bridge:BridgeCamera",
    "video": "vehicle.camera.video:VideoCamera",
    "replay": "vehicle.camera.replay:ReplayCamera",
}


def load_camera(
    config: Config,
    vehicle: Vehicle,
    section: Section,
    context: zmq.Context[zmq.Socket[bytes]],
) -> Camera:
    """The camera that `section.source` names; what follows a short name's colon is its argument.

    Raises:
        ConfigError: nobody knows that source.
        SourceError: it is known but gives no pictures.
    """
    name, _, argument = section.source.partition(":")
    installed = {entry.name for entry in entry_points(group=ENTRY_POINT_GROUP)}
    is_named = name in SHORT_NAMES or name in installed
    found = find(
        "camera source", ENTRY_POINT_GROUP, SHORT_NAMES, name if is_named else section.source
    )
    factory = cast(Callable[[Setup], Camera], found)
    return factory(Setup(config, vehicle, section, argument if is_named else "", context))
