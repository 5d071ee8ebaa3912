"""Ground truth of a picture: the visible box of every road user and traffic light in it."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.calibration import Intrinsics
from sim.engine.geometry import Vector
from sim.projection import Point, box_corners, clipped_area, rigid_inverse, silhouette
from sim.world import Body, Picture

# Equal to vehicle.perception.classes.CLASSES, which `sim` may not import; a test compares them.
CLASSES = ("car", "truck", "bus", "motorcycle", "bicycle", "pedestrian", "traffic light")
PEDESTRIAN = CLASSES.index("pedestrian")
TRAFFIC_LIGHT = CLASSES.index("traffic light")

# What a pixel's tag (CARLA's CityObjectLabel) can belong to; riders belong to either two-wheeler.
CARS, TRUCKS, BUSES, TWO_WHEELERS, PEOPLE, LIGHTS = 1, 2, 3, 4, 5, 6
TAG_GROUPS = np.zeros(256, np.uint8)
TAG_GROUPS[[14, 15, 16, 12, 7]] = CARS, TRUCKS, BUSES, PEOPLE, LIGHTS
TAG_GROUPS[[13, 18, 19]] = TWO_WHEELERS
IS_SCORED = TAG_GROUPS > 0
CLASS_GROUPS = (CARS, TRUCKS, BUSES, TWO_WHEELERS, TWO_WHEELERS, PEOPLE, LIGHTS)

# Share of its projected 3D box that an object in full view fills, by class: medians of boxes that
# are at least 25 px high and not hidden, in pictures of the embedded world.
FULL_VIEW = (0.7, 0.78, 0.78, 0.37, 0.33, 0.4, 1.0)

RANGE_M = 250.0  # beyond, a car is 2 px high
MIN_PIXELS = 6  # fewer are a speck of which no box can be told
MIN_HEIGHT_PX = 5.0  # the same; no score counts boxes under 25
MARGIN_PX = 2.0  # edges are antialiased and extents rounded
BELIEVED_SHARE = 0.7  # of an id's pixels that must lie in its actor's projected box
MATCHED_SHARE = 0.9  # the same where only geometry speaks
CERTAIN_IOU = 0.5  # of a match by geometry that is remembered
FACING = 0.3  # cosine between a lamp's axis and the way to the camera: 72 degrees


@dataclass(frozen=True, slots=True)
class TruthBox:
    """One visible object in one picture.

    Attributes:
        actor_id: who it is; the same over ticks, so that it also names the track.
        class_id: index in `CLASSES`.
        xyxy: tight box round its visible pixels; right and bottom are exclusive.
        visibility: share of it that is not hidden, 0..1: its pixels / area of the clipped hull of
            its projected 3D box, over what its class reaches in full view (`FULL_VIEW`).
        distance_m: from the camera to the middle of its 3D box.
        position: middle of its 3D box, world metres.
        velocity: m/s, world axes.
    """

    actor_id: int
    class_id: int
    xyxy: tuple[float, float, float, float]
    visibility: float
    distance_m: float
    position: Vector
    velocity: Vector


@dataclass(slots=True)
class _Shape:
    """A body in the picture: its hull, the rectangle round it, and the pixels found to be its."""

    body: Body
    hull: list[Point]
    rect: tuple[float, float, float, float]
    distance_m: float
    group: int
    blob: "_Blob | None" = None


@dataclass(slots=True)
class _Blob:
    """All pixels of one id: columns and rows."""

    hint: int
    group: int
    u: NDArray[np.int64]
    v: NDArray[np.int64]

    def rect(self) -> tuple[float, float, float, float]:
        return (
            float(self.u.min()), float(self.v.min()),
            float(self.u.max()) + 1.0, float(self.v.max()) + 1.0,
        )  # fmt: skip

    def inside(self, rect: tuple[float, float, float, float]) -> "_Blob":
        u, v = self.u, self.v
        is_in = (u + 1.0 >= rect[0]) & (u <= rect[2]) & (v + 1.0 >= rect[1]) & (v <= rect[3])
        if is_in.all():
            return self
        return _Blob(self.hint, self.group, u[is_in], v[is_in])


class GroundTruth:
    """Truth of one camera over its ticks.

    An id in the picture is a hint: 0.9.16 writes the low 16 bits of the actor's id where there is
    one and the engine's own object id elsewhere, older servers and large maps always the engine's.
    A hint is believed only where its pixels lie in that actor's projected 3D box. Other pixels are
    matched by geometry, and a certain match is remembered, because an object keeps its id.

    Attributes:
        seen_as: id that each visible body had in the pixels of the last picture, by actor id.
    """

    def __init__(self, intrinsics: Intrinsics, own_id: int = 0) -> None:
        self._intrinsics = intrinsics
        self.seen_as: dict[int, int] = {}
        self._own_id = own_id
        self._known: dict[tuple[int, int], int] = {}  # (group, hint) -> actor id

    def boxes(self, picture: Picture, bodies: Sequence[Body]) -> list[TruthBox]:
        """The visible road users and traffic lights that face the camera, nearest first.

        The vehicle that carries the camera (`own_id`) is left out.
        """
        shapes = self._shapes(picture.world_from_camera, bodies)
        blobs = _blobs(picture)
        self._believe(shapes, blobs)
        self._match(shapes, blobs)
        self.seen_as = {s.body.actor_id: s.blob.hint for s in shapes if s.blob is not None}
        found = []
        for shape in shapes:
            if shape.body.actor_id == self._own_id or shape.blob is None:
                continue
            box = self._box(shape, shape.blob)
            if len(shape.blob.u) >= MIN_PIXELS and box.xyxy[3] - box.xyxy[1] >= MIN_HEIGHT_PX:
                found.append(box)
        return found

    def _shapes(
        self, world_from_camera: NDArray[np.float64], bodies: Sequence[Body]
    ) -> list[_Shape]:
        eye = world_from_camera[:3, 3]
        near = []
        for body in bodies:
            to_eye = (eye[0] - body.pose.x, eye[1] - body.pose.y, eye[2] - body.pose.z)
            distance = math.hypot(*to_eye)
            if distance > RANGE_M:
                continue
            if body.class_id == TRAFFIC_LIGHT:
                ahead = math.cos(body.pose.yaw) * to_eye[0] + math.sin(body.pose.yaw) * to_eye[1]
                if ahead < FACING * distance:
                    continue
            near.append((distance, body.actor_id, body))
        near.sort(key=lambda item: item[:2])
        corners = box_corners(
            [body.pose for _, _, body in near],
            [body.extent for _, _, body in near],
            rigid_inverse(world_from_camera),
        )
        shapes = []
        for (distance, _, body), points in zip(near, corners, strict=True):
            shape = self._shape(body, points, distance)
            if shape is not None:
                shapes.append(shape)
        return shapes

    def _shape(self, body: Body, corners: NDArray[np.float64], distance: float) -> _Shape | None:
        if corners[:, 0].max() <= 0.0:
            return None
        hull = silhouette(corners, self._intrinsics)
        if hull is None:
            return None
        us, vs = [p[0] for p in hull], [p[1] for p in hull]
        rect = (
            min(us) - MARGIN_PX, min(vs) - MARGIN_PX, max(us) + MARGIN_PX, max(vs) + MARGIN_PX,
        )  # fmt: skip
        if rect[2] < 0 or rect[3] < 0:
            return None
        if rect[0] > self._intrinsics.width or rect[1] > self._intrinsics.height:
            return None
        return _Shape(body, hull, rect, distance, CLASS_GROUPS[body.class_id])

    def _believe(self, shapes: list[_Shape], blobs: dict[tuple[int, int], _Blob]) -> None:
        """Take ids at their word where their pixels lie where that actor is."""
        used = set()
        for shape in shapes:
            key = (shape.group, shape.body.actor_id & 0xFFFF)
            blob = blobs.get(key)
            if blob is None:
                continue
            inside = blob.inside(shape.rect)
            is_light = shape.group == LIGHTS  # its pole has the same id but is not in the box
            if len(inside.u) >= (1 if is_light else BELIEVED_SHARE * len(blob.u)):
                shape.blob = inside
                used.add(key)
        for key in used:
            del blobs[key]

    def _match(self, shapes: list[_Shape], blobs: dict[tuple[int, int], _Blob]) -> None:
        """Give the remaining pixels to the bodies whose projected boxes they fit best."""
        pairs = []
        for order, shape in enumerate(shapes):
            if shape.blob is not None:
                continue
            for key, blob in blobs.items():
                if blob.group != shape.group:
                    continue
                inside = blob.inside(shape.rect)
                is_light = shape.group == LIGHTS
                if len(inside.u) < (1 if is_light else MATCHED_SHARE * len(blob.u)):
                    continue
                fit = _iou(inside.rect(), self._clip(shape.rect))
                is_known = self._known.get(key) == shape.body.actor_id
                pairs.append((-fit - is_known, order, key, inside, fit))
        pairs.sort(key=lambda pair: pair[:3])
        taken: set[tuple[int, int]] = set()
        for _, order, key, inside, fit in pairs:
            shape = shapes[order]
            if shape.blob is not None or (key in taken and shape.group != LIGHTS):
                continue
            shape.blob = inside
            taken.add(key)
            if fit >= CERTAIN_IOU:
                self._known[key] = shape.body.actor_id

    def _clip(self, rect: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
        """A shape's rectangle without its margin, as far as it lies in the picture."""
        return (
            max(rect[0] + MARGIN_PX, 0.0), max(rect[1] + MARGIN_PX, 0.0),
            min(rect[2] - MARGIN_PX, float(self._intrinsics.width)),
            min(rect[3] - MARGIN_PX, float(self._intrinsics.height)),
        )  # fmt: skip

    def _box(self, shape: _Shape, blob: _Blob) -> TruthBox:
        area = clipped_area(shape.hull, self._intrinsics.width, self._intrinsics.height)
        area *= FULL_VIEW[shape.body.class_id]
        pose = shape.body.pose
        return TruthBox(
            actor_id=shape.body.actor_id,
            class_id=shape.body.class_id,
            xyxy=blob.rect(),
            visibility=min(1.0, len(blob.u) / max(area, 1.0)),
            distance_m=shape.distance_m,
            position=(pose.x, pose.y, pose.z),
            velocity=shape.body.velocity,
        )


def _blobs(picture: Picture) -> dict[tuple[int, int], _Blob]:
    """The pixels of road users and lights, by (group, id)."""
    tags = picture.semantic.ravel()
    where = np.flatnonzero(np.take(IS_SCORED, tags))  # most pixels are of neither
    if not len(where):
        return {}
    ids, groups = picture.instance.ravel()[where], TAG_GROUPS[tags[where]]
    # Two stable sorts of short integers: numpy does these by radix, in linear time.
    order = np.argsort(ids, kind="stable")
    order = order[np.argsort(groups[order], kind="stable")]
    ids, groups, where = ids[order], groups[order], where[order]
    is_first = (np.diff(ids) != 0) | (np.diff(groups) != 0)
    bounds = [0, *(np.flatnonzero(is_first) + 1).tolist(), len(where)]
    rows, columns = np.divmod(where, picture.semantic.shape[1])
    blobs = {}
    for start, end in itertools.pairwise(bounds):
        key = (int(groups[start]), int(ids[start]))
        blobs[key] = _Blob(key[1], key[0], columns[start:end], rows[start:end])
    return blobs


def _iou(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0.0 or height <= 0.0:
        return 0.0
    both = width * height
    areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return both / (areas - both)
