"""The dense town: sixteen blocks, an avenue with lights, one-way streets, cars along the kerbs.

```
   +----T------T------T------+    y = 220   outer ring, 50 km/h, side streets give way
   |    |      |      |      |
   T----+------+------+------T    y = 110   one way west, 30 km/h, stops at the cross street
   |    |      |      |      |
   L====L======L======L======L    y = 0     avenue, 2 + 2 lanes, 50 km/h, lights
   |    |      |      |      |
   T----+------+------+------T    y = -110  one way east
   |    |      |      |      |
   +----T------T------T------+    y = -220
 x=-230                     230
```
"""

from __future__ import annotations

from sim.engine.lanes import Approach
from sim.engine.towns.network import EAST, KMH, NORTH, SOUTH, WEST, Network, Node, Profile
from sim.engine.towns.plan import Plan, finished
from sim.engine.towns.roads import DRIVING, MEDIAN, PARKING, PAVEMENT

XS = (-230.0, -115.0, 0.0, 115.0, 230.0)  # m, the streets that run north
YS = (-220.0, -110.0, 0.0, 110.0, 220.0)  # m, the streets that run east
AVENUE = 2  # index of the avenue among `YS`, and of the cross street among `XS`
RADIUS, AVENUE_RADIUS = 15.0, 19.0  # m of junctions
ONE_WAY_SHIFT = 4.6  # m; half of two lanes and one row of parked cars

BOTH = Profile((DRIVING, PAVEMENT), (DRIVING, PAVEMENT), 50 * KMH, "dense")
KERBSIDE = (DRIVING, PARKING, PAVEMENT)
STREET = Profile(KERBSIDE, KERBSIDE, 30 * KMH, "dense")
CROSS_STREET = Profile(KERBSIDE, KERBSIDE, 40 * KMH, "centre")
AVENUE_SIDE = (MEDIAN, DRIVING, DRIVING, PAVEMENT)
AVENUE_PROFILE = Profile(AVENUE_SIDE, AVENUE_SIDE, 50 * KMH, "centre")
ONE_WAY = Profile((PAVEMENT,), (DRIVING, DRIVING, PARKING, PAVEMENT), 30 * KMH, "dense")

Grid = dict[tuple[int, int], Node]


def dense_town() -> Plan:
    """The roads and junctions of the town."""
    network = Network()
    last = len(XS) - 1
    corners = {(i, j) for i in (0, last) for j in (0, last)}
    nodes: Grid = {
        (i, j): network.node(x, y, AVENUE_RADIUS if j == AVENUE else RADIUS)
        for j, y in enumerate(YS)
        for i, x in enumerate(XS)
        if (i, j) not in corners
    }
    for j in range(1, last):
        for i in range(last):
            _eastward(network, nodes, i, j)
    for i in range(1, last):
        for j in range(last):
            profile = CROSS_STREET if i == AVENUE else STREET
            control = (_control(i, j, is_north=True), _control(i, j + 1, is_north=True))
            network.street(nodes[i, j], NORTH, nodes[i, j + 1], SOUTH, profile, control=control)
    _outer_ring(network, nodes)
    return finished(Plan(network, loop=_loop(network, nodes)))


def _eastward(network: Network, nodes: Grid, i: int, j: int) -> None:
    west, east = nodes[i, j], nodes[i + 1, j]
    control = (_control(i, j, is_north=False), _control(i + 1, j, is_north=False))
    if j == AVENUE:
        network.street(west, EAST, east, WEST, AVENUE_PROFILE, control=control)
    elif j > AVENUE:
        network.street(east, WEST, west, EAST, ONE_WAY, control=control[::-1], shift=ONE_WAY_SHIFT)
    else:
        network.street(west, EAST, east, WEST, ONE_WAY, control=control, shift=ONE_WAY_SHIFT)


def _control(i: int, j: int, *, is_north: bool) -> Approach:
    """What rules for a street that runs north (or east) at a junction."""
    if j == AVENUE:
        return "light"
    if i in (0, len(XS) - 1) or j in (0, len(YS) - 1):
        return "yield" if (i + j) % 2 else "stop"
    if i == AVENUE:
        return "priority" if is_north else "stop"
    return "yield" if is_north else "priority"


def _outer_ring(network: Network, nodes: Grid) -> None:
    """The road round the town; it has priority, but for lights at the avenue."""
    last = len(XS) - 1
    for j in (0, last):
        for i in range(1, last - 1):
            network.street(
                nodes[i, j], EAST, nodes[i + 1, j], WEST, BOTH, control=("priority", "priority")
            )
    for i in (0, last):
        for j in range(1, last - 1):
            control: tuple[Approach, Approach] = (
                "light" if j == AVENUE else "priority",
                "light" if j + 1 == AVENUE else "priority",
            )
            network.street(
                nodes[i, j], NORTH, nodes[i, j + 1], SOUTH, BOTH,
                control=control,
            )  # fmt: skip
    for i, j in ((0, 0), (last, 0), (0, last), (last, last)):
        beside = nodes[1 if i == 0 else last - 1, j]
        above = nodes[i, 1 if j == 0 else last - 1]
        leaves, arrives = (WEST if i == 0 else EAST), (SOUTH if j == 0 else NORTH)
        network.street(
            beside, leaves, above, arrives, BOTH, ((XS[i], YS[j]),), radius=22.0,
            control=("priority", "priority"),
        )  # fmt: skip


def _loop(network: Network, nodes: Grid) -> tuple[tuple[int, int], ...]:
    """Along the avenue east, up, back west one way, and down the west side."""
    stops = []
    for start, end in (((1, 2), (2, 2)), ((2, 2), (3, 2)), ((3, 2), (3, 3)), ((2, 3), (1, 3))):
        stops.append(_lane(network, nodes[start], nodes[end]))
    stops.append(_lane(network, nodes[1, 3], nodes[1, 2]))
    return tuple(stops)


def _lane(network: Network, start: Node, end: Node) -> tuple[int, int]:
    """The outermost driving lane from a junction to the next."""
    for road in network.roads.values():
        ends = (road.predecessor, road.successor)
        ids = [link.id for link in ends if link is not None]
        for side, pair in ((-1, (start, end)), (1, (end, start))):
            if ids == [node.junction.id for node in pair] and road.numbers("driving", side):
                return road.id, road.numbers("driving", side)[-1]
    raise ValueError(f"no street from junction {start.junction.id} to {end.junction.id}")
