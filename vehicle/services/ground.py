"""Where a pixel's ray meets the road, and where a point lies along the way ahead.

Vehicle frame: x forward, y left, z up, metres, origin on the ground; the road is taken as flat.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vehicle.camera.base import Intrinsics, MountPose

HORIZON = -1e-3  # rays less steep than this meet the road beyond any use


def rotation(roll: float, pitch: float, yaw: float) -> NDArray[np.float64]:
    """(3, 3) vehicle_from_camera; positive pitch looks up, positive yaw looks left."""
    cr, sr = math.cos(roll), math.sin(roll)
    cp, sp = math.cos(pitch), math.sin(pitch)
    cy, sy = math.cos(yaw), math.sin(yaw)
    about_z = np.array([[cy, -sy, 0.0], [sy, cy, 0.0], [0.0, 0.0, 1.0]])
    about_y = np.array([[cp, 0.0, -sp], [0.0, 1.0, 0.0], [sp, 0.0, cp]])
    about_x = np.array([[1.0, 0.0, 0.0], [0.0, cr, -sr], [0.0, sr, cr]])
    product: NDArray[np.float64] = about_z @ about_y @ about_x
    return product


class GroundCamera:
    """One camera over a flat road."""

    def __init__(
        self, intrinsics: Intrinsics, distortion: Sequence[float], mount: MountPose
    ) -> None:
        self.fx, self.fy = intrinsics[:2]
        self.x, self.height = mount[0], max(0.1, mount[2])
        self._fx, self._fy, self._cx, self._cy = intrinsics
        self._distortion = (*distortion, 0.0, 0.0, 0.0, 0.0, 0.0)[:5] if any(distortion) else None
        self._position = mount[:3]
        self._rotation = rotation(*mount[3:])
        self._level = math.cos(mount[5]), math.sin(mount[5])

    def point(self, u: float, v: float) -> tuple[float, float] | None:
        """Road point (x, y) that pixel (u, v) shows; None at or above the horizon."""
        right, down = self._plane((u - self._cx) / self._fx, (v - self._cy) / self._fy)
        ray = self._rotation @ np.array([1.0, -right, -down])
        if ray[2] > HORIZON:
            return None
        reach = -self._position[2] / ray[2]
        return self._position[0] + reach * ray[0], self._position[1] + reach * ray[1]

    def depths(self, u: NDArray[np.float64], v: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N,) metres along the camera's level axis to the road points at pixels (u, v).

        NaN at or above the horizon.
        """
        right, down = self._planes(u, v)
        rays = np.stack([np.ones_like(right), -right, -down], axis=1) @ self._rotation.T
        is_down = rays[:, 2] < HORIZON
        reach = -self._position[2] / np.where(is_down, rays[:, 2], -1.0)
        ahead = reach * (rays[:, 0] * self._level[0] + rays[:, 1] * self._level[1])
        return np.where(is_down & (ahead > 0.0), ahead, np.nan)

    def bearings(self, u: NDArray[np.float64], v: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N,) tangent of the angle to the left of the camera's axis, in its own level."""
        right, _ = self._planes(u, v)
        return -right

    def in_vehicle(
        self, depth: NDArray[np.float64], left: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Metres along and left of the camera's level axis, as x and y of the vehicle."""
        x, y = self.turned(depth, left)
        return x + self._position[0], y + self._position[1]

    def turned(
        self, ahead: NDArray[np.float64], left: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The same for a direction."""
        cos, sin = self._level
        return cos * ahead - sin * left, sin * ahead + cos * left

    def _planes(
        self, u: NDArray[np.float64], v: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        x, y = (u - self._cx) / self._fx, (v - self._cy) / self._fy
        if self._distortion is None:
            return x, y
        plain = [self._plane(a, b) for a, b in zip(x.tolist(), y.tolist(), strict=True)]
        right, down = np.array(plain, np.float64).reshape(-1, 2).T
        return right, down

    def _plane(self, x: float, y: float) -> tuple[float, float]:
        """Undo OpenCV's distortion by fixed-point iteration."""
        if self._distortion is None:
            return x, y
        k1, k2, p1, p2, k3 = self._distortion
        a, b = x, y
        for _ in range(8):
            r2 = a * a + b * b
            radial = 1.0 + r2 * (k1 + r2 * (k2 + r2 * k3))
            a, b = (
                (x - 2 * p1 * a * b - p2 * (r2 + 2 * a * a)) / radial,
                (y - p1 * (r2 + 2 * b * b) - 2 * p2 * a * b) / radial,
            )
        return a, b


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """The way that the vehicle will go, as a line in its own frame that starts at the vehicle.

    Attributes:
        points: (N, 2) x, y in metres, N >= 2.
    """

    points: NDArray[np.float64]

    def locate(self, x: float, y: float) -> tuple[float, float]:
        """(s, offset): metres along the way to its point nearest to (x, y), metres to its left."""
        start, along = self.points[:-1], np.diff(self.points, axis=0)
        lengths = np.hypot(along[:, 0], along[:, 1])
        to_point = np.array([x, y]) - start
        share = np.clip((to_point * along).sum(axis=1) / np.maximum(lengths**2, 1e-9), 0.0, 1.0)
        away = to_point - share[:, None] * along
        nearest = int(np.argmin(np.hypot(away[:, 0], away[:, 1])))
        s = float(lengths[:nearest].sum() + share[nearest] * lengths[nearest])
        unit = along[nearest] / max(lengths[nearest], 1e-9)
        offset = float(unit[0] * to_point[nearest, 1] - unit[1] * to_point[nearest, 0])
        return s, offset


def arc(speed: float, yaw_rate: float, length: float = 60.0, step: float = 2.0) -> Way:
    """The circle on which the vehicle is now; straight ahead while it stands."""
    curvature = yaw_rate / speed if speed > 1.0 else 0.0
    s = np.arange(0.0, length + step, step)
    angle = curvature * s
    if abs(curvature) < 1e-6:
        return Way(np.stack([s, np.zeros_like(s)], axis=1))
    turned = np.abs(angle) < math.pi / 2  # what lies behind a quarter turn is not ahead
    x, y = np.sin(angle) / curvature, (1.0 - np.cos(angle)) / curvature
    return Way(np.stack([x, y], axis=1)[turned])


def along_route(
    route: NDArray[np.float64], x: float, y: float, yaw: float, length: float = 60.0
) -> Way | None:
    """The planned route from where the vehicle is.

    Args:
        route: (N, 2) world metres, a closed line.
        x: Of the vehicle, world metres.
        y: The same.
        yaw: Of the vehicle, radians counter-clockwise from east.

    Returns:
        None when the vehicle is not on it: over 3 m beside it or against its direction.
    """
    if len(route) < 3:
        return None
    offset = route - np.array([x, y])
    ahead, left = math.cos(yaw), math.sin(yaw)
    local = np.stack(
        [offset[:, 0] * ahead + offset[:, 1] * left, -offset[:, 0] * left + offset[:, 1] * ahead],
        axis=1,
    )
    along = np.roll(local, -1, axis=0) - local
    lengths = np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-9)
    share = np.clip(-(local * along).sum(axis=1) / lengths**2, 0.0, 1.0)
    nearest_points = local + share[:, None] * along
    away = np.hypot(nearest_points[:, 0], nearest_points[:, 1])
    away = np.where(along[:, 0] / lengths > 0.5, away, np.inf)  # within 60 degrees of our heading
    nearest = int(np.argmin(away))
    if not away[nearest] < 3.0:
        return None
    count = min(len(route), int(length / max(float(lengths.mean()), 0.1)) + 2)
    order = (nearest + 1 + np.arange(count)) % len(route)
    return Way(np.concatenate([nearest_points[nearest : nearest + 1], local[order]]))
