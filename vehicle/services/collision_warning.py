"""Collision warning: brakes the vehicle for what stands or drives slower in its way.

For each object in the way, the deceleration that still avoids it is v^2 / (2 d): v the closing
speed, d the gap less the distance to keep. Braking starts where it exceeds a comfortable value,
and is as strong as needed; it is held while the vehicle stands close behind something that stands.
"""

import math

import numpy as np
from numpy.typing import NDArray

from scheduler.messages import Pose, Verdict
from vehicle.perception.classes import CLASSES
from vehicle.services.base import Advisory, Scene, Setup, number, only
from vehicle.services.ground import GroundCamera, Way, along_route, arc
from vehicle.services.obstacles import Obstacle, Obstacles

VALID_FOR_MS = 300  # three frames at 10 Hz: then the vehicle drives on by itself
FULL_BRAKE = 8.0  # m/s^2 of a dry road, at brake 1
GO_ON = 0.8  # m/s^2; a braking that began ends below this
URGENT = 4.0  # m/s^2; above, an object is braked for before its own speed is known
SOFT = 3.0  # m/s^2; a driver's usual limit, exceeded only where a metre would not be left
HEADWAY = 1.0  # s to keep to what drives ahead, besides the distance
ROUNDING_NS = 1_000_000  # of an age in ms; pictures are further apart
OPENING = -0.5  # m/s; what leaves faster than this needs no more distance
STANDING = 0.7  # m/s; objects slower than this stand


class CollisionWarning:
    """One camera's warning.

    Options:
        half_width: Metres to either side of the way that must be free (1.4). Raising it brakes
            for cars of the next lane.
        comfort: m/s^2 from which it brakes (2.2). Raising it brakes later.
        keep: Metres to keep to what is ahead (3.5).
        hold: Metres within which it stays behind something that stands (6.5).
        front: Metres from the vehicle's origin to its bumper (2.4).
        confirm: Verdicts that must see an object in the way before hard braking (3), twice as
            many before soft braking, by when its own speed is known too. Raising it brakes later
            and for fewer ghosts.
    """

    def __init__(self, setup: Setup) -> None:
        only(setup, "half_width", "comfort", "keep", "hold", "front", "confirm")
        self.name = "collision_warning"
        self.trigger = "after:object_detection"
        self._comfort = number(setup, "comfort", 2.2)
        self._keep = number(setup, "keep", 3.5)
        self._hold = number(setup, "hold", 6.5)
        self._front = number(setup, "front", 2.4)
        self._confirm = number(setup, "confirm", 3)
        self._obstacles = Obstacles(number(setup, "half_width", 1.4))
        self._was_braking = False
        self._looked_ns = 0  # the newest picture that a model looked at
        self._route_seen: tuple[tuple[float, float], ...] | None = None
        self._route: NDArray[np.float64] = np.zeros((0, 2))

    def on_verdict(self, verdict: Verdict, scene: Scene) -> list[Advisory]:
        """Brake or not, for the verdict's boxes at its `valid_ns`."""
        if scene.pose is None:
            return []
        speed = max(0.0, scene.pose.speed)
        frame = scene.frame
        looked_ns = verdict.emitted_ns - round(verdict.answer_age_ms * 1e6)
        is_seen = looked_ns > self._looked_ns + ROUNDING_NS
        self._looked_ns = max(looked_ns, self._looked_ns)
        found = self._obstacles.update(
            verdict.boxes,
            GroundCamera(frame.intrinsics, frame.distortion, frame.camera_from_vehicle),
            frame.width,
            self._way_ahead(scene, scene.pose, verdict.valid_ns),
            speed,
            verdict.valid_ns,
            is_seen,
        )
        strongest, cause = 0.0, None
        for obstacle in found:
            needed = self._needed(obstacle, speed)
            obstacle.is_braked_for = needed > 0.0
            if needed > strongest:
                strongest, cause = needed, obstacle
        if cause is None:
            self._was_braking = False
            return []
        is_new, self._was_braking = not self._was_braking, True
        gap = max(0.0, cause.s - self._front)
        reason = f"{CLASSES[cause.class_id]} {gap:.0f} m ahead at {max(0.0, cause.speed):.0f} m/s"
        brake = min(1.0, max(0.15, strongest / FULL_BRAKE))
        return [Advisory(brake, VALID_FOR_MS, reason, is_new)]

    def _needed(self, obstacle: Obstacle, speed: float) -> float:
        """Deceleration to ask for now, m/s^2; 0 = none."""
        if obstacle.hits < self._confirm:
            return 0.0
        gap = obstacle.s - self._front
        its_speed = max(0.0, obstacle.speed)
        if its_speed < STANDING and speed < 1.0 and gap < self._hold:
            return SOFT
        needed = max(
            self._to_avoid(gap, speed - its_speed), self._to_keep_off(gap, speed, its_speed)
        )
        threshold = GO_ON
        if not obstacle.is_braked_for:
            is_sure = obstacle.hits >= 2 * self._confirm
            threshold = self._comfort if is_sure else max(URGENT, self._comfort)
        return min(FULL_BRAKE, needed) if needed >= threshold else 0.0

    def _to_avoid(self, gap: float, closing: float) -> float:
        """m/s^2 that stops the closing at the distance to keep."""
        if closing <= 0.0:
            return 0.0
        room = gap - self._keep
        needed = FULL_BRAKE if room < 0.1 else closing**2 / (2.0 * room)
        is_soft_enough = gap > 1.0 and closing**2 / (2.0 * (gap - 1.0)) < SOFT
        return min(needed, SOFT) if is_soft_enough else needed

    def _to_keep_off(self, gap: float, speed: float, its_speed: float) -> float:
        """m/s^2 that opens the distance to what drives ahead at nearly our speed."""
        wanted = HEADWAY * speed
        if wanted <= 0.0 or speed - its_speed < OPENING:
            return 0.0
        return SOFT * max(0.0, min(1.0, 1.0 - (gap - self._keep) / wanted))

    def _way_ahead(self, scene: Scene, pose: Pose, now_ns: int) -> Way:
        """The planned route where it is known and the vehicle is on it, else its present arc."""
        dt = min(0.5, max(0.0, (now_ns - scene.pose_stamp_ns) / 1e9))
        yaw = pose.rotation[2] + pose.yaw_rate * dt
        if scene.route is not self._route_seen:
            self._route_seen = scene.route
            self._route = np.asarray(scene.route, dtype=np.float64).reshape(-1, 2)
        if len(self._route):
            x = pose.position[0] + pose.speed * dt * math.cos(yaw)
            y = pose.position[1] + pose.speed * dt * math.sin(yaw)
            way = along_route(self._route, x, y, yaw)
            if way is not None:
                return way
        return arc(pose.speed, pose.yaw_rate)
