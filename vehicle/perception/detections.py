"""What a detector found in one frame, and its packed form on the wire."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scheduler.errors import WireError
from vehicle.perception.classes import CLASSES

# One detection on the wire, little-endian and unpadded: 4 x float32, float32, uint8 = 21 bytes.
RECORD = np.dtype([("xyxy", "<f4", (4,)), ("score", "<f4"), ("class_id", "u1")])
MAX_DETECTIONS = 1000  # a frame with more is a broken or hostile sender, not a street


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """Boxes of one frame.

    Attributes:
        xyxy: (N, 4) float32, pixels of the source frame, x right, y down.
        score: (N,) float32 in 0..1.
        class_id: (N,) int16, index into CLASSES.
    """

    xyxy: NDArray[np.float32]
    score: NDArray[np.float32]
    class_id: NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.score)

    @staticmethod
    def empty() -> Detections:
        """No box at all."""
        return _EMPTY

    def select(self, mask: NDArray[np.bool_] | NDArray[np.intp]) -> Detections:
        """The boxes that a boolean mask or an index array names, in its order."""
        return Detections(self.xyxy[mask], self.score[mask], self.class_id[mask])

    def to_bytes(self) -> bytes:
        """N x 21 bytes: x1 y1 x2 y2 score as little-endian float32, class id as uint8."""
        if not len(self):
            return b""
        records = np.empty(len(self), RECORD)
        records["xyxy"] = self.xyxy
        records["score"] = self.score
        records["class_id"] = self.class_id
        return records.tobytes()

    @staticmethod
    def from_bytes(payload: bytes | memoryview) -> Detections:
        """Reads what `to_bytes` wrote.

        Raises:
            WireError: Wrong length, a number that is not finite, or an unknown class.
        """
        size = len(payload)
        if size % RECORD.itemsize:
            raise WireError(
                f"detections: expected a multiple of {RECORD.itemsize} bytes, got {size}"
            )
        if size > MAX_DETECTIONS * RECORD.itemsize:
            raise WireError(
                f"detections: at most {MAX_DETECTIONS} boxes, got {size // RECORD.itemsize}"
            )
        if not size:
            return Detections.empty()
        records = np.frombuffer(payload, RECORD)
        xyxy = np.ascontiguousarray(records["xyxy"], np.float32)
        score = np.ascontiguousarray(records["score"], np.float32)
        class_id = records["class_id"].astype(np.int16)
        if not (np.isfinite(xyxy).all() and np.isfinite(score).all()):
            raise WireError("detections: a box or score is not a finite number")
        if ((score < 0) | (score > 1)).any():
            raise WireError("detections: a score lies outside 0..1")
        if (class_id >= len(CLASSES)).any():
            raise WireError(
                f"detections: class id {int(class_id.max())}, expected 0..{len(CLASSES) - 1}"
            )
        return Detections(xyxy, score, class_id)


_EMPTY = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int16))
