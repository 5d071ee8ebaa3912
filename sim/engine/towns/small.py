"""The small town: two signalled crossroads, four streets, no dead end.

```
   +----------------- outer street, 50 km/h ------------------+     y = 190
   |                                                          |
   |            +------ north street, 40 km/h -----+          |     y = 120
   |            |                                  |          |
   +------------A------- middle street, 30 --------B----------+     y = 0
                |                                  |
                +------ south street, 40 km/h -----+                y = -140
  x = -235     -110                               110        235
```
"""

from __future__ import annotations

from sim.engine.towns.network import EAST, KMH, NORTH, SOUTH, WEST, Network, Profile
from sim.engine.towns.plan import Plan, finished
from sim.engine.towns.roads import DRIVING, PAVEMENT

WEST_JUNCTION_X, EAST_JUNCTION_X = -110.0, 110.0  # m; the side streets are 220 m apart
NORTH_Y, SOUTH_Y, OUTER_Y = 120.0, -140.0, 190.0  # m
OUTER_X = 235.0  # m
JUNCTION_RADIUS = 12.0  # m, so a right turn is driven at a 10 m radius
OUTER_CORNER_RADIUS = 22.0  # m


def small_town() -> Plan:
    """The roads and junctions of the town."""
    network = Network()
    west = network.node(WEST_JUNCTION_X, 0.0, JUNCTION_RADIUS)
    east = network.node(EAST_JUNCTION_X, 0.0, JUNCTION_RADIUS)
    network.street(west, EAST, east, WEST, _street(30))
    for direction, y in ((NORTH, NORTH_Y), (SOUTH, SOUTH_Y)):
        corners = ((west.x, y), (east.x, y))
        network.street(west, direction, east, direction, _street(40), corners)
    x, y = OUTER_X, OUTER_Y
    outer = ((-x, 0.0), (-x, y), (x, y), (x, 0.0))
    network.street(west, WEST, east, EAST, _street(50), outer, radius=OUTER_CORNER_RADIUS)
    # up the west side street, along the north, down the east side, back by the south
    return finished(Plan(network, loop=((2, -1), (3, 1))))


def _street(speed_kmh: float) -> Profile:
    return Profile((DRIVING, PAVEMENT), (DRIVING, PAVEMENT), speed_kmh * KMH)
