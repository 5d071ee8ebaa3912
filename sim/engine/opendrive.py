"""Writes a road network as OpenDRIVE 1.4, in the dialect that CARLA's parser reads."""

from __future__ import annotations

import math
from xml.etree import ElementTree

from sim.engine.layout import CROSSING_WIDTH
from sim.engine.roads import LANE_WIDTH, PAVEMENT_WIDTH, Junction, Link, Network, Road

TRAFFIC_LIGHT_TYPE = "1000001"  # OpenDRIVE's catalogue number of a three-lamp light
GEO_REFERENCE = "+proj=tmerc +lat_0=49 +lon_0=8 +k=1 +x_0=0 +y_0=0 +datum=WGS84 +units=m"

Element = ElementTree.Element


def write_opendrive(network: Network, name: str) -> str:
    """The network as an OpenDRIVE document."""
    root = Element("OpenDRIVE")
    bounds = {"north": "250", "south": "-200", "east": "300", "west": "-300"}
    header = _add(root, "header", revMajor=1, revMinor=4, name=name, version="1.00", **bounds)
    _add(header, "geoReference").text = GEO_REFERENCE
    for road in network.roads.values():
        _road(root, road)
    for junction in network.junctions:
        _controllers(root, junction)
    for junction in network.junctions:
        _junction(root, junction)
    ElementTree.indent(root, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, "unicode")


def _add(parent: Element, tag: str, **attributes: str | float) -> Element:
    texts = {
        # OpenDRIVE's own names that Python reserves end in an underscore here
        key.rstrip("_"): repr(value) if isinstance(value, float) else str(value)
        for key, value in attributes.items()
    }
    return ElementTree.SubElement(parent, tag, texts)


def _road(root: Element, road: Road) -> None:
    name = f"road {road.id}"
    element = _add(
        root, "road", name=name, length=road.length, id=road.id, junction=road.junction_id
    )
    link = _add(element, "link")
    _link(link, "predecessor", road.predecessor)
    _link(link, "successor", road.successor)
    kind = _add(element, "type", s=0.0, type="town")
    _add(kind, "speed", max=road.speed_limit * 3.6, unit="km/h")
    _plan(element, road)
    _add(_add(element, "elevationProfile"), "elevation", s=0.0, a=0.0, b=0.0, c=0.0, d=0.0)
    _add(element, "lateralProfile")
    _lanes(element, road)
    _crossings(element, road)
    _signals(element, road)


def _link(parent: Element, tag: str, link: Link | None) -> None:
    if link is None:
        return
    contact = {"contactPoint": link.contact} if link.contact else {}
    _add(parent, tag, elementType=link.kind, elementId=link.id, **contact)


def _plan(parent: Element, road: Road) -> None:
    plan = _add(parent, "planView")
    s = 0.0
    for part in road.segments:
        geometry = _add(
            plan, "geometry", s=s, x=part.x, y=part.y, hdg=part.heading, length=part.length
        )
        if part.curvature == 0.0:
            _add(geometry, "line")
        else:
            _add(geometry, "arc", curvature=part.curvature)
        s += part.length


def _lanes(parent: Element, road: Road) -> None:
    section = _add(_add(parent, "lanes"), "laneSection", s=0.0)
    sides = {
        "left": sorted((n for n in road.lanes if n > 0), reverse=True),
        "center": [0],
        "right": sorted((n for n in road.lanes if n < 0), reverse=True),
    }
    for side, numbers in sides.items():
        if numbers:
            group = _add(section, side)
            for number in numbers:
                _lane(group, road, number)


def _lane(parent: Element, road: Road, number: int) -> None:
    kind = {0: "none", 1: "driving", 2: "sidewalk"}[abs(number)]
    lane = _add(parent, "lane", id=number, type=kind, level="false")
    is_connection = road.junction_id >= 0
    if number:
        link = _add(lane, "link")
        if is_connection:
            _add(link, "predecessor", id=road.lane_before * -number)
            _add(link, "successor", id=road.lane_after * -number)
        width = LANE_WIDTH if abs(number) == 1 else PAVEMENT_WIDTH
        _add(lane, "width", sOffset=0.0, a=width, b=0.0, c=0.0, d=0.0)
    mark = "none"
    if not is_connection:
        mark = {0: "broken", 1: "solid", 2: "none"}[abs(number)]
    change = "none" if number else "both"
    _add(
        lane, "roadMark", sOffset=0.0, type=mark, weight="standard", color="standard",
        width=0.15, laneChange=change,
    )  # fmt: skip
    if abs(number) == 1:
        _add(lane, "speed", sOffset=0.0, max=road.speed_limit * 3.6, unit="km/h")


def _crossings(parent: Element, road: Road) -> None:
    if not road.crossings:
        return
    objects = _add(parent, "objects")
    half = CROSSING_WIDTH / 2
    for k, s in enumerate(road.crossings):
        crossing = _add(
            objects, "object", id=f"{road.id}{k}", name="crossing", type="crosswalk", s=s, t=0.0,
            zOffset=0.0, orientation="none", hdg=0.0, pitch=0.0, roll=0.0,
            length=CROSSING_WIDTH, width=2 * LANE_WIDTH,
        )  # fmt: skip
        outline = _add(crossing, "outline")
        corners = [(-half, -1), (half, -1), (half, 1), (-half, 1), (-half, -1)]
        for u, side in corners:
            _add(outline, "cornerLocal", u=u, v=side * LANE_WIDTH, z=0.0, height=0.0)


def _signals(parent: Element, road: Road) -> None:
    if not road.signals and not road.signal_reference:
        return
    signals = _add(parent, "signals")
    for signal in road.signals:
        element = _add(
            signals, "signal", id=signal.id, name=f"Signal_3Light_{signal.id}", s=signal.s,
            t=math.copysign(LANE_WIDTH + 0.6, signal.lane), zOffset=0.0, hOffset=0.0, pitch=0.0,
            roll=0.0, orientation="+" if signal.lane < 0 else "-", dynamic="yes",
            country="OpenDRIVE", type=TRAFFIC_LIGHT_TYPE, subtype="-1", value="-1", unit="",
            height=1.0, width=0.4, text="",
        )  # fmt: skip
        _add(element, "validity", fromLane=signal.lane, toLane=signal.lane)
    if road.signal_reference:
        reference = _add(
            signals, "signalReference", id=road.signal_reference, s=0.0,
            t=-(LANE_WIDTH + 0.6), orientation="+",
        )  # fmt: skip
        _add(reference, "validity", fromLane=-1, toLane=-1)


def _controllers(root: Element, junction: Junction) -> None:
    for axis in range(2):
        controller = _add(
            root, "controller", id=junction.id + axis, name=f"ctrl{junction.id + axis}", sequence=0
        )
        for direction in sorted(junction.arms):
            if direction % 2 == axis:
                _add(controller, "control", signalId=junction.id * 10 + direction, type="")


def _junction(root: Element, junction: Junction) -> None:
    element = _add(root, "junction", id=junction.id, name=f"junction {junction.id}")
    for k, ((arrives, _), road) in enumerate(junction.connections.items()):
        arm = junction.arms[arrives]
        connection = _add(
            element, "connection", id=k, incomingRoad=arm.road.id, connectingRoad=road.id,
            contactPoint="start",
        )  # fmt: skip
        for number in road.lanes:
            _add(connection, "laneLink", from_=arm.lane_in * -number, to=number)
    for axis in range(2):
        _add(element, "controller", id=junction.id + axis, type="", sequence=0)
