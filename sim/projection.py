"""Projects 3D boxes into a picture: bounding rectangle and clipped convex hull."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim.calibration import Intrinsics
from sim.engine.geometry import Pose, Vector

NEAR = 0.2  # m in front of the camera; what is nearer is cut off
CORNERS = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float64)
EDGES = [(a, b) for a in range(8) for b in range(a + 1, 8) if bin(a ^ b).count("1") == 1]

Point = tuple[float, float]


def box_corners(
    poses: Sequence[Pose], extents: Sequence[Vector], camera_from_world: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Corners of N boxes in camera body axes, (N, 8, 3) metres."""
    if not poses:
        return np.empty((0, 8, 3))
    rotations = np.stack([pose.rotation() for pose in poses])
    middles = np.array([(pose.x, pose.y, pose.z) for pose in poses])
    local = CORNERS[None] * np.asarray(extents, np.float64)[:, None]
    world = local @ rotations.transpose(0, 2, 1) + middles[:, None]
    corners: NDArray[np.float64] = world @ camera_from_world[:3, :3].T + camera_from_world[:3, 3]
    return corners


def rigid_inverse(transform: NDArray[np.float64]) -> NDArray[np.float64]:
    """The inverse of a (4, 4) rotation and translation."""
    inverse = np.eye(4)
    inverse[:3, :3] = transform[:3, :3].T
    inverse[:3, 3] = -transform[:3, :3].T @ transform[:3, 3]
    return inverse


def silhouette(corners: NDArray[np.float64], intrinsics: Intrinsics) -> list[Point] | None:
    """The convex hull of one box in pixels, counter-clockwise in (u, v); None when it is behind.

    Args:
        corners: (8, 3), camera body axes.
        intrinsics: of the picture.
    """
    ahead = corners[:, 0] > NEAR
    if not ahead.any():
        return None
    points = corners
    if not ahead.all():
        cut = []
        for a, b in EDGES:
            if ahead[a] != ahead[b]:
                share = (NEAR - corners[a, 0]) / (corners[b, 0] - corners[a, 0])
                cut.append(corners[a] + share * (corners[b] - corners[a]))
        points = np.concatenate([corners[ahead], np.array(cut).reshape(-1, 3)])
    return convex_hull([(u, v) for u, v in intrinsics.project(points).tolist()])


def convex_hull(points: Sequence[Point]) -> list[Point]:
    """The convex hull, by Andrew's monotone chain."""
    ordered = sorted(set(points))
    if len(ordered) < 3:
        return ordered
    hull: list[Point] = []
    for sweep in (ordered, ordered[::-1]):
        start = len(hull)
        for point in sweep:
            while len(hull) >= start + 2 and _turn(hull[-2], hull[-1], point) <= 0.0:
                hull.pop()
            hull.append(point)
        hull.pop()
    return hull


def _turn(a: Point, b: Point, c: Point) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def clipped_area(polygon: Sequence[Point], width: int, height: int) -> float:
    """Area of the part of a convex polygon that lies in the picture, square pixels.

    Sutherland-Hodgman against the four sides, then the shoelace formula.
    """
    points = list(polygon)
    for axis, bound, sign in ((0, 0.0, 1.0), (0, width, -1.0), (1, 0.0, 1.0), (1, height, -1.0)):
        kept: list[Point] = []
        for i, b in enumerate(points):
            a = points[i - 1]
            inside_a, inside_b = sign * (a[axis] - bound), sign * (b[axis] - bound)
            if (inside_a < 0.0) != (inside_b < 0.0):
                t = inside_a / (inside_a - inside_b)
                kept.append((a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])))
            if inside_b >= 0.0:
                kept.append(b)
        points = kept
    doubled = [
        points[i - 1][0] * points[i][1] - points[i][0] * points[i - 1][1]
        for i in range(len(points))
    ]
    return abs(math.fsum(doubled)) / 2.0
