"""The table of sensors: what each blueprint measures with."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import MappingProxyType
from typing import Final

from sim.carla_server.images import IMAGE_CODERS
from sim.carla_server.sensors.cameras import EventCamera, FlowCamera, ImageCamera, NormalsCamera
from sim.carla_server.sensors.contact import CollisionInstrument, ObstacleInstrument
from sim.carla_server.sensors.instrument import Instrument
from sim.carla_server.sensors.position import GnssInstrument, InertialInstrument
from sim.carla_server.sensors.ranging import LidarInstrument, RadarInstrument
from sim.engine.sensing.attributes import Attributes

Maker = Callable[[Attributes], Instrument]

_KINDS: Final[MappingProxyType[str, Maker]] = MappingProxyType(
    {
        **{name: partial(ImageCamera, coder=coder) for name, coder in IMAGE_CODERS.items()},
        "sensor.camera.normals": NormalsCamera,
        "sensor.camera.optical_flow": FlowCamera,
        "sensor.camera.dvs": EventCamera,
        "sensor.lidar.ray_cast": partial(LidarInstrument, is_semantic=False),
        "sensor.lidar.ray_cast_semantic": partial(LidarInstrument, is_semantic=True),
        "sensor.other.radar": RadarInstrument,
        "sensor.other.gnss": GnssInstrument,
        "sensor.other.imu": InertialInstrument,
        "sensor.other.collision": CollisionInstrument,
        "sensor.other.obstacle": ObstacleInstrument,
    }
)
_KERNELS: Final[MappingProxyType[str, str]] = MappingProxyType(
    {
        "sensor.lidar.ray_cast": "rays",
        "sensor.lidar.ray_cast_semantic": "rays",
        "sensor.other.radar": "rays",
        "sensor.camera.optical_flow": "flow",
        "sensor.camera.dvs": "events",
    }
)
MISSING: Final = MappingProxyType(
    {
        "sensor.camera.cosmos_visualization": "this world has no pictures made for Cosmos Transfer",
        "sensor.other.rss": "the RSS library is part of special builds of the client only",
        "sensor.other.v2x": "this world has no V2X messages between vehicles",
        "sensor.other.v2x_custom": "this world has no V2X messages between vehicles",
    }
)
"""Sensors that cannot be spawned, and why."""


def is_known(blueprint_id: str) -> bool:
    """Return whether a sensor streams; the lane invasion detector works in the client."""
    return blueprint_id in _KINDS


def instrument(blueprint_id: str, attributes: Attributes) -> Instrument:
    """Return a new instrument with all its attributes.

    Raises:
        SensorError: an attribute is wrong.
    """
    return _KINDS[blueprint_id](attributes)


def prepare(blueprint_id: str) -> None:
    """Compile the kernels that a sensor of this kind needs beside those of pictures."""
    kernels = _KERNELS.get(blueprint_id)
    if kernels is None:
        return
    from sim.engine.first_compiler import FIRST_COMPILER
    from sim.engine.sensing import warm_up

    FIRST_COMPILER.stop()  # it would be slower; what it has done is taken over
    {"rays": warm_up.compile_rays, "flow": warm_up.compile_flow, "events": warm_up.compile_events}[
        kernels
    ]()


def prepare_all() -> None:
    """Have all of them compiled by a process of the lowest priority, and load them."""
    from sim.engine.first_compiler import FIRST_COMPILER, is_compiled
    from sim.engine.sensing.warm_up import compile_all

    if is_compiled() or FIRST_COMPILER.run():
        compile_all()
