"""Junctions: the roads that meet, the connecting roads for every turn, kerbs round corners."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sim.engine.geometry import wrap
from sim.engine.lanes import Approach
from sim.engine.towns.curves import Segment, Way, joined
from sim.engine.towns.relief import FLAT, Relief
from sim.engine.towns.roads import DRIVING, PAVEMENT, Contact, LaneForm, Link, Road

STRAIGHT_ON = 0.6  # rad of turn up to which one goes straight on
U_TURN = 2.7  # rad of turn from which one would turn back
NOSE = 2.6  # rad; where roads meet at a sharper angle, their edges are joined by a line
RING_ENTRY = 0.75  # rad on a roundabout between an arm and where its entry joins the ring
CORNER_STEP = 0.8  # m between the points of a corner's kerb


@dataclass(slots=True)
class Arm:
    """A road's end at a junction.

    Attributes:
        road: the road.
        contact: which of its ends.
        control: what rules for those who arrive on it.
    """

    road: Road
    contact: Contact
    control: Approach = ""

    @property
    def way(self) -> Way:
        """The road's reference line at the junction, looking out of it."""
        if self.contact == "start":
            return self.road.at(0.0)
        return self.road.at(self.road.length).back()

    @property
    def sign(self) -> int:
        """1 where the road's left is on the left as one looks out of the junction, else -1."""
        return 1 if self.contact == "start" else -1

    def station(self, distance: float) -> float:
        """Metres along the road at a distance from the junction."""
        return distance if self.contact == "start" else self.road.length - distance

    def lanes_in(self) -> list[int]:
        """Driving lanes that arrive, from the middle of the road outwards."""
        return self.road.numbers("driving", self.sign)

    def lanes_out(self) -> list[int]:
        """Driving lanes that leave, from the middle of the road outwards."""
        return self.road.numbers("driving", -self.sign)

    def border(self, number: int) -> Way:
        """The inner edge of a lane at the junction, looking out of it."""
        return self.way.beside(self.sign * self.road.edges(number)[0])

    def kerb(self, side: int) -> Way:
        """The road's edge on the left (1) or right (-1) as one looks out."""
        return self.way.beside(self.sign * self.road.kerb(side * self.sign))

    def pavement(self, side: int) -> int | None:
        """Number of the pavement on that side, if there is one."""
        found = self.road.numbers("pavement", side * self.sign)
        return found[0] if found else None

    @property
    def has_crossing(self) -> bool:
        """There are pavements on both sides to walk between."""
        return self.pavement(1) is not None and self.pavement(-1) is not None


@dataclass(frozen=True, slots=True)
class Ring:
    """A roundabout's middle and the radius of the inner edge of its lane, metres."""

    x: float
    y: float
    radius: float


@dataclass(frozen=True, slots=True)
class Turn:
    """A lane pair that a connecting road joins: arm and lane that one comes from and goes to."""

    arrives: int
    lane_in: int
    leaves: int
    lane_out: int


