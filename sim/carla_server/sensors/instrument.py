"""What every kind of sensor has in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from sim.carla_server.sessions import Buffer
from sim.engine.actors import Actor

if TYPE_CHECKING:
    from sim.carla_server.world import ServedWorld

Body = list[Buffer]  # of a message, what comes after the header that all sensors share


class Instrument(Protocol):
    """One sensor at work; it keeps what it must know from one tick to the next."""

    def follow(self, actor: Actor, delta_s: float) -> None:
        """Note where the sensor is after a tick of `delta_s` seconds."""

    def measure(self, world: ServedWorld, actor: Actor) -> Iterator[Body]:
        """Yield the messages of this tick, none or several."""


class Still:
    """An instrument that need not know how it moves."""

    def follow(self, actor: Actor, delta_s: float) -> None:
        """Do nothing."""
