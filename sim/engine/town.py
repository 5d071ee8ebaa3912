"""A town: its roads as OpenDRIVE and as a lane graph, and what stands beside them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sim.engine.geometry import Box, Pose, Vector
from sim.engine.lanes import LaneGraph, LaneId
from sim.engine.traffic_lights import TrafficLight


@dataclass(frozen=True, slots=True)
class Building:
    """A building: a rectangle on the ground and a height, which also blocks radio and bodies.

    Attributes:
        footprint: (4, 2) float64, metres, counter-clockwise.
        height: metres.
        centre: pose of the middle of its ground floor; x runs along `length`, y along `width`.
        length: metres.
        width: metres.
        style: which facade.
        seed: of its looks.
    """

    footprint: NDArray[np.float64]
    height: float
    centre: Pose
    length: float
    width: float
    style: int
    seed: int

    def box(self) -> Box:
        """Its body."""
        return Box(
            self.centre.x, self.centre.y, self.centre.yaw, self.length / 2, self.width / 2,
            -1.0, self.height,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Furniture:
    """A thing that stands beside the road: a tree, a street lamp, a bin or a bench."""

    kind: str
    pose: Pose
    radius: float  # m of its trunk or pole, which bodies hit
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Pavement:
    """The walkable ring round a block.

    Attributes:
        centre: (N, 3) float64, metres; closed, the last point is the first.
        width: metres.
    """

    centre: NDArray[np.float64]
    width: float


@dataclass(frozen=True, slots=True)
class Crossing:
    """A marked crossing between two pavements.

    Attributes:
        ends: world points on the two pavements' centre lines, metres.
        pavements: indices in `Town.pavements`.
        along: metres along each pavement where the crossing begins.
        width: metres.
        junction_id: the junction whose lights govern it.
        lane_road: the road it crosses.
    """

    ends: tuple[Vector, Vector]
    pavements: tuple[int, int]
    along: tuple[float, float]
    width: float
    junction_id: int
    lane_road: int


@dataclass(slots=True)
class Town:
    """A whole town.

    Attributes:
        name: as CARLA shows it, for example `Carla/Maps/VdapTown01`.
        seed: what it was generated from.
        opendrive: the roads as OpenDRIVE text; its axes are the world's.
        lanes: the same roads as a lane graph.
        spawn_points: on driving lanes, 0.3 m over the ground, outside junctions.
        loop: a closed route of driving lanes through both junctions, for an ego vehicle.
        buildings: with footprints and heights.
        furniture: trees, lamps, bins, benches.
        traffic_lights: as built; an engine advances them.
        pavements: closed rings of pavement.
        crossings: where pavements are joined across a road.
    """

    name: str
    seed: int
    opendrive: str
    lanes: LaneGraph
    spawn_points: list[Pose]
    loop: list[LaneId]
    buildings: list[Building] = field(default_factory=list)
    furniture: list[Furniture] = field(default_factory=list)
    traffic_lights: list[TrafficLight] = field(default_factory=list)
    pavements: list[Pavement] = field(default_factory=list)
    crossings: list[Crossing] = field(default_factory=list)

    def ground_height(self, x: float, y: float) -> float:
        """Height of the ground under a point, metres: 0 on roads, 0.15 on pavements."""
        raise NotImplementedError  # lands with the generator


def build_town(seed: int = 1) -> Town:
    """Generate the town; the roads are the same for every seed, buildings and trees differ."""
    raise NotImplementedError  # lands with the generator
