"""What followed traffic lights show: a head's answers, joined to tracks and kept for a while."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vehicle.perception.boxes import iou
from vehicle.perception.classes import CLASS_ID
from vehicle.perception.heads.results import LIGHT_STATES, LightStates
from vehicle.perception.tracker import Tracks

LIGHT = CLASS_ID["traffic light"]
MIN_IOU = 0.3  # of a track and the detection whose state was answered
MIN_SCORE = 0.5  # of a state; less sure ones are no news
KEEP_NS = 1_000_000_000  # a state not seen for longer is not known: a yellow lasts three seconds


@dataclass(frozen=True, slots=True)
class _Known:
    stamp_ns: int
    state: int


class LightMemory:
    """The newest state of each track; reads no clock."""

    def __init__(self) -> None:
        self._known: dict[int, _Known] = {}  # by track id

    def update(self, found: LightStates, tracks: Tracks, stamp_ns: int) -> None:
        """Takes the states of the lights in one frame; it may come after newer frames.

        Args:
            found: Pixels of the frame.
            tracks: As they were at the frame's instant.
            stamp_ns: Of the frame.
        """
        is_light = tracks.class_id == LIGHT
        boxes, ids = tracks.xyxy[is_light], tracks.track_id[is_light].tolist()
        sure = found.score >= MIN_SCORE
        overlap = iou(boxes, found.xyxy[sure])
        states = found.state[sure].tolist()
        while overlap.size and overlap.max() >= MIN_IOU:  # best pair first, each box once
            row, column = np.unravel_index(int(overlap.argmax()), overlap.shape)
            overlap[row], overlap[:, column] = 0.0, 0.0
            before = self._known.get(ids[row])
            if before is None or before.stamp_ns <= stamp_ns:
                self._known[ids[row]] = _Known(stamp_ns, states[column])
        for gone in [i for i, known in self._known.items() if known.stamp_ns < stamp_ns - KEEP_NS]:
            del self._known[gone]

    def of(self, track_id: int, now_ns: int) -> str:
        """The state of a track in words; empty where it is not known or too old."""
        known = self._known.get(track_id)
        if known is None or now_ns - known.stamp_ns > KEEP_NS:
            return ""
        return LIGHT_STATES[known.state]
