"""A town: its roads as OpenDRIVE and as a lane graph, and what stands beside them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sim.engine.blocks import Building, Furniture
from sim.engine.geometry import Pose, Vector
from sim.engine.lanes import ROAD_KINDS, LaneGraph, LaneId
from sim.engine.signs import Sign
from sim.engine.surfaces import KERB_HEIGHT, LAWN_HEIGHT, Surface
from sim.engine.town_names import TownName, UnknownTown, parse_town, town_names
from sim.engine.traffic_lights import TrafficLight

__all__ = [
    "Crossing",
    "JunctionArea",
    "Pavement",
    "Town",
    "UnknownTown",
    "build_town",
    "forget_towns",
    "town_names",
]


@dataclass(frozen=True, slots=True, eq=False)
class Pavement:
    """A way for walkers: the ring round a block, or a stretch with two ends.

    Attributes:
        lanes: the pavement lanes it consists of, in walking order.
        centre: (N, 3) float64, metres; of a ring, the last point is the first.
        lengths: (N,) metres along it at each point.
        width: metres.
    """

    lanes: tuple[LaneId, ...]
    centre: NDArray[np.float64]
    lengths: NDArray[np.float64]
    width: float

    @property
    def length(self) -> float:
        """Metres once along it."""
        return float(self.lengths[-1])

    @property
    def is_ring(self) -> bool:
        """It ends where it began."""
        return bool(np.allclose(self.centre[0], self.centre[-1], atol=1e-3))

    def at(self, s: float, offset: float = 0.0) -> Pose:
        """The pose `s` metres along it, `offset` metres to the left.

        A ring goes round and round, a stretch holds at its ends.
        """
        s = s % self.length if self.is_ring else min(max(s, 0.0), self.length)
        i = min(int(np.searchsorted(self.lengths, s, "right")) - 1, len(self.centre) - 2)
        (x0, y0, z0), (x1, y1, z1) = self.centre[i].tolist(), self.centre[i + 1].tolist()
        span = float(self.lengths[i + 1] - self.lengths[i])
        ux, uy = (x1 - x0) / span, (y1 - y0) / span
        along = s - float(self.lengths[i])
        x, y = x0 + ux * along - uy * offset, y0 + uy * along + ux * offset
        return Pose(x, y, z0 + (z1 - z0) * along / span, math.atan2(uy, ux))


@dataclass(frozen=True, slots=True)
class Crossing:
    """A marked crossing between two pavements.

    Attributes:
        ends: world points on the two pavements' centre lines, metres.
        pavements: which pavement each end lies on, index in `Town.pavements`.
        along: metres along that pavement.
        width: metres.
        junction_id: the junction whose lights govern it, if it has any.
        road_id: the road it crosses.
    """

    ends: tuple[Vector, Vector]
    pavements: tuple[int, int]
    along: tuple[float, float]
    width: float
    junction_id: int
    road_id: int


@dataclass(frozen=True, slots=True, eq=False)
class JunctionArea:
    """The floor of a junction.

    Attributes:
        id: OpenDRIVE junction id.
        outline: (N, 3) float64, metres, a simple polygon along the kerbs.
    """

    id: int
    outline: NDArray[np.float64]

    def height_at(self, x: float, y: float) -> float | None:
        """Height of its floor under a point, metres, or None where it does not lie there."""
        xs, ys = self.outline[:, 0], self.outline[:, 1]
        if not (xs.min() <= x <= xs.max() and ys.min() <= y <= ys.max()):
            return None
        x1, y1 = np.roll(xs, -1), np.roll(ys, -1)
        crosses = (ys > y) != (y1 > y)
        rise = np.where(crosses, y1 - ys, 1.0)
        is_left = x < xs + (y - ys) * (x1 - xs) / rise
        if np.count_nonzero(crosses & is_left) % 2 == 0:
            return None
        away = (xs - x) ** 2 + (ys - y) ** 2 + 1e-6
        return float((self.outline[:, 2] / away).sum() / (1 / away).sum())


def level_ground(x: float, y: float) -> float:
    """Height of the land of a town without hills."""
    return 0.0


@dataclass(slots=True, eq=False)
class Town:
    """A whole town; every engine that plays in it shares it, so nothing changes it.

    Attributes:
        name: as CARLA shows it, for example `Carla/Maps/VdapTown01`.
        seed: of what stands beside the roads.
        opendrive: the roads as OpenDRIVE text; its axes are the world's.
        lanes: the same roads as a lane graph.
        spawn_points: on driving lanes, 0.3 m over the ground, outside junctions.
        walker_spawn_points: on pavements, where a walker's middle is.
        loop: a closed route of driving lanes for an ego vehicle; may be empty.
        junctions: their floors.
        surfaces: the whole ground but the land around: roads, marks, kerbs, pavements, verges.
        land_height: height of the land that the roads are laid on, at any (x, y), metres.
        land_cell: metres between the points of its mesh where it is not level; less is more work.
        buildings: with footprints and heights.
        furniture: trees, lamps, bins, benches, parked cars.
        traffic_lights: as built; an engine advances copies of them.
        signs: stop, give way, speed limits.
        pavements: closed rings of pavement.
        crossings: where pavements are joined across a road.
    """

    name: str
    seed: int
    opendrive: str
    lanes: LaneGraph
    spawn_points: list[Pose]
    walker_spawn_points: list[Pose]
    loop: list[LaneId] = field(default_factory=list)
    junctions: list[JunctionArea] = field(default_factory=list)
    surfaces: list[Surface] = field(default_factory=list)
    land_height: Callable[[float, float], float] = level_ground
    land_cell: float = 20.0
    buildings: list[Building] = field(default_factory=list)
    furniture: list[Furniture] = field(default_factory=list)
    traffic_lights: list[TrafficLight] = field(default_factory=list)
    signs: list[Sign] = field(default_factory=list)
    pavements: list[Pavement] = field(default_factory=list)
    crossings: list[Crossing] = field(default_factory=list)

    def ground_height(self, x: float, y: float) -> float:
        """Height of the ground under a point, metres: of pavement, road, junction or land."""
        lanes = self.lanes
        for kind in ("pavement", *ROAD_KINDS):
            height = lanes.height_at(x, y, kind)
            if height is not None:
                return height
        for junction in self.junctions:
            height = junction.height_at(x, y)
            if height is not None:
                return height
        behind = lanes.is_near(x, y, 2.5, "pavement")
        return self.land_height(x, y) + (KERB_HEIGHT if behind else LAWN_HEIGHT)


def build_town(name: str = "VdapTown01") -> Town:
    """The town of a name; its roads do not depend on the seed that the name may hold.

    The last towns are kept for the next engine that wants one of them.

    Raises:
        UnknownTown: there is no such town.
    """
    return _generate(parse_town(name))


def forget_towns() -> None:
    """Free the towns that are kept."""
    _generate.cache_clear()


@lru_cache(maxsize=6)
def _generate(name: TownName) -> Town:
    from sim.engine.towns.generate import generate  # the generator imports this module

    return generate(name)