@dataclass(slots=True)
class Junction:
    """Where roads meet.

    Attributes:
        id: OpenDRIVE id; its connecting roads have the ids that follow.
        arms: by direction from its middle, counter-clockwise from east.
        turns: of each connecting road that is driven.
        roads: connecting roads, those of pavements round corners after those of turns.
        ring: of a roundabout.
        has_crossings: its arms have marked crossings where they have pavements.
        speed_limit: m/s.
    """

    id: int
    speed_limit: float
    arms: list[Arm] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    roads: list[Road] = field(default_factory=list)
    ring: Ring | None = None
    has_crossings: bool = True
    relief: Relief = FLAT

    @property
    def is_signalled(self) -> bool:
        """It has traffic lights."""
        return any(arm.control == "light" for arm in self.arms)

    @property
    def middle(self) -> tuple[float, float]:
        """The mean of its arms' ends, metres."""
        ways = [arm.way for arm in self.arms]
        return sum(w.x for w in ways) / len(ways), sum(w.y for w in ways) / len(ways)

    def sort_arms(self) -> None:
        """Bring the arms into their order."""
        x, y = self.middle

        def angle(arm: Arm) -> float:
            middle = arm.way.beside(
                (arm.sign * arm.road.kerb(1) + arm.sign * arm.road.kerb(-1)) / 2
            )
            turn = math.atan2(middle.y - y, middle.x - x) % math.tau
            return 0.0 if turn > math.tau - 1e-6 else turn

        self.arms.sort(key=angle)

    def connect(self, turns: list[Turn] | None = None) -> None:
        """Lay a connecting road for every turn, and pavements round the corners."""
        self.turns = all_turns(self.arms) if turns is None else turns
        for turn in self.turns:
            self.roads.append(self._connection(turn))
        for k, arm in enumerate(self.arms):
            self._corner_pavement(k, arm, (k + 1) % len(self.arms))

    def _next_id(self) -> int:
        return self.id + 1 + len(self.roads)

    def _connection(self, turn: Turn) -> Road:
        arm_in, arm_out = self.arms[turn.arrives], self.arms[turn.leaves]
        start, end = arm_in.border(turn.lane_in).back(), arm_out.border(turn.lane_out)
        angle = wrap(end.heading - start.heading)
        name = "straight" if abs(angle) < STRAIGHT_ON else "left" if angle > 0 else "right"
        segments = joined(start, end) if self.ring is None else _round(self.ring, start, end)
        return self._road(
            segments, (DRIVING,), arm_in, arm_out, {-1: turn.lane_in}, {-1: turn.lane_out}, name
        )

    def _road(
        self,
        segments: list[Segment],
        lanes: tuple[LaneForm, ...],
        arm_in: Arm,
        arm_out: Arm,
        before: dict[int, int],
        after: dict[int, int],
        turn: str,
    ) -> Road:
        return Road(
            self._next_id(),
            segments,
            (),
            lanes,
            self.speed_limit,
            junction_id=self.id,
            turn=turn,
            predecessor=Link("road", arm_in.road.id, arm_in.contact),
            successor=Link("road", arm_out.road.id, arm_out.contact),
            before=before,
            after=after,
            relief=self.relief,
        )

    def _corner_pavement(self, here: int, arm: Arm, there: int) -> None:
        """Pavement from an arm round the corner to the next, on a right turn's road if it fits."""
        after = self.arms[there]
        first, last = arm.pavement(1), after.pavement(-1)
        if first is None or last is None:
            return
        for turn, road in zip(self.turns, self.roads, strict=False):
            is_it = (turn.arrives, turn.leaves) == (here, there) and road.turn == "right"
            hugs = abs(turn.lane_in) + 1 == abs(first) and abs(turn.lane_out) + 1 == abs(last)
            if is_it and hugs and self.ring is None:
                road.right = (DRIVING, PAVEMENT)
                road.before[-2], road.after[-2] = first, last
                return
        kerb = self.corner(here)
        road = self._road(kerb, (PAVEMENT,), arm, after, {-1: first}, {-1: last}, "right")
        self.roads.append(road)

    def corner(self, k: int) -> list[Segment]:
        """The kerb from the left edge of arm `k` round to the right edge of the next."""
        start, end = self.arms[k].kerb(1).back(), self.arms[(k + 1) % len(self.arms)].kerb(-1)
        if abs(wrap(end.heading - start.heading)) > NOSE:
            dx, dy = end.x - start.x, end.y - start.y
            return [Segment(start.x, start.y, math.atan2(dy, dx), math.hypot(dx, dy), 0.0)]
        return joined(start, end)

    def corner_line(self, k: int, t: float = 0.0, z: float = 0.0) -> NDArray[np.float64]:
        """(N, 3) the kerb of a corner, `t` metres to its left and `z` over the land."""
        road = Road(0, self.corner(k), (), (), 0.0, relief=self.relief)
        return road.line(t, z, road.samples(12.0, CORNER_STEP))

    def outline(self) -> NDArray[np.float64]:
        """(N, 3) its floor, counter-clockwise: the corners' kerbs and the arms' ends."""
        points = np.concatenate([self.corner_line(k) for k in range(len(self.arms))])
        apart = np.linalg.norm(points - np.roll(points, 1, axis=0), axis=1)
        return np.asarray(points[apart > 1e-6])


