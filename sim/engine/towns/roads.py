"""Roads as OpenDRIVE describes them: reference lines with lanes beside them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.engine.lanes import Lane, LaneId, LaneKind
from sim.engine.surfaces import KERB_HEIGHT
from sim.engine.towns.curves import Segment, Way
from sim.engine.towns.relief import FLAT, Relief

Contact = Literal["start", "end"]
Character = Literal["town", "centre", "dense", "suburb", "rural", "motorway"]

LANE_WIDTH = 3.5  # m
PAVEMENT_WIDTH = 2.5  # m
PARKING_WIDTH = 2.2  # m
LINE_STEP = 2.0  # m between samples of a straight centre line
ARC_STEP = 0.5  # m between samples of a bend; the chord leaves a 10 m arc by 3 mm
WIDE_ARC_STEP = 2.0  # m between samples of a bend of more than `WIDE` metres radius
WIDE = 60.0  # m
RAISED = ("pavement", "median")  # kinds of lane behind a kerb


class LaneForm(NamedTuple):
    """What a lane is for, and how wide, metres."""

    kind: LaneKind
    width: float


DRIVING = LaneForm("driving", LANE_WIDTH)
PAVEMENT = LaneForm("pavement", PAVEMENT_WIDTH)
PARKING = LaneForm("parking", PARKING_WIDTH)
SHOULDER = LaneForm("shoulder", 2.5)
MARGIN = LaneForm("shoulder", 0.5)
MEDIAN = LaneForm("median", 1.5)


@dataclass(frozen=True, slots=True)
class Link:
    """What a road joins at one of its ends: a junction, or another road at one of its ends."""

    kind: Literal["road", "junction"]
    id: int
    contact: Contact | None = None


@dataclass(frozen=True, slots=True)
class Signal:
    """A traffic light or sign at a road.

    Attributes:
        id: OpenDRIVE signal id.
        type: number in OpenDRIVE's catalogue.
        s: metres along the road, where one stops or from where it holds.
        t: metres left of the reference line, where it stands.
        lanes: the lanes it governs.
        value: of a speed limit, km/h.
    """

    id: str
    type: str
    s: float
    t: float
    lanes: tuple[int, ...]
    value: int = -1


# x, y and heading of points, (N,) each.
Ways = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


@lru_cache(maxsize=4096)
def _table(
    segments: tuple[Segment, ...],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Segments (N, 5) and where each starts and the last ends (N + 1,)."""
    table = np.array(segments)
    return table, np.concatenate([[0.0], np.cumsum(table[:, 3])])


