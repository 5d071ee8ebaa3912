"""The catalogue of what can be spawned, under CARLA's ids and with CARLA's attributes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ActorKind = Literal[
    "vehicle", "walker", "sensor", "prop", "traffic_light", "sign", "spectator", "controller"
]
AttributeType = Literal["bool", "int", "float", "string", "color"]


@dataclass(frozen=True, slots=True)
class Attribute:
    """A named value of a blueprint, as text; `recommended` lists values that make sense."""

    id: str
    type: AttributeType
    value: str
    recommended: tuple[str, ...] = ()
    is_modifiable: bool = True
    is_restricted: bool = False


@dataclass(frozen=True, slots=True)
class Blueprint:
    """One thing that can be spawned.

    Attributes:
        id: for example `vehicle.tesla.model3`.
        tags: words to find it by.
        kind: what the engine does with it.
        attributes: in the order a client sees them.
        mesh: which mesh shows it, "" for none.
        variant: which of the mesh's variants (pedestrians).
        size: (length, width, height) of its box, metres; zeros for what has no body.
        mesh_size: the same without mirrors, which the mesh is built to.
        mass: kg.
        semantic_tag: CARLA's CityObjectLabel of its pixels.
        max_speed: m/s it can reach.
        max_acceleration: m/s^2 from rest at full throttle.
        wheelbase: metres, 0 for what has no wheels.
        base_type: car, van, truck, bus, motorcycle or bicycle (vehicles).
        is_electric: one gear and no gaps in its pull (vehicles).
    """

    id: str
    tags: tuple[str, ...]
    kind: ActorKind
    attributes: tuple[Attribute, ...] = ()
    mesh: str = ""
    variant: int = 0
    size: tuple[float, float, float] = (0.0, 0.0, 0.0)
    mesh_size: tuple[float, float, float] = (0.0, 0.0, 0.0)
    mass: float = 0.0
    semantic_tag: int = 0
    max_speed: float = 0.0
    max_acceleration: float = 0.0
    wheelbase: float = 0.0
    base_type: str = ""
    is_electric: bool = False

    def __hash__(self) -> int:
        """Return its id's: tables of what is worked out for a blueprint are asked all the time."""
        return hash(self.id)