def _round(ring: Ring, start: Way, end: Way) -> list[Segment]:
    """Onto a roundabout, round to the exit, and off it."""

    def angle(way: Way) -> float:
        return math.atan2(way.y - ring.y, way.x - ring.x)

    def on_ring(turn: float) -> Way:
        x, y = ring.x + ring.radius * math.cos(turn), ring.y + ring.radius * math.sin(turn)
        return Way(x, y, wrap(turn + math.pi / 2))

    entry, leave = angle(start) + RING_ENTRY, angle(end) - RING_ENTRY
    sweep = (leave - entry) % math.tau
    arc = Segment(*on_ring(entry), sweep * ring.radius, 1 / ring.radius)
    return [*joined(start, on_ring(entry)), arc, *joined(on_ring(leave), end)]


def all_turns(arms: list[Arm]) -> list[Turn]:
    """Every turn from every arm; no lane that arrives or leaves is left out."""
    turns: list[Turn] = []
    for i, arm_in in enumerate(arms):
        for j, arm_out in enumerate(arms):
            angle = wrap(arm_out.way.heading - arm_in.way.back().heading)
            if i != j and abs(angle) < U_TURN:
                pairs = _lane_pairs(arm_in.lanes_in(), arm_out.lanes_out(), angle)
                turns += [Turn(i, a, j, b) for a, b in pairs]
    return turns + _forgotten(arms, turns)


def _lane_pairs(ins: list[int], outs: list[int], angle: float) -> list[tuple[int, int]]:
    if not ins or not outs:
        return []
    if angle <= -STRAIGHT_ON:
        return [(ins[-1], outs[-1])]
    if angle >= STRAIGHT_ON:
        return [(ins[0], outs[0])]
    count = max(len(ins), len(outs))
    return [(ins[min(k, len(ins) - 1)], outs[min(k, len(outs) - 1)]) for k in range(count)]


def _forgotten(arms: list[Arm], turns: list[Turn]) -> list[Turn]:
    """Turns for lanes that have none yet, as straight as they can be."""
    found: list[Turn] = []
    for i, arm in enumerate(arms):
        others = [j for j in range(len(arms)) if j != i]
        for lane in arm.lanes_in():
            if not any((t.arrives, t.lane_in) == (i, lane) for t in turns):
                ways = [j for j in others if arms[j].lanes_out() and _turns_by(arms, i, j) < U_TURN]
                if ways:
                    j = min(ways, key=lambda j: _turns_by(arms, i, j))
                    k = min(arm.lanes_in().index(lane), len(arms[j].lanes_out()) - 1)
                    found.append(Turn(i, lane, j, arms[j].lanes_out()[k]))
        for lane in arm.lanes_out():
            if not any((t.leaves, t.lane_out) == (i, lane) for t in [*turns, *found]):
                ways = [j for j in others if arms[j].lanes_in() and _turns_by(arms, j, i) < U_TURN]
                if ways:
                    j = min(ways, key=lambda j: _turns_by(arms, j, i))
                    k = min(arm.lanes_out().index(lane), len(arms[j].lanes_in()) - 1)
                    found.append(Turn(j, arms[j].lanes_in()[k], i, lane))
    return found


def _turns_by(arms: list[Arm], arrives: int, leaves: int) -> float:
    return abs(wrap(arms[leaves].way.heading - arms[arrives].way.back().heading))
