"""Finds a camera by the `source` of its section: short name, entry point or module:Class."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import zmq

from scheduler.config import Camera as Section
from scheduler.config import Config, Vehicle
from scheduler.errors import ConfigError
from vehicle.camera.base import Camera, Setup
from vehicle.plugins import find_entry_point, names_of, of_module

ENTRY_POINT_GROUP = "vdap.cameras"
CameraFactory = Callable[[Setup], Camera]


def _bridge(setup: Setup) -> Camera:
    from vehicle.camera.bridge import BridgeCamera

    return BridgeCamera(setup)


def _video(setup: Setup) -> Camera:
    from vehicle.camera.video import VideoCamera

    return VideoCamera(setup)


def _replay(setup: Setup) -> Camera:
    from vehicle.camera.replay import ReplayCamera

    return ReplayCamera(setup)


BUILT_IN: dict[str, CameraFactory] = {"bridge": _bridge, "video": _video, "replay": _replay}


def split(source: str) -> tuple[str, str]:
    """The name of a source and what follows its colon (`video:PATH`)."""
    name, _, argument = source.partition(":")
    return name, argument


def load_camera(
    config: Config,
    vehicle: Vehicle,
    section: Section,
    context: zmq.Context[zmq.Socket[bytes]],
) -> Camera:
    """The camera that `section.source` names.

    Raises:
        ConfigError: nobody knows that source.
        SourceError: it is known but gives no pictures.
    """
    source = section.source
    name, argument = split(source)
    setup = Setup(config, vehicle, section, argument, context)
    if name in BUILT_IN:
        return BUILT_IN[name](setup)
    found = find_entry_point(ENTRY_POINT_GROUP, name)
    if found is None and ":" in source:
        found = of_module(source, f"camera {section.id!r}")
    if found is None:
        known = ", ".join((*BUILT_IN, *names_of(ENTRY_POINT_GROUP)))
        raise ConfigError(
            f"camera {section.id!r}: unknown source {source!r}; known: {known}, or module:Class"
        )
    return cast(CameraFactory, found)(setup)
