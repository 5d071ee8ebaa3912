"""Roads and junctions as OpenDRIVE describes them: reference lines with lanes beside them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.engine.lanes import Lane, LaneGraph, LaneId
from sim.engine.surfaces import KERB_HEIGHT

Contact = Literal["start", "end"]

LANE_WIDTH = 3.5  # m, a town lane
PAVEMENT_WIDTH = 2.5  # m
LINE_STEP = 2.0  # m between samples of a straight centre line
ARC_STEP = 0.5  # m between samples of a bend; the chord leaves a 10 m arc by 3 mm


class Segment(NamedTuple):
    """A piece of reference line of one curvature: where it starts, its heading, length, 1/m."""

    x: float
    y: float
    heading: float
    length: float
    curvature: float

    def at(self, s: float) -> tuple[float, float, float]:
        """(x, y, heading) `s` metres along it."""
        if self.curvature == 0.0:
            x = self.x + s * math.cos(self.heading)
            y = self.y + s * math.sin(self.heading)
            return x, y, self.heading
        end = self.heading + s * self.curvature
        x = self.x + (math.sin(end) - math.sin(self.heading)) / self.curvature
        y = self.y - (math.cos(end) - math.cos(self.heading)) / self.curvature
        return x, y, end


@dataclass(frozen=True, slots=True)
class Link:
    """What a road joins at one of its ends: a junction, or another road at one of its ends."""

    kind: Literal["road", "junction"]
    id: int
    contact: Contact | None = None


@dataclass(frozen=True, slots=True)
class Signal:
    """A traffic light's place on the road it governs.

    Attributes:
        id: OpenDRIVE signal id.
        s: metres along the road, where one stops.
        lane: the lane it governs.
    """

    id: str
    s: float
    lane: int


@dataclass(slots=True)
class Road:
    """One road: a reference line and constant-width lanes; negative lanes lie to its right.

    Attributes:
        id: OpenDRIVE id.
        segments: the reference line.
        lanes: OpenDRIVE lane numbers; 1 and -1 are driven, 2 and -2 are pavements.
        speed_limit: m/s.
        junction_id: of a connecting road, else -1.
        turn: of a connecting road.
        predecessor: what lies before its start.
        successor: what lies after its end.
        lane_before: of a connecting road, the lane its lane -1 comes from.
        lane_after: of a connecting road, the lane its lane -1 goes to.
        signals: lights that govern its lanes.
        signal_reference: of a connecting road, the light one passed to enter it.
        crossings: metres along it of the middles of its marked crossings.
    """

    id: int
    segments: list[Segment]
    lanes: tuple[int, ...]
    speed_limit: float
    junction_id: int = -1
    turn: str = ""
    predecessor: Link | None = None
    successor: Link | None = None
    lane_before: int = 0
    lane_after: int = 0
    signals: list[Signal] = field(default_factory=list)
    signal_reference: str = ""
    crossings: list[float] = field(default_factory=list)

    @property
    def length(self) -> float:
        """Metres of reference line."""
        return sum(segment.length for segment in self.segments)

    def at(self, s: float, t: float = 0.0) -> tuple[float, float, float]:
        """(x, y, heading) at `s` metres along the reference line, `t` metres to its left."""
        s = min(max(s, 0.0), self.length)
        for segment in self.segments:
            if s <= segment.length or segment is self.segments[-1]:
                x, y, heading = segment.at(min(s, segment.length))
                return x - t * math.sin(heading), y + t * math.cos(heading), heading
            s -= segment.length
        raise AssertionError("a road has at least one segment")

    def samples(self, line_step: float = LINE_STEP, arc_step: float = ARC_STEP) -> list[float]:
        """Where to sample it: segment ends, and between them steps of at most so many metres."""
        stations = [0.0]
        for segment in self.segments:
            step = line_step if segment.curvature == 0.0 else arc_step
            count = max(1, math.ceil(segment.length / step))
            start = stations[-1]
            stations += [start + segment.length * (i + 1) / count for i in range(count)]
        return stations

    def offset_line(self, t: float, z: float = 0.0) -> NDArray[np.float64]:
        """(N, 3) float64, metres: the line `t` metres left of the reference line, in s order."""
        points = [(*self.at(s, t)[:2], z) for s in self.samples()]
        return np.array(points)


@dataclass(slots=True)
class Arm:
    """A road's end at a junction: the way it leaves (0 east, 1 north, 2 west, 3 south)."""

    direction: int
    road: Road
    contact: Contact

    @property
    def lane_in(self) -> int:
        """The lane that arrives at the junction on this arm."""
        return -1 if self.contact == "end" else 1

    @property
    def lane_out(self) -> int:
        """The lane that leaves the junction on this arm."""
        return -self.lane_in

    def station(self, distance: float) -> float:
        """Metres along the arm's road at a distance from the junction's edge."""
        return distance if self.contact == "start" else self.road.length - distance


