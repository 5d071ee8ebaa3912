"""What stands away from the streets: woods, farms, guard rails and gantries of the motorway."""

from __future__ import annotations

import math
import random

from sim.engine.blocks import FACADE_STYLES, Building, Furniture, Land, Plots
from sim.engine.geometry import Pose
from sim.engine.lanes import LaneGraph
from sim.engine.surfaces import LAWN_HEIGHT
from sim.engine.towns.plan import Plan
from sim.engine.towns.roads import Road
from sim.engine.towns.street_furniture import is_free_for_tree

RAIL_LENGTH = 8.0  # m of one piece of guard rail
RAIL_BESIDE = 0.55  # m from the edge of the road to a guard rail
TREE_SPACING = 6.5  # m between trees of a wood
ROADSIDE_SPACING = 34.0  # m between trees along a country road
ROADSIDE = 5.5  # m from the edge of a country road to its trees
GANTRY_HEIGHT = 7.2  # m
SINK = 0.1  # m by which things stand in sloping ground


def place_houses(plan: Plan, plots: Plots, land: Land, rng: random.Random) -> None:
    """Farm houses and barns where the plan has them."""
    for k, (x, y, yaw) in enumerate(plan.houses):
        is_barn = k % 2 == 1
        length, width = (17.0, 10.0) if is_barn else (12.0, 9.0)
        z = land(x, y) + LAWN_HEIGHT - SINK
        height = z + (5.0 if is_barn else 6.2) + rng.uniform(0.0, 0.8)
        house = Building(
            Pose(x, y, z, yaw), length, width, height, rng.randrange(FACADE_STYLES),
            rng.randrange(1 << 16), "barn" if is_barn else "house",
        )  # fmt: skip
        if plots.fits(house):
            plots.add(house)


def plant_woods(
    plan: Plan, lanes: LaneGraph, plots: Plots, land: Land, rng: random.Random
) -> list[Furniture]:
    """Groups of trees, each at a jittered place of a lattice, thinner towards the edge."""
    trees: list[Furniture] = []
    for x0, y0, radius in plan.woods:
        steps = math.ceil(radius / TREE_SPACING)
        for i in range(-steps, steps + 1):
            for j in range(-steps, steps + 1):
                x = x0 + TREE_SPACING * (i + rng.uniform(-0.4, 0.4))
                y = y0 + TREE_SPACING * (j + rng.uniform(-0.4, 0.4))
                share = math.hypot(x - x0, y - y0) / radius
                if rng.random() < 1.05 - share**3 and share < 1.0:
                    trees += _tree(lanes, plots, land, (x, y), rng)
    return trees


def plant_roadsides(
    roads: list[Road], lanes: LaneGraph, plots: Plots, land: Land, rng: random.Random
) -> list[Furniture]:
    """Single trees and bushes along country roads."""
    trees: list[Furniture] = []
    for road in roads:
        if road.character != "rural" or not road.left or road.length < 100.0:
            continue
        for side in (1, -1):
            s = rng.uniform(10.0, ROADSIDE_SPACING)
            while s < road.length - 20.0:
                way = road.at(s, road.kerb(side) + side * (ROADSIDE + rng.uniform(0.0, 3.0)))
                trees += _tree(lanes, plots, land, (way.x, way.y), rng)
                s += ROADSIDE_SPACING * rng.uniform(0.5, 1.6)
    return trees


def _tree(
    lanes: LaneGraph, plots: Plots, land: Land, at: tuple[float, float], rng: random.Random
) -> list[Furniture]:
    yaw, seed = rng.uniform(0.0, math.tau), rng.randrange(1 << 16)
    if not is_free_for_tree(lanes, plots, *at):
        return []
    pose = Pose(*at, land(*at) + LAWN_HEIGHT - SINK, yaw)
    if rng.random() < 0.18:
        return [Furniture("bush", pose, 0.5, 1.4, seed)]
    return [Furniture("tree", pose, 0.22, 6.0, seed)]


def guard_rails(plan: Plan) -> list[Furniture]:
    """Rails beside guarded roads, piece by piece."""
    rails: list[Furniture] = []
    for road_id, side in plan.guarded:
        road = plan.network.roads[road_id]
        t = road.kerb(side) + side * RAIL_BESIDE
        count = int(road.length // RAIL_LENGTH)
        for k in range(count):
            a, b = (road.at(RAIL_LENGTH * (k + u), t) for u in (0.0, 1.0))
            x, y = (a.x + b.x) / 2, (a.y + b.y) / 2
            yaw = math.atan2(b.y - a.y, b.x - a.x) + (math.pi if side > 0 else 0.0)
            z = road.relief.height(x, y)
            rails.append(
                Furniture("guard_rail", Pose(x, y, z, yaw), 0.12, 0.78, 0, (RAIL_LENGTH / 2, 0.12))
            )
    return rails


def gantries(plan: Plan) -> list[Furniture]:
    """Sign gantries across carriageways: `half` tells how far they span to both sides."""
    found: list[Furniture] = []
    for road_id, s in plan.gantries:
        road = plan.network.roads[road_id]
        left, right = road.kerb(1) + 1.2, road.kerb(-1) - 1.2
        for t in (left, right):  # the posts, which stand in nobody's way
            way = road.at(s, t)
            pose = Pose(way.x, way.y, road.relief.height(way.x, way.y), way.heading + math.pi)
            kind = "gantry" if t == right else "gantry_post"
            found.append(
                Furniture(kind, pose, 0.2, GANTRY_HEIGHT, road_id, None, f"{left - right:.1f}")
            )
    return found
