"""The floors of a user's junctions: what lies inside the outer edges of their lanes."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from sim.engine.lanes import ROAD_KINDS, Lane, LaneGraph
from sim.engine.town import JunctionArea

RAYS = 72  # directions in which the edge is looked for; more cost time when the ground is meshed
LARGEST = 45.0  # m from the middle; larger ones, of motorways, are their lanes alone
SMALLEST = 0.5  # m to the edge in a direction in which no lane goes


def junction_floors(graph: LaneGraph) -> list[JunctionArea]:
    """A floor for every junction that is small enough to be seen from its middle."""
    members: dict[int, list[Lane]] = defaultdict(list)
    for lane in graph.lanes.values():
        if lane.is_junction and lane.kind in ROAD_KINDS:
            members[lane.junction_id].append(lane)
    floors = []
    for junction_id, lanes in sorted(members.items()):
        outline = _outline(lanes)
        if len(lanes) > 1 and outline is not None:
            floors.append(JunctionArea(junction_id, outline))
    return floors


def _outline(lanes: list[Lane]) -> NDArray[np.float64] | None:
    """(N, 3) around the middle: the farthest edge of any lane in each direction."""
    edges = [edge for lane in lanes for edge in _border(lane)]
    starts = np.concatenate([edge[:-1] for edge in edges])
    ends = np.concatenate([edge[1:] for edge in edges])
    middle = (starts.min(axis=0) + starts.max(axis=0)) / 2
    if np.linalg.norm(starts[:, :2] - middle[:2], axis=1).max() > LARGEST:
        return None
    angles = np.arange(RAYS) * 2 * np.pi / RAYS
    rays = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    hits = [_hit(ray, starts - middle, ends - middle) for ray in rays]
    return np.asarray(hits + middle, np.float64)


def _border(lane: Lane) -> list[NDArray[np.float64]]:
    left, right = lane.edges()
    return [left, right, np.stack([left[0], right[0]]), np.stack([left[-1], right[-1]])]


def _hit(
    ray: NDArray[np.float64], starts: NDArray[np.float64], ends: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The farthest point (x, y, z) at which a ray from the origin meets a piece of edge."""
    steps = ends - starts
    across = ray[0] * steps[:, 1] - ray[1] * steps[:, 0]
    safe = np.where(np.abs(across) < 1e-9, 1e-9, across)
    far = (starts[:, 0] * steps[:, 1] - starts[:, 1] * steps[:, 0]) / safe
    share = (starts[:, 0] * ray[1] - starts[:, 1] * ray[0]) / safe
    meets = (share >= -1e-6) & (share <= 1 + 1e-6) & (far > SMALLEST) & (np.abs(across) > 1e-9)
    if not meets.any():
        height = float(starts[np.linalg.norm(starts[:, :2], axis=1).argmin(), 2])
        return np.array([*(ray * SMALLEST), height])
    k = int(np.where(meets, far, -1.0).argmax())
    return np.array([*(ray * far[k]), starts[k, 2] + share[k] * steps[k, 2]])
