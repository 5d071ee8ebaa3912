"""Packs what was found in frames into the arrays of stored detections."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from sim.evaluation.detect.drives import DriveFrame
from sim.evaluation.detect.measure import Bench, Looked
from sim.evaluation.detect.stored import BOX_ARRAYS, FRAME_ARRAYS, PIXEL, SCORE, TRUTH_ARRAYS

STEPS = np.iinfo(np.int16)
JOINED = (*FRAME_ARRAYS, *TRUTH_ARRAYS, *BOX_ARRAYS, "box_count", "jpeg_bytes", "payload_bytes")
Block = dict[str, NDArray[np.generic]]


def blocks(
    bench: Bench, frames: Iterable[DriveFrame], names: tuple[Sequence[str], Sequence[str]],
    length: int, tell: Callable[[], None],
) -> Iterator[Block]:  # fmt: skip
    """Looks at frames and packs every `length` of them.

    Args:
        bench: The detectors.
        frames: In their order.
        names: Vehicle and camera ids, whose indices are stored.
        length: Frames of a block; the last may have fewer.
        tell: Called after each frame.
    """
    held: list[Looked] = []
    for frame in frames:
        held.append(bench.look(frame))
        tell()
        if len(held) == length:
            yield pack(held, names)
            held = []
    if held:
        yield pack(held, names)


def pack(looked: Sequence[Looked], names: tuple[Sequence[str], Sequence[str]]) -> Block:
    """The arrays of some frames, as `StoredDetections` wants them."""
    frames = [one.frame for one in looked]
    rows: dict[str, list[object]] = {
        "vehicle": [names[0].index(frame.vehicle) for frame in frames],
        "camera": [names[1].index(frame.camera) for frame in frames],
        "width": [frame.bgr.shape[1] for frame in frames],
        "height": [frame.bgr.shape[0] for frame in frames],
        "truth_count": [len(frame.truth or ()) for frame in frames],
        "has_truth": [frame.truth is not None for frame in frames],
    }
    for name in FRAME_ARRAYS:
        if name not in rows:
            rows[name] = [getattr(frame, name) for frame in frames]
    truth = [box for frame in frames for box in frame.truth or ()]
    rows |= {
        "truth_actor": [box.actor_id for box in truth],
        "truth_class": [box.class_id for box in truth],
        "truth_xyxy": [box.xyxy for box in truth],
        "truth_visibility": [box.visibility for box in truth],
        "truth_distance": [box.distance_m for box in truth],
        "truth_position": [box.position for box in truth],
        "truth_velocity": [box.velocity for box in truth],
    }
    found = [answer for one in looked for answer in one.answers]
    boxes = np.concatenate([np.zeros((0, 4), np.float32), *(answer.xyxy for answer in found)])
    scores = np.concatenate([np.zeros(0, np.float32), *(answer.score for answer in found)])
    classes = np.concatenate([np.zeros(0, np.int16), *(answer.class_id for answer in found)])
    block: Block = {
        "box_xyxy": np.clip(np.rint(boxes * PIXEL), STEPS.min, STEPS.max).astype("<i2"),
        "box_score": np.rint(np.clip(scores, 0.0, 1.0) * SCORE).astype("<u2"),
        "box_class": classes.astype("u1"),
        "box_count": np.array(
            [[len(answer) for answer in one.answers] for one in looked], "<u2"
        ).reshape(len(looked), *looked[0].shape),
        "jpeg_bytes": np.stack([one.jpeg_bytes for one in looked]).astype("<u4"),
        "payload_bytes": np.stack([one.payload_bytes for one in looked]).astype("<u4"),
    }
    for table in (FRAME_ARRAYS, TRUTH_ARRAYS):
        for name, (dtype, tail) in table.items():
            block[name] = np.array(rows[name], dtype).reshape(-1, *tail)
    return block
