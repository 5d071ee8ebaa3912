"""Makes a town of a street plan: lanes, spawn points, lights, pavements, and what stands around."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from sim.engine.blocks import Furniture, Plots, place_buildings
from sim.engine.geometry import Pose
from sim.engine.lanes import LaneGraph, LaneId
from sim.engine.surfaces import KERB_HEIGHT
from sim.engine.town import Crossing, JunctionArea, Pavement, Town
from sim.engine.town_names import FOLDER, TownName
from sim.engine.towns.controls import place_lights, place_signs
from sim.engine.towns.countryside import (
    gantries,
    guard_rails,
    place_houses,
    plant_roadsides,
    plant_woods,
)
from sim.engine.towns.dense import dense_town
from sim.engine.towns.mixed import mixed_town
from sim.engine.towns.motorway import motorway_town
from sim.engine.towns.network import Network
from sim.engine.towns.opendrive import write_opendrive
from sim.engine.towns.painting import paint
from sim.engine.towns.paving import lay, patches
from sim.engine.towns.plan import CROSSING_WIDTH, Plan
from sim.engine.towns.small import small_town
from sim.engine.towns.street_furniture import park_cars, place_furniture, sign_posts

PLANS: dict[str, Callable[[], Plan]] = {
    "VdapTown01": small_town,
    "VdapTown02": dense_town,
    "VdapTown03": motorway_town,
    "VdapTown04": mixed_town,
}
SPAWN_SPACING = 20.0  # m along a lane
SPAWN_CLEARANCE = 12.0  # m from a lane's ends, so that nobody spawns on a crossing
SPAWN_HEIGHT = 0.3  # m over the ground, so that no wheel starts below it
SHORTEST_SPAWN_LANE = 30.0  # m
WALKER_SPACING = 15.0  # m between spawn points on pavements
WALKER_HEIGHT = 0.93  # m from the ground to the middle of a walker's body


def generate(name: TownName) -> Town:
    """The town of a plan and a seed."""
    plan, seed = PLANS[name.plan](), name.seed
    network = plan.network
    lanes = network.lane_graph()
    pavements = _pavements(lanes)
    characters = {road.id: road.character for road in network.roads.values()}
    land, rng = network.relief.height, random.Random(f"{seed} buildings")
    plots = place_buildings(lanes, dict(characters), land, rng)
    place_houses(plan, plots, land, rng)
    signs = place_signs(network, lanes)
    streets = [road for road in network.roads.values() if road.junction_id < 0]
    return Town(
        name=FOLDER + str(name),
        seed=seed,
        opendrive=write_opendrive(network, str(name)),
        lanes=lanes,
        spawn_points=_spawn_points(lanes),
        walker_spawn_points=_walker_points(pavements),
        loop=route_through(lanes, [LaneId(*lane) for lane in plan.loop]),
        junctions=[JunctionArea(one.id, one.outline()) for one in network.junctions],
        surfaces=[
            *lay(network),
            *paint(network),
            *(patch for road in streets for patch in patches(road, seed)),
        ],
        land_height=land,
        buildings=plots.placed,
        furniture=[*_things(plan, lanes, plots, seed), *sign_posts(signs)],
        traffic_lights=place_lights(network, lanes),
        signs=signs,
        pavements=pavements,
        crossings=_crossings(network, pavements),
    )


def _things(plan: Plan, lanes: LaneGraph, plots: Plots, seed: int) -> list[Furniture]:
    """All that stands on and beside the roads, but signs."""
    network = plan.network
    characters: dict[int, str] = {road.id: road.character for road in network.roads.values()}
    land, rng = network.relief.height, random.Random(f"{seed} furniture")
    roads = [road for road in network.roads.values() if road.junction_id < 0]
    return [
        *place_furniture(lanes, plots, characters, land, rng),
        *park_cars(roads, rng),
        *plant_woods(plan, lanes, plots, land, rng),
        *plant_roadsides(roads, lanes, plots, land, rng),
        *guard_rails(plan),
        *gantries(plan),
    ]


def _spawn_points(lanes: LaneGraph) -> list[Pose]:
    points: list[Pose] = []
    for lane in lanes.lanes.values():
        if lane.kind != "driving" or lane.is_junction or lane.length < SHORTEST_SPAWN_LANE:
            continue
        room = lane.length - 2 * SPAWN_CLEARANCE
        count = int(room // SPAWN_SPACING)
        for k in range(count + 1):
            at = lane.pose_at(SPAWN_CLEARANCE + room * k / max(count, 1))
            points.append(Pose(at.x, at.y, at.z + SPAWN_HEIGHT, at.yaw))
    return points


def _walker_points(pavements: list[Pavement]) -> list[Pose]:
    points: list[Pose] = []
    for ring in pavements:
        count = int(ring.length // WALKER_SPACING)
        for k in range(count):
            at = ring.at(ring.length * k / count)
            points.append(Pose(at.x, at.y, at.z + WALKER_HEIGHT, at.yaw))
    return points


def route_through(lanes: LaneGraph, stops: Sequence[LaneId]) -> list[LaneId]:
    """The closed route of fewest lanes through some lanes in turn."""
    route: list[LaneId] = []
    for k, start in enumerate(stops):
        route += _way(lanes, start, stops[(k + 1) % len(stops)])[:-1]
    return route


def _way(lanes: LaneGraph, start: LaneId, end: LaneId) -> list[LaneId]:
    """Fewest lanes from one to another, both included, at least two."""
    came_from: dict[LaneId, LaneId] = {}
    waiting = deque([start])
    while waiting:
        here = waiting.popleft()
        for after in lanes[here].successors:
            if after not in came_from:
                came_from[after] = here
                waiting.append(after)
        if end in came_from:
            break
    else:
        raise ValueError(f"no way from lane {start} to lane {end}")
    way = [end]
    while len(way) == 1 or way[-1] != start:
        way.append(came_from[way[-1]])
    return way[::-1]


def _along(line: NDArray[np.float64], x: float, y: float) -> float:
    """Metres along a line (N, 3) of its point nearest to (x, y)."""
    start, step = line[:-1, :2], np.diff(line[:, :2], axis=0)
    square = (step**2).sum(axis=1)
    share = np.clip((((x, y) - start) * step).sum(axis=1) / square, 0.0, 1.0)
    away = start + share[:, None] * step - (x, y)
    i = int((away**2).sum(axis=1).argmin())
    spans = np.linalg.norm(np.diff(line, axis=0), axis=1)
    return float(spans[:i].sum() + share[i] * spans[i])


def _pavements(lanes: LaneGraph) -> list[Pavement]:
    """The closed rings and the open stretches that pavement lanes form."""
    left = {lane.id: None for lane in lanes.lanes.values() if lane.kind == "pavement"}
    found: list[Pavement] = []
    while left:
        start = next(iter(left))
        for one in left:  # a stretch begins where nothing comes before
            if not lanes[one].predecessors:
                start = one
                break
        chain = [start]
        while (after := lanes[chain[-1]].successors[:1]) and after[0] != start:
            chain.append(after[0])
        for lane_id in chain:
            left.pop(lane_id)
        found.append(_joined(lanes, chain, is_ring=bool(after)))
    return found


def _joined(lanes: LaneGraph, chain: list[LaneId], *, is_ring: bool) -> Pavement:
    pieces = [lanes[lane_id].centre[:-1] for lane_id in chain]
    end = pieces[0][:1] if is_ring else lanes[chain[-1]].centre[-1:]
    centre = np.concatenate([*pieces, end])
    steps = np.linalg.norm(np.diff(centre, axis=0), axis=1)
    lengths = np.concatenate([[0.0], np.cumsum(steps)])
    return Pavement(tuple(chain), centre, lengths, lanes[chain[0]].width)


def _crossings(network: Network, pavements: list[Pavement]) -> list[Crossing]:
    """A crossing over every marked arm, with its place on the pavements it joins."""
    ring_of = {lane: k for k, ring in enumerate(pavements) for lane in ring.lanes}
    crossings: list[Crossing] = []
    for junction in network.junctions:
        for arm in junction.arms:
            if not (junction.has_crossings and arm.has_crossing):
                continue
            station = arm.road.crossings[0 if arm.contact == "start" else -1]
            points, rings, along = [], [], []
            for number in (arm.road.numbers("pavement", 1)[0], arm.road.numbers("pavement", -1)[0]):
                x, y, _ = arm.road.at(station, arm.road.middle(number))
                index = ring_of[LaneId(arm.road.id, number)]
                points.append((x, y, arm.road.relief.height(x, y) + KERB_HEIGHT))
                rings.append(index)
                along.append(_along(pavements[index].centre, x, y))
            crossings.append(
                Crossing(
                    ends=(points[0], points[1]),
                    pavements=(rings[0], rings[1]),
                    along=(along[0], along[1]),
                    width=CROSSING_WIDTH,
                    junction_id=junction.id,
                    road_id=arm.road.id,
                )
            )
    return crossings