@dataclass(slots=True)
class Junction:
    """A crossroads.

    Attributes:
        id: OpenDRIVE id.
        x: metres, its middle.
        y: metres.
        radius: metres from the middle to where its arms' roads end.
        arms: by direction.
        connections: connecting roads by (arm direction from, arm direction to).
    """

    id: int
    x: float
    y: float
    radius: float
    arms: dict[int, Arm] = field(default_factory=dict)
    connections: dict[tuple[int, int], Road] = field(default_factory=dict)

    def edge(self, direction: int) -> tuple[float, float]:
        """Where an arm's road ends."""
        angle = direction * math.pi / 2
        return self.x + self.radius * math.cos(angle), self.y + self.radius * math.sin(angle)

    def connect(self, first_id: int, speed_limit: float) -> None:
        """Lay a connecting road for every turn from every arm."""
        for i in sorted(self.arms):
            for j in sorted(self.arms):
                if i != j:
                    road_id = first_id + len(self.connections)
                    self.connections[i, j] = self._connection(road_id, i, j, speed_limit)

    def _connection(self, road_id: int, i: int, j: int, speed_limit: float) -> Road:
        arm_in, arm_out = self.arms[i], self.arms[j]
        turn = {1: "right", 2: "straight", 3: "left"}[(j - i) % 4]
        curvature = {"right": -1.0, "straight": 0.0, "left": 1.0}[turn] / self.radius
        length = self.radius * (2.0 if turn == "straight" else math.pi / 2)
        x, y = self.edge(i)
        heading = i * math.pi / 2 + math.pi
        return Road(
            road_id,
            [Segment(x, y, heading, length, curvature)],
            (-1, -2) if turn == "right" else (-1,),
            speed_limit,
            junction_id=self.id,
            turn=turn,
            predecessor=Link("road", arm_in.road.id, arm_in.contact),
            successor=Link("road", arm_out.road.id, arm_out.contact),
            lane_before=arm_in.lane_in,
            lane_after=arm_out.lane_out,
        )


@dataclass(slots=True)
class Network:
    """Roads and junctions of a town."""

    roads: dict[int, Road]
    junctions: list[Junction]

    def lane_graph(self) -> LaneGraph:
        """The same roads as lanes that run in the direction of travel."""
        lanes = {
            LaneId(road.id, number): _lane(road, number)
            for road in self.roads.values()
            for number in road.lanes
        }
        for road in self.roads.values():
            if road.junction_id >= 0:
                _link(lanes, road, -1)
                if -2 in road.lanes:
                    _link(lanes, road, -2)
        return LaneGraph(lanes)


def rounded(points: list[tuple[float, float]], radius: float) -> list[Segment]:
    """Straight lines through points, each corner replaced by an arc of `radius` metres."""
    segments: list[Segment] = []
    x, y = points[0]
    for k in range(1, len(points)):
        px, py = points[k]
        heading = math.atan2(py - y, px - x)
        turn, cut = 0.0, 0.0
        if k + 1 < len(points):
            after = math.atan2(points[k + 1][1] - py, points[k + 1][0] - px)
            turn = (after - heading + math.pi) % (2 * math.pi) - math.pi
            cut = radius * math.tan(abs(turn) / 2)
        line = Segment(x, y, heading, math.hypot(px - x, py - y) - cut, 0.0)
        segments.append(line)
        x, y, _ = line.at(line.length)
        if turn:
            arc = Segment(x, y, heading, radius * abs(turn), math.copysign(1 / radius, turn))
            segments.append(arc)
            x, y, _ = arc.at(arc.length)
    return segments


def lane_offset(number: int) -> float:
    """Metres from the reference line to the middle of a lane, left positive."""
    near = LANE_WIDTH / 2 if abs(number) == 1 else LANE_WIDTH + PAVEMENT_WIDTH / 2
    return math.copysign(near, number)


def _lane(road: Road, number: int) -> Lane:
    is_pavement = abs(number) == 2
    centre = road.offset_line(lane_offset(number), KERB_HEIGHT if is_pavement else 0.0)
    beside = 2 if number > 0 else -2
    return Lane(
        LaneId(road.id, number),
        centre if number < 0 else centre[::-1].copy(),
        PAVEMENT_WIDTH if is_pavement else LANE_WIDTH,
        road.speed_limit,
        kind="pavement" if is_pavement else "driving",
        is_junction=road.junction_id >= 0,
        junction_id=road.junction_id,
        turn=road.turn,
        right=LaneId(road.id, beside) if not is_pavement and beside in road.lanes else None,
    )


def _link(lanes: dict[LaneId, Lane], road: Road, number: int) -> None:
    """Join lane `number` of a connecting road to the lanes before and after it."""
    assert road.predecessor is not None and road.successor is not None
    here = LaneId(road.id, number)
    before = LaneId(road.predecessor.id, road.lane_before * -number)
    after = LaneId(road.successor.id, road.lane_after * -number)
    lanes[before].successors.append(here)
    lanes[here].predecessors.append(before)
    lanes[here].successors.append(after)
    lanes[after].predecessors.append(here)
