"""Object detection: the detector's boxes, followed between frames, moved to now, in metres."""

from __future__ import annotations

import math
from collections.abc import Mapping

from scheduler.messages import Box
from vehicle.camera.base import Intrinsics, MountPose
from vehicle.perception.detections import Detections
from vehicle.perception.heads.results import LightStates
from vehicle.perception.motion import Motion
from vehicle.perception.tracker import Tracker, TrackerOptions, Tracks
from vehicle.services.base import Scene, Setup, number, only
from vehicle.services.ground import GroundCamera
from vehicle.services.light_states import LightMemory
from vehicle.services.ranging import OwnMotion, Place, Ranging

POSE_NS = 500_000_000  # an older pose no longer tells our own motion


class ObjectDetection:
    """One tracker a camera.

    Options:
        high_score: Least score that starts a track; see `TrackerOptions`.
        keep_ms: How long a track is shown without being seen while others are looked for.
        motion: Whether the inference worker measures how boxes move where it has time (true).
        light_states: Whether the model shall tell what traffic lights show, where it can (false).
    """

    def __init__(self, setup: Setup) -> None:
        only(setup, "high_score", "keep_ms", "motion", "light_states")
        usual = TrackerOptions()
        self.name = "object_detection"
        self.trigger = "every_frame"
        self.wants_scene = True
        self.wants_motion = _flag(setup, "motion", True)
        self.heads = ("light_state",) if _flag(setup, "light_states", False) else ()
        self._tracker = Tracker(
            TrackerOptions(
                high_score=number(setup, "high_score", usual.high_score),
                keep_ns=int(number(setup, "keep_ms", usual.keep_ns / 1e6) * 1e6),
            )
        )
        self._ranging = Ranging()
        self._lens: tuple[Intrinsics, tuple[float, ...], MountPose] | None = None
        self._has_own_motion = False
        self._lights = LightMemory()

    def on_scene(self, scene: Scene) -> None:
        """A frame came: through which camera, and how we move."""
        frame, pose = scene.frame, scene.pose
        lens = (frame.intrinsics, frame.distortion, frame.camera_from_vehicle)
        if lens != self._lens:
            self._lens = lens
            self._ranging.aim(GroundCamera(*lens), frame.width, frame.height)
        is_fresh = pose is not None and frame.stamp_ns - scene.pose_stamp_ns < POSE_NS
        self._has_own_motion = is_fresh
        self._ranging.drive(OwnMotion(pose.speed, pose.yaw_rate) if pose and is_fresh else None)

    def on_answer(self, detections: Detections, stamp_ns: int, accuracy: float) -> None:
        """Put the answer where it belongs in time."""
        self._tracker.update(detections, stamp_ns, accuracy)
        self._ranging.look(self._newest(stamp_ns))

    def on_still(self, stamp_ns: int) -> None:
        """The picture of `stamp_ns` is as the newest look saw it."""
        self._tracker.still(stamp_ns)

    def on_motion(self, motion: Motion) -> None:
        """The worker measured how boxes moved."""
        self._tracker.move(motion)
        self._ranging.move(motion, self._tracker.predict(motion.to_ns))

    def on_heads(self, results: Mapping[str, bytes], stamp_ns: int) -> None:
        """What traffic lights show in the frame of `stamp_ns`.

        Raises:
            WireError: The result is not what a head answers.
        """
        found = LightStates.from_bytes(results["light_state"])
        self._lights.update(found, self._tracker.predict(stamp_ns), stamp_ns)

    def boxes(self, now_ns: int) -> list[Box]:
        """The shown tracks, moved to now."""
        tracks = self._tracker.predict(now_ns)
        places = self._ranging.places(now_ns)
        rows = zip(
            tracks.xyxy.tolist(),
            tracks.velocity.tolist(),
            tracks.score.tolist(),
            tracks.class_id.tolist(),
            tracks.track_id.tolist(),
            strict=True,
        )
        return [
            self._box(tuple(xyxy), tuple(velocity), score, class_id, track_id, places, now_ns)
            for xyxy, velocity, score, class_id, track_id in rows
            if math.isfinite(sum(xyxy))
        ]

    def _box(
        self,
        xyxy: tuple[float, float, float, float],
        velocity: tuple[float, float, float, float],
        score: float,
        class_id: int,
        track_id: int,
        places: Mapping[int, Place],
        now_ns: int,
    ) -> Box:
        state = self._lights.of(track_id, now_ns)
        place = places.get(track_id)
        if place is None:
            return Box(xyxy, velocity, score, class_id, track_id, state)
        moving = (round(place.vx, 2), round(place.vy, 2)) if self._has_own_motion else None
        at = (round(place.x, 2), round(place.y, 2))
        ttc_s = None if place.ttc_s is None else round(place.ttc_s, 2)
        return Box(xyxy, velocity, score, class_id, track_id, state, at, moving, ttc_s)

    def _newest(self, stamp_ns: int) -> Tracks:
        """The tracks at the instant of the newest picture that anything is known of."""
        return self._tracker.predict(self._tracker.newest_ns or stamp_ns)


def _flag(setup: Setup, name: str, default: bool) -> bool:
    """A yes or no among the options.

    Raises:
        ValueError: It is there and neither.
    """
    value = setup.options.get(name, default)
    if not isinstance(value, bool):
        raise ValueError(f"{name}: expected true or false, got {value!r}")
    return value
