"""Street lamps as clients know them: on or off, how bright, in which colour."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sim.carla_server.axes import checked, vector_to_carla
from sim.carla_server.layouts import StreetLight, Vector3D
from sim.engine.level_inventory import STREET_LIGHTS, LevelObject

STREET_GROUP = 2  # carla.LightGroup.Street
INTENSITY = 2000.0  # lumens, as a client reads it until it sets another
COLOUR = (255, 236, 200)


@dataclass(slots=True)
class _Lamp:
    position: tuple[float, float, float]  # world, metres
    is_on: bool = False
    intensity: float = INTENSITY
    colour: tuple[int, int, int] = COLOUR
    group: int = STREET_GROUP


class StreetLights:
    """The lamps of one episode.

    Attributes:
        follows_night: dusk turns all on and dawn all off, whatever a client set before.
        is_news: a client has changed some; the next snapshot says so.
    """

    def __init__(self, objects: Iterable[LevelObject], is_night: bool) -> None:
        self._lamps = {
            one.id: _Lamp((one.pose.x, one.pose.y, one.box.z_high), is_night)
            for one in objects
            if one.layer == STREET_LIGHTS
        }
        self._is_night = is_night
        self.follows_night = True
        self.is_news = False

    def states(self) -> list[StreetLight]:
        """Return every lamp as it is."""
        return [
            StreetLight(
                number,
                Vector3D(*vector_to_carla(lamp.position)),
                lamp.intensity,
                lamp.group,
                lamp.colour,
                lamp.is_on,
            )
            for number, lamp in self._lamps.items()
        ]

    def update(self, states: Iterable[StreetLight]) -> None:
        """Take over what a client set; lamps that do not exist are passed over."""
        for state in states:
            checked(state.intensity, low=0.0)
            lamp = self._lamps.get(state.id)
            if lamp is not None:
                lamp.is_on, lamp.intensity = state.active, state.intensity
                lamp.colour, lamp.group = state.color, state.group
                self.is_news = True

    def night_falls(self, is_night: bool) -> None:
        """Turn all on at dusk and off at dawn."""
        if is_night != self._is_night and self.follows_night:
            for lamp in self._lamps.values():
                lamp.is_on = is_night
            self.is_news = True
        self._is_night = is_night

    def dark(self) -> frozenset[int]:
        """Return the ids of the lamps that do not burn."""
        return frozenset(number for number, lamp in self._lamps.items() if not lamp.is_on)
