"""Makes an engine town of a user's OpenDRIVE, for `generate_opendrive_world`."""

from __future__ import annotations

import math
from collections import deque

from sim.carla_server.opendrive.footways import Crosswalks, pavements, walker_points
from sim.carla_server.opendrive.graph import lane_graph
from sim.carla_server.opendrive.junctions import junction_floors
from sim.carla_server.opendrive.paving import lane_surfaces
from sim.carla_server.opendrive.reading import read_opendrive
from sim.carla_server.opendrive.signals import place_signals
from sim.carla_server.opendrive.terrain import Terrain
from sim.engine.geometry import Pose
from sim.engine.lanes import Lane, LaneGraph, LaneId
from sim.engine.surfaces import ROAD_TAG, Area
from sim.engine.town import Town
from sim.engine.town_names import FOLDER

SPAWN_ENTRY, SPAWN_SPACING = 5.0, 40.0  # m from a lane's beginning, and between points
SPAWN_HEIGHT = 0.3  # m over the ground, so that no wheel starts below it
NARROWEST_SPAWN = 1.9  # m of lane
MOST_SPAWNS = 5000
SHORTEST_LOOP, LONGEST_LOOP = 200.0, 5000.0  # m
LAND_CELL = 10.0  # m of the land's mesh
LOOP_STARTS = 40  # lanes from which a way back is looked for


def town_from_opendrive(xodr: str, name: str = "OpenDriveMap", *, wall_height: float = 0.0) -> Town:
    """Return the town of a user's OpenDRIVE; takes a second and about 5 s per 100 km of lanes.

    The parser works in a process of its own. Call this without any lock: nothing is shared.

    Args:
        xodr: the file's text.
        name: of the map, as clients shall see it after `Carla/Maps/`.
        wall_height: metres of the walls at the edges of roads outside junctions; 0 for none.

    Raises:
        OpenDriveError: no town can be made of it; its text is the real server's, with the reason.
    """
    survey = read_opendrive(xodr)
    graph = lane_graph(survey)
    lights, signs = place_signals(survey, graph)
    terrain, floors = Terrain(graph), junction_floors(graph)
    ways, crosswalks = pavements(graph), Crosswalks(survey, graph)
    known = {floor.id for floor in floors}
    surfaces = lane_surfaces(
        survey, graph, terrain, floors=known, wall_height=max(wall_height, 0.0)
    )
    surfaces += [Area(floor.outline, "junction", ROAD_TAG) for floor in floors]
    return Town(
        name=FOLDER + name,
        seed=1,
        opendrive=survey.opendrive,
        lanes=graph,
        spawn_points=_spawn_points(graph),
        walker_spawn_points=walker_points(ways),
        loop=_loop(graph),
        junctions=floors,
        surfaces=surfaces + crosswalks.bars(),
        land_height=terrain.height,
        land_cell=LAND_CELL,
        traffic_lights=lights,
        signs=signs,
        pavements=ways,
        crossings=crosswalks.crossings(ways),
    )


def _spawn_points(graph: LaneGraph) -> list[Pose]:
    """At the beginning of every driving lane outside junctions, as CARLA, and along long ones."""
    points: list[Pose] = []
    for lane in graph.lanes.values():
        if lane.kind != "driving" or lane.is_junction or lane.length < 2 * SPAWN_ENTRY:
            continue
        s = SPAWN_ENTRY
        while s < lane.length - SPAWN_ENTRY and len(points) < MOST_SPAWNS:
            if _width_at(lane, s) > NARROWEST_SPAWN:
                at = lane.pose_at(s)
                points.append(Pose(at.x, at.y, at.z + SPAWN_HEIGHT, at.yaw))
            s += SPAWN_SPACING
    return points


def _width_at(lane: Lane, s: float) -> float:
    if lane.widths is None:
        return lane.width
    k = min(range(len(lane.lengths)), key=lambda i: abs(lane.lengths[i] - s))
    return float(lane.widths[k])


def _loop(graph: LaneGraph) -> list[LaneId]:
    """A way that leads back to where it began, or nothing."""
    starts = [
        lane for lane in graph.lanes.values() if lane.kind == "driving" and not lane.is_junction
    ]
    step = max(1, len(starts) // LOOP_STARTS)
    best: tuple[float, list[LaneId]] = (math.inf, [])
    for lane in starts[::step]:
        way = _way_back(graph, lane)
        length = sum(graph.lanes[one].length for one in way)
        if SHORTEST_LOOP <= length < min(best[0], LONGEST_LOOP):
            best = (length, way)
    return best[1]


def _way_back(graph: LaneGraph, start: Lane) -> list[LaneId]:
    """The fewest lanes from a lane to itself."""
    before: dict[LaneId, LaneId] = {}
    queue = deque([start.id])
    while queue:
        here = queue.popleft()
        for name in graph.lanes[here].successors:
            if name == start.id:
                way = [here]
                while way[-1] != start.id:
                    way.append(before[way[-1]])
                return way[::-1]
            if name not in before:
                before[name] = here
                queue.append(name)
    return []
