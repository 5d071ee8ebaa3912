"""Polygons as the one-tile Detour navigation mesh (version 7) that the client's walker AI loads.

The layout is that of Recast/Detour by Mikko Mononen, `dtMeshHeader` and the arrays after it, in a
file of CARLA's kind: a header `MSET`, `dtNavMeshParams`, then a tile reference, a size and the
tile. Detour's axes are x, y up, z; with CARLA's x, z, y the engine's counter-clockwise polygons
wind as Detour wants them.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SET_MAGIC, SET_VERSION = int.from_bytes(b"MSET", "big"), 1
TILE_MAGIC, TILE_VERSION = int.from_bytes(b"DNAV", "big"), 7
SIDEWALK, CROSSWALK, ROAD = 1, 2, 3  # areas; a polygon's flag is 2 to that power
MOST_CORNERS = 6  # of a polygon in Detour
MOST_POLYGONS = 0x7FFE  # neighbours are 15 bits, counted from 1
MOST_VERTICES = 0xFFFE
AGENT_HEIGHT, AGENT_RADIUS, AGENT_CLIMB = 1.8, 0.3, 0.4  # m; the first two are the client's
MARGIN = 1.0  # m of tile around its polygons
FINEST_CELL, MOST_CELLS = 0.1, 60_000  # m and number of steps of the search tree's grid

POLYGON = np.dtype(
    [
        ("first_link", "<u4"),
        ("corners", "<u2", MOST_CORNERS),
        ("neighbours", "<u2", MOST_CORNERS),
        ("flags", "<u2"),
        ("count", "u1"),
        ("area", "u1"),
    ]
)
DETAIL = np.dtype(
    [
        ("first_vertex", "<u4"),
        ("first_triangle", "<u4"),
        ("vertices", "u1"),
        ("triangles", "u1"),
        ("padding", "<u2"),
    ]
)
NODE = np.dtype([("low", "<u2", 3), ("high", "<u2", 3), ("index", "<i4")])
LINK_SIZE = 12  # bytes; the reader fills them in
OUTER_EDGES = (1 << 0, 1 << 2, 1 << 4)  # of a detail triangle: which edges bound the polygon


@dataclass(frozen=True, slots=True)
class Polygon:
    """A convex polygon.

    Attributes:
        corners: indices of vertices, counter-clockwise seen from above, three to six.
        area: SIDEWALK, CROSSWALK or ROAD.
    """

    corners: tuple[int, ...]
    area: int


def encode(vertices: NDArray[np.float64], polygons: list[Polygon]) -> bytes:
    """Return the file.

    Args:
        vertices: (N, 3) float64, the engine's axes, metres.
        polygons: which share vertices where they touch; neighbours are found by that.

    Raises:
        ValueError: there are none, or more than one tile holds.
    """
    if not polygons or len(polygons) > MOST_POLYGONS or len(vertices) > MOST_VERTICES:
        raise ValueError(
            f"1 to {MOST_POLYGONS} polygons and at most {MOST_VERTICES} vertices expected, "
            f"got {len(polygons)} and {len(vertices)}"
        )
    places = np.stack([vertices[:, 0], vertices[:, 2], -vertices[:, 1]], 1).astype("<f4")
    low, high = places.min(axis=0) - MARGIN, places.max(axis=0) + MARGIN
    bits = (len(polygons) - 1).bit_length()
    tile = _tile(places, polygons, low, high)
    params = struct.pack("<3f2f2i", *low, high[0] - low[0], high[2] - low[2], 1, len(polygons))
    head = struct.pack("<3i", SET_MAGIC, SET_VERSION, 1) + params
    return head + struct.pack("<Ii", 1 << bits, len(tile)) + tile


def _tile(
    places: NDArray[np.float32],
    polygons: list[Polygon],
    low: NDArray[np.float32],
    high: NDArray[np.float32],
) -> bytes:
    cell = max(FINEST_CELL, float((high - low).max()) / MOST_CELLS)
    rows, edges = _polygons(polygons)
    details, triangles = _details(polygons)
    nodes = _tree(places, polygons, low, cell)
    counts = (len(rows), len(places), edges, len(details), 0, len(triangles), len(nodes), 0)
    header = struct.pack(
        "<5iI9i10f",
        *(TILE_MAGIC, TILE_VERSION, 0, 0, 0, 0),
        *(*counts, len(rows)),
        *(AGENT_HEIGHT, AGENT_RADIUS, AGENT_CLIMB, *low, *high, 1.0 / cell),
    )
    parts = (
        *(header, places.tobytes(), rows.tobytes(), bytes(LINK_SIZE * edges)),
        *(details.tobytes(), triangles.tobytes(), nodes.tobytes()),
    )
    return b"".join(parts)


def _polygons(polygons: list[Polygon]) -> tuple[NDArray[np.void], int]:
    """The polygons' records and how many edges they have in all."""
    owner: dict[tuple[int, int], int] = {}
    for index, polygon in enumerate(polygons):
        for edge in _edges(polygon):
            owner[edge] = index
    rows = np.zeros(len(polygons), POLYGON)
    for row, polygon in zip(rows, polygons, strict=True):
        count = len(polygon.corners)
        row["corners"][:count] = polygon.corners
        row["neighbours"][:count] = [owner.get((b, a), -1) + 1 for a, b in _edges(polygon)]
        row["flags"], row["count"], row["area"] = 1 << polygon.area, count, polygon.area
    return rows, sum(len(polygon.corners) for polygon in polygons)


