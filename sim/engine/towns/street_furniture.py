"""Things along the streets: lamps, trees, benches, stops, hedges, fences, parked cars, signs."""

from __future__ import annotations

import math
import random

from sim.engine.blocks import Furniture, Land, Plots
from sim.engine.geometry import Box, Pose, wrap
from sim.engine.lanes import Lane, LaneGraph
from sim.engine.signs import Sign
from sim.engine.surfaces import LAWN_HEIGHT
from sim.engine.towns.painting import BAY_LENGTH, parking_room
from sim.engine.towns.roads import PAVEMENT_WIDTH, Road

LAMP_SPACING = 32.0  # m between street lamps on one side
KERB_CLEARANCE = 0.45  # m from the kerb to the middle of a lamp's pole
BEND_CLEARANCE = 9.0  # m before and after a bend kept free of furniture
CROSSING_CLEARANCE = 6.0  # m from a street's end kept free of furniture: crossings and lights
HEDGE_LENGTH = 4.0  # m of one piece of hedge or fence
DRIVE = 3.4  # m of a gap in a hedge, for a garden path
STOP_SPACING = 130.0  # m of street from which it has a bus stop
TAKEN_BAYS = 0.62  # share of parking bays with a car
PARKED = (
    ("vehicle.audi.a2", (3.83, 1.67, 1.55)),
    ("vehicle.nissan.micra", (3.64, 1.67, 1.50)),
    ("vehicle.seat.leon", (4.28, 1.82, 1.46)),
    ("vehicle.toyota.prius", (4.54, 1.76, 1.47)),
    ("vehicle.tesla.model3", (4.69, 1.85, 1.44)),
    ("vehicle.audi.etron", (4.90, 1.94, 1.63)),
    ("vehicle.citroen.c3", (3.99, 1.75, 1.49)),
    ("vehicle.mercedes.coupe", (4.70, 1.81, 1.40)),
    ("vehicle.volkswagen.t2", (4.51, 1.72, 1.94)),
)  # length, width, height, metres
SMALL = {"bin": (0.3, 0.9), "bench": (0.3, 0.9)}
MORE = {
    "centre": ("", "bin", "bench", "planter", "mailbox", "column", "bin"),
    "dense": ("", "", "bin", "bench", "planter", "mailbox"),
    "suburb": ("", "", "", "bin", "mailbox"),
    "town": ("", "bin", "bench"),
}
THINGS = {
    "bin": (0.3, 0.9),
    "bench": (0.3, 0.9),
    "planter": (0.32, 1.1),
    "mailbox": (0.3, 1.25),
    "column": (0.62, 3.4),
}  # radius and height, metres


def place_furniture(
    lanes: LaneGraph, plots: Plots, characters: dict[int, str], land: Land, rng: random.Random
) -> list[Furniture]:
    """Lamps and small things on the pavements, trees and gardens behind them."""
    placed: list[Furniture] = []
    for lane in lanes.lanes.values():
        if lane.kind == "pavement" and not lane.is_junction:
            character = characters.get(lane.road_id, "town")
            placed += _lamps(lane, character, rng)
            if character == "suburb":
                placed += _gardens(lane, lanes, plots, land, rng)
            placed += _trees(lane, lanes, plots, land, rng)
            if character != "town":
                placed += _bus_stop(lane, rng)
    return placed


def _lamps(lane: Lane, character: str, rng: random.Random) -> list[Furniture]:
    """Street lamps along the kerb, now and then a smaller thing at the back of the pavement."""
    row: list[Furniture] = []
    at = CROSSING_CLEARANCE + rng.uniform(4.0, 10.0)
    while at < lane.length - CROSSING_CLEARANCE:
        if _bends(lane, at):
            at += 2.0
            continue
        foot = lane.pose_at(at, lane.width / 2 - KERB_CLEARANCE)
        facing = Pose(foot.x, foot.y, foot.z, foot.yaw + math.pi / 2)
        row.append(Furniture("street_lamp", facing, 0.12, 6.0, rng.randrange(1 << 16)))
        kind = rng.choice(MORE[character])
        beside = at + rng.uniform(6.0, 20.0)
        if kind and beside < lane.length - CROSSING_CLEARANCE and not _bends(lane, beside):
            back = lane.pose_at(beside, -(lane.width / 2 - max(0.35, THINGS[kind][0] - 0.1)))
            facing = Pose(back.x, back.y, back.z, back.yaw + math.pi / 2)
            row.append(Furniture(kind, facing, *THINGS[kind], rng.randrange(1 << 16)))
        at += LAMP_SPACING
    return row


def _bends(lane: Lane, at: float) -> bool:
    """The kerb bends here, where long vehicles swing over it."""
    before, after = lane.pose_at(at - BEND_CLEARANCE), lane.pose_at(at + BEND_CLEARANCE)
    return abs(wrap(after.yaw - before.yaw)) > 0.05


