r"""The motorway: two interchanges with ramps, country roads on both sides, hills in the north.

```
      north country road through the hills
   +--..--------+ J --------..-------- J +-------..--+
   |           / \                      / \          |
   W==========+===+====================+===+=========E    two carriageways, 120 km/h
   |           \ /                      \ /          |
   +--..--------+ J ---..-- village -..-- J +----..--+
      south country road
```

Every on-ramp brings a lane of its own: from the first interchange it leads to the next off-ramp,
from the second to the lights at the end.
"""

from __future__ import annotations

import math

from sim.engine.lanes import Approach
from sim.engine.towns.junctions import Junction, Turn
from sim.engine.towns.network import (
    EAST,
    KMH,
    NORTH,
    SOUTH,
    WEST,
    Network,
    Node,
    Point,
    Profile,
)
from sim.engine.towns.plan import Plan, finished
from sim.engine.towns.relief import Relief
from sim.engine.towns.roads import DRIVING, MARGIN, PAVEMENT, SHOULDER, Road

END_X, END_RADIUS = 760.0, 24.0  # m
REFERENCE_Y = 3.0  # m from the middle of the median to a carriageway's reference line
NOSE_LENGTH = 60.0  # m in which a ramp parts from the carriageway or joins it
RAMP_Y, RAMP_TURN = 14.0, 0.14  # m from the median, rad, where a ramp begins
INTERCHANGE_X, INTERCHANGE_Y = 300.0, 110.0  # m
RAMP_APART = 4.0  # m from the interchange's middle to the reference line of a ramp
RAMP_RADIUS = 40.0  # m
COUNTRY_RADIUS = 160.0  # m of bends
HILLS = Relief(amplitude=9.0, level_below=130.0)

ENDS: tuple[Approach, ...] = ("", "", "", "", "light")  # what rules at sections' ends
CARRIAGEWAY = Profile((MARGIN,), (DRIVING, DRIVING, SHOULDER), 120 * KMH, "motorway")
WITH_RAMP_LANE = Profile((MARGIN,), (DRIVING, DRIVING, DRIVING, SHOULDER), 120 * KMH, "motorway")
TO_LIGHTS = Profile((MARGIN,), (DRIVING, DRIVING, DRIVING, SHOULDER), 80 * KMH, "motorway")
RAMP = Profile((MARGIN,), (DRIVING, MARGIN), 50 * KMH, "rural")
COUNTRY = Profile((DRIVING, MARGIN), (DRIVING, MARGIN), 60 * KMH, "rural")
VILLAGE = Profile((DRIVING, PAVEMENT), (DRIVING, PAVEMENT), 50 * KMH, "suburb")

SOUTH_WEST = ((-760.0, -120.0), (-610.0, -200.0), (-450.0, -110.0))
SOUTH_EAST = ((450.0, -110.0), (600.0, -190.0), (760.0, -130.0))
TO_VILLAGE = ((-210.0, -110.0), (-160.0, -210.0))
FROM_VILLAGE = ((160.0, -210.0), (210.0, -110.0))
NORTH_WEST = ((-760.0, 150.0), (-650.0, 320.0), (-500.0, 300.0), (-450.0, 110.0))
NORTH_MIDDLE = ((-150.0, 110.0), (-120.0, 280.0), (10.0, 370.0), (130.0, 270.0), (160.0, 110.0))
NORTH_EAST = ((460.0, 110.0), (510.0, 300.0), (640.0, 330.0), (760.0, 160.0))
HOUSES = (
    (-560.0, 352.0, 0.2), (-530.0, 378.0, 1.7), (-60.0, 372.0, 0.5), (-28.0, 398.0, 2.0),
    (120.0, 330.0, -0.6), (560.0, 350.0, 0.3), (590.0, 378.0, 1.8), (-540.0, -112.0, 0.4),
    (-512.0, -96.0, 1.9), (540.0, -104.0, -0.4), (640.0, -232.0, 0.1), (670.0, -250.0, 1.6),
)  # fmt: skip
WOODS = (
    (-700.0, 260.0, 45.0), (-400.0, 330.0, 60.0), (-235.0, 215.0, 55.0), (-30.0, 265.0, 60.0),
    (240.0, 260.0, 55.0), (405.0, 250.0, 45.0), (690.0, 300.0, 45.0), (-690.0, -90.0, 35.0),
    (-380.0, -200.0, 50.0), (380.0, -190.0, 50.0), (700.0, -80.0, 30.0), (0.0, -95.0, 45.0),
)  # fmt: skip


def motorway_town() -> Plan:
    """The roads and junctions of the town."""
    network = Network(relief=HILLS)
    west = network.node(-END_X, 0.0, END_RADIUS, 50 * KMH)
    east = network.node(END_X, 0.0, END_RADIUS, 50 * KMH)
    country: dict[tuple[int, int], Node] = {}
    motorway: list[Road] = []
    for half, start, end in ((1, west, east), (-1, east, west)):
        for place in (-1, 1):
            country[half, place] = network.node(
                half * place * INTERCHANGE_X, -half * INTERCHANGE_Y, 17.0, 50 * KMH
            )
        motorway += _carriageway(network, half, (start, end), country)
    _south_road(network, west, east, country)
    _north_road(network, west, east, country)
    sides = tuple((road.id, side) for road in motorway for side in (1, -1))
    gantries = tuple((road.id, road.length * 0.6) for road in motorway if road.length > 150.0)
    loop = ((motorway[0].id, -1), (motorway[2].id, -1), (motorway[4].id, -1))
    return finished(Plan(network, loop, HOUSES, WOODS, sides, gantries))


