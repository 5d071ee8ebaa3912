"""Object detection: the detector's boxes, followed between frames and moved to now."""

import math

from scheduler.messages import Box
from vehicle.perception.detections import Detections
from vehicle.perception.tracker import Tracker, TrackerOptions
from vehicle.services.base import Setup, number, only


class ObjectDetection:
    """One tracker a camera.

    Options:
        high_score: Least score that starts a track; see `TrackerOptions`.
        keep_ms: How long a track is shown after it was last seen.
    """

    def __init__(self, setup: Setup) -> None:
        only(setup, "high_score", "keep_ms")
        usual = TrackerOptions()
        self.name = "object_detection"
        self.trigger = "every_frame"
        self._tracker = Tracker(
            TrackerOptions(
                high_score=number(setup, "high_score", usual.high_score),
                keep_ns=int(number(setup, "keep_ms", usual.keep_ns / 1e6) * 1e6),
            )
        )

    def on_answer(self, detections: Detections, stamp_ns: int, accuracy: float) -> None:
        """Put the answer where it belongs in time."""
        self._tracker.update(detections, stamp_ns, accuracy)

    def boxes(self, now_ns: int) -> list[Box]:
        """The shown tracks, moved to now."""
        tracks = self._tracker.predict(now_ns)
        rows = zip(
            tracks.xyxy.tolist(),
            tracks.velocity.tolist(),
            tracks.score.tolist(),
            tracks.class_id.tolist(),
            tracks.track_id.tolist(),
            strict=True,
        )
        return [
            Box((x1, y1, x2, y2), (v1, v2, v3, v4), score, class_id, track_id)
            for (x1, y1, x2, y2), (v1, v2, v3, v4), score, class_id, track_id in rows
            if math.isfinite(x1 + y1 + x2 + y2)
        ]
