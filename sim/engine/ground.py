"""The ground of a town as meshes: roads, markings, kerbs, pavements, verges, grass below all."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sim.engine.blocks import LAWN_HEIGHT
from sim.engine.layout import CROSSING_WIDTH
from sim.engine.render.assets.ground import polygon_mesh, strip_mesh
from sim.engine.render.mesh_builder import merge_meshes, split_by_cell
from sim.engine.render.scene import Instance, Mesh
from sim.engine.roads import KERB_HEIGHT, LANE_WIDTH, PAVEMENT_WIDTH, Junction, Road
from sim.engine.town import Town

ROAD_TAG, PAVEMENT_TAG, TERRAIN_TAG, MARKING_TAG = 1, 2, 10, 24  # CityObjectLabel
LINE_STEP, ARC_STEP = 12.0, 0.8  # m between the points of straight and bent bands
KERB_WIDTH = 0.25  # m of stone on top
VERGE_WIDTH = 4.0  # m of grass that falls from the pavement to the lawn
PAVEMENT_EDGE = LANE_WIDTH + PAVEMENT_WIDTH
MARKING_HEIGHT = 0.015  # m above the road, so that the two never fight for a pixel
LINE_WIDTH = 0.14  # m
DASH, DASH_PERIOD = 3.0, 9.0  # m, a town's centre line: 3 m painted, 6 m free
EDGE_LINE = LANE_WIDTH - 0.2  # m from the middle
STOP_LINE_WIDTH = 0.4  # m along the road
ZEBRA_BAR, ZEBRA_PERIOD = 0.5, 1.0  # m across the road
LAWN_REACH = 900.0  # m; the lawn's edge lies behind the haze


def ground_instances(town: Town) -> list[Instance]:
    """Everything flat, cut into cells so that what lies behind the camera costs nothing."""
    bands: dict[int, list[Mesh]] = defaultdict(list)
    for road in town.network.roads.values():
        if road.junction_id < 0:
            _street(road, bands)
        elif -2 in road.lanes:
            _side(road, -1.0, bands)
    for junction in town.network.junctions:
        outline = _junction_outline(junction)
        bands[ROAD_TAG].append(polygon_mesh(outline, 0.0, "junction"))
    instances = [
        Instance(mesh=part, world_from_mesh=np.eye(4), semantic_tag=tag)
        for tag, meshes in bands.items()
        for part in split_by_cell(merge_meshes(f"ground {tag}", meshes))
    ]
    far = LAWN_REACH
    lawn = polygon_mesh(
        np.array([(-far, -far), (far, -far), (far, far), (-far, far)]), LAWN_HEIGHT, "grass"
    )
    return [*instances, Instance(mesh=lawn, world_from_mesh=np.eye(4), semantic_tag=TERRAIN_TAG)]


def _line(road: Road, t: float, z: float) -> NDArray[np.float64]:
    """(N, 3) the line `t` metres left of a road's reference line at a height."""
    stations = road.samples(LINE_STEP, ARC_STEP)
    return np.array([(*road.at(s, t)[:2], z) for s in stations])


def _band(road: Road, left: tuple[float, float], right: tuple[float, float], texture: str) -> Mesh:
    """The band along a whole road between two (t, z)."""
    return strip_mesh(_line(road, *left), _line(road, *right), texture)


def _patch(
    road: Road, along: tuple[float, float], across: tuple[float, float], texture: str
) -> Mesh:
    """A marking between two stations and two offsets (left first)."""
    steps = max(2, int((along[1] - along[0]) / ARC_STEP) + 1 if _is_bent(road, along) else 2)
    stations = np.linspace(*along, steps)
    edges = [
        np.array([(*road.at(float(s), t)[:2], MARKING_HEIGHT) for s in stations]) for t in across
    ]
    return strip_mesh(edges[0], edges[1], texture)


def _is_bent(road: Road, along: tuple[float, float]) -> bool:
    return abs(road.at(along[0])[2] - road.at(along[1])[2]) > 1e-6


def _street(road: Road, bands: dict[int, list[Mesh]]) -> None:
    half = LANE_WIDTH
    bands[ROAD_TAG].append(_band(road, (half, 0.0), (-half, 0.0), "asphalt"))
    for side in (1.0, -1.0):
        _side(road, side, bands)
    bands[MARKING_TAG] += _markings(road)


def _side(road: Road, side: float, bands: dict[int, list[Mesh]]) -> None:
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
        bands[tag].append(_band(road, left, right, texture))


def _markings(road: Road) -> list[Mesh]:
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
        meshes.append(strip_mesh(left, right, "marking_white"))
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


def _junction_outline(junction: Junction) -> NDArray[np.float64]:
    """(N, 2) counter-clockwise: the kerbs of the right turns and the arms' ends between them."""
    kerbs = [
        _line(junction.connections[arm, (arm + 1) % 4], -LANE_WIDTH, 0.0)[:, :2] for arm in range(4)
    ]
    return np.concatenate(kerbs)
