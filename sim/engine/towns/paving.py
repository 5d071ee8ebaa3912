"""Lays the ground of a network: roads, kerbs, pavements, verges and junction floors."""

from __future__ import annotations

import math
from itertools import groupby, pairwise

import numpy as np
from numpy.typing import NDArray

from sim.engine.surfaces import (
    KERB_HEIGHT,
    LAWN_HEIGHT,
    MARKING_HEIGHT,
    PAVEMENT_TAG,
    ROAD_TAG,
    TERRAIN_TAG,
    VERGE_WIDTH,
    Area,
    Strip,
    Surface,
    pavement_strips,
)
from sim.engine.towns.junctions import Arm, Junction
from sim.engine.towns.network import Network
from sim.engine.towns.roads import Road

LINE_STEP, ARC_STEP = 12.0, 0.8  # m between the points of straight and bent bands
HILL_STEP = 6.0  # m between the points of bands on hills
MEDIAN_VERGE = 2.2  # m of grass beside the inner edge of a motorway's carriageway
ISLAND_MARGIN = 0.8  # m from a roundabout's lane to the kerb of its island
PAVED = ("centre", "dense")  # where no grass grows between pavement and houses
KERB = 0.25  # m, width of a median's or island's kerbstone


def lay(network: Network) -> list[Surface]:
    """Everything of the ground that is not paint."""
    found: list[Surface] = []
    for road in network.roads.values():
        if road.junction_id < 0:
            _carriageway(road, found)
            for side in (1, -1):
                _side(road, side, found)
    for junction in network.junctions:
        found.append(Area(junction.outline(), "junction", ROAD_TAG))
        for k in range(len(junction.arms)):
            found += _corner(junction, k)
        if junction.ring is not None:
            found += _island(junction)
    return found


def stations(road: Road) -> list[float]:
    """Where the bands of a road have their points."""
    return road.samples(HILL_STEP if road.relief.amplitude else LINE_STEP, ARC_STEP)


def _carriageway(road: Road, found: list[Surface]) -> None:
    """Bands of asphalt between the kerbs, and raised medians."""
    at = stations(road)
    numbers = [n for n in road.lanes if road.form(n).kind != "pavement"]
    for is_median, group in groupby(numbers, lambda n: road.form(n).kind == "median"):
        members = list(group)
        left, right = max(road.edges(members[0])), min(road.edges(members[-1]))
        if is_median:
            found += _raised(road.line(left, 0.0, at), road.line(right, 0.0, at))
        else:
            edges = road.line(left, 0.0, at), road.line(right, 0.0, at)
            found.append(Strip(*edges, "asphalt", ROAD_TAG))


def _raised(left: NDArray[np.float64], right: NDArray[np.float64]) -> list[Surface]:
    """A grass strip between kerbs, closed at its ends; given at the road's height."""
    up = (0.0, 0.0, KERB_HEIGHT)
    unit = (right - left) / np.linalg.norm(right - left, axis=1, keepdims=True) * KERB
    high_left, high_right = left + up, right + up
    ends = [(left[:1], right[:1]), (right[-1:], left[-1:])]
    return [
        Strip(high_left[::-1], left[::-1], "kerb", PAVEMENT_TAG),
        Strip(high_right, right, "kerb", PAVEMENT_TAG),
        Strip(high_left, high_left + unit, "kerb", PAVEMENT_TAG),
        Strip(high_left + unit, high_right - unit, "grass", TERRAIN_TAG),
        Strip(high_right - unit, high_right, "kerb", PAVEMENT_TAG),
        *(
            Strip(np.concatenate([a + up, b + up]), np.concatenate([a, b]), "kerb", PAVEMENT_TAG)
            for a, b in ends
        ),
    ]


def _side(road: Road, side: int, found: list[Surface]) -> None:
    """Kerb, pavement and verge on the left (1) or right (-1) of a road."""
    at = stations(road)[::-side]  # so that the road lies on the left
    pavements = road.numbers("pavement", side)
    if pavements:
        inner, outer = road.edges(pavements[0])
        edges = road.line(inner, KERB_HEIGHT, at), road.line(outer, KERB_HEIGHT, at)
        found += pavement_strips(*edges, is_paved=road.character in PAVED)
        return
    width = MEDIAN_VERGE if road.character == "motorway" and side > 0 else VERGE_WIDTH
    edge, foot = road.kerb(side), road.kerb(side) + side * width
    lines = road.line(edge, 0.0, at), road.line(foot, LAWN_HEIGHT, at)
    found.append(Strip(*lines, "grass", TERRAIN_TAG))


