"""The mixed town: a centre, a suburb of houses, a dual carriageway, a roundabout between them.

```
   a suburb of houses      b        centre       c
   +-----T--------T        |   +-----+-----+
   |     |        |        |   |     |     |
   +-----+--------+---- roundabout --+-----+      y = 0
         |        |        |   |     |     |
         +--------+        |   +-----+-----+
                           |
              dual carriageway back to the suburb and the centre, 70 km/h
```
"""

from __future__ import annotations

from sim.engine.lanes import Approach
from sim.engine.towns.network import EAST, KMH, NORTH, SOUTH, WEST, Network, Node, Profile
from sim.engine.towns.plan import Plan, finished
from sim.engine.towns.roads import DRIVING, MEDIAN, PARKING, PAVEMENT

RADIUS, WIDE_RADIUS, ROUND_RADIUS = 14.0, 19.0, 31.0  # m
YARD = Profile((DRIVING, PAVEMENT), (DRIVING, PAVEMENT), 30 * KMH, "suburb")
LINK = Profile((DRIVING, PAVEMENT), (DRIVING, PAVEMENT), 50 * KMH, "suburb")
KERBSIDE = (DRIVING, PARKING, PAVEMENT)
CENTRE = Profile(KERBSIDE, KERBSIDE, 30 * KMH, "centre")
HALF = (MEDIAN, DRIVING, DRIVING, PAVEMENT)
DUAL = Profile(HALF, HALF, 70 * KMH, "suburb")
WOODS = ((-60.0, 150.0, 40.0), (-40.0, -130.0, 40.0), (60.0, -300.0, 60.0), (-330.0, -230.0, 50.0))

Two = tuple[Approach, Approach]
FIRST: Two = ("priority", "priority")
LIGHTS: Two = ("light", "light")


def mixed_town() -> Plan:
    """The roads and junctions of the town."""
    network = Network()
    roundabout = network.node(0.0, 0.0, ROUND_RADIUS, is_roundabout=True)
    suburb = _suburb(network)
    centre = _centre(network)
    network.street(suburb["east"], EAST, roundabout, WEST, LINK, control=("priority", "yield"))
    network.street(roundabout, EAST, centre[0, 1], WEST, LINK, control=("yield", "light"))
    _dual_carriageway(network, roundabout, suburb, centre)
    loop = ((1, -1), (network_road(network, roundabout, centre[0, 1]), -1))
    return finished(Plan(network, loop, woods=WOODS))


def network_road(network: Network, start: Node, end: Node) -> int:
    """Id of the road from a junction to another."""
    for road in network.roads.values():
        links = [link.id for link in (road.predecessor, road.successor) if link is not None]
        if links == [start.junction.id, end.junction.id]:
            return road.id
    raise ValueError(f"no road from junction {start.junction.id} to {end.junction.id}")


def _suburb(network: Network) -> dict[str, Node]:
    """Quiet streets of houses; the road to the roundabout has priority."""
    west = network.node(-330.0, 0.0, RADIUS)
    east = network.node(-190.0, 0.0, RADIUS)
    north = network.node(-190.0, 140.0, RADIUS)
    south = network.node(-190.0, -120.0, RADIUS)
    network.street(west, EAST, east, WEST, LINK, control=FIRST)
    network.street(
        west, NORTH, north, WEST, YARD, ((-330.0, 140.0),), radius=22.0, control=("stop", "yield")
    )
    network.street(
        west, SOUTH, south, WEST, YARD, ((-330.0, -120.0),), radius=22.0, control=("yield", "yield")
    )
    network.street(east, NORTH, north, SOUTH, YARD, control=("stop", "priority"))
    network.street(east, SOUTH, south, NORTH, YARD, control=("stop", "priority"))
    network.street(
        west, WEST, north, NORTH, YARD, ((-440.0, 0.0), (-440.0, 250.0), (-190.0, 250.0)),
        radius=30.0, control=("priority", "priority"),
    )  # fmt: skip
    return {"west": west, "east": east, "north": north, "south": south}


def _centre(network: Network) -> dict[tuple[int, int], Node]:
    """Three by three junctions, lights in the middle row, the others give way."""
    xs, ys = (170.0, 290.0, 410.0), (-120.0, 0.0, 120.0)
    nodes = {
        (i, j): network.node(x, y, RADIUS + 1.0) for j, y in enumerate(ys) for i, x in enumerate(xs)
    }
    for j in range(3):
        for i in range(2):
            control = LIGHTS if j == 1 else FIRST
            network.street(nodes[i, j], EAST, nodes[i + 1, j], WEST, CENTRE, control=control)
    for i in range(3):
        network.street(nodes[i, 0], NORTH, nodes[i, 1], SOUTH, CENTRE, control=("stop", "light"))
        network.street(nodes[i, 1], NORTH, nodes[i, 2], SOUTH, CENTRE, control=("light", "yield"))
    return nodes


def _dual_carriageway(
    network: Network, roundabout: Node, suburb: dict[str, Node], centre: dict[tuple[int, int], Node]
) -> None:
    """From the centre's south east round the south to the suburb; a spur to the roundabout."""
    south = network.node(0.0, -230.0, WIDE_RADIUS + 2.0, 50 * KMH)
    network.street(
        south, EAST, centre[2, 0], EAST, DUAL, ((500.0, -230.0), (500.0, -120.0)), radius=40.0,
        control=("light", "priority"),
    )  # fmt: skip
    network.street(
        suburb["south"], SOUTH, south, WEST, DUAL, ((-190.0, -230.0),), radius=40.0,
        control=("priority", "light"),
    )  # fmt: skip
    network.street(south, NORTH, roundabout, SOUTH, LINK, control=("light", "yield"))
    network.street(
        roundabout, NORTH, centre[0, 2], NORTH, LINK, ((0.0, 210.0), (170.0, 210.0)), radius=30.0,
        control=("yield", "yield"),
    )  # fmt: skip
