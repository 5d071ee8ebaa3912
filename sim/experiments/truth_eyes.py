"""What a detector would find in a frame that nobody draws: true boxes, each found or missed by lot.

The fast way of closed-loop studies. What is in sight follows from geometry (footprints of
buildings, boxes of road users); of that a model finds its measured share: the AP50 of the object's
class at the rung's input size stands for its recall, less what JPEG costs, and ramps to none for
boxes lower than `LEAST_PX`. Corners are off by some percent. There are no false boxes.

The lot of an object is drawn once a frame, and the next frame's is near it: who is missed now is
likely missed again. All models share it, so that policies are compared under the same luck.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from scheduler.effects import Encode, Send
from scheduler.latency import accuracy_loss
from scheduler.tasks import Task
from sim.engine.geometry import Pose
from sim.projection import NEAR, box_corners, rigid_inverse
from sim.world import Body, CameraMount
from vehicle.perception.detections import Detections

RANGE_M = 90.0  # beyond, a car is under 20 px high at 640 pixels and 90 degrees
LEAST_PX = 12.0  # height of which nothing is found
SURE_PX = 25.0  # height from which the measured recall holds
LEAST_SEEN = 0.3  # share in sight under which nothing is found
MEMORY = 0.7  # of an object's lot from frame to frame, 0.1 s apart
JITTER = 0.02  # standard deviation of each side, in heights of the box
SCORE = 0.8  # of every box; above all thresholds
PHI = NormalDist().cdf


@dataclass(frozen=True, slots=True, eq=False)
class InSight:
    """The objects of one frame.

    Attributes:
        xyxy: (N, 4) float32 pixels, jittered.
        height: (N,) pixels.
        class_id: (N,).
        lot: (N,) 0..1; an object is found by models whose recall is above.
    """

    xyxy: NDArray[np.float32]
    height: NDArray[np.float32]
    class_id: NDArray[np.int16]
    lot: NDArray[np.float32]


class TruthEyes:
    """One camera.

    Args:
        mount: Of the camera.
        own_id: Actor of the ego.
        buildings: Footprints, each (N, 2) metres.
        on_board: Recall of each class by onboard model, in the order of `CLASSES`.
        at_unit: The same of what units run.
        seed: Of lots and jitter.
    """

    def __init__(
        self,
        mount: CameraMount,
        own_id: int,
        buildings: Sequence[NDArray[np.float64]],
        on_board: Mapping[str, Sequence[float]],
        at_unit: Mapping[str, Sequence[float]],
        seed: int,
    ) -> None:
        self._mount = mount
        self._own_id = own_id
        self._walls = _edges(buildings)
        self._on_board = {name: np.array(values, np.float32) for name, values in on_board.items()}
        self._at_unit = {name: np.array(values, np.float32) for name, values in at_unit.items()}
        self._seed = seed
        self._latent: dict[int, tuple[float, Random]] = {}  # by actor
        self._seen: dict[int, InSight] = {}  # by tick

    def look(self, tick: int, pose: Pose, bodies: Sequence[Body]) -> InSight:
        """Take in a frame; its tick is how it is asked for later."""
        camera = pose.compose(self._mount.camera_from_vehicle)
        near = [
            body
            for body in bodies
            if body.actor_id != self._own_id
            and math.hypot(body.pose.x - pose.x, body.pose.y - pose.y) < RANGE_M
        ]
        found = self._in_sight(camera, near)
        self._seen[tick] = found
        return found

    def on_board(self, task: Task, model: str) -> Detections:
        """What the vehicle's own model finds."""
        return _found(self._seen[task.tick], self._on_board[model])

    def at_unit(self, sent: Send, quality: int) -> Detections:
        """What a unit's model finds in the JPEG."""
        share = 1.0 - accuracy_loss(quality) if quality else 1.0
        return _found(self._seen[sent.task.tick], self._at_unit[sent.model] * np.float32(share))

    def jpeg_bytes(self, job: Encode) -> int | None:
        """A usual frame: there are no pixels."""
        return None

    def done(self, task: Task) -> None:
        """Forget frames of more than a second ago."""
        for tick in [tick for tick in self._seen if tick < task.tick - 20]:
            del self._seen[tick]

    def _in_sight(self, camera: Pose, near: Sequence[Body]) -> InSight:
        matrix = camera.matrix()
        corners = box_corners(
            [body.pose for body in near], [body.extent for body in near], rigid_inverse(matrix)
        )
        kept: list[tuple[Body, tuple[float, float, float, float], float]] = []
        for body, points in zip(near, corners, strict=True):
            rect = self._rect(points)
            if rect is not None:
                kept.append((body, rect, rect[3] - rect[1]))
        shares = self._shares(matrix[:3, 3], [body for body, _, _ in kept], near)
        rows: list[tuple[float, ...]] = []
        for (body, rect, height), share in zip(kept, shares, strict=True):
            lot, random = self._lot(body.actor_id)
            if height < LEAST_PX or share < LEAST_SEEN:
                continue
            sides = [side + random.gauss(0.0, JITTER * height) for side in rect]
            rows.append((*sides, height, float(body.class_id), lot))
        table = np.array(rows, np.float32).reshape(-1, 7)
        return InSight(table[:, :4], table[:, 4], table[:, 5].astype(np.int16), table[:, 6])

    def _rect(self, corners: NDArray[np.float64]) -> tuple[float, float, float, float] | None:
        """The rectangle round the projected corners in the picture; None where it is outside."""
        if corners[:, 0].min() <= NEAR:
            return None  # beside or behind; what is so near fills the picture and has been seen
        k = self._mount.intrinsics
        u = k.cx - k.fx * corners[:, 1] / corners[:, 0]
        v = k.cy - k.fy * corners[:, 2] / corners[:, 0]
        left, right = max(0.0, float(u.min())), min(float(k.width), float(u.max()))
        top, bottom = max(0.0, float(v.min())), min(float(k.height), float(v.max()))
        if right - left < 2.0 or bottom - top < 2.0:
            return None
        return left, top, right, bottom

    def _lot(self, actor_id: int) -> tuple[float, Random]:
        """The next lot of an object, and its generator."""
        known = self._latent.get(actor_id)
        if known is None:
            random = Random(f"{self._seed}/{actor_id}/seen")
            value = random.gauss(0.0, 1.0)
        else:
            value, random = known
            value = MEMORY * value + math.sqrt(1.0 - MEMORY**2) * random.gauss(0.0, 1.0)
        self._latent[actor_id] = value, random
        return PHI(value), random

    def _shares(
        self, eye: NDArray[np.float64], asked: Sequence[Body], others: Sequence[Body]
    ) -> list[float]:
        """Of each body, the share of eight of its points that nothing hides."""
        if not asked:
            return []
        points = box_corners(
            [body.pose for body in asked],
            [tuple(0.7 * side for side in body.extent) for body in asked],  # type: ignore[misc]
            np.eye(4),
        )
        distance = np.linalg.norm(self._walls[:, :2] - eye[:2], axis=1)
        walls = self._walls[distance < RANGE_M + 30.0]
        flat = points.reshape(-1, 3)
        hidden = _crossings(eye, flat, walls)[0].any(axis=1)
        for body in others:
            edges = _edges([_footprint(body)])
            is_crossed, part = _crossings(eye, flat, edges)
            top = body.pose.z + body.extent[2]
            below = eye[2] + part * (flat[:, 2:3] - eye[2]) < top
            covers = (is_crossed & below).any(axis=1).reshape(-1, 8)
            own = [index for index, one in enumerate(asked) if one.actor_id == body.actor_id]
            covers[own] = False
            hidden |= covers.reshape(-1)
        return [float(share) for share in 1.0 - hidden.reshape(-1, 8).mean(axis=1)]


