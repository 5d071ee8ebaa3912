"""The lane graph: where vehicles drive and people walk, and which lane follows which."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from sim.engine.geometry import Pose, wrap

LaneKind = Literal["driving", "pavement", "shoulder", "parking", "median", "biking"]
Approach = Literal["", "light", "stop", "yield", "priority"]
ROAD_KINDS: tuple[LaneKind, ...] = ("driving", "shoulder", "parking", "biking", "median")
CELL = 4.0  # m, side of a cell of the search grid, about a lane's width
SURE_DISTANCE = 2.5  # m up to which the cell alone is sure to hold the nearest piece
LONGEST_PIECE = 4.0  # m; no centre line has samples farther apart
EDGE_SLACK = 0.01  # m by which a lane reaches over its edge
STILL_ON = 1.0  # m from a lane's middle within which one is on it and on no other
SAME_LEVEL = 1.5  # m of height within which a lane is at hand; a bridge is higher
MAX_HEADING_COST = 3.0  # m that a lane running the other way counts as farther off


Stretch = tuple[float, float, float, float, float, float, float]
"""x, y where a piece of a centre line begins, its direction x, y, metres, metres before, heading"""


class LaneId(NamedTuple):
    """A lane by its OpenDRIVE names; every road of our own towns has one lane section."""

    road: int
    lane: int
    section: int = 0


@dataclass(slots=True)
class Lane:
    """One lane, its centre line sampled in the direction of travel.

    Attributes:
        id: road and OpenDRIVE lane number (negative: right of the reference line).
        centre: (N, 3) float64, metres, samples about a metre apart in travel direction.
        width: metres.
        speed_limit: m/s.
        successors: lanes that may follow; several at a junction.
        predecessors: lanes that may come before.
        left: neighbour on the left as seen when travelling, driving lanes of the same direction.
        right: neighbour on the right (for a driving lane: the pavement, where there is one).
        is_junction: it lies on a junction's connecting road.
        kind: who uses it.
        turn: "straight", "left" or "right" on a connecting road, else "".
        light_id: traffic light that governs its end, or None.
        stop_s: metres along the lane where one stops for that light, sign or other traffic.
        approach: what rules at its end, where the paths of a junction cross; "" where none do.
        junction_id: OpenDRIVE junction it lies in, -1 outside.
        widths: (N,) metres at each sample, where it is not of one width; None: `width` all along.
        lengths: (N,) metres along the centre line at each sample.
    """

    id: LaneId
    centre: NDArray[np.float64]
    width: float
    speed_limit: float
    kind: LaneKind = "driving"
    is_junction: bool = False
    turn: str = ""
    successors: list[LaneId] = field(default_factory=list)
    predecessors: list[LaneId] = field(default_factory=list)
    left: LaneId | None = None
    right: LaneId | None = None
    light_id: int | None = None
    stop_s: float = math.inf
    approach: Approach = ""
    junction_id: int = -1
    widths: NDArray[np.float64] | None = None
    lengths: list[float] = field(init=False)
    points: list[tuple[float, float, float]] = field(init=False)
    _pieces: list[Stretch] = field(init=False, default_factory=list, repr=False, compare=False)

    def __post_init__(self) -> None:
        steps = np.linalg.norm(np.diff(self.centre, axis=0), axis=1)
        self.lengths = [0.0, *np.cumsum(steps).tolist()]
        self.points = [(x, y, z) for x, y, z in self.centre.tolist()]

    @property
    def pieces(self) -> list[Stretch]:
        """What lies between each two samples; worked out when first asked for."""
        return self._pieces or self._cut()

    def _cut(self) -> list[Stretch]:
        points, lengths = self.points, self.lengths
        for i in range(len(points) - 1):
            (x0, y0, _), (x1, y1, _) = points[i], points[i + 1]
            span = lengths[i + 1] - lengths[i]
            ux, uy = (x1 - x0) / span, (y1 - y0) / span
            self._pieces.append((x0, y0, ux, uy, span, lengths[i], math.atan2(uy, ux)))
        return self._pieces

    @property
    def road_id(self) -> int:
        """OpenDRIVE road id."""
        return self.id.road

    @property
    def lane_id(self) -> int:
        """OpenDRIVE lane id."""
        return self.id.lane

    @property
    def length(self) -> float:
        """Metres."""
        return self.lengths[-1]

    def edges(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Its left and right edge as (N, 3) lines in the direction of travel."""
        direction = np.gradient(self.centre[:, :2], axis=0)
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        half = (self.width if self.widths is None else self.widths[:, None]) / 2
        across = np.zeros_like(self.centre)
        across[:, :2] = np.stack([-direction[:, 1], direction[:, 0]], 1) * half
        return self.centre + across, self.centre - across

    def pose_at(self, s: float, offset: float = 0.0) -> Pose:
        """The pose `s` metres along it, `offset` metres to the left of the centre line."""
        length = self.lengths[-1]
        s = 0.0 if s < 0.0 else length if s > length else s
        i = bisect_right(self.lengths, s, 1, len(self.points) - 1) - 1
        _, _, ux, uy, span, start, heading = self.pieces[i]
        (x0, y0, z0), (x1, y1, z1) = self.points[i], self.points[i + 1]
        t = (s - start) / span
        return Pose(
            x0 + t * (x1 - x0) - offset * uy,
            y0 + t * (y1 - y0) + offset * ux,
            z0 + t * (z1 - z0),
            heading,
        )


