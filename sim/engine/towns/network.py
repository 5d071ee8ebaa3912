"""A network of roads and junctions, put together street by street, and its lane graph."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from sim.engine.lanes import Approach, Lane, LaneGraph, LaneId
from sim.engine.towns.curves import Way, rounded
from sim.engine.towns.junctions import Arm, Junction, Ring
from sim.engine.towns.relief import FLAT, Relief
from sim.engine.towns.roads import Character, LaneForm, Link, Road

EAST, NORTH, WEST, SOUTH = (k * math.pi / 2 for k in range(4))
KMH = 1 / 3.6  # m/s
CORNER_RADIUS = 16.0  # m at the reference line
GENTLE = 0.49  # share of a country road's legs that its bends may use up

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Profile:
    """The cross-section of a road and what it is like.

    Attributes:
        left: lanes from the reference line to the left.
        right: lanes from the reference line to the right.
        speed_limit: m/s.
        character: what it runs through.
    """

    left: tuple[LaneForm, ...]
    right: tuple[LaneForm, ...]
    speed_limit: float
    character: Character = "town"


@dataclass(frozen=True, slots=True)
class Node:
    """A junction as one draws a plan: its middle and how far from it its roads end, metres."""

    junction: Junction
    x: float
    y: float
    radius: float

    def edge(self, direction: float) -> Point:
        """Where a road that leaves in a direction (radians) ends."""
        return (
            self.x + self.radius * math.cos(direction),
            self.y + self.radius * math.sin(direction),
        )


@dataclass(slots=True)
class Network:
    """Roads and junctions of a town.

    Attributes:
        roads: by id, connecting roads among them.
        junctions: in the order of their ids.
        relief: the land.
    """

    roads: dict[int, Road] = field(default_factory=dict)
    junctions: list[Junction] = field(default_factory=list)
    relief: Relief = FLAT

    def node(
        self, x: float, y: float, radius: float, speed_limit: float = 30 * KMH, *,
        is_roundabout: bool = False, island: float = 12.0,
    ) -> Node:  # fmt: skip
        """A junction whose roads will end at a distance from its middle."""
        junction = self.junction(speed_limit)
        if is_roundabout:
            junction.ring = Ring(x, y, island)
        return Node(junction, x, y, radius)

    def junction(self, speed_limit: float, *, has_crossings: bool = True) -> Junction:
        """A junction of roads whose ends are given one by one."""
        junction = Junction(
            100 * (len(self.junctions) + 1), speed_limit,
            has_crossings=has_crossings, relief=self.relief,
        )  # fmt: skip
        self.junctions.append(junction)
        return junction

    def street(
        self, start: Node, leaves: float, end: Node, arrives: float, profile: Profile,
        corners: tuple[Point, ...] = (), *, radius: float = CORNER_RADIUS,
        control: tuple[Approach, Approach] = ("light", "light"), shift: float = 0.0,
    ) -> Road:  # fmt: skip
        """A road between two junctions, its corners rounded.

        Args:
            start: where its reference line begins.
            leaves: direction in which it leaves there, radians.
            end: where it ends.
            arrives: direction from the middle of `end` in which its end lies, radians.
            profile: its lanes.
            corners: points in between.
            radius: of the rounded corners, metres.
            control: what rules at its start and at its end.
            shift: metres by which a straight road's reference line lies left of its middle.
        """
        points = [start.edge(leaves), *corners, end.edge(arrives)]
        dx, dy = -shift * math.sin(leaves), shift * math.cos(leaves)
        points = [(x + dx, y + dy) for x, y in points]
        return self.road(points, start.junction, end.junction, profile, radius, control)

    def road(
        self,
        points: list[Point],
        start: Junction,
        end: Junction,
        profile: Profile,
        radius: float = CORNER_RADIUS,
        control: tuple[Approach, Approach] = ("", ""),
    ) -> Road:
        """A road along points from a junction to a junction."""
        road = Road(
            1 + sum(road.junction_id < 0 for road in self.roads.values()),
            rounded(points, radius, share=GENTLE if profile.character == "rural" else 1.0),
            profile.left,
            profile.right,
            profile.speed_limit,
            character=profile.character,
            predecessor=Link("junction", start.id),
            successor=Link("junction", end.id),
            relief=self.relief,
        )
        self.roads[road.id] = road
        start.arms.append(Arm(road, "start", control[0]))
        end.arms.append(Arm(road, "end", control[1]))
        return road

    def lane_graph(self) -> LaneGraph:
        """The same roads as lanes that run in the direction of travel."""
        lanes = {
            LaneId(road.id, number): road.lane(number)
            for road in self.roads.values()
            for number in road.lanes
        }
        for road in self.roads.values():
            if road.junction_id >= 0:
                for number in road.lanes:
                    _link(lanes, road, number)
        return LaneGraph(lanes)


def end_way(road: Road) -> Way:
    """Where a road's reference line ends, and its direction."""
    return road.at(road.length)


def _link(lanes: dict[LaneId, Lane], road: Road, number: int) -> None:
    """Join a lane of a connecting road to the lanes before and after it."""
    assert road.predecessor is not None and road.successor is not None
    here = LaneId(road.id, number)
    before = LaneId(road.predecessor.id, road.before[number])
    after = LaneId(road.successor.id, road.after[number])
    lanes[before].successors.append(here)
    lanes[here].predecessors.append(before)
    lanes[here].successors.append(after)
    lanes[after].predecessors.append(here)
