"""Where people walk in a user's town: pavements chained from their lanes, and crosswalks."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sim.carla_server.opendrive.survey import Survey
from sim.engine.geometry import Pose
from sim.engine.lanes import Lane, LaneGraph, LaneId
from sim.engine.surfaces import MARKING_HEIGHT, MARKING_TAG, Strip, Surface
from sim.engine.town import Crossing, Pavement

GAP = 1.0  # m between two pavement lanes that are one way
NEAREST_PAVEMENT = 6.0  # m from a crosswalk's end to the middle of its pavement
BAR, BAR_PERIOD = 0.5, 1.0  # m of a zebra crossing
WALKER_SPACING = 15.0  # m between spawn points on pavements
WALKER_HEIGHT = 0.93  # m from the ground to the middle of a walker's body


def pavements(graph: LaneGraph) -> list[Pavement]:
    """All ways: each pavement lane stands in one, together with those that follow it."""
    lanes = {name: lane for name, lane in graph.lanes.items() if lane.kind == "pavement"}
    after: dict[LaneId, LaneId] = {}
    for name, lane in lanes.items():
        follows = [one for one in lane.successors if one not in after.values()]
        follows = [one for one in follows if _gap(lane, lanes[one]) < GAP]
        if follows:
            after[name] = follows[0]
    chains, done = [], set()
    firsts = [name for name in lanes if name not in set(after.values())]
    for first in [*firsts, *lanes]:  # open ways from their beginnings, then rings
        chain: list[LaneId] = []
        here: LaneId | None = first
        while here is not None and here not in done:
            chain.append(here)
            done.add(here)
            here = after.get(here)
        if chain:
            chains.append(_pavement([lanes[one] for one in chain], is_ring=here == chain[0]))
    return chains


def _gap(lane: Lane, following: Lane) -> float:
    return math.dist(lane.points[-1], following.points[0])


def _pavement(chain: list[Lane], *, is_ring: bool) -> Pavement:
    points = np.concatenate([lane.centre for lane in chain])
    if is_ring:
        points = np.concatenate([points, points[:1]])
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    keep = np.concatenate([[True], steps > 1e-3])
    keep[-1] = True
    if steps[-1] <= 1e-3 and len(points) > 2:
        keep[-2] = False
    points = points[keep]
    lengths = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    width = min(lane.width for lane in chain)
    return Pavement(tuple(lane.id for lane in chain), points, lengths, width)


def walker_points(ways: list[Pavement]) -> list[Pose]:
    """Spawn points for walkers, at the middle of their bodies."""
    points: list[Pose] = []
    for way in ways:
        count = int(way.length // WALKER_SPACING)
        for k in range(count):
            at = way.at(way.length * (k + 0.5) / count)
            points.append(Pose(at.x, at.y, at.z + WALKER_HEIGHT, at.yaw))
    return points


class Crosswalks:
    """The crosswalks of a survey, each as a rectangle across its road."""

    def __init__(self, survey: Survey, graph: LaneGraph) -> None:
        self._graph = graph
        self._boxes = [
            box for one in survey.crosswalks if (box := _across_road(np.array(one), graph))
        ]

    def bars(self) -> list[Surface]:
        """Their zebra bars."""
        found: list[Surface] = []
        for here, there, width in self._boxes:
            length = float(np.linalg.norm((there - here)[:2]))
            along = (there - here) / max(length, 1e-6)
            aside = np.array([-along[1], along[0], 0.0]) * width / 2
            for at in np.arange(0.25, length - BAR, BAR_PERIOD):
                near = here + along * at + (0.0, 0.0, MARKING_HEIGHT)
                far = near + along * BAR
                left, right = np.stack([near + aside, far + aside]), np.stack([near, far])
                found.append(Strip(left, right - aside, "marking_white", MARKING_TAG))
        return found

    def crossings(self, ways: list[Pavement]) -> list[Crossing]:
        """Those that lead from pavement to pavement."""
        places = {name: index for index, way in enumerate(ways) for name in way.lanes}
        found = []
        for here, there, width in self._boxes if places else ():
            ends = [self._end(place) for place in (here, there)]
            near, far = ends
            if near is None or far is None or near[0] == far[0]:
                continue
            road = self._graph.nearest(*((here + there) / 2)[:2].tolist())[0]
            indices = (places[near[0]], places[far[0]])
            found.append(
                Crossing(
                    ends=(near[1], far[1]),
                    pavements=indices,
                    along=(_along(ways[indices[0]], near[1]), _along(ways[indices[1]], far[1])),
                    width=width,
                    junction_id=_junction(self._graph, road),
                    road_id=road.id.road,
                )
            )
        return found

    def _end(self, place: NDArray[np.float64]) -> tuple[LaneId, tuple[float, float, float]] | None:
        lane, s, _ = self._graph.nearest(float(place[0]), float(place[1]), kind="pavement")
        at = lane.pose_at(s)
        if math.hypot(at.x - place[0], at.y - place[1]) > NEAREST_PAVEMENT:
            return None
        return lane.id, (at.x, at.y, at.z)


def _across_road(
    corners: NDArray[np.float64], graph: LaneGraph
) -> tuple[NDArray[np.float64], NDArray[np.float64], float] | None:
    """(one end, other end, width) of an outline, its length across the road's lanes."""
    if len(corners) < 4 or not any(lane.kind == "driving" for lane in graph.lanes.values()):
        return None
    middle = corners.mean(axis=0)
    lane, s, _ = graph.nearest(float(middle[0]), float(middle[1]))
    yaw = lane.pose_at(s).yaw
    edges = np.roll(corners, -1, axis=0) - corners
    lengths = np.linalg.norm(edges[:, :2], axis=1)
    aligned = np.abs(edges[:, 1] * math.cos(yaw) - edges[:, 0] * math.sin(yaw))
    k = int(aligned.argmax())
    if lengths[k] < 1e-3:
        return None
    along = edges[k] / lengths[k]
    aside = np.array([-along[1], along[0], 0.0])
    u, v = (corners - middle) @ along, (corners - middle) @ aside
    centre = middle + along * (u.min() + u.max()) / 2 + aside * (v.min() + v.max()) / 2
    half = along * (u.max() - u.min()) / 2
    return centre - half, centre + half, float(v.max() - v.min())


def _along(way: Pavement, place: tuple[float, float, float]) -> float:
    away = np.linalg.norm(way.centre[:, :2] - np.array(place[:2]), axis=1)
    return float(way.lengths[int(away.argmin())])


def _junction(graph: LaneGraph, lane: Lane) -> int:
    """The junction a lane lies in, leads to or comes from, or -1."""
    for name in (lane.id, *lane.successors, *lane.predecessors):
        if graph.lanes[name].junction_id >= 0:
            return graph.lanes[name].junction_id
    return -1