def _trees(
    lane: Lane, lanes: LaneGraph, plots: Plots, land: Land, rng: random.Random
) -> list[Furniture]:
    """Trees behind the pavement, wherever no building stands."""
    trees: list[Furniture] = []
    at = rng.uniform(2.0, 6.0)
    while at < lane.length:
        beside = -(lane.width / 2 + rng.uniform(1.6, 4.5))
        foot = lane.pose_at(at, beside)
        yaw, seed = rng.uniform(0, math.tau), rng.randrange(1 << 16)
        if is_free_for_tree(lanes, plots, foot.x, foot.y):
            z = land(foot.x, foot.y) + LAWN_HEIGHT
            trees.append(Furniture("tree", Pose(foot.x, foot.y, z, yaw), 0.22, 6.0, seed))
            at += rng.uniform(7.0, 14.0)
        else:
            at += 2.5
    return trees


def is_free_for_tree(lanes: LaneGraph, plots: Plots, x: float, y: float) -> bool:
    """No way and no building is near a point."""
    return (
        not lanes.is_near(x, y, PAVEMENT_WIDTH / 2 + 1.0, "pavement")
        and not any(lanes.is_near(x, y, 2.5, kind) for kind in ("driving", "shoulder", "parking"))
        and not plots.touches(Box(x, y, 0.0, 1.2, 1.2))
    )


def _gardens(
    lane: Lane, lanes: LaneGraph, plots: Plots, land: Land, rng: random.Random
) -> list[Furniture]:
    """Hedges and fences along the back of a pavement, with gaps for paths."""
    row: list[Furniture] = []
    at, left, kind = CROSSING_CLEARANCE + 3.0, 0, "hedge"
    while at + HEDGE_LENGTH < lane.length - CROSSING_CLEARANCE:
        if left == 0:
            left, kind = rng.randint(3, 6), rng.choice(("hedge", "hedge", "fence", ""))
            at += DRIVE
            continue
        left -= 1
        ends = [lane.pose_at(at + u, -(lane.width / 2 + 0.65)) for u in (0.0, HEDGE_LENGTH)]
        yaw = math.atan2(ends[1].y - ends[0].y, ends[1].x - ends[0].x)
        x, y = (ends[0].x + ends[1].x) / 2, (ends[0].y + ends[1].y) / 2
        wide = 0.4 if kind == "hedge" else 0.08
        half = (HEDGE_LENGTH / 2, wide)
        is_free = not plots.touches(Box(x, y, yaw, *half), 0.3) and not any(
            lanes.is_near(e.x, e.y, 1.5, "pavement") for e in ends
        )
        if kind and is_free:
            pose = Pose(x, y, land(x, y) + LAWN_HEIGHT, yaw)
            tall = 1.3 if kind == "hedge" else 1.0
            row.append(Furniture(kind, pose, wide, tall, rng.randrange(1 << 16), half))
        at += HEDGE_LENGTH
    return row


def _bus_stop(lane: Lane, rng: random.Random) -> list[Furniture]:
    """A shelter at the back of a long street's pavement."""
    at = lane.length * rng.uniform(0.4, 0.6)
    if lane.length < STOP_SPACING * 0.6 or rng.random() < 0.45 or _bends(lane, at):
        return []
    back = lane.pose_at(at, -(lane.width / 2 + 0.1))
    pose = Pose(back.x, back.y, back.z, wrap(back.yaw + math.pi / 2))
    return [Furniture("bus_stop", pose, 0.8, 2.55, rng.randrange(1 << 16), (0.75, 2.1))]


def park_cars(roads: list[Road], rng: random.Random) -> list[Furniture]:
    """Cars in the bays of parking lanes."""
    cars: list[Furniture] = []
    for road in roads:
        for number in road.numbers("parking"):
            first, last = parking_room(road)
            for k in range(round((last - first) / BAY_LENGTH)):
                if rng.random() > TAKEN_BAYS:
                    continue
                name, (length, width, height) = rng.choice(PARKED)
                s = first + BAY_LENGTH * (k + 0.5) + rng.uniform(-0.35, 0.35)
                side = 1 if number > 0 else -1
                way = road.at(s, road.middle(number) + side * (0.95 - width / 2))
                yaw = way.heading + rng.uniform(-0.03, 0.03) + (math.pi if number > 0 else 0.0)
                pose = Pose(way.x, way.y, road.relief.height(way.x, way.y), wrap(yaw))
                cars.append(
                    Furniture("parked_car", pose, width / 2, height, rng.randrange(1 << 16),
                              (length / 2, width / 2), name)
                )  # fmt: skip
    return cars


def sign_posts(signs: list[Sign]) -> list[Furniture]:
    """The posts and plates of traffic signs."""
    return [Furniture("sign", sign.pose, 0.06, 2.8, 0, None, sign.blueprint_id) for sign in signs]
