"""How boxes moved between two pictures: measured by flow, taken by the tracker, packed as bytes.

The bytes cross between the vehicle's main and its own inference worker. All little-endian:

- request, 16 bytes + N x 16: `VFQ1`, stream uint16, N uint16, stamp_ns int64, then each box's
  x1 y1 x2 y2 as float32, in pixels of the picture that comes with it;
- answer, 24 bytes + N x 32: `VFA1`, zero uint16, N uint16, from_ns int64, to_ns int64, then for
  each box x1 y1 x2 y2 (as asked), dx dy, scale, sigma as float32.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scheduler.errors import WireError

MAX_BOXES = 1000  # as many as one answer of a detector may hold
_REQUEST = struct.Struct("<4sHHq")
_ANSWER = struct.Struct("<4sHHqq")
_RECORD = np.dtype(
    [("xyxy", "<f4", (4,)), ("shift", "<f4", (2,)), ("scale", "<f4"), ("sigma", "<f4")]
)


@dataclass(frozen=True, slots=True, eq=False)
class MotionRequest:
    """Boxes whose motion up to this picture is wanted.

    Attributes:
        stream: Number of the camera; each has its own previous picture.
        stamp_ns: When the picture was taken.
        xyxy: (N, 4) float32, pixels of the picture, as believed at `stamp_ns`.
    """

    stream: int
    stamp_ns: int
    xyxy: NDArray[np.float32]

    def to_bytes(self) -> bytes:
        """Layout in the module's docstring."""
        head = _REQUEST.pack(b"VFQ1", self.stream, len(self.xyxy), self.stamp_ns)
        return head + self.xyxy.astype("<f4").tobytes()

    @staticmethod
    def from_bytes(data: bytes) -> MotionRequest:
        """Reads a request.

        Raises:
            WireError: Not one, of another length than it says, or with boxes that are not numbers.
        """
        if len(data) < _REQUEST.size:
            raise WireError(f"expected a motion request, got {len(data)} bytes")
        magic, stream, count, stamp_ns = _REQUEST.unpack_from(data)
        _check(magic, b"VFQ1", count, len(data) - _REQUEST.size, 16)
        xyxy = np.frombuffer(data, "<f4", count * 4, _REQUEST.size).reshape(count, 4)
        if not np.isfinite(xyxy).all():
            raise WireError("a motion request holds a box that is not a number")
        return MotionRequest(stream, stamp_ns, xyxy)


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """How boxes moved from one picture to a later one.

    Attributes:
        from_ns: When the earlier picture was taken; equal to `to_ns` where there was none.
        to_ns: When the later one was taken.
        xyxy: (N, 4) float32, pixels, the boxes as asked for, at `to_ns`.
        shift: (N, 2) float32 pixels that the middle moved, right and down.
        scale: (N,) float32, size at `to_ns` over size at `from_ns`.
        sigma: (N,) float32 pixels, standard deviation of a side's motion; inf where nothing
            could be measured.
    """

    from_ns: int
    to_ns: int
    xyxy: NDArray[np.float32]
    shift: NDArray[np.float32]
    scale: NDArray[np.float32]
    sigma: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.sigma)

    @staticmethod
    def unknown(stamp_ns: int, xyxy: NDArray[np.float32]) -> Motion:
        """Nothing measured, as of the first picture."""
        count = len(xyxy)
        return Motion(
            stamp_ns,
            stamp_ns,
            xyxy,
            np.zeros((count, 2), np.float32),
            np.ones(count, np.float32),
            np.full(count, np.inf, np.float32),
        )

    def sides(self) -> NDArray[np.float64]:
        """(N, 4) pixels that each side moved between the two pictures."""
        boxes = self.xyxy.astype(np.float64)
        middle = (boxes[:, :2] + boxes[:, 2:]) / 2
        before = middle - self.shift
        half = (boxes[:, 2:] - boxes[:, :2]) / 2 / self.scale[:, None]
        moved: NDArray[np.float64] = boxes - np.concatenate([before - half, before + half], axis=1)
        return moved

    def to_bytes(self) -> bytes:
        """Layout in the module's docstring."""
        records = np.empty(len(self), _RECORD)
        records["xyxy"], records["shift"] = self.xyxy, self.shift
        records["scale"], records["sigma"] = self.scale, self.sigma
        return _ANSWER.pack(b"VFA1", 0, len(self), self.from_ns, self.to_ns) + records.tobytes()

    @staticmethod
    def from_bytes(data: bytes) -> Motion:
        """Reads an answer.

        Raises:
            WireError: Not one, of another length than it says, or with values that no flow gives.
        """
        if len(data) < _ANSWER.size:
            raise WireError(f"expected a motion answer, got {len(data)} bytes")
        magic, _, count, from_ns, to_ns = _ANSWER.unpack_from(data)
        _check(magic, b"VFA1", count, len(data) - _ANSWER.size, _RECORD.itemsize)
        records = np.frombuffer(data, _RECORD, count, _ANSWER.size)
        motion = Motion(
            from_ns,
            to_ns,
            records["xyxy"],
            records["shift"],
            records["scale"],
            records["sigma"],
        )
        numbers = (motion.xyxy, motion.shift, motion.scale)
        is_sound = all(np.isfinite(each).all() for each in numbers) and from_ns <= to_ns
        if not is_sound or not (motion.scale > 0).all() or not (motion.sigma > 0).all():
            raise WireError("a motion answer holds values that are no motion")
        return motion


def _check(magic: bytes, wanted: bytes, count: int, size: int, record: int) -> None:
    if magic != wanted or count > MAX_BOXES or size != count * record:
        raise WireError(
            f"expected {wanted.decode()} with {count} boxes of {record} bytes, "
            f"got {magic!r} and {size} bytes"
        )
