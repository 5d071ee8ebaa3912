"""Surveys a user's file with the client's own map parser, in a process that it may take down.

`python -m sim.carla_server.opendrive` reads OpenDRIVE from standard input and writes a `Survey` as
MessagePack; it ends with `REFUSED` and the reason instead where no town can be made.
"""

from __future__ import annotations

import math
import os
import resource
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element

import msgspec
import numpy as np
from numpy.typing import NDArray

from sim.carla_server.opendrive.errors import OpenDriveError
from sim.carla_server.opendrive.restating import restate
from sim.carla_server.opendrive.survey import LaneKey, LaneRecord, SignalRecord, Survey
from sim.carla_server.opendrive.validation import parse_opendrive

if TYPE_CHECKING:
    import carla

REFUSED = 3  # exit status: the reason is on standard output
MOST_MEMORY = 6 << 30  # bytes of address space; a parser gone wild stops there
STEP, LONGEST_STEP = 1.0, 3.0  # m between looks at a lane, and between the samples kept
BEND = 0.04  # rad of heading or slope after which a sample is kept; 3 m then leave 15 mm
NARROWEST = 0.05  # m; a lane that is nowhere wider is none
INSIDE = 0.02  # m from a section's ends at which a lane is asked
SPEED_UNITS = {"km/h": 1 / 3.6, "kmh": 1 / 3.6, "mph": 0.44704, "m/s": 1.0, "": 1.0}
DEFAULT_SPEEDS = {"motorway": 120 / 3.6, "rural": 90 / 3.6, "lowSpeed": 30 / 3.6}
DEFAULT_SPEED = 50 / 3.6  # m/s, a town's


def main() -> int:
    """Survey standard input; return the exit status."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # the parser's own remarks
    try:
        found = survey(sys.stdin.buffer.read().decode("utf-8", "surrogateescape"))
    except OpenDriveError as error:
        out.write(error.reason.encode("utf-8", "replace"))
        out.close()
        return REFUSED
    out.write(msgspec.msgpack.encode(found))
    out.close()
    return 0


def survey(xodr: str) -> Survey:
    """Return what a file holds.

    Raises:
        OpenDriveError: no town can be made of it.
    """
    root = parse_opendrive(xodr)
    if restate(root):
        xodr = ElementTree.tostring(root, encoding="unicode")
    try:
        found = _surveyed(root, xodr)
    except (RuntimeError, IndexError, ValueError) as error:
        raise OpenDriveError(f"a map that CARLA's parser takes expected, got: {error}") from None
    if not found.lanes:
        raise OpenDriveError("lanes with a width expected, got none")
    return found


def _surveyed(root: Element, xodr: str) -> Survey:
    import carla

    parsed = carla.Map("OpenDriveMap", xodr)
    lanes = [lane for road in root.findall("road") for lane in _road_lanes(parsed, road)]
    return Survey(xodr, lanes, _signals(parsed, root), list(_outlines(_crosswalks(parsed))))


def _crosswalks(parsed: carla.Map) -> list[tuple[float, float, float]]:
    """Corners of all crosswalks; none where one of them lies beside its road."""
    try:
        return [(p.x, -p.y, p.z) for p in parsed.get_crosswalks()]
    except RuntimeError:
        return []


def _road_lanes(parsed: carla.Map, road: Element) -> Iterator[LaneRecord]:
    number, length = int(road.get("id", "-1")), float(road.get("length", "0"))
    junction = int(road.get("junction", "-1"))
    sections = sorted(road.findall("lanes/laneSection"), key=lambda one: float(one.get("s", "0")))
    starts = [float(one.get("s", "0")) for one in sections]
    for index, section in enumerate(sections):
        start, end = starts[index], starts[index + 1] if index + 1 < len(starts) else length
        if end - start < 4 * INSIDE:
            continue
        lanes = [*section.findall("left/lane"), *section.findall("right/lane")]
        inside = _stations(start, end)
        ids = sorted((int(lane.get("id", "0")) for lane in lanes), key=abs)
        kept = _kept(parsed, number, ids, inside)
        for lane in lanes:
            key = (number, index, int(lane.get("id", "0")))
            record = _lane(parsed, key, lane, junction, _speed(road, lane, start), kept)
            if record is not None:
                yield record


def _stations(start: float, end: float) -> list[float]:
    """Metres along the road to look at a section, its ends a little inside."""
    count = max(2, math.ceil((end - start) / STEP))
    stations = [start + (end - start) * k / count for k in range(count + 1)]
    stations[0], stations[-1] = start + INSIDE / 4, end - INSIDE / 4
    return stations


def _kept(parsed: carla.Map, road: int, lanes: list[int], stations: list[float]) -> list[float]:
    """The stations that follow the innermost lane's bends, at most `LONGEST_STEP` apart."""
    for lane in lanes:
        points = [parsed.get_waypoint_xodr(road, lane, s) for s in stations]
        if all(points):
            break
    else:
        return stations
    angles = [(p.transform.rotation.yaw, p.transform.rotation.pitch) for p in points]
    kept = [0]
    for k in range(1, len(stations) - 1):
        turned = max(
            abs((a - b + 180.0) % 360.0 - 180.0)
            for a, b in zip(angles[k + 1], angles[kept[-1]], strict=True)
        )
        far = stations[k + 1] - stations[kept[-1]] > LONGEST_STEP
        if far or math.radians(turned) > BEND:
            kept.append(k)
    return [stations[k] for k in [*kept, len(stations) - 1]]


