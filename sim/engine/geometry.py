"""Poses and oriented rectangles of the embedded world, in its right-handed east-north-up frame."""

from __future__ import annotations

import math
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

Vector = tuple[float, float, float]  # x, y, z; metres, m/s or rad/s as the owner says


class Pose(msgspec.Struct, frozen=True, gc=False):
    """Where a body stands: its axes are x forward, y left, z up (ISO 8855).

    Attributes:
        x: metres east.
        y: metres north.
        z: metres up.
        yaw: radians counter-clockwise from east.
        pitch: radians, nose up positive.
        roll: radians, right side down positive.
    """

    x: float = 0.0
    y: float = 0.0
    z: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0

    def rotation(self) -> NDArray[np.float64]:
        """The (3, 3) rotation `world_from_body` = Rz(yaw) Ry(-pitch) Rx(roll)."""
        cy, sy = math.cos(self.yaw), math.sin(self.yaw)
        cp, sp = math.cos(self.pitch), math.sin(self.pitch)
        cr, sr = math.cos(self.roll), math.sin(self.roll)
        return np.array(
            [
                [cy * cp, -cy * sp * sr - sy * cr, -cy * sp * cr + sy * sr],
                [sy * cp, -sy * sp * sr + cy * cr, -sy * sp * cr - cy * sr],
                [sp, cp * sr, cp * cr],
            ]
        )

    def matrix(self) -> NDArray[np.float64]:
        """The (4, 4) transform `world_from_body`."""
        world_from_body = np.eye(4)
        world_from_body[:3, :3] = self.rotation()
        world_from_body[:3, 3] = (self.x, self.y, self.z)
        return world_from_body

    def compose(self, local: Pose) -> Pose:
        """The world pose of a body whose pose in this body's axes is `local`."""
        if self.pitch == 0.0 and self.roll == 0.0:
            cy, sy = math.cos(self.yaw), math.sin(self.yaw)
            return Pose(
                self.x + cy * local.x - sy * local.y,
                self.y + sy * local.x + cy * local.y,
                self.z + local.z,
                wrap(self.yaw + local.yaw),
                local.pitch,
                local.roll,
            )
        return Pose.from_matrix(self.matrix() @ local.matrix())

    @classmethod
    def from_matrix(cls, world_from_body: NDArray[np.float64]) -> Pose:
        """The pose whose `matrix()` is the given rigid (4, 4) transform."""
        m = world_from_body
        return cls(
            float(m[0, 3]),
            float(m[1, 3]),
            float(m[2, 3]),
            math.atan2(m[1, 0], m[0, 0]),
            math.atan2(m[2, 0], math.hypot(m[0, 0], m[1, 0])),
            math.atan2(m[2, 1], m[2, 2]),
        )


@dataclass(frozen=True, slots=True)
class Box:
    """An oriented rectangle on the ground with a height range, for collisions and spawn checks."""

    x: float
    y: float
    yaw: float
    half_length: float
    half_width: float
    z_low: float = 0.0
    z_high: float = 10.0

    @property
    def radius(self) -> float:
        """Radius of the circle around it, metres."""
        return math.hypot(self.half_length, self.half_width)

    def corners(self) -> list[tuple[float, float]]:
        """Its four corners, counter-clockwise from front left."""
        cx, sx = math.cos(self.yaw) * self.half_length, math.sin(self.yaw) * self.half_length
        cy, sy = -math.sin(self.yaw) * self.half_width, math.cos(self.yaw) * self.half_width
        return [
            (self.x + cx + cy, self.y + sx + sy),
            (self.x - cx + cy, self.y - sx + sy),
            (self.x - cx - cy, self.y - sx - sy),
            (self.x + cx - cy, self.y + sx - sy),
        ]


def wrap(angle: float) -> float:
    """The angle in (-pi, pi]."""
    return math.pi - (math.pi - angle) % (2.0 * math.pi)


def boxes_touch(a: Box, b: Box, margin: float = 0.0) -> bool:
    """Two boxes overlap, or come closer than `margin` metres on the ground."""
    reach = a.radius + b.radius + margin
    if abs(a.x - b.x) > reach or abs(a.y - b.y) > reach:
        return False
    if a.z_low > b.z_high or b.z_low > a.z_high:
        return False
    return overlap(a, b, margin) is not None


def overlap(a: Box, b: Box, margin: float = 0.0) -> tuple[float, float, float] | None:
    """How two rectangles overlap on the ground, by the separating axis test.

    Returns:
        (depth, nx, ny): the least shift, metres, and the unit direction from `b` to `a` in which
        shifting `a` parts them; None where they are apart by more than `margin`.
    """
    cos_a, sin_a = math.cos(a.yaw), math.sin(a.yaw)
    cos_b, sin_b = math.cos(b.yaw), math.sin(b.yaw)
    dx, dy = a.x - b.x, a.y - b.y
    cos, sin = abs(cos_a * cos_b + sin_a * sin_b), abs(sin_a * cos_b - cos_a * sin_b)
    axes = (
        (cos_a, sin_a, a.half_length + b.half_length * cos + b.half_width * sin),
        (-sin_a, cos_a, a.half_width + b.half_length * sin + b.half_width * cos),
        (cos_b, sin_b, b.half_length + a.half_length * cos + a.half_width * sin),
        (-sin_b, cos_b, b.half_width + a.half_length * sin + a.half_width * cos),
    )
    best = (math.inf, 0.0, 0.0)
    for nx, ny, reach in axes:
        distance = dx * nx + dy * ny
        depth = reach + margin - abs(distance)
        if depth < 0.0:
            return None
        if depth < best[0]:
            side = 1.0 if distance >= 0.0 else -1.0
            best = (depth, nx * side, ny * side)
    return best


def ray_span(box: Box, a: Vector, b: Vector) -> tuple[float, float] | None:
    """Where the straight line through two points, metres, runs inside a box, by slabs.

    Returns:
        (enter, leave) as shares of the way from `a` to `b`, below 0 or above 1 where the box lies
        before `a` or behind `b`; None where the line misses the box.
    """
    cos, sin = math.cos(box.yaw), math.sin(box.yaw)
    ax, ay = a[0] - box.x, a[1] - box.y
    dx, dy = b[0] - a[0], b[1] - a[1]
    slabs = (
        (cos * ax + sin * ay, cos * dx + sin * dy, -box.half_length, box.half_length),
        (cos * ay - sin * ax, cos * dy - sin * dx, -box.half_width, box.half_width),
        (a[2], b[2] - a[2], box.z_low, box.z_high),
    )
    enter, leave = -math.inf, math.inf
    for start, step, low, high in slabs:
        if abs(step) < 1e-12:
            if not low <= start <= high:
                return None
            continue
        near, far = sorted(((low - start) / step, (high - start) / step))
        enter, leave = max(enter, near), min(leave, far)
    return (enter, leave) if enter <= leave else None
