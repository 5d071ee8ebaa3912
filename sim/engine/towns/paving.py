"""Lays the surfaces of a network: roads, marks, kerbs, pavements and verges."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sim.engine.layout import CROSSING_WIDTH
from sim.engine.roads import LANE_WIDTH, PAVEMENT_WIDTH, Junction, Network, Road
from sim.engine.surfaces import (
    KERB_HEIGHT,
    KERB_WIDTH,
    LAWN_HEIGHT,
    MARKING_HEIGHT,
    MARKING_TAG,
    PAVEMENT_TAG,
    ROAD_TAG,
    TERRAIN_TAG,
    VERGE_WIDTH,
    Area,
    Strip,
    Surface,
)

LINE_STEP, ARC_STEP = 12.0, 0.8  # m between the points of straight and bent bands
PAVEMENT_EDGE = LANE_WIDTH + PAVEMENT_WIDTH
LINE_WIDTH = 0.14  # m
DASH, DASH_PERIOD = 3.0, 9.0  # m, a town's centre line: 3 m painted, 6 m free
EDGE_LINE = LANE_WIDTH - 0.2  # m from the middle
STOP_LINE_WIDTH = 0.4  # m along the road
ZEBRA_BAR, ZEBRA_PERIOD = 0.5, 1.0  # m across the road


def surfaces(network: Network) -> list[Surface]:
    """Everything flat of a network."""
    found: list[Surface] = []
    for road in network.roads.values():
        if road.junction_id < 0:
            _street(road, found)
        elif -2 in road.lanes:
            _side(road, -1.0, found)
    for junction in network.junctions:
        outline = np.insert(junction_outline(junction), 2, 0.0, axis=1)
        found.append(Area(outline, "junction", ROAD_TAG))
    return found


def _line(road: Road, t: float, z: float) -> NDArray[np.float64]:
    """(N, 3) the line `t` metres left of a road's reference line at a height."""
    stations = road.samples(LINE_STEP, ARC_STEP)
    return np.array([(*road.at(s, t)[:2], z) for s in stations])


def _band(
    road: Road, left: tuple[float, float], right: tuple[float, float], texture: str, tag: int
) -> Strip:
    """The band along a whole road between two (t, z)."""
    return Strip(_line(road, *left), _line(road, *right), texture, tag)


def _patch(
    road: Road, along: tuple[float, float], across: tuple[float, float], texture: str
) -> Strip:
    """A marking between two stations and two offsets (left first)."""
    steps = max(2, int((along[1] - along[0]) / ARC_STEP) + 1 if _is_bent(road, along) else 2)
    stations = np.linspace(*along, steps)
    edges = [
        np.array([(*road.at(float(s), t)[:2], MARKING_HEIGHT) for s in stations]) for t in across
    ]
    return Strip(edges[0], edges[1], texture, MARKING_TAG)


def _is_bent(road: Road, along: tuple[float, float]) -> bool:
    return abs(road.at(along[0])[2] - road.at(along[1])[2]) > 1e-6


def _street(road: Road, found: list[Surface]) -> None:
    half = LANE_WIDTH
    found.append(_band(road, (half, 0.0), (-half, 0.0), "asphalt", ROAD_TAG))
    for side in (1.0, -1.0):
        _side(road, side, found)
    found += _markings(road)


def _side(road: Road, side: float, found: list[Surface]) -> None:
    """Kerb face, kerb top, pavement and verge on the left (1) or right (-1) of a road."""
    edges = [
        (LANE_WIDTH, 0.0),
        (LANE_WIDTH, KERB_HEIGHT),
        (LANE_WIDTH + KERB_WIDTH, KERB_HEIGHT),
        (PAVEMENT_EDGE, KERB_HEIGHT),
        (PAVEMENT_EDGE + VERGE_WIDTH, LAWN_HEIGHT),
    ]
    looks = [
        ("kerb", PAVEMENT_TAG),
        ("kerb", PAVEMENT_TAG),
        ("pavement", PAVEMENT_TAG),
        ("grass", TERRAIN_TAG),
    ]
    for (inner, outer), (texture, tag) in zip(pairwise(edges), looks, strict=True):
        near, far = (side * inner[0], inner[1]), (side * outer[0], outer[1])
        left, right = (far, near) if side > 0.0 else (near, far)
        found.append(_band(road, left, right, texture, tag))


def _markings(road: Road) -> list[Strip]:
    """Centre dashes, edge lines, stop lines and zebra crossings of a street."""
    length, half = road.length, LINE_WIDTH / 2
    ends = sorted([*(signal.s for signal in road.signals), 0.0, length])
    first, last = ends[1], ends[-2]
    meshes = [
        _patch(road, (s, s + DASH), (half, -half), "marking_white")
        for s in np.arange(first + 3.0, last - DASH, DASH_PERIOD).tolist()
    ]
    for side in (EDGE_LINE, -EDGE_LINE):
        left, right = (
            _line(road, side + half, MARKING_HEIGHT),
            _line(road, side - half, MARKING_HEIGHT),
        )
        meshes.append(Strip(left, right, "marking_white", MARKING_TAG))
    for signal in road.signals:
        along = (signal.s, signal.s + STOP_LINE_WIDTH)
        across = (-half, -EDGE_LINE) if signal.lane < 0 else (EDGE_LINE, half)
        meshes.append(_patch(road, along, across, "marking_white"))
    for s in road.crossings:
        along = (s - CROSSING_WIDTH / 2, s + CROSSING_WIDTH / 2)
        for t in np.arange(-LANE_WIDTH + 0.5, LANE_WIDTH - 0.2, ZEBRA_PERIOD).tolist():
            across = (t + ZEBRA_BAR / 2, t - ZEBRA_BAR / 2)
            meshes.append(_patch(road, along, across, "marking_white"))
    return meshes


def junction_outline(junction: Junction) -> NDArray[np.float64]:
    """(N, 2) counter-clockwise: the kerbs of the right turns and the arms' ends between them."""
    kerbs = [
        _line(junction.connections[arm, (arm + 1) % 4], -LANE_WIDTH, 0.0)[:, :2] for arm in range(4)
    ]
    return np.concatenate(kerbs)
