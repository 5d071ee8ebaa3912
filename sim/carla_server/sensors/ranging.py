"""Lidars and radars: points in the sensor's axes, which are left-handed for a client."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from sim.carla_server.images import FIRST_LEVEL_ID
from sim.carla_server.sensors.instrument import Body, Still
from sim.engine.actors import Actor
from sim.engine.sensing.attributes import Attributes
from sim.engine.sensing.lidar import Lidar, LidarSettings
from sim.engine.sensing.motion import Mount
from sim.engine.sensing.radar import Radar, RadarSettings

if TYPE_CHECKING:
    from sim.carla_server.world import ServedWorld

LIDAR_HEAD = struct.Struct("<fI")
"""Horizontal angle, channels; the points of each channel follow as u32."""
SEMANTIC_POINT = np.dtype(
    [("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("cosine", "<f4"), ("id", "<u4"), ("tag", "<u4")]
)


class LidarInstrument(Still):
    """A lidar with intensities, or a semantic one with ids and tags."""

    def __init__(self, attributes: Attributes, *, is_semantic: bool) -> None:
        self._lidar = Lidar(LidarSettings.read(attributes, has_echo=not is_semantic))
        self._is_semantic = is_semantic

    def measure(self, world: ServedWorld, actor: Actor) -> Iterator[Body]:
        """Yield the points of one tick; the head turns by the tick, whatever `sensor_tick`."""
        cloud = self._lidar.sweep(actor.pose, world.delta_s, world.engine.rays())
        head = (
            LIDAR_HEAD.pack(cloud.angle, len(cloud.counts)) + cloud.counts.astype("<u4").tobytes()
        )
        points = cloud.points * np.array([1.0, -1.0, 1.0], np.float32)
        if not self._is_semantic:
            rows = np.concatenate([points, cloud.intensity[:, None]], axis=1).astype("<f4")
            yield [head, rows.tobytes()]
            return
        packed = np.empty(len(points), SEMANTIC_POINT)
        packed["x"], packed["y"], packed["z"] = points.T
        packed["cosine"], packed["tag"] = cloud.cosine, cloud.semantic_tag
        is_actor = cloud.instance_id < FIRST_LEVEL_ID
        packed["id"] = np.where(is_actor, cloud.instance_id, np.uint32(0))
        yield [head, packed.tobytes()]


class RadarInstrument:
    """A radar."""

    def __init__(self, attributes: Attributes) -> None:
        self._radar = Radar(RadarSettings.read(attributes))
        self._mount = Mount()

    def follow(self, actor: Actor, delta_s: float) -> None:
        """Note how the radar moves."""
        self._mount.follow(actor.pose, delta_s, actor.velocity)

    def measure(self, world: ServedWorld, actor: Actor) -> Iterator[Body]:
        """Yield the detections of one tick."""
        velocities = {one.id: one.velocity for one in world.engine.actors.values() if one.has_body}
        found = self._radar.scan(
            actor.pose, self._mount.velocity, world.delta_s, world.engine.rays(), velocities
        )
        rows = np.stack([found.velocity, -found.azimuth, found.altitude, found.depth], axis=1)
        yield [rows.astype("<f4").tobytes()]