def _lane(
    parsed: carla.Map,
    key: LaneKey,
    lane: Element,
    junction: int,
    speed: float,
    stations: list[float],
) -> LaneRecord | None:
    road, _, number = key
    points = [parsed.get_waypoint_xodr(road, number, s) for s in stations]
    if not all(points):
        return None
    rows = np.array([_row(p) for p in points])
    if not np.isfinite(rows).all() or rows[:, 3].max() < NARROWEST:
        return None
    ahead = points[0].transform.get_forward_vector()
    step = rows[1] - rows[0]
    is_forward = bool(ahead.x * step[0] - ahead.y * step[1] >= 0.0)
    if not is_forward:
        rows = rows[::-1]
    middle = points[len(points) // 2]
    return LaneRecord(
        key=key,
        kind=lane.get("type", "none"),
        junction=junction,
        is_forward=is_forward,
        speed_limit=speed,
        points=_distinct(rows).tobytes(),
        successors=_successors(points[-1] if is_forward else points[0], key),
        marks=(_mark(middle.left_lane_marking), _mark(middle.right_lane_marking)),
    )


def _row(point: carla.Waypoint) -> tuple[float, float, float, float]:
    at = point.transform.location
    return at.x, -at.y, at.z, abs(point.lane_width)


def _distinct(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Without samples that stand on the one before, but never less than two."""
    steps = np.linalg.norm(np.diff(rows[:, :2], axis=0), axis=1)
    keep = np.concatenate([[True], steps > 1e-3])
    if keep.sum() < 2:
        keep[-1] = True
        rows = rows.copy()
        rows[-1, 0] += INSIDE
    return np.ascontiguousarray(rows[keep])


def _successors(end: carla.Waypoint, key: LaneKey) -> list[LaneKey]:
    """The lanes that a little way beyond a lane's last sample leads to."""
    found: list[LaneKey] = []
    for point in end.next(INSIDE):
        other = (point.road_id, point.section_id, point.lane_id)
        if other != key and other not in found:
            found.append(other)
    return found


def _mark(marking: Any) -> tuple[str, str]:
    return ("NONE", "") if marking is None else (str(marking.type), str(marking.color))


def _speed(road: Element, lane: Element, s: float) -> float:
    """The limit of a lane, m/s: its own, else the road's at its start, else the road kind's."""
    own = lane.find("speed")
    kinds = [one for one in road.findall("type") if float(one.get("s", "0")) <= s + STEP]
    kind = kinds[-1] if kinds else None
    for element in (own, None if kind is None else kind.find("speed")):
        if element is not None:
            try:
                limit = float(element.get("max", ""))
            except ValueError:
                continue  # "no limit", "undefined"
            limit *= SPEED_UNITS.get(element.get("unit", ""), 1.0)
            if 1.0 < limit < 100.0:
                return limit
    return DEFAULT_SPEEDS.get("" if kind is None else kind.get("type", ""), DEFAULT_SPEED)


def _signals(parsed: carla.Map, root: Element) -> list[SignalRecord]:
    controllers = {
        control.get("signalId", ""): controller.get("id", "")
        for controller in root.findall("controller")
        for control in controller.findall("control")
    }
    homes = {
        signal.get("id", ""): road.get("id", "")
        for road in root.findall("road")
        for signal in road.findall("signals/signal")
    }
    return [
        _signal(mark, controllers, homes)
        for mark in sorted(parsed.get_all_landmarks(), key=lambda m: (m.road_id, m.s, m.id))
    ]


def _signal(
    mark: carla.Landmark, controllers: dict[str, str], homes: dict[str, str]
) -> SignalRecord:
    at, turn = mark.transform.location, mark.transform.rotation
    sides = {"Positive": "+", "Negative": "-"}
    return SignalRecord(
        id=mark.id,
        type=mark.type,
        subtype=mark.sub_type,
        name=mark.name,
        is_dynamic=mark.is_dynamic,
        value=float(mark.value),
        unit=mark.unit,
        road=mark.road_id,
        s=mark.s,
        orientation=sides.get(str(mark.orientation), "none"),
        lanes=[(a, b) for a, b in mark.get_lane_validities()],
        pose=(at.x, -at.y, at.z, math.radians(-turn.yaw)),
        controller=controllers.get(mark.id, ""),
        is_reference=homes.get(mark.id, "") != str(mark.road_id),
    )


def _outlines(
    corners: list[tuple[float, float, float]],
) -> Iterator[list[tuple[float, float, float]]]:
    """Crosswalks from the parser's one list, in which each closes with its first corner."""
    outline: list[tuple[float, float, float]] = []
    for corner in corners:
        if len(outline) > 2 and corner == outline[0]:
            yield outline
            outline = []
        else:
            outline.append(corner)