Piece = tuple[Lane, int]  # a lane and which two of its samples


class LaneGraph:
    """All lanes of a town, with a grid to find the nearest one quickly."""

    def __init__(self, lanes: dict[LaneId, Lane]) -> None:
        self.lanes = lanes
        self._cells: dict[LaneKind, dict[tuple[int, int], list[Piece]]] = {}
        self._pieces: dict[LaneKind, list[Piece]] = {kind: [] for kind in get_args(LaneKind)}
        for lane in lanes.values():
            self._pieces[lane.kind] += [(lane, i) for i in range(len(lane.points) - 1)]
        self._middles: dict[LaneKind, NDArray[np.float64]] = {}
        for kind, pieces in self._pieces.items():
            self._middles[kind] = np.array([_middle(*piece) for piece in pieces]).reshape(-1, 2)
            self._cells[kind] = self._grid(kind)

    def _grid(self, kind: LaneKind) -> dict[tuple[int, int], list[Piece]]:
        """Pieces by cell; each stands in its own cell and in the eight around it."""
        cells: dict[tuple[int, int], list[Piece]] = defaultdict(list)
        keys = np.floor(self._middles[kind] / CELL).astype(int).tolist()
        for piece, (cx, cy) in zip(self._pieces[kind], keys, strict=True):
            for ix in (cx - 1, cx, cx + 1):
                for iy in (cy - 1, cy, cy + 1):
                    cells[ix, iy].append(piece)
        return dict(cells)

    def __getitem__(self, lane_id: LaneId) -> Lane:
        return self.lanes[lane_id]

    def nearest(
        self,
        x: float,
        y: float,
        yaw: float | None = None,
        kind: LaneKind = "driving",
        z: float | None = None,
    ) -> tuple[Lane, float, float]:
        """The lane under a point, how far along it the point is, and how far left of its centre.

        Args:
            x: metres east.
            y: metres north.
            yaw: heading, radians; where given, lanes that run another way count as farther off.
            kind: which lanes to look at.
            z: height, metres; where given, lanes on another level count as farther off.

        Returns:
            (lane, s, offset): metres along the lane, metres to the left of its centre line.
        """
        pieces = self._cells[kind].get((math.floor(x / CELL), math.floor(y / CELL)), [])
        found = _best(pieces, x, y, yaw, z)
        if found is None or found[0] > SURE_DISTANCE:
            away = np.hypot(self._middles[kind][:, 0] - x, self._middles[kind][:, 1] - y)
            # equal where one is so far away that a float has no room for single metres
            close = np.flatnonzero(away <= away.min() + LONGEST_PIECE)
            found = _best([self._pieces[kind][i] for i in close], x, y, yaw, z)
        assert found is not None
        return found[1:]

    def still_on(
        self, lane: Lane, s: float, x: float, y: float, yaw: float
    ) -> tuple[float, float] | None:
        """(s, offset) on a lane one was on at `s` a moment ago, if it is plain one still is.

        Cheaper than `nearest`; None wherever other lanes may be meant: near the lane's ends, in
        junctions, off the middle, or turned away from it.
        """
        if lane.is_junction:
            return None
        first = max(bisect_right(lane.lengths, s) - 2, 0)
        for i in range(first, min(first + 4, len(lane.points) - 1)):
            along, offset, distance, heading = project(lane, i, x, y)
            if distance < STILL_ON and abs(wrap(heading - yaw)) < 1.0:
                is_inner = lane.lengths[i] < along < lane.lengths[i + 1]
                if is_inner and 3.0 < along < lane.length - 3.0:
                    return along, offset
        return None

    def height_at(self, x: float, y: float, kind: LaneKind) -> float | None:
        """Height of the nearest lane of a kind under a point, metres, or None where there is none.

        The lane's centre line is looked at: lanes do not slope sideways.
        """
        best: tuple[float, float] | None = None
        for lane, i in self._cells[kind].get((math.floor(x / CELL), math.floor(y / CELL)), []):
            s, _, distance, _ = project(lane, i, x, y)
            half = lane.width if lane.widths is None else max(lane.widths[i : i + 2])
            if distance <= half / 2 + EDGE_SLACK and (best is None or distance < best[0]):
                share = (s - lane.lengths[i]) / (lane.lengths[i + 1] - lane.lengths[i])
                low, high = lane.points[i][2], lane.points[i + 1][2]
                best = (distance, low + share * (high - low))
        return None if best is None else best[1]

    def is_near(self, x: float, y: float, distance: float, kind: LaneKind) -> bool:
        """A centre line runs within `distance` metres, at most `SURE_DISTANCE`, of a point."""
        if distance > SURE_DISTANCE:
            raise ValueError(f"is_near sees at most {SURE_DISTANCE} m far, not {distance}")
        pieces = self._cells[kind].get((math.floor(x / CELL), math.floor(y / CELL)), [])
        return any(project(lane, i, x, y)[2] < distance for lane, i in pieces)


