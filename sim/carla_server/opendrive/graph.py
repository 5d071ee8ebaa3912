"""The lane graph of a survey: who uses each lane, which follows, what lies beside."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from sim.carla_server.opendrive.survey import LaneKey, LaneRecord, Survey
from sim.carla_server.opendrive.validation import DRIVABLE
from sim.engine.geometry import wrap
from sim.engine.lanes import Lane, LaneGraph, LaneId, LaneKind
from sim.engine.surfaces import KERB_HEIGHT

TURN = math.radians(30.0)  # of heading along a connecting road, from which it is a turn
STOP_BEFORE_END = 1.0  # m from a lane's end to where one stops at a junction without a line
KINDS: dict[str, LaneKind] = {
    **dict.fromkeys(DRIVABLE, "driving"),
    "sidewalk": "pavement",
    "walking": "pavement",
    "shoulder": "shoulder",
    "stop": "shoulder",
    "border": "shoulder",
    "restricted": "shoulder",
    "parking": "parking",
    "biking": "biking",
    "bicycle": "biking",
    "median": "median",
}


def lane_id(key: LaneKey) -> LaneId:
    """The engine's name of a lane."""
    road, section, lane = key
    return LaneId(road, lane, section)


def lane_graph(survey: Survey) -> LaneGraph:
    """All lanes that somebody uses, with successors, neighbours and what rules at their ends."""
    records = {lane_id(one.key): one for one in survey.lanes if one.kind in KINDS}
    lanes = {name: _lane(name, record) for name, record in records.items()}
    for name, record in records.items():
        for key in record.successors:
            _follow(lanes, name, lane_id(key), is_reversed=_is_reversed(record))
    for name, record in records.items():
        if lanes[name].kind == "driving":
            lanes[name].left = _beside(records, name, record.is_forward)
            lanes[name].right = _beside(records, name, not record.is_forward)
    graph = LaneGraph(lanes)
    _give_way(lanes)
    return graph


def _is_reversed(record: LaneRecord) -> bool:
    """A pavement runs with the road on its left, whichever side its country drives on."""
    return KINDS[record.kind] == "pavement" and record.is_forward != (record.key[2] < 0)


def _lane(name: LaneId, record: LaneRecord) -> Lane:
    rows: NDArray[np.float64] = np.frombuffer(record.points, np.float64).reshape(-1, 4)
    rows = rows[::-1] if _is_reversed(record) else rows
    kind, centre, widths = KINDS[record.kind], rows[:, :3].copy(), rows[:, 3].copy()
    if kind == "pavement":
        centre[:, 2] += KERB_HEIGHT
    is_even = float(widths.max() - widths.min()) < 0.01
    return Lane(
        name,
        centre,
        float(np.median(widths)),
        record.speed_limit,
        kind=kind,
        is_junction=record.junction >= 0,
        junction_id=record.junction,
        turn=_turn(centre) if record.junction >= 0 else "",
        widths=None if is_even else widths,
    )


def _turn(centre: NDArray[np.float64]) -> str:
    (x0, y0), (x1, y1) = centre[1, :2] - centre[0, :2], centre[-1, :2] - centre[-2, :2]
    angle = wrap(math.atan2(y1, x1) - math.atan2(y0, x0))
    if abs(angle) < TURN:
        return "straight"
    return "left" if angle > 0.0 else "right"


def _follow(lanes: dict[LaneId, Lane], name: LaneId, after: LaneId, *, is_reversed: bool) -> None:
    """Join two lanes of one kind."""
    if is_reversed:
        name, after = after, name
    if name not in lanes or after not in lanes or lanes[name].kind != lanes[after].kind:
        return
    if after not in lanes[name].successors:
        lanes[name].successors.append(after)
        lanes[after].predecessors.append(name)


def _beside(records: dict[LaneId, LaneRecord], name: LaneId, is_inward: bool) -> LaneId | None:
    """The next lane of the same direction towards rising numbers, or the pavement there."""
    step = 1 if is_inward else -1
    number = name.lane + step
    while number != 0:
        other = name._replace(lane=number)
        if other not in records:
            if not any(one in records for one in _farther(name, number, step)):
                return None
        elif KINDS[records[other].kind] == "driving":
            same_way = records[other].is_forward == records[name].is_forward
            return other if same_way and number == name.lane + step else None
        elif KINDS[records[other].kind] == "pavement":
            return other
        number += step
    return None


def _farther(name: LaneId, number: int, step: int) -> list[LaneId]:
    """The few lanes beyond a gap in the numbers."""
    return [name._replace(lane=number + k * step) for k in range(1, 4) if number + k * step != 0]


def _give_way(lanes: dict[LaneId, Lane]) -> None:
    """Where paths cross and nothing is written, one gives way; lights and signs come later."""
    approaches: dict[int, set[LaneId]] = defaultdict(set)
    for lane in lanes.values():
        if lane.is_junction and lane.kind == "driving":
            approaches[lane.junction_id] |= set(lane.predecessors)
    for names in approaches.values():
        before = [lanes[name] for name in names if not lanes[name].is_junction]
        for lane in before if len(before) > 1 else ():
            lane.approach = "yield"
            lane.stop_s = max(lane.length - STOP_BEFORE_END, lane.length / 2)
