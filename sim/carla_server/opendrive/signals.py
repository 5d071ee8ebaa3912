"""Traffic lights and signs of a user's town, and the lanes that they rule."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import replace
from itertools import chain

from sim.carla_server.opendrive.graph import STOP_BEFORE_END
from sim.carla_server.opendrive.survey import SignalRecord, Survey
from sim.engine.geometry import Pose
from sim.engine.lanes import Lane, LaneGraph, LaneId
from sim.engine.signs import Sign, SignKind
from sim.engine.traffic_lights import TrafficLight

LIGHTS = frozenset({"1000001", "1000008", "1000009", "1000010", "1000011"})  # for vehicles
SIGNS: dict[str, SignKind] = {"206": "stop", "205": "yield", "274": "speed_limit"}
LIMITS = range(20, 131, 10)  # km/h for which there is a sign
BESIDE = 1.5  # m from a lane's edge to a pole that would stand on the road
FARTHEST_POLE = 12.0  # m to the right at which one stops to look for a free place
OPPOSITE = 0.5  # rad; approaches that differ less, or by a half turn less that, are green together
LOOK_AHEAD = 60.0  # m from a light's place to the junction that it belongs to
MPH = 1.609344  # km/h


def place_signals(survey: Survey, graph: LaneGraph) -> tuple[list[TrafficLight], list[Sign]]:
    """Lights and signs; lanes learn what rules at their ends."""
    by_id: dict[str, list[SignalRecord]] = defaultdict(list)
    for record in survey.signals:
        by_id[record.id].append(record)
    roads: dict[int, list[Lane]] = defaultdict(list)
    for lane in graph.lanes.values():
        if lane.kind == "driving":
            roads[lane.id.road].append(lane)
    lights: list[TrafficLight] = []
    signs: list[Sign] = []
    for records in by_id.values():
        record = next((one for one in records if not one.is_reference), records[0])
        kind = record.type.replace(".", "")
        ruled = list(chain.from_iterable(_ruled(one, roads, graph) for one in records))
        ruled = list({lane.id: (lane, s) for lane, s in ruled}.values())
        if not ruled:
            continue
        if kind in LIGHTS:
            lights.append(_light(len(lights) + 1, record, ruled, graph))
        elif kind in SIGNS and (sign := _sign(SIGNS[kind], record, ruled, graph)):
            signs.append(sign)
    return _grouped(lights, survey), signs


def _ruled(
    record: SignalRecord, roads: dict[int, list[Lane]], graph: LaneGraph
) -> list[tuple[Lane, float]]:
    """The lanes that a signal rules on one road, with where one stops on each.

    A signal on a connecting road, as CARLA's own towns have them, rules the lanes before it.
    """
    found: list[tuple[Lane, float]] = []
    for lane in _meant(record, roads.get(record.road, [])):
        if lane.is_junction:
            before = [graph.lanes[name] for name in lane.predecessors]
            found += [(one, _line(one)) for one in before if not one.is_junction]
        else:
            s = _station(lane, record)
            if s is not None:
                found.append((lane, s))
    return found


def _meant(record: SignalRecord, lanes: list[Lane]) -> list[Lane]:
    """The lanes that a signal names, or that the parser names for it; all where these are none."""
    ranges = record.lanes
    named = [lane for lane in lanes if any(min(r) <= lane.id.lane <= max(r) for r in ranges)]
    return named or lanes


def _station(lane: Lane, record: SignalRecord) -> float | None:
    """Metres along a lane of the place beside a signal, or None if another section has it."""
    x, y = record.pose[:2]
    steps = [math.hypot(px - x, py - y) for px, py, _ in lane.points]
    k = min(range(len(steps)), key=steps.__getitem__)
    at = lane.pose_at(lane.lengths[k])
    along = (x - at.x) * math.cos(at.yaw) + (y - at.y) * math.sin(at.yaw)
    s = lane.lengths[k] + along
    if not -1.0 <= s <= lane.length + 1.0:
        return None
    return min(max(s, 0.0), _line(lane))


def _line(lane: Lane) -> float:
    """Where one stops at a lane's end, metres along it."""
    return max(lane.length - STOP_BEFORE_END, lane.length / 2)


