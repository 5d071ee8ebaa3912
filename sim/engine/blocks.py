"""What stands along the streets: buildings behind the pavements, and things of every kind."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.engine.geometry import Box, Pose, boxes_touch
from sim.engine.lanes import Lane, LaneGraph
from sim.engine.surfaces import LAWN_HEIGHT
from sim.engine.towns.roads import PAVEMENT_WIDTH

FACADE_STYLES = 8  # kinds of facade to choose from
CLEAR_OF_PAVEMENT = 0.3  # m that a building keeps from any pavement's edge
CLEAR_OF_ROAD = 2.4  # m that a building keeps from the middle of any lane without a pavement
BUILDING_CELL = 40.0  # m, side of the cells in which neighbours are looked for; none is longer

Land = Callable[[float, float], float]  # height of the land at (x, y), metres


@dataclass(frozen=True, slots=True)
class Building:
    """A building: a rectangle on the ground and a height, which also blocks radio and bodies.

    Attributes:
        centre: the middle of its ground floor; x runs along `length`, y along `width`.
        length: metres.
        width: metres.
        height: metres over the level z = 0.
        style: which facade.
        seed: of its looks.
        form: `block`, `house` or `barn`.
    """

    centre: Pose
    length: float
    width: float
    height: float
    style: int
    seed: int
    form: str = "block"

    @property
    def footprint(self) -> NDArray[np.float64]:
        """(4, 2) float64, metres, counter-clockwise."""
        return np.array(self.box().corners())

    def box(self) -> Box:
        """Its body."""
        pose = self.centre
        half = self.length / 2, self.width / 2
        return Box(pose.x, pose.y, pose.yaw, *half, z_low=pose.z - 1.0, z_high=self.height)


@dataclass(frozen=True, slots=True)
class Furniture:
    """A thing beside the road, or a car parked on it.

    Attributes:
        kind: which, see `sim.engine.level_objects.TAG_OF_FURNITURE`.
        pose: its foot; x points to the road, of long things along them.
        radius: metres of its trunk, pole or body, which others hit.
        height: metres.
        seed: of its looks.
        half: half length and half width of its body, metres, where it is not as wide as long.
        variant: blueprint of a parked car or a sign.
    """

    kind: str
    pose: Pose
    radius: float
    height: float
    seed: int = 0
    half: tuple[float, float] | None = None
    variant: str = ""

    def box(self) -> Box:
        """Its body."""
        pose = self.pose
        half = self.half or (self.radius, self.radius)
        return Box(pose.x, pose.y, pose.yaw, *half, pose.z, pose.z + self.height)


@dataclass(frozen=True, slots=True)
class Zone:
    """How a part of a town is built.

    Attributes:
        lengths: metres along the street, least and most.
        widths: metres, least and most.
        setbacks: metres from the pavement, to choose from.
        storeys: least and most.
        gaps: metres to the next building, to choose from.
        form: of the buildings.
        fills_corners: buildings stand at street corners too.
        looks: how many different buildings there are; 0 for each its own. More cost time at the
            start.
    """

    lengths: tuple[float, float]
    widths: tuple[float, float]
    setbacks: tuple[float, ...]
    storeys: tuple[int, int]
    gaps: tuple[float, ...]
    form: str = "block"
    fills_corners: bool = False
    looks: int = 0


ZONES = {
    "town": Zone((12.0, 28.0), (10.0, 15.0), (0.5, 0.5, 1.5), (2, 6), (0.6, 0.6, 3.5, 9.0)),
    "centre": Zone(
        (16.0, 30.0), (12.0, 18.0), (0.4, 0.4, 1.2), (4, 8), (0.5, 0.5, 0.5, 4.0),
        fills_corners=True, looks=36,
    ),
    "dense": Zone(
        (12.0, 26.0), (11.0, 15.0), (0.4, 0.4, 1.0), (3, 6), (0.5, 0.5, 0.5, 3.5),
        fills_corners=True, looks=36,
    ),
    "suburb": Zone((9.0, 13.0), (8.0, 10.5), (5.0, 6.5, 8.0), (1, 2), (7.0, 9.0, 13.0), "house"),
}  # fmt: skip
STOREY = 3.2  # m
CORNER_DEPTH = 14.0  # m beyond a street's end up to which buildings fill the corner
# length, width, height of the eaves, metres; houses share the looks of these
HOUSES = tuple(
    (9.0 + 0.5 * (k * 5 % 9), 8.0 + 0.3 * (k * 7 % 9), 3.1 + 2.8 * (k % 2) + 0.1 * (k % 5))
    for k in range(14)
)


class Plots:
    """The buildings placed so far, and whether another fits between them."""

    def __init__(self, lanes: LaneGraph) -> None:
        self.placed: list[Building] = []
        self._lanes = lanes
        self._cells: dict[tuple[int, int], list[Box]] = defaultdict(list)

    def add(self, building: Building) -> None:
        """Keep a building."""
        self.placed.append(building)
        body = building.box()
        cx, cy = _cell(body)
        for i in (cx - 1, cx, cx + 1):
            for j in (cy - 1, cy, cy + 1):
                self._cells[i, j].append(body)

    def fits(self, building: Building) -> bool:
        """It stands on no pavement, on no road and on no other building."""
        body = building.box()
        if self.touches(body, 0.5):
            return False
        rim, clearance = _rim(body), PAVEMENT_WIDTH / 2 + CLEAR_OF_PAVEMENT
        return not any(
            self._lanes.is_near(x, y, clearance, "pavement")
            or self._lanes.is_near(x, y, CLEAR_OF_ROAD, "driving")
            or self._lanes.is_near(x, y, CLEAR_OF_ROAD, "shoulder")
            for x, y in rim
        )

    def touches(self, body: Box, margin: float = 0.0) -> bool:
        """A building stands in a body, or nearer to it than `margin` metres."""
        near = self._cells.get(_cell(body), [])
        return any(boxes_touch(body, other, margin=margin) for other in near)


def _cell(body: Box) -> tuple[int, int]:
    return math.floor(body.x / BUILDING_CELL), math.floor(body.y / BUILDING_CELL)


def place_buildings(
    lanes: LaneGraph, characters: dict[int, str], land: Land, rng: random.Random
) -> Plots:
    """Rows of buildings behind every pavement that does not lie in a junction.

    Args:
        lanes: with the pavements.
        characters: what each road runs through.
        land: its height.
        rng: draws everything.
    """
    plots = Plots(lanes)
    for lane in lanes.lanes.values():
        zone = ZONES.get(characters.get(lane.road_id, ""))
        if zone is not None and lane.kind == "pavement" and not lane.is_junction:
            _row(lane, zone, plots, land, rng)
    return plots


def _row(lane: Lane, zone: Zone, plots: Plots, land: Land, rng: random.Random) -> None:
    """Buildings one after another on the right of a pavement, where they fit."""
    at, end = rng.uniform(0.0, 4.0), lane.length - 8.0
    if zone.fills_corners:
        at, end = at - CORNER_DEPTH, end + CORNER_DEPTH
    while at < end:
        building = _draw_building(lane, at, zone, land, rng)
        if plots.fits(building):
            plots.add(building)
            at += building.length + rng.choice(zone.gaps)
        else:
            at += 4.0 if not zone.fills_corners else 2.0


def _beyond(lane: Lane, s: float, offset: float) -> Pose:
    """The pose `s` metres along a lane, on its straight continuation where it has ended."""
    at = lane.pose_at(s, offset)
    over = min(s, 0.0) + max(s - lane.length, 0.0)
    return at.compose(Pose(x=over))


def _draw_building(lane: Lane, at: float, zone: Zone, land: Land, rng: random.Random) -> Building:
    own = rng
    if zone.looks:
        own = random.Random(f"{zone.storeys} {rng.randrange(zone.looks)}")
    length, width = own.uniform(*zone.lengths), own.uniform(*zone.widths)
    setback = rng.choice(zone.setbacks)
    beside = -(lane.width / 2 + setback + width / 2)
    kerb = _beyond(lane, at + length / 2, beside)
    z = land(kerb.x, kerb.y)
    if zone.form == "house":
        look = rng.randrange(len(HOUSES))
        length, width, tall = HOUSES[look]
        foot = Pose(kerb.x, kerb.y, z + LAWN_HEIGHT, kerb.yaw)
        return Building(foot, length, width, z + tall, look % FACADE_STYLES, look, "house")
    return Building(
        Pose(kerb.x, kerb.y, z + LAWN_HEIGHT, kerb.yaw),
        length,
        width,
        height=z + STOREY * own.randint(*zone.storeys) + own.uniform(0.3, 1.2),
        style=own.randrange(FACADE_STYLES),
        seed=own.randrange(1 << 16),
        form=zone.form,
    )


def _rim(box: Box) -> list[tuple[float, float]]:
    """Points closer than a pavement is wide along the outline of a rectangle."""
    corners = box.corners()
    points: list[tuple[float, float]] = []
    for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], corners[0]], strict=True):
        count = max(1, math.ceil(math.hypot(x1 - x0, y1 - y0) / PAVEMENT_WIDTH))
        points += [(x0 + (x1 - x0) * k / count, y0 + (y1 - y0) * k / count) for k in range(count)]
    return points
