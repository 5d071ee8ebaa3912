"""Who may enter a junction: nobody onto a taken path, and whoever has to give way gives it."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations
from typing import NamedTuple

import numpy as np

from sim.engine.geometry import wrap
from sim.engine.lanes import Lane, LaneGraph, LaneId
from sim.engine.town import Town

PATHS_MEET = 2.8  # m between two paths under which cars of 2 m do not pass each other
LONG_PATHS_MEET = 4.3  # m; the same in turns for long vehicles, whose rears cut corners
LONG = 3.0  # m, half length from which a vehicle is long
TURN_TIME = 5.0  # s that it takes from the line until the rear is clear
LETTING_THROUGH = 2.0  # m/s^2 with which one stops to let another turn
PAST_LINE = -4.0  # m beyond the line from which one counts as in the junction
NEAR_LINE = 12.0  # m; who is closer comes first even while standing
NOBODY: set[int] = set()
OPPOSITE = 2.5  # rad; approaches that face each other differ by more in heading
RANK = {"": 3, "priority": 2, "light": 2, "yield": 1, "stop": 1}  # the higher one drives first


class Occupant(NamedTuple):
    """A vehicle on a lane."""

    actor_id: int
    s: float  # m along the lane, of its middle
    half_length: float
    speed: float
    way: LaneId | None  # the junction lane it will take, where that is known


class JunctionRules:
    """The paths of a town's junctions that cross, and the approaches that one gives way to.

    Attributes:
        conflicts: for every junction lane, those from other approaches whose paths meet it.
        beside: for every junction lane, those on which a long vehicle is in the way, or is met.
        gives_way: for every junction lane, the lanes before the junction that come first.
    """

    def __init__(self, town: Town) -> None:
        self.conflicts = path_conflicts(town.lanes)
        self.beside = path_conflicts(town.lanes, LONG_PATHS_MEET, only_turns=True)
        self.gives_way = {
            lane_id: _superiors(town.lanes, town.lanes[lane_id], others)
            for lane_id, others in self.conflicts.items()
        }

    def may_enter(
        self,
        actor_id: int,
        lane: Lane,
        claims: dict[LaneId, set[int]],
        occupants: dict[LaneId, list[Occupant]],
        has_waited: bool,
        long_ones: set[int] = NOBODY,
    ) -> bool:
        """No one else claims a path that meets `lane`, and no one comes who goes first.

        Who `has_waited` for long is let through by drivers of ours that can still stop.
        """
        conflicts = self.conflicts[lane.id]
        if any(claims.get(other, set()) - {actor_id} for other in conflicts):
            return False
        for other in self.beside[lane.id]:
            met = claims.get(other, set()) - {actor_id}
            if met and (actor_id in long_ones or met & long_ones):
                return False
        return not any(
            self._comes_first(one, conflicts, occupants.get(one.id, []), has_waited)
            for one in self.gives_way[lane.id]
        )

    def _comes_first(
        self, facing: Lane, conflicts: list[LaneId], queue: list[Occupant], has_waited: bool
    ) -> bool:
        """Somebody on the lane `facing` drives before us."""
        coming = [
            (min(facing.stop_s, facing.length) - one.s - one.half_length, one) for one in queue
        ]
        coming = [(distance, one) for distance, one in coming if distance > PAST_LINE]
        if not coming:
            return False
        # whoever comes behind the first has to wait for it in any case
        distance, first = min(coming)
        limit = max(NEAR_LINE, first.speed * TURN_TIME)
        if has_waited and first.way is not None:
            limit = first.speed**2 / (2 * LETTING_THROUGH)
        is_in_the_way = first.way is None or first.way in conflicts
        return is_in_the_way and distance <= limit


def path_conflicts(
    lanes: LaneGraph, distance: float = PATHS_MEET, *, only_turns: bool = False
) -> dict[LaneId, list[LaneId]]:
    """For every driving junction lane, those from other approaches whose paths meet it.

    Args:
        lanes: of the town.
        distance: metres between two paths under which they meet.
        only_turns: one of the two has to turn.
    """
    inside: dict[int, list[Lane]] = defaultdict(list)
    for lane in lanes.lanes.values():
        if lane.is_junction and lane.kind == "driving":
            inside[lane.junction_id].append(lane)
    found: dict[LaneId, list[LaneId]] = {}
    for members in inside.values():
        found |= {one.id: [] for one in members}
        for a, b in combinations(members, 2):
            is_left_out = only_turns and a.turn == b.turn == "straight"
            if not is_left_out and _paths_meet(a, b, distance):
                found[a.id].append(b.id)
                found[b.id].append(a.id)
    return found


def _paths_meet(a: Lane, b: Lane, distance: float) -> bool:
    if set(a.predecessors) & set(b.predecessors):
        return False
    apart = a.centre[:, None, :2] - b.centre[None, :, :2]
    return bool(np.einsum("abk,abk->ab", apart, apart).min() < distance * distance)


def _superiors(lanes: LaneGraph, lane: Lane, conflicts: list[LaneId]) -> list[Lane]:
    """The approaches of conflicting paths that go before `lane`."""
    own = [lanes[one] for one in lane.predecessors]
    found: dict[LaneId, Lane] = {}
    for other in conflicts:
        for facing in (lanes[one] for one in lanes[other].predecessors):
            if any(_goes_first(facing, lanes[other], mine, lane) for mine in own):
                found[facing.id] = facing
    return list(found.values())


def _goes_first(facing: Lane, path: Lane, mine: Lane, own_path: Lane) -> bool:
    theirs, ours = RANK[facing.approach], RANK[mine.approach]
    if theirs != ours:
        return theirs > ours
    turn = wrap(facing.pose_at(facing.length).yaw - mine.pose_at(mine.length).yaw)
    return own_path.turn == "left" and path.turn != "left" and abs(turn) > OPPOSITE
