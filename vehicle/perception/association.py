"""Says which detection belongs to which track: two stages by overlap.

After Zhang et al., ByteTrack, ECCV 2022: detections of high score first, those of low score take
what is left, because a hidden object's score sinks before it is gone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vehicle.perception.boxes import iou
from vehicle.perception.detections import Detections

Pairs = tuple[NDArray[np.intp], NDArray[np.intp]]


def matched(overlap: NDArray[np.float64], least: float) -> Pairs:
    """One-to-one pairs (rows, columns) of an overlap (N, M), the largest first.

    Args:
        overlap: In 0..1; 0 forbids a pair. It is written to.
        least: Of a pair.
    """
    rows: list[int] = []
    columns: list[int] = []
    while overlap.size:
        row, column = divmod(int(overlap.argmax()), overlap.shape[1])
        if overlap[row, column] < least or overlap[row, column] == 0.0:
            break
        rows.append(row)
        columns.append(column)
        overlap[row, :] = 0.0
        overlap[:, column] = 0.0
    return np.array(rows, np.intp), np.array(columns, np.intp)


def associated(
    boxes: NDArray[np.float64],
    classes: NDArray[np.int16],
    found: Detections,
    high_score: float,
    min_iou: float,
) -> Pairs:
    """Pairs (track index, detection index) of equal class.

    Args:
        boxes: (N, 4) of the tracks, pixels, at the detections' instant.
        classes: (N,) of the tracks.
        found: Detections of one frame.
        high_score: Least score of the first stage.
        min_iou: Least overlap of a pair.
    """
    overlap = iou(boxes, found.xyxy.astype(np.float64)).astype(np.float64, copy=False)
    overlap[classes[:, None] != found.class_id[None, :]] = 0.0
    is_high = found.score >= high_score
    first = overlap.copy()
    first[:, ~is_high] = 0.0
    rows, columns = matched(first, min_iou)
    if is_high.all():
        return rows, columns
    overlap[:, is_high] = 0.0
    overlap[rows, :] = 0.0
    more_rows, more_columns = matched(overlap, min_iou)
    return np.concatenate([rows, more_rows]), np.concatenate([columns, more_columns])
