"""One sensor's stream: which messages are due, and what is refused before it is spawned."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from sim.carla_server.axes import transform_floats
from sim.carla_server.layouts import MESSAGE_HEADER
from sim.carla_server.sensors.instrument import Instrument
from sim.carla_server.sensors.kinds import MISSING, instrument, is_known, prepare
from sim.carla_server.sessions import Buffer
from sim.engine.actors import Actor
from sim.engine.blueprints import Attribute, Blueprint
from sim.engine.sensing.attributes import SensorError, choice, flag, number, whole

if TYPE_CHECKING:
    from sim.carla_server.protocol import Protocol
    from sim.carla_server.world import ServedWorld

TIME_SLACK_S = 1e-6  # sums of a decimal step come out a little short
LONGEST_PERIOD_S = 3600.0


def check_sensor(blueprint: Blueprint, attributes: Mapping[str, str]) -> None:
    """Check the attributes of a sensor before it is spawned; what is left out has its default.

    Raises:
        SensorError: one is not of its type or out of range, or this world has no such sensor.
    """
    if blueprint.id in MISSING:
        raise SensorError(MISSING[blueprint.id])
    complete = {one.id: attributes.get(one.id, one.value) for one in blueprint.attributes}
    for one in blueprint.attributes:
        _check_type(one, complete)
    if "sensor_tick" in complete:
        number(complete, "sensor_tick", 0.0, LONGEST_PERIOD_S)
    if is_known(blueprint.id):
        instrument(blueprint.id, complete)


def prepare_sensor(blueprint_id: str) -> None:
    """Compile what a sensor of this kind needs; seconds on a machine's first time, else nothing.

    Call it without the world's lock.
    """
    prepare(blueprint_id)


def _check_type(attribute: Attribute, attributes: Mapping[str, str]) -> None:
    if attribute.type == "int":
        whole(attributes, attribute.id)
    elif attribute.type == "float":
        number(attributes, attribute.id)
    elif attribute.type == "bool":
        flag(attributes, attribute.id)
    elif attribute.is_restricted:
        choice(attributes, attribute.id, attribute.recommended)


class Sensor:
    """One sensor's stream: its number, its rhythm, its messages."""

    def __init__(self, actor: Actor, stream_id: int, protocol: Protocol) -> None:
        self.actor = actor
        self.stream_id = stream_id
        self._type = protocol.sensor_types[actor.blueprint.id]
        self._instrument: Instrument = instrument(actor.blueprint.id, actor.attributes)
        self._period_s = float(actor.attributes.get("sensor_tick") or 0.0)
        self._due_s = -math.inf  # at the first tick, and from then on counted

    def is_due(self, elapsed_s: float) -> bool:
        """Return whether `sensor_tick` has passed, and if so count this tick as taken."""
        if elapsed_s < self._due_s - TIME_SLACK_S:
            return False
        next_s = self._due_s + self._period_s
        self._due_s = next_s if next_s > elapsed_s else elapsed_s + self._period_s
        return True

    def follow(self, delta_s: float) -> None:
        """Note where the sensor is after a tick; call it in every tick, due or not."""
        self._instrument.follow(self.actor, delta_s)

    def messages(self, world: ServedWorld) -> Iterator[list[Buffer]]:
        """Yield this tick's messages, each as buffers to be sent one after another."""
        engine = world.engine
        actor = engine.actors[self.actor.id]  # as it was, where the frame is a still
        for body in self._instrument.measure(world, actor):
            header = MESSAGE_HEADER.pack(
                self._type, engine.frame, engine.elapsed_s, *transform_floats(actor.pose)
            )
            yield [header, *body]
