"""How a level looks besides what moves in it: its weather, what is away, which lamps are off."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from sim.engine.weather import Weather

if TYPE_CHECKING:
    from sim.engine.render.scene import Instance, Mesh


@dataclass(frozen=True, slots=True)
class Look:
    """What a client may change about a level.

    Attributes:
        weather: what the sky does.
        hidden: instance ids of the objects that are away.
        dark: instance ids of the street lamps that stay dark at night.
    """

    weather: Weather = field(default_factory=Weather)
    hidden: frozenset[int] = frozenset()
    dark: frozenset[int] = frozenset()

    def has_same_level(self, other: Look) -> bool:
        """The same things stand there and burn; only the weather may differ."""
        return self.hidden == other.hidden and self.dark == other.dark

    def of_level(self, instances: list[Instance]) -> list[Instance]:
        """The instances that are there, dark lamps without their light."""
        unlit: dict[int, Mesh] = {}
        shown = []
        for one in instances:
            if one.instance_id in self.hidden:
                continue
            if one.instance_id in self.dark:
                mesh = unlit.setdefault(id(one.mesh), _unlit(one.mesh))
                shown.append(replace(one, mesh=mesh))
            else:
                shown.append(one)
        return shown


def _unlit(mesh: Mesh) -> Mesh:
    coarse = None if mesh.coarse is None else _unlit(mesh.coarse)
    return replace(mesh, spots=(), emissive=np.zeros_like(mesh.emissive), coarse=coarse)
