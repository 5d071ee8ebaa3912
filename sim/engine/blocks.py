"""What stands along the streets: buildings close to the pavements, trees in the gaps, lamps."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.engine.geometry import Box, Pose, boxes_touch, wrap
from sim.engine.lanes import Lane, LaneGraph
from sim.engine.surfaces import LAWN_HEIGHT
from sim.engine.towns.roads import PAVEMENT_WIDTH

FACADE_STYLES = 8  # kinds of facade to choose from
CLEAR_OF_PAVEMENT = 0.3  # m that a building keeps from any pavement's edge
LAMP_SPACING = 32.0  # m between street lamps on one side
KERB_CLEARANCE = 0.45  # m from the kerb to the middle of a lamp's pole
BEND_CLEARANCE = 9.0  # m before and after a bend kept free of furniture
CROSSING_CLEARANCE = 6.0  # m from a street's end kept free of furniture: crossings and lights


@dataclass(frozen=True, slots=True)
class Building:
    """A building: a rectangle on the ground and a height, which also blocks radio and bodies.

    Attributes:
        centre: the middle of its ground floor; x runs along `length`, y along `width`.
        length: metres.
        width: metres.
        height: metres.
        style: which facade.
        seed: of its looks.
    """

    centre: Pose
    length: float
    width: float
    height: float
    style: int
    seed: int

    @property
    def footprint(self) -> NDArray[np.float64]:
        """(4, 2) float64, metres, counter-clockwise."""
        return np.array(self.box().corners())

    def box(self) -> Box:
        """Its body."""
        pose = self.centre
        half = self.length / 2, self.width / 2
        return Box(pose.x, pose.y, pose.yaw, *half, z_low=-1.0, z_high=self.height)


@dataclass(frozen=True, slots=True)
class Furniture:
    """A thing beside the road: `tree`, `street_lamp`, `bin` or `bench`.

    Attributes:
        kind: which.
        pose: its foot; x points to the road.
        radius: metres of its trunk, pole or body, which others hit.
        height: metres.
        seed: of its looks.
    """

    kind: str
    pose: Pose
    radius: float
    height: float
    seed: int = 0

    def box(self) -> Box:
        """Its body."""
        pose = self.pose
        return Box(pose.x, pose.y, pose.yaw, self.radius, self.radius, pose.z, pose.z + self.height)


def place_buildings(lanes: LaneGraph, rng: random.Random) -> list[Building]:
    """Rows of buildings behind every pavement that does not lie in a junction."""
    placed: list[Building] = []
    for lane in lanes.lanes.values():
        if lane.kind == "pavement" and not lane.is_junction:
            _row(lane, lanes, placed, rng)
    return placed


def _row(lane: Lane, lanes: LaneGraph, placed: list[Building], rng: random.Random) -> None:
    """Buildings one after another on the right of a pavement, where they fit."""
    at = rng.uniform(0.0, 4.0)
    while at < lane.length - 8.0:
        building = _draw_building(lane, at, rng)
        if _fits(building, lanes, placed):
            placed.append(building)
            at += building.length + rng.choice((0.6, 0.6, 3.5, 9.0))
        else:
            at += 4.0


def _draw_building(lane: Lane, at: float, rng: random.Random) -> Building:
    length, width = rng.uniform(12.0, 28.0), rng.uniform(10.0, 15.0)
    setback = rng.choice((0.5, 0.5, 1.5))
    beside = -(lane.width / 2 + setback + width / 2)
    kerb = lane.pose_at(at + length / 2, beside)
    return Building(
        Pose(kerb.x, kerb.y, LAWN_HEIGHT, kerb.yaw),
        length,
        width,
        height=3.2 * rng.randint(2, 6) + rng.uniform(0.3, 1.2),
        style=rng.randrange(FACADE_STYLES),
        seed=rng.randrange(1 << 16),
    )


def _fits(building: Building, lanes: LaneGraph, placed: list[Building]) -> bool:
    """It stands on no pavement, so on no road either, and on no other building."""
    body = building.box()
    if any(boxes_touch(body, other.box(), margin=0.5) for other in placed):
        return False
    clearance = PAVEMENT_WIDTH / 2 + CLEAR_OF_PAVEMENT
    return not any(lanes.is_near(x, y, clearance, "pavement") for x, y in _rim(body))


def _rim(box: Box) -> list[tuple[float, float]]:
    """Points closer than a pavement is wide along the outline of a rectangle."""
    corners = box.corners()
    points: list[tuple[float, float]] = []
    for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], corners[0]], strict=True):
        count = max(1, math.ceil(math.hypot(x1 - x0, y1 - y0) / PAVEMENT_WIDTH))
        points += [(x0 + (x1 - x0) * k / count, y0 + (y1 - y0) * k / count) for k in range(count)]
    return points


def place_furniture(
    lanes: LaneGraph, buildings: list[Building], rng: random.Random
) -> list[Furniture]:
    """Lamps, bins and benches on the pavements, trees in the gaps between buildings."""
    placed: list[Furniture] = []
    for lane in lanes.lanes.values():
        if lane.kind == "pavement" and not lane.is_junction:
            placed += _lamps(lane, rng)
            placed += _trees(lane, lanes, buildings, rng)
    return placed


def _lamps(lane: Lane, rng: random.Random) -> list[Furniture]:
    """Street lamps along the kerb, now and then a bin or a bench at the back of the pavement."""
    row: list[Furniture] = []
    at = CROSSING_CLEARANCE + rng.uniform(4.0, 10.0)
    while at < lane.length - CROSSING_CLEARANCE:
        if _bends(lane, at):
            at += 2.0
            continue
        foot = lane.pose_at(at, lane.width / 2 - KERB_CLEARANCE)
        facing = Pose(foot.x, foot.y, foot.z, foot.yaw + math.pi / 2)
        row.append(Furniture("street_lamp", facing, 0.12, 6.0, rng.randrange(1 << 16)))
        kind = rng.choice(("", "bin", "bench"))
        beside = at + rng.uniform(6.0, 20.0)
        if kind and beside < lane.length - CROSSING_CLEARANCE and not _bends(lane, beside):
            back = lane.pose_at(beside, -(lane.width / 2 - 0.35))
            facing = Pose(back.x, back.y, back.z, back.yaw + math.pi / 2)
            row.append(Furniture(kind, facing, 0.3, 0.9, rng.randrange(1 << 16)))
        at += LAMP_SPACING
    return row


def _bends(lane: Lane, at: float) -> bool:
    """The kerb bends here, where long vehicles swing over it."""
    before, after = lane.pose_at(at - BEND_CLEARANCE), lane.pose_at(at + BEND_CLEARANCE)
    return abs(wrap(after.yaw - before.yaw)) > 0.05


def _trees(
    lane: Lane, lanes: LaneGraph, buildings: list[Building], rng: random.Random
) -> list[Furniture]:
    """Trees behind the pavement, wherever no building stands."""
    trees: list[Furniture] = []
    bodies = [building.box() for building in buildings]
    at = rng.uniform(2.0, 6.0)
    while at < lane.length:
        beside = -(lane.width / 2 + rng.uniform(1.6, 4.5))
        foot = lane.pose_at(at, beside)
        trunk = Furniture(
            "tree", Pose(foot.x, foot.y, LAWN_HEIGHT, rng.uniform(0, math.tau)), 0.22, 6.0,
            rng.randrange(1 << 16),
        )  # fmt: skip
        near = Box(foot.x, foot.y, 0.0, 1.2, 1.2)
        if not lanes.is_near(foot.x, foot.y, PAVEMENT_WIDTH / 2 + 1.0, "pavement") and not any(
            boxes_touch(near, body) for body in bodies
        ):
            trees.append(trunk)
            at += rng.uniform(7.0, 14.0)
        else:
            at += 2.5
    return trees
