"""An obstacle detector: what a ball would hit first that is pushed forward from the sensor."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np

from sim.engine.geometry import Box, Pose
from sim.engine.sensing.attributes import Attributes, flag, number

TOUCHING_M: Final = 1e-3  # the ball has arrived
MOST_STEPS: Final = 128

Thing = TypeVar("Thing")


@dataclass(frozen=True, slots=True)
class ObstacleSettings:
    """Metres; `is_for_movers` leaves out what stands still by nature."""

    distance: float
    radius: float
    is_for_movers: bool

    @classmethod
    def read(cls, attributes: Attributes) -> ObstacleSettings:
        """Return what the attributes say; the line of `debug_linetrace` is drawn nowhere.

        Raises:
            SensorError: one is wrong.
        """
        flag(attributes, "debug_linetrace")
        return cls(
            number(attributes, "distance", 0.0, 2000.0),
            number(attributes, "hit_radius", 0.0, 100.0),
            flag(attributes, "only_dynamics"),
        )


def first_obstacle(
    pose: Pose, settings: ObstacleSettings, things: Iterable[tuple[Thing, Box]]
) -> tuple[Thing, float] | None:
    """Return what the ball meets first, and how far it came, metres; None if its way is free."""
    forward = pose.rotation()[:, 0]
    way = (float(forward[0]), float(forward[1]), float(forward[2]))
    best: tuple[Thing, float] | None = None
    limit = settings.distance
    for thing, box in things:
        middle, half = (box.z_low + box.z_high) / 2.0, (box.z_high - box.z_low) / 2.0
        offset = np.array([box.x - pose.x, box.y - pose.y, middle - pose.z])
        along = min(max(float(offset @ forward), 0.0), limit)
        if np.linalg.norm(offset - along * forward) > settings.radius + math.hypot(
            box.radius, half
        ):
            continue
        distance = _travel(pose, way, box, settings.radius, limit)
        if distance is not None and (best is None or distance < best[1]):
            best, limit = (thing, distance), distance
    return best


def _travel(
    pose: Pose, way: tuple[float, float, float], box: Box, radius: float, limit: float
) -> float | None:
    """Return how far a ball goes until it touches a box; None if it does not within `limit`.

    It steps by its distance from the box (Hart, Sphere Tracing, 1996): never too far.
    """
    travelled = 0.0
    for _ in range(MOST_STEPS):
        x, y, z = (o + travelled * d for o, d in zip((pose.x, pose.y, pose.z), way, strict=True))
        gap = _distance(box, x, y, z) - radius
        if gap <= TOUCHING_M:
            return travelled
        travelled += gap
        if travelled > limit:
            return None
    return None


def _distance(box: Box, x: float, y: float, z: float) -> float:
    """Return the distance of a point from a box, 0 within."""
    cos, sin = math.cos(box.yaw), math.sin(box.yaw)
    dx, dy = x - box.x, y - box.y
    return math.hypot(
        max(abs(cos * dx + sin * dy) - box.half_length, 0.0),
        max(abs(cos * dy - sin * dx) - box.half_width, 0.0),
        max(box.z_low - z, z - box.z_high, 0.0),
    )
