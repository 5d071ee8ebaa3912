"""Inertial unit and satellite receiver."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from sim.carla_server.axes import vector_to_carla
from sim.carla_server.layouts import Vector3D
from sim.carla_server.sensors.instrument import Body, Still
from sim.engine.actors import Actor
from sim.engine.geometry import Vector
from sim.engine.sensing.attributes import Attributes
from sim.engine.sensing.gnss import GeoReference, GnssNoise, GnssSettings
from sim.engine.sensing.inertial import InertialNoise, InertialSettings, felt
from sim.engine.sensing.motion import Mount

if TYPE_CHECKING:
    from sim.carla_server.world import ServedWorld

MERCATOR_VERSIONS = ("0.9.15",)


class InertialInstrument:
    """Accelerometer, gyroscope and compass."""

    def __init__(self, attributes: Attributes) -> None:
        self._noise = InertialNoise(InertialSettings.read(attributes))
        self._mount = Mount()

    def follow(self, actor: Actor, delta_s: float) -> None:
        """Note how the unit moves."""
        self._mount.follow(actor.pose, delta_s, actor.velocity)

    def measure(self, world: ServedWorld, actor: Actor) -> Iterator[Body]:
        """Yield one message, in the unit's axes."""
        inertia = felt(actor.pose, self._mount.acceleration, actor.angular_velocity, world.gravity)
        p, q, r = inertia.gyroscope
        accelerometer, gyroscope = self._noise.draw()
        fields = (
            Vector3D(*_sum(vector_to_carla(inertia.accelerometer), accelerometer)),
            Vector3D(*_sum((-p, q, -r), gyroscope)),  # rad/s here, unlike in snapshots
            inertia.compass,
        )
        yield [msgspec.msgpack.encode(fields)]


class GnssInstrument(Still):
    """Latitude, longitude and altitude as the client's own map has them of the same point."""

    def __init__(self, attributes: Attributes) -> None:
        self._noise = GnssNoise(GnssSettings.read(attributes))
        self._reference: GeoReference | None = None

    def measure(self, world: ServedWorld, actor: Actor) -> Iterator[Body]:
        """Yield one message."""
        if self._reference is None:
            self._reference = GeoReference.of_map(world.engine.town.opendrive)
        pose = actor.pose
        if world.protocol.version in MERCATOR_VERSIONS:
            place = self._reference.mercator(pose.x, pose.y)
        else:
            # LibCarla 0.9.16 takes CARLA's y, which points south, for the way north: latitude
            # falls on the way north, here as in `carla.Map.transform_to_geolocation`.
            place = self._reference.transverse_mercator(pose.x, -pose.y)
        fields = _sum((*place, pose.z), self._noise.draw())
        yield [msgspec.msgpack.encode(fields)]


def _sum(a: Vector, b: Vector) -> Vector:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]
