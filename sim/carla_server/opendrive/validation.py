"""What an OpenDRIVE file must hold before any parser is let at it, and how large it may be."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from xml.etree.ElementTree import Element

from sim.carla_server.opendrive.errors import OpenDriveError

LARGEST_FILE = 64 << 20  # bytes; CARLA's largest own town has 10 MB
MOST_ROADS = 50_000
LONGEST_LANES = 2_000_000.0  # m in all; raising it costs memory, about 1 GiB per 1,000 km
FARTHEST = 1_000_000.0  # m from the origin: float32 on the wire leaves 6 cm there
DRIVABLE = frozenset(
    {"driving", "bidirectional", "entry", "exit", "onRamp", "offRamp", "connectingRamp"}
)
SHAPES = ("line", "spiral", "arc", "poly3", "paramPoly3")


def parse_opendrive(xodr: str) -> Element:
    """Return the root of an OpenDRIVE file that a town can be made of.

    Raises:
        OpenDriveError: it is no XML, no OpenDRIVE, has no road or lane to drive on, holds numbers
            that are none, or is larger than this server takes.
    """
    if len(xodr) > LARGEST_FILE:
        raise OpenDriveError(f"at most {LARGEST_FILE >> 20} MiB expected, got {len(xodr) >> 20}")
    if "<!DOCTYPE" in xodr or "<!ENTITY" in xodr:
        raise OpenDriveError("no document type or entity expected, got one")
    try:
        # some makers put a comment before the declaration, which CARLA's parser lets pass
        root = ElementTree.fromstring(xodr[max(xodr.find("<?xml"), 0) :].lstrip("\ufeff \t\r\n"))
    except (ElementTree.ParseError, ValueError) as error:
        raise OpenDriveError(f"XML expected, got {error}") from None
    if root.tag.rsplit("}", 1)[-1] != "OpenDRIVE":
        raise OpenDriveError(f"root element OpenDRIVE expected, got {root.tag}")
    if root.tag != "OpenDRIVE":
        for element in root.iter():
            element.tag = element.tag.rsplit("}", 1)[-1]
    _check_roads(root)
    return root


def _check_roads(root: Element) -> None:
    roads = root.findall("road")
    if not roads:
        raise OpenDriveError("at least one road expected, got none")
    if len(roads) > MOST_ROADS:
        raise OpenDriveError(f"at most {MOST_ROADS} roads expected, got {len(roads)}")
    seen: set[str] = set()
    lanes, driven = 0.0, 0
    for road in roads:
        name = road.get("id", "")
        if not name.isdecimal():
            raise OpenDriveError(f"a whole number as road id expected, got {name!r}")
        if name in seen:
            raise OpenDriveError(f"each road id once expected, got {name!r} twice")
        seen.add(name)
        length = number(road, "length", f"road {name!r}")
        _check_shape(road, name)
        numbers = _lane_numbers(road, name)
        lanes += length * len(numbers)
        driven += sum(kind in DRIVABLE for kind in numbers)
    if driven == 0:
        raise OpenDriveError("at least one lane to drive on expected, got none")
    if lanes > LONGEST_LANES:
        limit = LONGEST_LANES / 1000
        raise OpenDriveError(f"at most {limit:.0f} km of lanes expected, got {lanes / 1000:.0f}")


def _check_shape(road: Element, name: str) -> None:
    """A road's reference line: at least one piece, of a known shape, at a finite place."""
    pieces = road.findall("planView/geometry")
    if not pieces:
        raise OpenDriveError(f"road {name!r}: a planView with a geometry expected, got none")
    for piece in pieces:
        where = f"road {name!r}, geometry"
        for key in ("s", "hdg", "length"):
            number(piece, key, where)
        for key in ("x", "y"):
            if abs(value := number(piece, key, where)) > FARTHEST:
                raise OpenDriveError(
                    f"{where}: {key} within {FARTHEST:g} m expected, got {value:g}; "
                    "shift the map towards its origin"
                )
        if not any(piece.find(shape) is not None for shape in SHAPES):
            raise OpenDriveError(f"{where}: one of {', '.join(SHAPES)} expected, got none")
        if (spiral := piece.find("spiral")) is not None:
            for key in ("curvStart", "curvEnd"):
                number(spiral, key, f"road {name!r}, spiral")


def _lane_numbers(road: Element, name: str) -> list[str]:
    """The types of a road's lanes beside the middle one, in its widest section."""
    sections = road.findall("lanes/laneSection")
    if not sections:
        raise OpenDriveError(f"road {name!r}: a laneSection expected, got none")
    widest: list[str] = []
    for section in sections:
        number(section, "s", f"road {name!r}, laneSection")
        lanes = [*section.findall("left/lane"), *section.findall("right/lane")]
        for lane in lanes:
            number(lane, "id", f"road {name!r}, lane")
        if len(lanes) >= len(widest):
            widest = [lane.get("type", "none") for lane in lanes]
    return widest


def number(element: Element, key: str, where: str) -> float:
    """Return an attribute that must be a finite number."""
    text = element.get(key, "")
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise OpenDriveError(f"{where}: a number as {key} expected, got {text!r}")
    return value