def _edges(polygon: Polygon) -> list[tuple[int, int]]:
    corners = polygon.corners
    return list(zip(corners, (*corners[1:], corners[0]), strict=True))


def _details(polygons: list[Polygon]) -> tuple[NDArray[np.void], NDArray[np.uint8]]:
    """Each polygon as a fan of triangles, by which Detour finds heights."""
    details = np.zeros(len(polygons), DETAIL)
    triangles: list[tuple[int, int, int, int]] = []
    for detail, polygon in zip(details, polygons, strict=True):
        count = len(polygon.corners)
        detail["first_triangle"], detail["triangles"] = len(triangles), count - 2
        for k in range(2, count):
            first, outer, last = OUTER_EDGES
            bounds = outer | (first if k == 2 else 0) | (last if k == count - 1 else 0)
            triangles.append((0, k - 1, k, bounds))
    return details, np.array(triangles, np.uint8)


def _tree(
    places: NDArray[np.float32],
    polygons: list[Polygon],
    low: NDArray[np.float32],
    cell: float,
) -> NDArray[np.void]:
    """Boxes in boxes, depth first; an inner node holds minus the number of nodes to skip."""
    boxes = []
    for polygon in polygons:
        steps = (places[list(polygon.corners)] - low) / cell
        boxes.append((np.floor(steps.min(axis=0)), np.ceil(steps.max(axis=0))))
    lows, highs = (np.array(ends).astype(int) for ends in zip(*boxes, strict=True))
    nodes: list[tuple[NDArray[np.int64], NDArray[np.int64], int]] = []

    def split(members: NDArray[np.int64]) -> None:
        here = len(nodes)
        smallest, largest = lows[members].min(axis=0), highs[members].max(axis=0)
        nodes.append((smallest, largest, int(members[0])))
        if len(members) > 1:
            axis = int((largest - smallest).argmax())
            ordered = members[np.argsort(lows[members, axis], kind="stable")]
            split(ordered[: len(ordered) // 2])
            split(ordered[len(ordered) // 2 :])
            nodes[here] = (smallest, largest, here - len(nodes))

    split(np.arange(len(polygons)))
    found = np.zeros(len(nodes), NODE)
    for row, node in zip(found, nodes, strict=True):
        row["low"], row["high"], row["index"] = node
    return found