def _found(seen: InSight, recall: NDArray[np.float32]) -> Detections:
    ramp = np.clip((seen.height - LEAST_PX) / (SURE_PX - LEAST_PX), 0.0, 1.0)
    is_found = seen.lot < recall[seen.class_id] * ramp
    count = int(is_found.sum())
    return Detections(
        seen.xyxy[is_found], np.full(count, SCORE, np.float32), seen.class_id[is_found]
    )


def _footprint(body: Body) -> NDArray[np.float64]:
    cos, sin = math.cos(body.pose.yaw), math.sin(body.pose.yaw)
    length, width, _ = body.extent
    return np.array(
        [
            (body.pose.x + x * cos - y * sin, body.pose.y + x * sin + y * cos)
            for x, y in ((length, width), (-length, width), (-length, -width), (length, -width))
        ]
    )


def _edges(polygons: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """(E, 4): both ends of each side."""
    sides = [np.hstack([ring, np.roll(ring, -1, axis=0)]) for ring in polygons]
    return np.concatenate(sides) if sides else np.empty((0, 4))


def _crossings(
    eye: NDArray[np.float64], points: NDArray[np.float64], edges: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Which lines of sight cross which edges in the plane, and at which part of the way."""
    way = points[:, None, :2] - eye[None, None, :2]  # (P, 1, 2)
    side = (edges[:, 2:] - edges[:, :2])[None]  # (1, E, 2)
    start = (edges[:, :2] - eye[:2])[None]  # (1, E, 2)
    cross = way[..., 0] * side[..., 1] - way[..., 1] * side[..., 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        part = (start[..., 0] * side[..., 1] - start[..., 1] * side[..., 0]) / cross
        along = (start[..., 0] * way[..., 1] - start[..., 1] * way[..., 0]) / cross
    is_crossed = (part > 0.0) & (part < 0.98) & (along >= 0.0) & (along <= 1.0)
    return is_crossed, part