def _light(
    number: int, record: SignalRecord, ruled: list[tuple[Lane, float]], graph: LaneGraph
) -> TrafficLight:
    for lane, s in ruled:
        if lane.light_id is None:
            lane.light_id, lane.stop_s, lane.approach = number, s, "light"
    lane, s = ruled[0]
    return TrafficLight(
        id=number,
        signal_id=record.id,
        pose=_pole(record, lane, s, graph),
        stop_line=lane.pose_at(s),
        lane_id=lane.id,
        stop_s=s,
        junction_id=_junction_ahead(lane, graph, number),
        group=0,
    )


def _pole(record: SignalRecord, lane: Lane, s: float, graph: LaneGraph) -> Pose:
    """Where a signal's pole stands: as written, or beside the road if that is on it."""
    x, y = record.pose[:2]
    at = lane.pose_at(s)
    yaw = at.yaw + math.pi
    aside = lane.width / 2 + BESIDE
    while graph.height_at(x, y, "driving") is not None and aside < FARTHEST_POLE:
        x, y = at.x + aside * math.sin(at.yaw), at.y - aside * math.cos(at.yaw)
        aside += BESIDE
    height = graph.height_at(x, y, "pavement")
    return Pose(x, y, at.z if height is None else height, yaw)


def _junction_ahead(lane: Lane, graph: LaneGraph, number: int) -> int:
    """The junction that a lane leads to; a number of its own where it leads to none."""
    way, distance = lane, 0.0
    while distance < LOOK_AHEAD:
        following = [graph.lanes[name] for name in way.successors]
        inside = [one for one in following if one.is_junction]
        if inside:
            return inside[0].junction_id
        if not following:
            break
        way = following[0]
        distance += way.length
    return -1 - number


def _grouped(lights: list[TrafficLight], survey: Survey) -> list[TrafficLight]:
    """Lights that may be green together: those of a controller, else those that face each other."""
    controllers = {one.id: one.controller for one in survey.signals}
    members: dict[int, list[TrafficLight]] = defaultdict(list)
    for light in lights:
        members[light.junction_id].append(light)
    groups: dict[int, int] = {}
    for together in members.values():
        names = [controllers.get(light.signal_id, "") for light in together]
        if all(names) and len(set(names)) > 1:
            order = sorted(set(names))
            groups |= {
                light.id: order.index(name) for light, name in zip(together, names, strict=True)
            }
        else:
            first = together[0].stop_line.yaw
            groups |= {light.id: _axis(light.stop_line.yaw - first) for light in together}
    return [replace(light, group=groups[light.id]) for light in lights]


def _axis(turn: float) -> int:
    """0 for approaches along one line, 1 for those across."""
    return int(abs(math.sin(turn)) > math.sin(OPPOSITE))


def _sign(
    kind: SignKind, record: SignalRecord, ruled: list[tuple[Lane, float]], graph: LaneGraph
) -> Sign | None:
    value = _limit(record) if kind == "speed_limit" else 0
    if kind == "speed_limit" and value not in LIMITS:
        return None
    lane, s = ruled[0]
    if kind != "speed_limit":
        for ruled_lane, at in ruled:
            if ruled_lane.light_id is None:
                ruled_lane.approach = "stop" if kind == "stop" else "yield"
                ruled_lane.stop_s = max(at, min(_line(ruled_lane), ruled_lane.stop_s))
    names: tuple[LaneId, ...] = tuple(one.id for one, _ in ruled)
    return Sign(record.id, kind, value, _pole(record, lane, s, graph), names, lane.pose_at(s))


def _limit(record: SignalRecord) -> int:
    """km/h of a speed-limit sign, rounded to tens."""
    value = record.value
    if not value > 0.0:
        value = float(record.subtype) if record.subtype.isdecimal() else 0.0
    return int(round(value * (MPH if record.unit == "mph" else 1.0), -1))