def _middle(lane: Lane, i: int) -> tuple[float, float]:
    (x0, y0, _), (x1, y1, _) = lane.points[i], lane.points[i + 1]
    return (x0 + x1) / 2, (y0 + y1) / 2


def _best(
    pieces: list[Piece], x: float, y: float, yaw: float | None, z: float | None
) -> tuple[float, Lane, float, float] | None:
    """(distance with the costs of heading and level, lane, s, offset) of the nearest piece."""
    best: tuple[float, Lane, float, float] | None = None
    least = math.inf
    for lane, i in pieces:
        x0, y0, ux, uy, span, start, heading = lane.pieces[i]
        dx, dy = x - x0, y - y0
        offset = dy * ux - dx * uy
        if not -least < offset < least:
            continue  # the way to the line is no shorter, and heading and level only add to it
        along = dx * ux + dy * uy
        along = 0.0 if along < 0.0 else span if along > span else along
        distance = math.hypot(dx - along * ux, dy - along * uy)
        if distance >= least:
            continue
        if yaw is not None:
            distance += MAX_HEADING_COST * abs(wrap(heading - yaw)) / math.pi
        if z is not None:
            distance += max(abs(lane.points[i][2] - z) - SAME_LEVEL, 0.0)
        if distance < least - 1e-9:
            least, best = distance, (distance, lane, start + along, offset)
    return best


def project(lane: Lane, i: int, x: float, y: float) -> tuple[float, float, float, float]:
    """(s, offset to the left, distance, heading) of a point against piece `i` of a centre line."""
    x0, y0, ux, uy, span, start, heading = lane.pieces[i]
    dx, dy = x - x0, y - y0
    along = dx * ux + dy * uy
    along = 0.0 if along < 0.0 else span if along > span else along
    return start + along, dy * ux - dx * uy, math.hypot(dx - along * ux, dy - along * uy), heading
