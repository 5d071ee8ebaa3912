"""What one may do to the level of an engine: its weather, and what of it is there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from sim.engine.collisions import Level
from sim.engine.level_inventory import standing_obstacles
from sim.engine.look import Look
from sim.engine.town import Town
from sim.engine.weather import Weather


class LevelCalls:
    """The part of `Engine` that changes the level; pictures and rays show it from then on."""

    town: Town
    _level: Level
    _version: int
    _look: Look

    @property
    def weather(self) -> Weather:
        """What the sky does."""
        return self._look.weather

    def set_weather(self, weather: Weather) -> None:
        """Let the sky do something else."""
        self._look = replace(self._look, weather=weather)
        self._version += 1

    @property
    def hidden(self) -> frozenset[int]:
        """Ids of the level objects that are away."""
        return self._look.hidden

    def hide_objects(self, ids: Iterable[int], is_hidden: bool = True) -> None:
        """Take level objects away, or bring them back: from pictures, rays and everybody's way.

        The next picture builds its scene anew, which takes some tenths of a second.
        """
        known = self.hidden
        hidden = known | frozenset(ids) if is_hidden else known - frozenset(ids)
        if hidden != known:
            self._look = replace(self._look, hidden=hidden)
            self._level = Level(standing_obstacles(self.town, hidden))
            self._version += 1

    def keep_dark(self, lamps: frozenset[int]) -> None:
        """Let these street lamps, and no others, stay dark at night; shown as hidden ones are."""
        if lamps != self._look.dark:
            self._look = replace(self._look, dark=lamps)
            self._version += 1
