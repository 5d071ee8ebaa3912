"""Lays the surfaces along a user's lanes: asphalt, kerbs, pavements, lines, walls and banks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sim.carla_server.opendrive.graph import lane_id
from sim.carla_server.opendrive.survey import LaneRecord, Survey
from sim.carla_server.opendrive.terrain import Terrain
from sim.engine.lanes import Lane, LaneGraph, LaneId
from sim.engine.surfaces import (
    MARKING_HEIGHT,
    MARKING_TAG,
    ROAD_TAG,
    TERRAIN_TAG,
    TEXTURE,
    Strip,
    Surface,
    pavement_strips,
)

WALL_TAG, BRIDGE_TAG = 4, 26  # CityObjectLabel
LINE_WIDTH = 0.14  # m
DASH, PERIOD = 3.0, 9.0  # m of a broken line
SUNK = 0.1  # m below the road between two dashes, so that a broken line is one band
SEAM = 0.03  # m by which lanes overlap, so that no grass shines through between two
BANK, BANK_DEPTH = 3.0, 0.3  # m of grass from a road's edge to below the land
BRIDGE = 1.5  # m over the land from which a road's edge is a bridge's
FASCIA = 0.8  # m of a bridge's side
OVERLAPS, OVERLAP_STEP = 4, 0.002  # lanes of a junction lie over each other: levels and metres

Line = NDArray[np.float64]


def lane_surfaces(
    survey: Survey,
    graph: LaneGraph,
    terrain: Terrain,
    *,
    floors: set[int],
    wall_height: float,
) -> list[Surface]:
    """Everything along lanes.

    Args:
        survey: of the file.
        graph: its lanes.
        terrain: the land that banks reach down to.
        floors: junctions that have a floor of their own.
        wall_height: metres of a wall along the edges of roads; 0 for none.
    """
    found: list[Surface] = []
    outer, inner = _outermost(graph), _innermost(graph)
    for record in survey.lanes:
        lane = graph.lanes.get(lane_id(record.key))
        if lane is None:
            continue
        near, far = oriented(lane, record)
        found += _bed(lane, near, far, floors)
        if lane.is_junction:
            continue
        if lane.id in outer:
            found += _beyond(lane, near, far, terrain, wall_height)
        marks = record.marks if record.is_forward == (lane.id.lane < 0) else record.marks[::-1]
        found += _painted(far, marks[1])
        if lane.id in inner:
            found += _painted(near, marks[0])
    return found


def oriented(lane: Lane, record: LaneRecord) -> tuple[Line, Line]:
    """A lane's edge at the road's middle and the one away from it, with the road on their left."""
    left, right = lane.edges()
    if lane.kind == "pavement" or record.is_forward == (lane.id.lane < 0):
        return left, right
    return right[::-1], left[::-1]


def _outermost(graph: LaneGraph) -> set[LaneId]:
    """The last lane on either side of every lane section."""
    sides: dict[tuple[int, int, bool], list[LaneId]] = defaultdict(list)
    for name in graph.lanes:
        sides[name.road, name.section, name.lane > 0].append(name)
    return {max(names, key=lambda name: abs(name.lane)) for names in sides.values()}


def _innermost(graph: LaneGraph) -> set[LaneId]:
    """The lane that has the line along the reference line: the right one of two."""
    return {
        name
        for name in graph.lanes
        if name.lane == -1 or (name.lane == 1 and name._replace(lane=-1) not in graph.lanes)
    }


def _bed(lane: Lane, near: Line, far: Line, floors: set[int]) -> list[Surface]:
    if lane.kind == "pavement":
        return pavement_strips(near, far, verge=0.0) if _is_wide(near, far) else []
    if lane.junction_id in floors:
        return []
    lift = (0.0, 0.0, (hash(lane.id) % OVERLAPS) * OVERLAP_STEP if lane.is_junction else 0.0)
    tag = TERRAIN_TAG if lane.kind == "median" else ROAD_TAG
    seam = across(far) * SEAM
    return [Strip(near - seam + lift, far + seam + lift, TEXTURE[lane.kind], tag)]


def _is_wide(near: Line, far: Line) -> bool:
    return bool(np.linalg.norm(near - far, axis=1).min() > 0.05)


def _beyond(
    lane: Lane, near: Line, far: Line, terrain: Terrain, wall_height: float
) -> list[Surface]:
    """A bank down to the land, or a bridge's side, and the wall if one is asked for."""
    found: list[Surface] = []
    land = np.array([terrain.height(x, y) for x, y, _ in far.tolist()])
    if float((far[:, 2] - land).max()) > BRIDGE:
        foot = far - (0.0, 0.0, FASCIA)
        found += _wall(foot, far, BRIDGE_TAG)
    else:
        foot = far + across(far) * BANK
        foot[:, 2] = np.minimum(land, far[:, 2]) - BANK_DEPTH
        found.append(Strip(far, foot, "grass", TERRAIN_TAG))
    if wall_height > 0.0 and lane.kind != "pavement":
        found += _wall(far, far + np.array((0.0, 0.0, wall_height)), WALL_TAG)
    return found


def _wall(foot: Line, top: Line, tag: int) -> list[Surface]:
    """A thin upright band, seen from both sides."""
    return [Strip(foot, top, "concrete", tag), Strip(top, foot, "concrete", tag)]


def across(line: Line) -> Line:
    """Level unit vectors to the right of a line, (N, 3)."""
    along = np.gradient(line[:, :2], axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    return np.stack([along[:, 1], -along[:, 0], np.zeros(len(line))], axis=1)


def _painted(edge: Line, mark: tuple[str, str]) -> Iterator[Strip]:
    """The line that is painted along an edge of a lane."""
    kind, colour = mark
    texture = "marking_yellow" if colour == "Yellow" else "marking_white"
    aside = {"SolidSolid": (-LINE_WIDTH, LINE_WIDTH), "BrokenBroken": (-LINE_WIDTH, LINE_WIDTH)}
    for offset in aside.get(kind, (0.0,)):
        if kind in ("Solid", "SolidSolid", "SolidBroken", "BrokenSolid"):
            yield _band(edge, offset, texture)
        elif kind in ("Broken", "BrokenBroken", "BottsDots") and len(dashes := _dashes(edge)) > 1:
            yield _band(dashes, offset, texture)


def _band(line: Line, offset: float, texture: str) -> Strip:
    aside, height = across(line), np.array((0.0, 0.0, MARKING_HEIGHT))
    left = line + aside * (offset - LINE_WIDTH / 2) + height
    right = line + aside * (offset + LINE_WIDTH / 2) + height
    return Strip(left, right, texture, MARKING_TAG)


def _dashes(line: Line) -> Line:
    """A line that dives below the road between its dashes."""
    length = float(np.linalg.norm(np.diff(line, axis=0), axis=1).sum())
    starts = np.arange(1.0, length - DASH, PERIOD)[:, None]
    pieces = np.array([-0.02, 0.0, DASH / 3, 2 * DASH / 3, DASH, DASH + 0.02])
    depths = np.array([SUNK, 0.0, 0.0, 0.0, 0.0, SUNK])
    dashed = _resampled(line, (starts + pieces).ravel())
    dashed[:, 2] -= np.tile(depths, len(starts))
    return dashed


def _resampled(line: Line, stations: NDArray[np.float64]) -> Line:
    steps = np.linalg.norm(np.diff(line, axis=0), axis=1)
    lengths = np.concatenate([[0.0], np.cumsum(steps)])
    return np.stack([np.interp(stations, lengths, line[:, k]) for k in range(3)], axis=1)
