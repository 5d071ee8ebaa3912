"""Sensors that stream: when each is due and what its messages hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from sim.carla_server.actors import level_actor, wire_actor
from sim.carla_server.axes import transform_floats, vector_to_carla
from sim.carla_server.images import IMAGE_CODERS
from sim.carla_server.layouts import IMAGE_HEADER, MESSAGE_HEADER, Vector3D
from sim.carla_server.streaming import Buffer
from sim.engine.actors import Actor

if TYPE_CHECKING:
    from sim.carla_server.protocol import Protocol
    from sim.carla_server.world import ServedWorld
    from sim.engine.simulation import Collision

TIME_SLACK_S = 1e-6  # sums of a decimal step come out a little short
MAX_SIDE = 4096  # pixels; a larger picture is a typing error
FOV_RANGE = (1.0, 170.0)  # degrees, where a pinhole makes sense


class SensorError(ValueError):
    """A sensor's attributes make no sensor; the text names the attribute."""


def check_attributes(attributes: dict[str, str]) -> None:
    """Check the numbers of a camera before it is spawned.

    Raises:
        SensorError: one is no number or out of range.
    """
    ranges = {
        "image_size_x": (1.0, MAX_SIDE),
        "image_size_y": (1.0, MAX_SIDE),
        "fov": FOV_RANGE,
        "sensor_tick": (0.0, 3600.0),
    }
    for name, (low, high) in ranges.items():
        text = attributes.get(name)
        if text is None:
            continue
        try:
            value = float(text)
        except ValueError as error:
            raise SensorError(f"{name}: expected a number, got '{text}'") from error
        if not low <= value <= high:
            raise SensorError(f"{name}: expected {low:g} to {high:g}, got {text}")


class Sensor:
    """One sensor's stream: its number, its rhythm, its messages."""

    def __init__(self, actor: Actor, stream_id: int, protocol: Protocol) -> None:
        self.actor = actor
        self.stream_id = stream_id
        self._type = protocol.sensor_types[actor.blueprint.id]
        self._coder = IMAGE_CODERS.get(actor.blueprint.id)
        self._period_s = float(actor.attributes.get("sensor_tick") or 0.0)
        self._due_s = 0.0

    def is_due(self, elapsed_s: float) -> bool:
        """Return whether `sensor_tick` has passed, and if so count this tick as taken."""
        if elapsed_s < self._due_s - TIME_SLACK_S:
            return False
        next_s = self._due_s + self._period_s
        self._due_s = next_s if next_s > elapsed_s else elapsed_s + self._period_s
        return True

    def messages(self, world: ServedWorld) -> Iterator[list[Buffer]]:
        """Yield this tick's messages, each as buffers to be sent one after another."""
        if self._coder is None:
            yield from self._collisions(world)
        elif not world.settings.no_rendering_mode:
            yield self._image(world)

    def _header(self, world: ServedWorld) -> bytes:
        engine = world.engine
        return MESSAGE_HEADER.pack(
            self._type, engine.frame, engine.elapsed_s, *transform_floats(self.actor.pose)
        )

    def _image(self, world: ServedWorld) -> list[Buffer]:
        from sim.engine.render.renderer import CameraView  # numba is loaded with the first camera

        attributes = self.actor.attributes
        width, height = int(attributes["image_size_x"]), int(attributes["image_size_y"])
        fov_deg = float(attributes["fov"])
        picture = world.engine.picture(CameraView(width, height, fov_deg, self.actor.pose.matrix()))
        assert self._coder is not None  # the caller's branch
        pixels = self._coder(picture, world.instance_ids)
        return [
            self._header(world) + IMAGE_HEADER.pack(width, height, fov_deg),
            pixels.data.cast("B"),
        ]

    def _collisions(self, world: ServedWorld) -> Iterator[list[Buffer]]:
        parent = self.actor.parent
        for collision in world.engine.collisions:
            if parent is not None and collision.actor_id == parent.id:
                yield [self._header(world) + _collision_body(world, parent, collision)]


def _collision_body(world: ServedWorld, actor: Actor, collision: Collision) -> bytes:
    other = world.engine.actors.get(collision.other_id)
    return msgspec.msgpack.encode(
        (
            wire_actor(world, actor),
            level_actor(collision.level_tag) if other is None else wire_actor(world, other),
            Vector3D(*vector_to_carla(collision.impulse)),
        )
    )
