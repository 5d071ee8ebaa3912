"""Makes a town of a street plan: lanes, spawn points, lights, pavements, and what stands around."""

from __future__ import annotations

import math
import random

import numpy as np
from numpy.typing import NDArray

from sim.engine.blocks import place_buildings, place_furniture
from sim.engine.geometry import Pose
from sim.engine.lanes import LaneGraph, LaneId
from sim.engine.layout import CROSSING_WIDTH, NORTH, SOUTH, street_plan
from sim.engine.opendrive import write_opendrive
from sim.engine.roads import (
    LANE_WIDTH,
    Junction,
    Network,
    lane_offset,
)
from sim.engine.surfaces import KERB_HEIGHT
from sim.engine.town import Crossing, JunctionArea, Pavement, Town
from sim.engine.town_names import FOLDER, TownName
from sim.engine.towns.paving import junction_outline, surfaces
from sim.engine.traffic_lights import TrafficLight

SPAWN_SPACING = 20.0  # m along a lane
SPAWN_CLEARANCE = 12.0  # m from a lane's ends, so that nobody spawns on a crossing
SPAWN_HEIGHT = 0.3  # m over the ground, so that no wheel starts below it
WALKER_SPACING = 15.0  # m between spawn points on pavements
WALKER_HEIGHT = 0.93  # m from the ground to the middle of a walker's body
POLE_BEHIND_EDGE = 0.3  # m from the junction's far edge to a light's pole
POLE_BESIDE_KERB = 2.2  # m from the kerb to a light's pole; long vehicles swing over the kerb


def generate(name: TownName) -> Town:
    """The town of a plan and a seed."""
    network, seed = street_plan(), name.seed
    lanes = network.lane_graph()
    pavements = _pavements(lanes)
    buildings = place_buildings(lanes, random.Random(f"{seed} buildings"))
    return Town(
        name=FOLDER + str(name),
        seed=seed,
        opendrive=write_opendrive(network, str(name)),
        lanes=lanes,
        spawn_points=_spawn_points(lanes),
        walker_spawn_points=_walker_points(pavements),
        loop=_loop(network),
        junctions=[
            JunctionArea(one.id, np.insert(junction_outline(one), 2, 0.0, axis=1))
            for one in network.junctions
        ],
        surfaces=surfaces(network),
        buildings=buildings,
        furniture=place_furniture(lanes, buildings, random.Random(f"{seed} furniture")),
        traffic_lights=_traffic_lights(network, lanes),
        pavements=pavements,
        crossings=_crossings(network, lanes, pavements),
    )


def _spawn_points(lanes: LaneGraph) -> list[Pose]:
    points: list[Pose] = []
    for lane in lanes.lanes.values():
        if lane.kind != "driving" or lane.is_junction:
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


def _loop(network: Network) -> list[LaneId]:
    """Up the west side street, along the north, down the east side, back by the south."""
    west, east = network.junctions
    route = [
        (west.arms[NORTH].road.id, -1),
        (east.connections[NORTH, SOUTH].id, -1),
        (east.arms[SOUTH].road.id, 1),
        (west.connections[SOUTH, NORTH].id, -1),
    ]
    return [LaneId(*lane) for lane in route]


def _traffic_lights(network: Network, lanes: LaneGraph) -> list[TrafficLight]:
    """A light for every approach, its pole at the far right corner, over the crossing there."""
    lights: list[TrafficLight] = []
    for junction in network.junctions:
        for direction, arm in sorted(junction.arms.items()):
            signal = next(
                signal
                for signal in arm.road.signals
                if signal.id == str(junction.id * 10 + direction)
            )
            lane = lanes[LaneId(arm.road.id, arm.lane_in)]
            lane.stop_s = _along(lane.centre, *arm.road.at(signal.s, lane_offset(arm.lane_in))[:2])
            lane.light_id = len(lights) + 1
            lane.approach = "light"
            lights.append(
                TrafficLight(
                    id=lane.light_id,
                    signal_id=signal.id,
                    pose=_pole(junction, direction),
                    stop_line=lane.pose_at(lane.stop_s),
                    lane_id=lane.id,
                    stop_s=lane.stop_s,
                    junction_id=junction.id,
                    group=direction % 2,
                )
            )
    return lights


def _pole(junction: Junction, direction: int) -> Pose:
    """The far right corner as seen from an arm; x looks back at that arm."""
    angle = direction * math.pi / 2
    ahead = -(junction.radius + POLE_BEHIND_EDGE)
    left = LANE_WIDTH + POLE_BESIDE_KERB  # of someone who looks out of the junction along the arm
    return Pose(
        junction.x + ahead * math.cos(angle) - left * math.sin(angle),
        junction.y + ahead * math.sin(angle) + left * math.cos(angle),
        KERB_HEIGHT,
        angle,
    )


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
    """The closed rings that pavement lanes form."""
    rings: list[Pavement] = []
    left = [lane.id for lane in lanes.lanes.values() if lane.kind == "pavement"]
    while left:
        chain = [left[0]]
        while (after := lanes[chain[-1]].successors[0]) != chain[0]:
            chain.append(after)
        left = [lane_id for lane_id in left if lane_id not in chain]
        pieces = [lanes[lane_id].centre[:-1] for lane_id in chain]
        centre = np.concatenate([*pieces, pieces[0][:1]])
        steps = np.linalg.norm(np.diff(centre, axis=0), axis=1)
        lengths = np.concatenate([[0.0], np.cumsum(steps)])
        rings.append(Pavement(tuple(chain), centre, lengths, lanes[chain[0]].width))
    return rings


def _crossings(network: Network, lanes: LaneGraph, pavements: list[Pavement]) -> list[Crossing]:
    """A crossing over every arm of every junction, with its place on the pavements it joins."""
    crossings: list[Crossing] = []
    for junction in network.junctions:
        for arm in junction.arms.values():
            station = arm.road.crossings[0 if arm.contact == "start" else -1]
            points, rings, along = [], [], []
            for number in (2, -2):
                x, y, _ = arm.road.at(station, lane_offset(number))
                lane_id = LaneId(arm.road.id, number)
                index = next(i for i, ring in enumerate(pavements) if lane_id in ring.lanes)
                points.append((x, y, KERB_HEIGHT))
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
