#!/usr/bin/env python3
"""Writes the OpenDRIVE files beside it with scenariogeneration: `python make_maps.py [FOLDER]`."""

import sys
from pathlib import Path

import numpy as np
from scenariogeneration import xodr

BROKEN = xodr.RoadMark(xodr.RoadMarkType.broken, 0.12, color=xodr.RoadMarkColor.yellow)
SOLID = xodr.RoadMark(xodr.RoadMarkType.solid, 0.12)


def lane(kind, width, mark=None):
    made = xodr.Lane(lane_type=getattr(xodr.LaneType, kind), a=width)
    if mark is not None:
        made.add_roadmark(mark)
    return made


def street_section(s=0.0):
    """One lane, a shoulder and a pavement each way."""
    centre = lane("none", 0.0, BROKEN)
    section = xodr.LaneSection(s, centre)
    for add in (section.add_right_lane, section.add_left_lane):
        add(lane("driving", 3.5, SOLID))
        add(lane("shoulder", 0.6))
        add(lane("sidewalk", 2.2))
    return section


def road(number, geometry, section, speed=50):
    """A road of one piece of reference line."""
    view = xodr.PlanView()
    view.add_geometry(geometry)
    lanes = xodr.Lanes()
    lanes.add_lanesection(section)
    made = xodr.Road(number, view, lanes)
    made.add_type(xodr.RoadType.town, 0, speed=speed, speed_unit="km/h")
    return made


def ring():
    """A closed street: two straights of 121 m and two half circles, a light, signs, a crosswalk."""
    shapes = [xodr.Line(121), xodr.Arc(1 / 30, angle=np.pi)] * 2
    roads = [road(k + 1, shape, street_section()) for k, shape in enumerate(shapes)]
    for k, one in enumerate(roads):
        after, before = roads[(k + 1) % 4], roads[k - 1]
        one.add_successor(xodr.ElementType.road, after.id, xodr.ContactPoint.start)
        one.add_predecessor(xodr.ElementType.road, before.id, xodr.ContactPoint.end)
    limit = xodr.Signal(20, -5.2, "DE", "274", "50", 7, value=30, unit="km/h")
    light = xodr.Signal(100, -5.2, "OpenDRIVE", "1000001", "-1", 8, dynamic=xodr.Dynamic.yes)
    limit.add_validity(-1, -1)
    light.add_validity(-1, -1)
    stop = xodr.Signal(  # no validity: CARLA takes "-" for the lanes right of the reference line
        100, -5.2, "DE", "206", "-1", 9, orientation=xodr.Orientation.negative
    )
    roads[0].add_signal(limit)
    roads[0].add_signal(light)
    roads[2].add_signal(stop)
    roads[0].add_object(crosswalk(60))
    return roads


def crosswalk(s):
    """A zebra crossing of 3 m from kerb to kerb."""
    made = xodr.Object(
        s, 0, Type=xodr.ObjectType.crosswalk, name="zebra", id="1", length=8, width=3
    )
    outline = xodr.Outline(outer=True, closed=True)
    for u, v in ((-1.5, -4.1), (1.5, -4.1), (1.5, 4.1), (-1.5, 4.1)):
        outline.add_corner(xodr.CornerLocal(u, v, 0, 0))
    made.add_outline(outline)
    return made


def motorway():
    """Two lanes that become three, on a hill: lane sections, widths, elevation."""
    view = xodr.PlanView()
    view.add_geometry(xodr.Line(401))
    sections = []
    for s, count, first, slope in ((0, 2, 0, 0), (150, 3, 0.0, 3.75 / 150), (300, 3, 3.75, 0.0)):
        section = xodr.LaneSection(s, lane("none", 0.0, SOLID))
        for _ in range(2):
            section.add_right_lane(lane("driving", 3.75, BROKEN))
        if count == 3:
            widening = xodr.Lane(lane_type=xodr.LaneType.driving, a=first, b=slope)
            widening.add_roadmark(SOLID)
            section.add_right_lane(widening)
        section.add_right_lane(lane("shoulder", 2.5))
        sections.append(section)
    linker = xodr.LaneLinker()
    for before, after, pairs in (
        (sections[0], sections[1], [(0, 0), (1, 1), (2, 3)]),
        (sections[1], sections[2], [(0, 0), (1, 1), (2, 2), (3, 3)]),
    ):
        for a, b in pairs:
            linker.add_link(before.rightlanes[a], after.rightlanes[b])
    lanes = xodr.Lanes()
    for section in sections:
        lanes.add_lanesection(section, linker)
    made = xodr.Road(1, view, lanes)
    made.add_type(xodr.RoadType.motorway, 0)
    made.add_elevation(0, 10, 0.04, 0, 0)
    return [made]


def crossroads():
    """Four arms and a junction with all its turns, nobody told who goes first."""
    junction = xodr.CommonJunctionCreator(id=100, name="crossroads", startnum=1000)
    arms = []
    for k in range(4):
        arm = xodr.create_road(xodr.Line(81), id=k + 1, left_lanes=1, right_lanes=1, lane_width=3.5)
        junction.add_incoming_road_circular_geometry(
            arm, radius=15, angle=k * np.pi / 2, road_connection="successor"
        )
        arms.append(arm)
    for a in range(4):
        for b in range(a + 1, 4):
            junction.add_connection(arms[a].id, arms[b].id)
    return arms, junction


def write(folder, name, roads, junction=None):
    """Write one file."""
    drive = xodr.OpenDrive(name)
    for one in roads:
        drive.add_road(one)
    if junction is not None:
        drive.add_junction_creator(junction)
    drive.adjust_startpoints()
    if junction is not None:
        drive.adjust_roads_and_lanes()
    elif len(roads) > 1:
        for one, after in zip(roads, [*roads[1:], roads[0]], strict=True):
            xodr.create_lane_links(one, after)
    drive.write_xml(str(Path(folder) / f"{name}.xodr"))


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent
    write(folder, "ring", ring())
    write(folder, "motorway", motorway())
    write(folder, "crossroads", *crossroads())


if __name__ == "__main__":
    main()
