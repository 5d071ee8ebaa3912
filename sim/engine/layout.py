"""The plan of the town's streets: two signalled crossroads, four streets, no dead end.

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

from sim.engine.roads import Arm, Junction, Link, Network, Road, Signal, rounded

EAST, NORTH, WEST, SOUTH = range(4)
KMH = 1 / 3.6  # m/s

WEST_JUNCTION_X, EAST_JUNCTION_X = -110.0, 110.0  # m; the side streets are 220 m apart
NORTH_Y, SOUTH_Y, OUTER_Y = 120.0, -140.0, 190.0  # m
OUTER_X = 235.0  # m
JUNCTION_RADIUS = 12.0  # m, so a right turn is driven at a 10 m radius
CORNER_RADIUS = 16.0  # m at the reference line
OUTER_CORNER_RADIUS = 22.0  # m
CROSSING_DISTANCE = 2.7  # m from a junction's edge to the middle of its crossing
CROSSING_WIDTH = 3.0  # m
STOP_DISTANCE = 5.5  # m from a junction's edge to where one stops, 1.3 m before the crossing
TWO_WAY = (2, 1, -1, -2)


def street_plan() -> Network:
    """The roads and junctions of the town."""
    west = Junction(100, WEST_JUNCTION_X, 0.0, JUNCTION_RADIUS)
    east = Junction(200, EAST_JUNCTION_X, 0.0, JUNCTION_RADIUS)
    streets = [
        _street(1, west, EAST, [], east, WEST, 30 * KMH),
        _street(2, west, NORTH, [(west.x, NORTH_Y), (east.x, NORTH_Y)], east, NORTH, 40 * KMH),
        _street(3, west, SOUTH, [(west.x, SOUTH_Y), (east.x, SOUTH_Y)], east, SOUTH, 40 * KMH),
        _street(
            4,
            west,
            WEST,
            [(-OUTER_X, 0.0), (-OUTER_X, OUTER_Y), (OUTER_X, OUTER_Y), (OUTER_X, 0.0)],
            east,
            EAST,
            50 * KMH,
            OUTER_CORNER_RADIUS,
        ),
    ]
    roads = {road.id: road for road in streets}
    for junction in (west, east):
        junction.connect(junction.id + 1, 30 * KMH)
        _signal(junction)
        roads |= {road.id: road for road in junction.connections.values()}
    return Network(roads, [west, east])


def _street(
    road_id: int,
    start: Junction,
    leaves: int,
    corners: list[tuple[float, float]],
    end: Junction,
    arrives: int,
    speed_limit: float,
    corner_radius: float = CORNER_RADIUS,
) -> Road:
    """A two-way street with pavements from one junction's arm to another's."""
    points = [start.edge(leaves), *corners, end.edge(arrives)]
    road = Road(
        road_id,
        rounded(points, corner_radius),
        TWO_WAY,
        speed_limit,
        predecessor=Link("junction", start.id),
        successor=Link("junction", end.id),
    )
    start.arms[leaves] = Arm(leaves, road, "start")
    end.arms[arrives] = Arm(arrives, road, "end")
    return road


def _signal(junction: Junction) -> None:
    """Give every arm of a junction a light and a marked crossing."""
    for direction, arm in junction.arms.items():
        signal = Signal(str(junction.id * 10 + direction), arm.station(STOP_DISTANCE), arm.lane_in)
        arm.road.signals.append(signal)
        arm.road.crossings.append(arm.station(CROSSING_DISTANCE))
        for (arrives, _), connection in junction.connections.items():
            if arrives == direction:
                connection.signal_reference = signal.id
