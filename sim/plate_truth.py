"""Ground truth of number plates: which of them a picture shows, and where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.calibration import Intrinsics
from sim.ground_truth import CLASS_GROUPS, TAG_GROUPS
from sim.projection import NEAR, rigid_inverse
from sim.world import Body, Picture, Quad

FACING = 0.3  # cosine between a plate's face and the way to the camera: 72 degrees
MIN_HEIGHT_PX = 3.0  # a lower plate is a line
READABLE_PX = 8.0  # its signs are then about 7 px high, which a person can just read
IN_VIEW = 0.85  # share of its points that must be pixels of its own vehicle
RANGE_M = 60.0  # a plate is under 2 px high beyond, whatever the lens
GRID = np.stack(np.meshgrid(np.linspace(0.06, 0.94, 9), np.linspace(0.1, 0.9, 4)), -1).reshape(
    -1, 2
)


@dataclass(frozen=True, slots=True)
class PlateBox:
    """One number plate that a picture shows.

    Attributes:
        actor_id: of the vehicle that wears it.
        corners: bottom left, bottom right, top right, top left as it is read; pixels.
        xyxy: the rectangle round them, pixels.
    """

    actor_id: int
    corners: tuple[tuple[float, float], ...]
    xyxy: tuple[float, float, float, float]

    @property
    def height_px(self) -> float:
        """Of the rectangle."""
        return self.xyxy[3] - self.xyxy[1]

    @property
    def is_readable(self) -> bool:
        """Whether its signs are high enough to be read."""
        return self.height_px >= READABLE_PX


def plates_in(
    picture: Picture, bodies: Sequence[Body], intrinsics: Intrinsics, seen_as: Mapping[int, int]
) -> list[PlateBox]:
    """The plates that face the camera, lie in the picture and are not hidden.

    Args:
        picture: with the ids and tags of its pixels.
        bodies: of the same tick.
        intrinsics: of the picture.
        seen_as: id in the pixels of each visible body, `GroundTruth.seen_as` of the same picture.
    """
    camera_from_world = rigid_inverse(picture.world_from_camera)
    eye = picture.world_from_camera[:3, 3]
    found = []
    for body in bodies:
        if not body.plates or body.actor_id not in seen_as:
            continue
        if np.hypot(eye[0] - body.pose.x, eye[1] - body.pose.y) > RANGE_M:
            continue
        camera_from_body = camera_from_world @ body.pose.matrix()
        for quad in body.plates:
            corners = _projected(quad, camera_from_body, intrinsics)
            if corners is not None and _is_in_view(corners, picture, body, seen_as):
                found.append(_box(body.actor_id, corners))
    return found


def _projected(
    quad: Quad, camera_from_body: NDArray[np.float64], intrinsics: Intrinsics
) -> NDArray[np.float64] | None:
    """Corners (4, 2) in pixels; None where it looks away, is behind, outside or too low."""
    points = np.asarray(quad) @ camera_from_body[:3, :3].T + camera_from_body[:3, 3]
    if points[:, 0].min() < NEAR:
        return None
    normal = np.cross(points[1] - points[0], points[3] - points[0])
    middle = points.mean(0)
    facing = -np.dot(normal, middle) / (np.linalg.norm(normal) * np.linalg.norm(middle))
    if facing < FACING:
        return None
    pixels = intrinsics.project(points)
    low, high = pixels.min(0), pixels.max(0)
    is_outside = low.min() < 0 or high[0] > intrinsics.width or high[1] > intrinsics.height
    return None if is_outside or high[1] - low[1] < MIN_HEIGHT_PX else pixels


def _is_in_view(
    corners: NDArray[np.float64], picture: Picture, body: Body, seen_as: Mapping[int, int]
) -> bool:
    across, up = GRID[:, :1], GRID[:, 1:]
    below = corners[0] * (1 - across) + corners[1] * across
    above = corners[3] * (1 - across) + corners[2] * across
    columns, rows = (below * (1 - up) + above * up).astype(int).T
    is_own = picture.instance[rows, columns] == seen_as[body.actor_id]
    is_own &= TAG_GROUPS[picture.semantic[rows, columns]] == CLASS_GROUPS[body.class_id]
    return bool(is_own.mean() >= IN_VIEW)


def _box(actor_id: int, corners: NDArray[np.float64]) -> PlateBox:
    low, high = corners.min(0), corners.max(0)
    points = tuple((float(u), float(v)) for u, v in corners)
    return PlateBox(
        actor_id, points, (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
    )
