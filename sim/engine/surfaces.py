"""The ground as a town holds it: bands between two lines and level areas, each of one texture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.engine.lanes import Lane, LaneGraph

ROAD_TAG, PAVEMENT_TAG, TERRAIN_TAG, MARKING_TAG = 1, 2, 10, 24  # CityObjectLabel
KERB_WIDTH = 0.25  # m of stone on top
KERB_HEIGHT = 0.15  # m
VERGE_WIDTH = 4.0  # m of grass that falls from a pavement or a road to the lawn
LAWN_HEIGHT = -0.05  # m of the ground behind the verge
MARKING_HEIGHT = 0.015  # m above the road, so that the two never fight for a pixel
TEXTURE = {
    "driving": "asphalt",
    "shoulder": "asphalt",
    "parking": "asphalt",
    "biking": "asphalt",
    "median": "grass",
}

Line = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Strip:
    """A band between two lines; it is seen from (along x left): level ones from above.

    Attributes:
        left: (N, 3) metres.
        right: (N, 3) metres.
        texture: name in the renderer's atlas.
        tag: CityObjectLabel.
    """

    left: Line
    right: Line
    texture: str
    tag: int


@dataclass(frozen=True, slots=True, eq=False)
class Area:
    """A simple polygon seen from above.

    Attributes:
        outline: (N, 3) metres, either direction.
        texture: name in the renderer's atlas.
        tag: CityObjectLabel.
    """

    outline: Line
    texture: str
    tag: int


Surface = Strip | Area


def lane_surfaces(lanes: LaneGraph) -> list[Surface]:
    """Road, kerbs and pavements of lanes outside junctions, where nothing better is known.

    Pavement lanes run so that the road lies on their left.
    """
    found: list[Surface] = []
    for lane in lanes.lanes.values():
        left, right = lane.edges()
        if lane.kind == "pavement":
            found += pavement_strips(left, right)
        else:
            found.append(Strip(left, right, TEXTURE[lane.kind], _tag(lane)))
    return found


def _tag(lane: Lane) -> int:
    return TERRAIN_TAG if lane.kind == "median" else ROAD_TAG


def pavement_strips(
    left: Line,
    right: Line,
    *,
    road_z: float = KERB_HEIGHT,
    verge: float = VERGE_WIDTH,
    is_paved: bool = False,
) -> list[Surface]:
    """Kerb face and top, slabs and verge of a pavement, the road on its left.

    Args:
        left: (N, 3) metres, its edge at the road.
        right: (N, 3) metres, its back edge.
        road_z: metres by which the road lies deeper.
        verge: metres of grass behind it; 0 for none.
        is_paved: slabs instead of the grass.
    """
    across = right - left
    width = np.linalg.norm(across[:, :2], axis=1, keepdims=True)
    unit = across / width
    top = left + unit * KERB_WIDTH
    found: list[Surface] = [
        Strip(lowered(left, road_z), left, "kerb", PAVEMENT_TAG),
        Strip(left, top, "kerb", PAVEMENT_TAG),
        Strip(top, right, "pavement", PAVEMENT_TAG),
    ]
    if verge:
        foot = lowered(right + unit * verge, road_z - LAWN_HEIGHT)
        look = ("pavement", PAVEMENT_TAG) if is_paved else ("grass", TERRAIN_TAG)
        found.append(Strip(right, foot, *look))
    return found


def lowered(line: Line, by: float) -> Line:
    """A line `by` metres deeper."""
    return line - (0.0, 0.0, by)
