"""Traces corners from each frame of a drive to the one before, for `recorded_motion`."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from sim.lockstep.recorded_motion import CORNERS, COUNTS, PLACE, WAY
from vehicle.perception.flow import FlowOptions, corners_in, inner_part, traced

ROUND = 0.25  # of a box's sides: so far beside what is there a track may lie
ROUND_CORNERS = 8  # of each box and what is round it
ELSEWHERE = 60  # corners of the whole picture, for boxes of things that are not there
APART_PX = 20  # of those

Floats = NDArray[np.float32]


class CornerTracer:
    """Takes a drive's pictures one by one."""

    def __init__(self) -> None:
        self._before: NDArray[np.uint8] | None = None
        self._rows: list[NDArray[np.int16]] = []

    def add(self, bgr: NDArray[np.uint8], boxes: Sequence[Sequence[float]]) -> None:
        """The next picture (H, W, 3), and (N, 4) px what is really in it."""
        grey = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), np.uint8)
        before, self._before = self._before, grey
        if before is None:
            self._rows.append(np.zeros((0, 4), np.int16))
            return
        here = _corners(grey, np.array(boxes, np.float32).reshape(-1, 4))
        if not len(here):
            self._rows.append(np.zeros((0, 4), np.int16))
            return
        there, is_found = traced(grey, before, here)
        way = np.clip(np.round((here - there) * WAY), -32768, 32767)
        rows = np.concatenate([np.round(here * PLACE), way], axis=1)[is_found]
        self._rows.append(rows.astype(np.int16))

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """What the drive's file gets."""
        counts = np.array([len(rows) for rows in self._rows], np.uint16)
        rows = np.concatenate(self._rows) if self._rows else np.zeros((0, 4), np.int16)
        return {CORNERS: rows, COUNTS: counts}


def _corners(grey: NDArray[np.uint8], boxes: Floats) -> Floats:
    """(K, 2) px: of what is there, of what is round it, of the whole picture; each once."""
    sides = boxes[:, 2:] - boxes[:, :2]
    wider = (boxes + np.concatenate([-sides, sides], axis=1) * ROUND).astype(np.float32)
    within, _ = corners_in(grey, inner_part(boxes, grey.shape), FlowOptions().most_in_box)
    around, _ = corners_in(grey, inner_part(wider, grey.shape), ROUND_CORNERS)
    found = cv2.goodFeaturesToTrack(grey, ELSEWHERE, 0.01, APART_PX)
    others = found.reshape(-1, 2) if found is not None else np.zeros((0, 2), np.float32)
    every = np.concatenate([within, around, others]).astype(np.float32)
    _, first = np.unique(every, axis=0, return_index=True)
    once: Floats = every[np.sort(first)]
    return once