def _corner(junction: Junction, k: int) -> list[Surface]:
    """Pavement or verge round the corner between an arm and the next."""
    arm, after = junction.arms[k], junction.arms[(k + 1) % len(junction.arms)]
    first, last = arm.pavement(1), after.pavement(-1)
    if first is not None and last is not None:
        width = arm.road.form(first).width
        kerb = junction.corner_line(k, 0.0, KERB_HEIGHT)
        is_paved = arm.road.character in PAVED or after.road.character in PAVED
        back = junction.corner_line(k, -width, KERB_HEIGHT)
        return pavement_strips(kerb, back, is_paved=is_paved)
    if _is_nose(arm, after):
        return []
    foot = junction.corner_line(k, -VERGE_WIDTH, LAWN_HEIGHT)
    return [Strip(junction.corner_line(k), foot, "grass", TERRAIN_TAG)]


def _is_nose(arm: Arm, after: Arm) -> bool:
    """The two run side by side, so that there is no room for a verge between them."""
    a, b = arm.kerb(1), after.kerb(-1)
    return math.hypot(a.x - b.x, a.y - b.y) < 2 * VERGE_WIDTH


def _island(junction: Junction) -> list[Surface]:
    """The raised middle of a roundabout."""
    ring = junction.ring
    assert ring is not None
    turn = np.linspace(0.0, 2 * np.pi, 49)
    around = np.stack([np.cos(turn), np.sin(turn), np.zeros(49)], 1)
    middle = np.array([ring.x, ring.y, junction.relief.height(ring.x, ring.y)])
    lines = [
        middle + around * radius + (0.0, 0.0, z)
        for radius, z in (
            (ring.radius - ISLAND_MARGIN, 0.0),
            (ring.radius - ISLAND_MARGIN, KERB_HEIGHT),
            (ring.radius - ISLAND_MARGIN - KERB, KERB_HEIGHT),
            (ring.radius - 3.0, KERB_HEIGHT + 0.25),
        )
    ]
    looks = [("kerb", PAVEMENT_TAG), ("kerb", PAVEMENT_TAG), ("grass", TERRAIN_TAG)]
    rings: list[Surface] = [
        Strip(inner, outer, texture, tag)
        for (outer, inner), (texture, tag) in zip(pairwise(lines), looks, strict=True)
    ]
    return [*rings, Area(lines[-1][:-1], "grass", TERRAIN_TAG)]


def patches(road: Road, seed: int) -> list[Surface]:
    """Mended places and manhole covers on the driving lanes of a street."""
    rng = np.random.default_rng((seed, road.id, 0x9A7C))
    found: list[Surface] = []
    lanes = road.numbers("driving")
    for _ in range(int(road.length / 45.0)):
        number = lanes[int(rng.integers(len(lanes)))]
        s, t = float(rng.uniform(12.0, road.length - 12.0)), road.middle(number)
        if rng.random() < 0.5:
            found.append(_cover(road, s, t + float(rng.uniform(-0.5, 0.5))))
        else:
            half, length = float(rng.uniform(0.4, 1.1)), float(rng.uniform(0.8, 5.0))
            at = np.linspace(s, s + length, 4).tolist()
            edges = road.line(t + half, MARKING_HEIGHT, at), road.line(t - half, MARKING_HEIGHT, at)
            found.append(Strip(*edges, "junction", ROAD_TAG))
    return found


def _cover(road: Road, s: float, t: float) -> Area:
    way = road.at(s, t)
    turn = np.linspace(0.0, 2 * np.pi, 11)[:-1]
    x, y = way.x + 0.32 * np.cos(turn), way.y + 0.32 * np.sin(turn)
    outline = np.stack([x, y, road.relief.heights(x, y) + MARKING_HEIGHT], 1)
    return Area(outline, "grille", ROAD_TAG)
