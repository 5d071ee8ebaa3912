"""Writes a road network as OpenDRIVE 1.4, in the dialect that CARLA's parser reads."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import numpy as np

from sim.engine.towns.junctions import Junction
from sim.engine.towns.marks import lane_mark, middle_mark
from sim.engine.towns.network import Network
from sim.engine.towns.plan import CROSSING_WIDTH, LIGHT_TYPE, LIMIT_TYPE, light_groups, signal_id
from sim.engine.towns.roads import Link, Road, Signal

GEO_REFERENCE = "+proj=tmerc +lat_0=49 +lon_0=8 +k=1 +x_0=0 +y_0=0 +datum=WGS84 +units=m"
LANE_TYPES = {"pavement": "sidewalk", "shoulder": "shoulder", "median": "median"}
ROAD_TYPES = {"motorway": "motorway", "rural": "rural"}
SIGNAL_NAMES = {"1000001": "Signal_3Light", "205": "Sign_Yield", "206": "Sign_Stop",
                "274": "Speed"}  # fmt: skip
ELEVATION_STEP = 15.0  # m between the pieces of an elevation profile

Element = ElementTree.Element


def write_opendrive(network: Network, name: str) -> str:
    """The network as an OpenDRIVE document."""
    root = Element("OpenDRIVE")
    header = _add(root, "header", revMajor=1, revMinor=4, name=name, version="1.00",
                  **_bounds(network))  # fmt: skip
    _add(header, "geoReference").text = GEO_REFERENCE
    for road in network.roads.values():
        _road(root, road)
    for junction in network.junctions:
        _controllers(root, junction)
    for junction in network.junctions:
        _junction(root, junction)
    ElementTree.indent(root, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, "unicode")


def _bounds(network: Network) -> dict[str, str]:
    points = np.array([part[:2] for road in network.roads.values() for part in road.segments])
    (west, south), (east, north) = points.min(axis=0) - 50.0, points.max(axis=0) + 50.0
    sides = {"north": north, "south": south, "east": east, "west": west}
    return {side: f"{value:.0f}" for side, value in sides.items()}


def _add(parent: Element, tag: str, **attributes: str | float) -> Element:
    texts = {
        # OpenDRIVE's own names that Python reserves end in an underscore here
        key.rstrip("_"): repr(float(value)) if isinstance(value, float) else str(value)
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
    kind = _add(element, "type", s=0.0, type=ROAD_TYPES.get(road.character, "town"))
    _add(kind, "speed", max=road.speed_limit * 3.6, unit="km/h")
    _plan(element, road)
    _elevation(element, road)
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


def _elevation(parent: Element, road: Road) -> None:
    """The land under the reference line, in cubic pieces that join smoothly."""
    profile = _add(parent, "elevationProfile")
    if road.relief.amplitude == 0.0:
        _add(profile, "elevation", s=0.0, a=0.0, b=0.0, c=0.0, d=0.0)
        return
    knots = np.linspace(0.0, road.length, max(2, math.ceil(road.length / ELEVATION_STEP) + 1))
    z, below, above = (
        road.relief.heights(*road.along(knots + step)[:2]) for step in (0.0, -0.5, 0.5)
    )
    span = np.clip(knots + 0.5, 0, road.length) - np.clip(knots - 0.5, 0, road.length)
    slope = (above - below) / span
    for k in range(len(knots) - 1):
        h, rise = knots[k + 1] - knots[k], z[k + 1] - z[k]
        c = (3 * rise / h - 2 * slope[k] - slope[k + 1]) / h
        d = (slope[k] + slope[k + 1] - 2 * rise / h) / h**2
        piece = {"s": knots[k], "a": z[k], "b": slope[k], "c": c, "d": d}
        _add(profile, "elevation", **{key: float(value) for key, value in piece.items()})


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
    kind = road.form(number).kind if number else "none"
    lane = _add(parent, "lane", id=number, type=LANE_TYPES.get(kind, kind), level="false")
    if number:
        link = _add(lane, "link")
        if road.junction_id >= 0:
            _add(link, "predecessor", id=road.before[number])
            _add(link, "successor", id=road.after[number])
        _add(lane, "width", sOffset=0.0, a=road.form(number).width, b=0.0, c=0.0, d=0.0)
    mark, change = lane_mark(road, number) if number else middle_mark(road)
    _add(
        lane, "roadMark", sOffset=0.0, type=mark, weight="standard", color="standard",
        width=0.15, laneChange=change,
    )  # fmt: skip
    if kind == "driving":
        _add(lane, "speed", sOffset=0.0, max=road.speed_limit * 3.6, unit="km/h")


def _crossings(parent: Element, road: Road) -> None:
    if not road.crossings:
        return
    objects = _add(parent, "objects")
    half, left, right = CROSSING_WIDTH / 2, road.kerb(1), road.kerb(-1)
    middle = (left + right) / 2
    for k, s in enumerate(road.crossings):
        crossing = _add(
            objects, "object", id=f"{road.id}{k}", name="crossing", type="crosswalk", s=s,
            t=middle, zOffset=0.0, orientation="none", hdg=0.0, pitch=0.0, roll=0.0,
            length=CROSSING_WIDTH, width=left - right,
        )  # fmt: skip
        outline = _add(crossing, "outline")
        corners = [(-half, right), (half, right), (half, left), (-half, left), (-half, right)]
        for u, t in corners:
            _add(outline, "cornerLocal", u=u, v=t - middle, z=0.0, height=0.0)


def _signals(parent: Element, road: Road) -> None:
    if not road.signals and not road.references:
        return
    signals = _add(parent, "signals")
    for signal in road.signals:
        _signal(signals, signal)
    for name in road.references:
        reference = _add(
            signals, "signalReference", id=name, s=0.0, t=road.kerb(-1) - 0.6, orientation="+"
        )
        _add(reference, "validity", fromLane=-1, toLane=-1)


def _signal(parent: Element, signal: Signal) -> None:
    is_light = signal.type == LIGHT_TYPE
    unit = {"unit": "km/h"} if signal.type == LIMIT_TYPE else {"unit": ""}
    element = _add(
        parent, "signal", id=signal.id, name=f"{SIGNAL_NAMES[signal.type]}_{signal.id}",
        s=signal.s, t=signal.t, zOffset=0.0, hOffset=0.0, pitch=0.0, roll=0.0,
        orientation="+" if signal.lanes[0] < 0 else "-", dynamic="yes" if is_light else "no",
        country="OpenDRIVE", type=signal.type, subtype="-1", value=signal.value, **unit,
        height=1.0, width=0.4, text="",
    )  # fmt: skip
    _add(element, "validity", fromLane=min(signal.lanes), toLane=max(signal.lanes))


def _controllers(root: Element, junction: Junction) -> None:
    groups = light_groups(junction)
    for group in sorted(set(groups.values())):
        name = junction.id + group
        controller = _add(root, "controller", id=name, name=f"ctrl{name}", sequence=0)
        for k, own in groups.items():
            if own == group:
                _add(controller, "control", signalId=signal_id(junction, k), type="")


def _junction(root: Element, junction: Junction) -> None:
    element = _add(root, "junction", id=junction.id, name=f"junction {junction.id}")
    for k, road in enumerate(junction.roads):
        assert road.predecessor is not None
        connection = _add(
            element, "connection", id=k, incomingRoad=road.predecessor.id,
            connectingRoad=road.id, contactPoint="start",
        )  # fmt: skip
        for number in road.lanes:
            _add(connection, "laneLink", from_=road.before[number], to=number)
    for group in sorted(set(light_groups(junction).values())):
        _add(element, "controller", id=junction.id + group, type="", sequence=0)
