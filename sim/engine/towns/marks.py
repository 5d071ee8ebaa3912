"""Which line is painted between two lanes, for the map and for the road alike."""

from __future__ import annotations

from sim.engine.towns.roads import Road

Mark = tuple[str, str]  # OpenDRIVE's type of line, and which lane changes it allows
NONE: Mark = ("none", "none")
SOLID: Mark = ("solid", "none")


def lane_mark(road: Road, number: int) -> Mark:
    """The line at the outer edge of a lane."""
    if road.junction_id >= 0:
        return NONE
    kind, outer = road.form(number).kind, number + (1 if number > 0 else -1)
    beyond = road.form(outer).kind if outer in road.lanes else "none"
    if kind == "driving":
        return ("broken", "both") if beyond == "driving" else SOLID
    if kind == "median" or (kind == "shoulder" and beyond == "driving"):
        return SOLID if beyond == "driving" else NONE
    return NONE


def middle_mark(road: Road) -> Mark:
    """The line at the reference line."""
    if road.junction_id >= 0:
        return ("none", "both")
    near = [road.form(n).kind for n in (1, -1) if n in road.lanes]
    if near == ["driving", "driving"]:
        return ("broken", "both")
    return SOLID if "driving" in near else NONE