def _carriageway(
    network: Network, half: int, ends: tuple[Node, Node], country: dict[tuple[int, int], Node]
) -> list[Road]:
    """One carriageway with its ramps: eastbound for half 1, westbound (turned round) for -1."""
    stations = (-420.0, -180.0, 180.0, 420.0)
    noses = [network.junction(100 * KMH, has_crossings=False) for _ in stations]
    marks = [-END_X + END_RADIUS]
    for x in stations:
        marks += [x - NOSE_LENGTH / 2, x + NOSE_LENGTH / 2]
    marks.append(END_X - END_RADIUS)
    joints = [ends[0].junction, *noses, ends[1].junction]
    profiles = (CARRIAGEWAY, CARRIAGEWAY, WITH_RAMP_LANE, CARRIAGEWAY, TO_LIGHTS)
    roads = []
    for k, profile in enumerate(profiles):
        points = [_turned(half, marks[2 * k + i], -REFERENCE_Y) for i in (0, 1)]
        end: Approach = ENDS[k]
        roads.append(network.road(points, joints[k], joints[k + 1], profile, control=("", end)))
    for k, x in enumerate(stations):
        node = country[half, -1 if k < 2 else 1]
        ramp = (_off_ramp if k % 2 == 0 else _on_ramp)(network, half, x, noses[k], node)
        _join(noses[k], roads[k], roads[k + 1], ramp, is_off=k % 2 == 0)
    return roads


def _turned(half: int, x: float, y: float) -> Point:
    return half * x, half * y


def _off_ramp(network: Network, half: int, x: float, nose: Junction, node: Node) -> Road:
    x0, foot = x + NOSE_LENGTH / 2, half * node.x - RAMP_APART
    corner = -RAMP_Y - (foot - x0) * math.tan(RAMP_TURN)
    points = [(x0, -RAMP_Y), (foot, corner), (foot, half * node.y + node.radius)]
    return network.road(
        [_turned(half, *point) for point in points], nose, node.junction, RAMP, RAMP_RADIUS,
        ("", "stop"),
    )  # fmt: skip


def _on_ramp(network: Network, half: int, x: float, nose: Junction, node: Node) -> Road:
    x1, foot = x - NOSE_LENGTH / 2, half * node.x + RAMP_APART
    corner = -RAMP_Y - (x1 - foot) * math.tan(RAMP_TURN)
    points = [(foot, half * node.y + node.radius), (foot, corner), (x1, -RAMP_Y)]
    return network.road(
        [_turned(half, *point) for point in points], node.junction, nose, RAMP, RAMP_RADIUS
    )


def _join(nose: Junction, before: Road, after: Road, ramp: Road, *, is_off: bool) -> None:
    """Lead every lane on, and the outermost to or from the ramp."""
    nose.sort_arms()
    arms = {arm.road.id: k for k, arm in enumerate(nose.arms)}
    lanes_in, lanes_out = before.numbers("driving"), after.numbers("driving")
    turns = [Turn(arms[before.id], n, arms[after.id], n) for n in lanes_in if n in lanes_out]
    if is_off:
        turns.append(Turn(arms[before.id], lanes_in[-1], arms[ramp.id], -1))
    else:
        turns.append(Turn(arms[ramp.id], -1, arms[after.id], lanes_out[-1]))
    nose.connect(turns)


def _south_road(
    network: Network, west: Node, east: Node, country: dict[tuple[int, int], Node]
) -> None:
    first, second = country[1, -1], country[1, 1]
    entry = network.node(-110.0, -210.0, 14.0)
    leave = network.node(110.0, -210.0, 14.0)
    r = COUNTRY_RADIUS
    light: Approach = "light"
    priority: Approach = "priority"
    network.street(west, SOUTH, first, WEST, COUNTRY, SOUTH_WEST, radius=r,
                   control=(light, priority))  # fmt: skip
    network.street(first, EAST, entry, WEST, COUNTRY, TO_VILLAGE, radius=r,
                   control=(priority, priority))  # fmt: skip
    network.street(entry, EAST, leave, WEST, VILLAGE, control=(priority, priority))
    network.street(entry, SOUTH, leave, SOUTH, VILLAGE, ((-110.0, -290.0), (110.0, -290.0)),
                   control=("stop", "yield"))  # fmt: skip
    network.street(leave, EAST, second, WEST, COUNTRY, FROM_VILLAGE, radius=r,
                   control=(priority, priority))  # fmt: skip
    network.street(second, EAST, east, SOUTH, COUNTRY, SOUTH_EAST, radius=r,
                   control=(priority, light))  # fmt: skip


def _north_road(
    network: Network, west: Node, east: Node, country: dict[tuple[int, int], Node]
) -> None:
    first, second = country[-1, 1], country[-1, -1]
    r = COUNTRY_RADIUS
    network.street(west, NORTH, first, WEST, COUNTRY, NORTH_WEST, radius=r,
                   control=("light", "priority"))  # fmt: skip
    network.street(first, EAST, second, WEST, COUNTRY, NORTH_MIDDLE, radius=r,
                   control=("priority", "priority"))  # fmt: skip
    network.street(second, EAST, east, NORTH, COUNTRY, NORTH_EAST, radius=r,
                   control=("priority", "light"))  # fmt: skip