@dataclass(slots=True)
class Road:
    """One road: a reference line and lanes of constant width beside it.

    Attributes:
        id: OpenDRIVE id.
        segments: the reference line.
        left: lanes 1, 2, ... from the reference line outwards, driven against its direction.
        right: lanes -1, -2, ..., driven along it.
        speed_limit: m/s.
        character: what it runs through.
        junction_id: of a connecting road, else -1.
        turn: of a connecting road.
        predecessor: what lies before its start.
        successor: what lies after its end.
        before: of a connecting road, the lane that each of its lanes comes from.
        after: of a connecting road, the lane that each of its lanes goes to.
        signals: lights and signs beside it.
        references: of a connecting road, the lights one passed to enter it.
        crossings: metres along it of the middles of its marked crossings.
        relief: the land it is laid on.
    """

    id: int
    segments: list[Segment]
    left: tuple[LaneForm, ...]
    right: tuple[LaneForm, ...]
    speed_limit: float
    character: Character = "town"
    junction_id: int = -1
    turn: str = ""
    predecessor: Link | None = None
    successor: Link | None = None
    before: dict[int, int] = field(default_factory=dict)
    after: dict[int, int] = field(default_factory=dict)
    signals: list[Signal] = field(default_factory=list)
    references: list[str] = field(default_factory=list)
    crossings: list[float] = field(default_factory=list)
    relief: Relief = FLAT

    @property
    def length(self) -> float:
        """Metres of reference line."""
        return sum(segment.length for segment in self.segments)

    @property
    def lanes(self) -> tuple[int, ...]:
        """Lane numbers, from the leftmost on; negative lanes lie right of the reference line."""
        return (*range(len(self.left), 0, -1), *range(-1, -len(self.right) - 1, -1))

    def form(self, number: int) -> LaneForm:
        """Kind and width of a lane."""
        return self.left[number - 1] if number > 0 else self.right[-number - 1]

    def edges(self, number: int) -> tuple[float, float]:
        """Metres from the reference line to a lane's inner and outer edge, left positive."""
        side, sign = (self.left, 1.0) if number > 0 else (self.right, -1.0)
        inner = sum(form.width for form in side[: abs(number) - 1])
        return sign * inner, sign * (inner + side[abs(number) - 1].width)

    def middle(self, number: int) -> float:
        """Metres from the reference line to the middle of a lane, left positive."""
        return sum(self.edges(number)) / 2

    def numbers(self, kind: LaneKind, side: int = 0) -> list[int]:
        """Numbers of the lanes of a kind from the middle outwards; `side` 1 left, -1 right."""
        found = [n for n in self.lanes if self.form(n).kind == kind and n * side >= 0]
        return sorted(found, key=abs)

    def kerb(self, side: int) -> float:
        """Metres from the reference line to the edge of the road, its pavement left out."""
        forms = self.left if side > 0 else self.right
        return side * sum(form.width for form in forms if form.kind != "pavement")

    def at(self, s: float, t: float = 0.0) -> Way:
        """Place and direction at `s` metres along the reference line, `t` metres to its left."""
        x, y, heading = self.along(np.array([s]))
        return Way(float(x[0]), float(y[0]), float(heading[0])).beside(t)

    def along(self, stations: NDArray[np.float64]) -> Ways:
        """x, y and heading at (N,) metres along the reference line, held at its ends."""
        table, starts = _table(tuple(self.segments))
        s = np.minimum(np.maximum(stations, 0.0), starts[-1])
        i = np.minimum(np.searchsorted(starts[1:], s, "right"), len(table) - 1)
        x0, y0, heading, _, curvature = table[i].T
        s = s - starts[i]
        end = heading + s * curvature
        bent = np.where(curvature == 0.0, 1.0, curvature)
        straight = curvature == 0.0
        x = np.where(straight, s * np.cos(heading), (np.sin(end) - np.sin(heading)) / bent)
        y = np.where(straight, s * np.sin(heading), (np.cos(heading) - np.cos(end)) / bent)
        return x0 + x, y0 + y, end

    def samples(self, line_step: float = LINE_STEP, arc_step: float = ARC_STEP) -> list[float]:
        """Where to sample it: segment ends, and between them steps of at most so many metres."""
        stations = [0.0]
        for segment in self.segments:
            is_wide = abs(segment.curvature) * WIDE < 1.0
            step = max(arc_step, WIDE_ARC_STEP) if is_wide else arc_step
            step = line_step if segment.curvature == 0.0 else min(step, line_step)
            count = max(1, math.ceil(segment.length / step - 1e-9))
            start = stations[-1]
            stations += [start + segment.length * (i + 1) / count for i in range(count)]
        return stations

    def line(
        self, t: float, z: float = 0.0, stations: list[float] | None = None
    ) -> NDArray[np.float64]:
        """(N, 3) float64, metres: the line `t` metres left of it and `z` over the land."""
        at = np.array(self.samples() if stations is None else stations)
        return self.beside(self.along(at), t, z)

    def beside(self, ways: Ways, t: float, z: float) -> NDArray[np.float64]:
        """(N, 3) float64, metres: places `t` metres left of `ways`, `z` over the land."""
        x, y, heading = ways
        x, y = x - t * np.sin(heading), y + t * np.cos(heading)
        return np.stack([x, y, self.relief.heights(x, y) + z], axis=1)

    def lane(self, number: int) -> Lane:
        """A lane of the lane graph, in the direction of travel, not yet linked."""
        form = self.form(number)
        centre = self.line(self.middle(number), KERB_HEIGHT if form.kind in RAISED else 0.0)
        return Lane(
            LaneId(self.id, number),
            centre if number < 0 else centre[::-1].copy(),
            form.width,
            self.speed_limit,
            kind=form.kind,
            is_junction=self.junction_id >= 0,
            junction_id=self.junction_id,
            turn=self.turn,
            left=self._neighbour(number, -1),
            right=self._neighbour(number, 1),
        )

    def _neighbour(self, number: int, outwards: int) -> LaneId | None:
        """The lane beside a driving lane: inwards only one that is driven the same way."""
        beside = number + (outwards if number > 0 else -outwards)
        if self.form(number).kind != "driving" or beside * number <= 0 or beside not in self.lanes:
            return None
        kinds = ("driving",) if outwards < 0 else ("driving", "pavement")
        return LaneId(self.id, beside) if self.form(beside).kind in kinds else None
