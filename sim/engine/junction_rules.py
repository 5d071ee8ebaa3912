"""Who may enter a junction on green: nobody onto a taken path, left turns after the oncoming."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

import numpy as np

from sim.engine.lanes import Lane, LaneGraph, LaneId
from sim.engine.town import Town

PATHS_MEET = 2.8  # m between two paths under which cars of 2 m do not pass each other
ONCOMING_TIME = 5.0  # s that a left turn takes, from the line until its rear is clear
LETTING_THROUGH = 2.0  # m/s^2 with which one stops to let another turn
PAST_LINE = -4.0  # m beyond the line from which one counts as in the junction
ONCOMING_DISTANCE = 12.0  # m; who is closer comes first even while standing


class Occupant(NamedTuple):
    """A vehicle on a lane."""

    actor_id: int
    s: float  # m along the lane, of its middle
    half_length: float
    speed: float
    turn: str  # what it will do at the junction: straight, left, right, or "" where unknown


class JunctionRules:
    """The paths of a town's junctions that cross, and the approaches that face each other."""

    def __init__(self, town: Town) -> None:
        self.conflicts = _conflicts(town.lanes)
        self.oncoming: dict[LaneId, Lane] = {}
        for junction in town.network.junctions:
            for (arrives, _), road in junction.connections.items():
                facing = junction.arms.get((arrives + 2) % 4)
                if road.turn == "left" and facing is not None:
                    lane = town.lanes[LaneId(facing.road.id, facing.lane_in)]
                    self.oncoming[LaneId(road.id, -1)] = lane

    def may_enter(
        self,
        actor_id: int,
        lane: Lane,
        claims: dict[LaneId, set[int]],
        occupants: dict[LaneId, list[Occupant]],
        has_waited: bool,
    ) -> bool:
        """No one else claims a path that meets `lane`, and no oncoming vehicle comes first.

        Who `has_waited` for long is let through by oncoming drivers of ours that can still stop.
        """
        for other in self.conflicts[lane.id]:
            if claims.get(other, set()) - {actor_id}:
                return False
        facing = self.oncoming.get(lane.id)
        if facing is None:
            return True
        coming = [
            (facing.stop_s - one.s - one.half_length, one) for one in occupants.get(facing.id, [])
        ]
        coming = [(distance, one) for distance, one in coming if distance > PAST_LINE]
        if not coming:
            return True
        # whoever comes behind the first has to wait for it in any case
        distance, first = min(coming)
        limit = max(ONCOMING_DISTANCE, first.speed * ONCOMING_TIME)
        if has_waited and first.turn:
            limit = first.speed**2 / (2 * LETTING_THROUGH)
        return first.turn == "left" or distance > limit


def _conflicts(lanes: LaneGraph) -> dict[LaneId, list[LaneId]]:
    """For every junction lane, those from other approaches whose paths meet it."""
    crossing = [lane for lane in lanes.lanes.values() if lane.is_junction and not lane.left]
    crossing = [lane for lane in crossing if lane.kind == "driving"]
    found: dict[LaneId, list[LaneId]] = defaultdict(list)
    for a in crossing:
        found[a.id] = []
        for b in crossing:
            if a.predecessors == b.predecessors:
                continue
            apart = np.linalg.norm(a.centre[:, None, :2] - b.centre[None, :, :2], axis=2)
            if apart.min() < PATHS_MEET:
                found[a.id].append(b.id)
    return dict(found)
