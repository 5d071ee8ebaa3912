"""How far away tracked objects are, how they move over ground, and when we would reach them.

One filter a track along the camera's axis, in logarithms, in which every observation is linear:
state (r, q, e) with r = ln(distance), q = dr/dt = -1 / time to collision, e = ln(height in metres).

- a box's height in pixels says e - r, up to the error of its sides;
- where its lower side meets the road says r, up to the camera's pitch;
- the scale that flow measured between two pictures says -q.

Each counts by its variance, so near objects are placed by the road and far ones by their size,
and the time to collision comes from the scale or from the distance, whichever is better known.
A second filter follows the bearing. All tracks are updated at once; reads no clock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vehicle.perception.association import matched
from vehicle.perception.boxes import iou
from vehicle.perception.motion import Motion
from vehicle.perception.tracker import Tracks
from vehicle.services.ground import GroundCamera

Doubles = NDArray[np.float64]

# Median height of each class, metres, with its rider, and the relative deviation (our world's
# catalogue and the usual tables agree to it): car, truck, bus, motorcycle, bicycle, pedestrian,
# head of a traffic light.
HEIGHT = np.array([1.5, 2.9, 3.1, 1.6, 1.7, 1.72, 1.1])
HEIGHT_DEVIATION = np.array([0.08, 0.25, 0.08, 0.12, 0.1, 0.08, 0.25])
# Metres by which the nearest part is nearer than where the object meets the road: a usual overhang
# before the wheels, half a step of who walks.
OVERHANG = np.array([0.8, 0.8, 0.8, 0.3, 0.3, 0.3, 0.0])
TRAFFIC_LIGHT = 6  # hangs in the air: its lower side is not on the road
START_SPEED = 8.0  # m/s, standard deviation of a new object's own speed around standing
ACCELERATION = 3.0  # m/s^2 that an object may do; raising it trusts the newest picture more
SIDE_PX, SIDE_SHARE = 0.7, 0.025  # deviation of a tracked side: pixels, share of the box
ROAD_PX = 2.0  # deviation of where an object meets the road: its side, our pitch, the road's
SCALE_PX = 1.0  # deviation of a side's motion in flow, besides what flow says itself
BORDER_PX = 2.0  # a box this near to the picture's edge goes on beyond it
NEAREST, FARTHEST = 0.5, 150.0  # metres
FASTEST = 10.0  # 1/s, of distance over distance: 30 m/s at 3 m
LEAST_SHARE = 0.3  # of a distance that may be left after one step
CLOSING = 0.02  # 1/s; what takes over 50 s is not closing


@dataclass(frozen=True, slots=True)
class OwnMotion:
    """How the vehicle moves: metres per second ahead, radians per second to the left."""

    speed: float
    yaw_rate: float


@dataclass(frozen=True, slots=True)
class Place:
    """Where one object is and how it moves, in the vehicle's axes (x forward, y left), metres.

    Attributes:
        x: Of its near face.
        y: Of its middle.
        vx: m/s, own motion taken out; relative to the vehicle where that is not known.
        vy: The same.
        ttc_s: Seconds until its distance along the camera's axis is used up; None where it is
            not closing, or the rate is not known to a half.
    """

    x: float
    y: float
    vx: float
    vy: float
    ttc_s: float | None


class Ranging:
    """The objects of one camera in metres."""

    def __init__(self) -> None:
        self._camera: GroundCamera | None = None
        self._setup: tuple[object, ...] = ()
        self._size = (0, 0)
        self._own: OwnMotion | None = None
        self._at_ns = 0
        self._ids = np.zeros(0, np.int32)
        self._overhang = np.zeros(0)
        self._depth = np.zeros((0, 3))
        self._depth_cov = np.zeros((0, 3, 3))
        self._side = np.zeros((0, 2))
        self._side_cov = np.zeros((0, 2, 2))

    def aim(self, camera: GroundCamera, width: int, height: int) -> None:
        """The camera whose boxes these are; width and height of its picture in pixels."""
        self._camera, self._size = camera, (width, height)

    def drive(self, own: OwnMotion | None) -> None:
        """The vehicle's own motion from now on; None where nobody knows it."""
        if own is not None and self._own is not None and len(self._ids):
            self._depth[:, 1] -= (own.speed - self._own.speed) / np.exp(self._depth[:, 0])
        self._own = own

    def look(self, tracks: Tracks) -> None:
        """A model looked: the tracks at the instant of the newest picture that was seen."""
        camera = self._camera
        if camera is None:
            return
        boxes = tracks.xyxy.astype(np.float64)
        self._keep(tracks, boxes, camera)
        self._advance(tracks.valid_ns)
        if not len(boxes):
            return
        width, height = self._size
        tall = np.maximum(boxes[:, 3] - boxes[:, 1], 1.0)
        is_whole = (boxes[:, 1] > BORDER_PX) & (boxes[:, 3] < height - BORDER_PX)
        error = (SIDE_PX + SIDE_SHARE * tall) * math.sqrt(2.0) / tall
        seen = np.log(tall / camera.fy)
        self._observe(np.array([-1.0, 0.0, 1.0]), seen, _unless(is_whole, error**2))
        middle = (boxes[:, 0] + boxes[:, 2]) / 2
        depth = camera.depths(middle, boxes[:, 3])
        on_road = np.isfinite(depth) & (boxes[:, 3] < height - BORDER_PX)
        on_road &= tracks.class_id != TRAFFIC_LIGHT
        depth = np.where(on_road, depth, 1.0)
        error = (ROAD_PX + SIDE_SHARE * tall) * depth / (camera.fy * camera.height) + 0.02
        self._observe(np.array([1.0, 0.0, 0.0]), np.log(depth), _unless(on_road, error**2))
        wide = boxes[:, 2] - boxes[:, 0]
        is_whole = (boxes[:, 0] > BORDER_PX) & (boxes[:, 2] < width - BORDER_PX)
        error = (SIDE_PX + SIDE_SHARE * wide) / camera.fx
        bearing = camera.bearings(middle, (boxes[:, 1] + boxes[:, 3]) / 2)
        self._observe_side(bearing, _unless(is_whole, error**2))

    def move(self, motion: Motion, tracks: Tracks) -> None:
        """Flow measured how boxes grew; `tracks` are those at `motion.to_ns`."""
        seconds = (motion.to_ns - motion.from_ns) * 1e-9
        usable = np.flatnonzero(np.isfinite(motion.sigma))
        if self._camera is None or seconds <= 0.0 or not len(usable):
            return
        overlap = iou(tracks.xyxy.astype(np.float64), motion.xyxy[usable].astype(np.float64))
        rows, columns = matched(overlap.astype(np.float64, copy=False), 0.5)
        known = {int(number): row for row, number in enumerate(self._ids)}
        pairs = [
            (known[number], column)
            for number, column in zip(tracks.track_id[rows].tolist(), usable[columns], strict=True)
            if number in known
        ]
        if not pairs:
            return
        self._advance(motion.to_ns)
        mine, of = np.array(pairs).T
        box = motion.xyxy[of].astype(np.float64)
        side = np.maximum((box[:, 2:] - box[:, :2]).mean(axis=1), 4.0)
        rate, variance = np.zeros(len(self._ids)), np.full(len(self._ids), np.inf)
        rate[mine] = -np.log(motion.scale[of].astype(np.float64)) / seconds
        error = np.hypot(motion.sigma[of].astype(np.float64), SCALE_PX) * 2.0 / side / seconds
        variance[mine] = error**2
        self._observe(np.array([0.0, 1.0, 0.0]), rate, variance)

    def places(self, now_ns: int) -> dict[int, Place]:
        """What is known of each track at `now_ns`, by track id."""
        camera = self._camera
        if camera is None or not len(self._ids):
            return {}
        dt = (now_ns - self._at_ns) * 1e-9
        rate = self._depth[:, 1]
        left = np.maximum(1.0 + rate * dt, LEAST_SHARE)
        z = np.minimum(np.exp(self._depth[:, 0]) * left, FARTHEST)
        near = np.maximum(z - self._overhang, 0.0)
        rate = rate / left
        own = self._own or OwnMotion(0.0, 0.0)
        bearing, slip = self._side[:, 0], self._side[:, 1]
        bearing = bearing + (slip - own.yaw_rate * (1 + bearing**2)) * dt
        x, y = camera.in_vehicle(near, z * bearing)
        vx, vy = camera.turned(z * rate, z * (slip + rate * bearing))
        vx = vx + own.speed
        vy = vy + own.yaw_rate * camera.x
        is_closing = (rate < -CLOSING) & (np.sqrt(self._depth_cov[:, 1, 1]) < 0.5 * -rate)
        with np.errstate(divide="ignore"):
            ttc = -near / z / rate
        rows = zip(
            self._ids.tolist(), x.tolist(), y.tolist(), vx.tolist(), vy.tolist(), ttc.tolist(),
            is_closing.tolist(), strict=True,
        )  # fmt: skip
        return {n: Place(a, b, c, d, t if closing else None) for n, a, b, c, d, t, closing in rows}

    def _keep(self, tracks: Tracks, boxes: Doubles, camera: GroundCamera) -> None:
        """Rows in the order of the tracks; new tracks begin with what their class tells."""
        if np.array_equal(self._ids, tracks.track_id):
            return
        known = {int(number): row for row, number in enumerate(self._ids)}
        rows = np.array([known.get(n, -1) for n in tracks.track_id.tolist()], np.intp)
        is_new = rows < 0
        tall = np.maximum(boxes[:, 3] - boxes[:, 1], 2.0)
        e = np.log(HEIGHT[tracks.class_id])
        deviation = HEIGHT_DEVIATION[tracks.class_id]
        r = np.minimum(e + np.log(camera.fy / tall), math.log(FARTHEST))
        z = np.exp(r)
        speed = self._own.speed if self._own is not None else 0.0
        depth = np.stack([r, -speed / z, e], axis=1)
        cov = np.zeros((len(boxes), 3, 3))
        cov[:, 0, 0] = 1.0  # the height and the road tell better in a moment
        cov[:, 1, 1] = (START_SPEED / z) ** 2
        cov[:, 2, 2] = deviation**2
        side, side_cov = np.zeros((len(boxes), 2)), np.zeros((len(boxes), 2, 2))
        side[:, 0] = camera.bearings((boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3])
        side[:, 1] = side[:, 0] * speed / z  # of what stands beside the way
        side_cov[:, 0, 0] = 0.1**2
        side_cov[:, 1, 1] = (START_SPEED / z) ** 2
        old = rows[~is_new]
        depth[~is_new], cov[~is_new] = self._depth[old], self._depth_cov[old]
        side[~is_new], side_cov[~is_new] = self._side[old], self._side_cov[old]
        if not is_new.all():
            since = max(0.0, (tracks.valid_ns - self._at_ns) * 1e-9)
            depth[is_new, 0] -= depth[is_new, 1] * since  # `_advance` brings all to the instant
            side[is_new, 0] -= side[is_new, 1] * since
        else:
            self._at_ns = tracks.valid_ns
        self._overhang = OVERHANG[tracks.class_id]
        self._ids, self._depth, self._depth_cov = tracks.track_id.copy(), depth, cov
        self._side, self._side_cov = side, side_cov

    def _advance(self, now_ns: int) -> None:
        """Constant relative velocity, with white noise of its acceleration."""
        dt = (now_ns - self._at_ns) * 1e-9
        if dt <= 0.0:
            return  # a late answer: it counts as of now, which costs little
        self._at_ns = now_ns
        left = np.maximum(1.0 + self._depth[:, 1] * dt, LEAST_SHARE)
        self._depth[:, 0] = np.minimum(self._depth[:, 0] + np.log(left), math.log(FARTHEST))
        self._depth[:, 1] /= left
        noise = (ACCELERATION / np.exp(self._depth[:, 0])) ** 2
        step = np.zeros((len(left), 3, 3))
        step[:, 0, 0] = step[:, 2, 2] = 1.0
        step[:, 0, 1], step[:, 1, 1] = dt / left, 1.0 / left**2
        self._depth_cov = step @ self._depth_cov @ step.transpose(0, 2, 1)
        self._depth_cov[:, :2, :2] += _noise(noise, dt)
        yaw_rate = self._own.yaw_rate if self._own is not None else 0.0
        turned = yaw_rate * (1.0 + self._side[:, 0] ** 2)
        self._side[:, 0] += (self._side[:, 1] - turned) * dt
        move = np.array([[1.0, dt], [0.0, 1.0]])
        self._side_cov = move @ self._side_cov @ move.T + _noise(noise, dt)

    def _observe(self, what: Doubles, value: Doubles, variance: Doubles) -> None:
        """Kalman update of the depths with `what` . state = value; infinite variance: not seen."""
        seen = self._depth_cov @ what
        gain = seen / (seen @ what + variance)[:, None]
        self._depth += gain * (value - self._depth @ what)[:, None]
        low, high = (math.log(NEAREST), -FASTEST), (math.log(FARTHEST), FASTEST)
        self._depth[:, :2] = np.clip(self._depth[:, :2], low, high)
        self._depth_cov -= gain[:, :, None] * seen[:, None, :]

    def _observe_side(self, value: Doubles, variance: Doubles) -> None:
        seen = self._side_cov[:, :, 0]
        gain = seen / (seen[:, 0] + variance)[:, None]
        self._side += gain * (value - self._side[:, 0])[:, None]
        self._side_cov = self._side_cov - gain[:, :, None] * seen[:, None, :]


def _unless(is_seen: NDArray[np.bool_], variance: Doubles) -> Doubles:
    return np.where(is_seen, variance, np.inf)


def _noise(density: Doubles, dt: float) -> Doubles:
    """(N, 2, 2) of a white acceleration, (N,) per s^4."""
    shape = np.array([[dt**4 / 4, dt**3 / 2], [dt**3 / 2, dt**2]])
    noise: Doubles = density[:, None, None] * shape
    return noise
