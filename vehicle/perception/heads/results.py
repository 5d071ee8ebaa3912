"""What the heads answer, and the packed form of each on the wire, checked where it is read.

All numbers are little-endian and unpadded; pixels are those of the frame.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scheduler.errors import WireError

HEADS = ("light_state", "drivable", "plates")
# The stem's features at stride 8 (the neck's finest and those before it), and those at stride 4.
DEEP, SHALLOW = "feature", "shallow"
SOURCES = {"light_state": SHALLOW, "drivable": DEEP, "plates": DEEP}  # what each head looks at
LIGHT_STATES = ("red", "yellow", "green", "off")  # a state is an index into this
SURFACES = ("other", "drivable", "line")  # the same of a surface
DRIVABLE, LINE = SURFACES.index("drivable"), SURFACES.index("line")

LIGHT_RECORD = np.dtype([("xyxy", "<f4", (4,)), ("score", "<f4"), ("state", "u1")])  # 21 bytes
PLATE_RECORD = np.dtype([("xyxy", "<f4", (4,)), ("score", "<f4")])  # 20 bytes
MAP_HEADER = struct.Struct("<2sBxHHHH")  # "SM", version, columns, rows, frame width and height
MAP_MAGIC, MAP_VERSION = b"SM", 1
MAX_ROWS = 1000  # lights or plates in one frame; more is a broken or hostile sender
MAX_CELLS = 1 << 19  # of a map; a frame of 2560x1536 has half of that
ZLIB_LEVEL = 1  # higher ones save a tenth of the bytes and cost thrice the time


@dataclass(frozen=True, slots=True, eq=False)
class LightStates:
    """What the traffic lights of one frame show.

    Attributes:
        xyxy: (N, 4) float32, pixels: the detections of traffic lights.
        score: (N,) float32 in 0..1, how sure the state is.
        state: (N,) uint8, index into LIGHT_STATES.
    """

    xyxy: NDArray[np.float32]
    score: NDArray[np.float32]
    state: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.state)

    def to_bytes(self) -> bytes:
        """N x 21 bytes: x1 y1 x2 y2 score as float32, state as uint8."""
        records = np.empty(len(self), LIGHT_RECORD)
        records["xyxy"], records["score"], records["state"] = self.xyxy, self.score, self.state
        return records.tobytes()

    @staticmethod
    def from_bytes(payload: bytes | memoryview) -> LightStates:
        """Reads what `to_bytes` wrote.

        Raises:
            WireError: Wrong length, a number out of its range, or an unknown state.
        """
        records = _records(payload, LIGHT_RECORD, "light_state")
        state = records["state"].copy()
        if (state >= len(LIGHT_STATES)).any():
            raise WireError(
                f"light_state: state {int(state.max())}, expected 0..{len(LIGHT_STATES) - 1}"
            )
        return LightStates(*_boxes(records, "light_state"), state)


@dataclass(frozen=True, slots=True, eq=False)
class PlateRegions:
    """Where number plates are in one frame.

    Attributes:
        xyxy: (N, 4) float32, pixels, best first.
        score: (N,) float32 in 0..1.
    """

    xyxy: NDArray[np.float32]
    score: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.score)

    def to_bytes(self) -> bytes:
        """N x 20 bytes: x1 y1 x2 y2 score as float32."""
        records = np.empty(len(self), PLATE_RECORD)
        records["xyxy"], records["score"] = self.xyxy, self.score
        return records.tobytes()

    @staticmethod
    def from_bytes(payload: bytes | memoryview) -> PlateRegions:
        """Reads what `to_bytes` wrote.

        Raises:
            WireError: Wrong length, or a number out of its range.
        """
        return PlateRegions(*_boxes(_records(payload, PLATE_RECORD, "plates"), "plates"))


@dataclass(frozen=True, slots=True, eq=False)
class SurfaceMap:
    """What lies on the ground of one frame: where one may drive, and the lines painted on it.

    Attributes:
        cells: (rows, columns) uint8, index into SURFACES; they divide the frame evenly.
        frame_width: Pixels.
        frame_height: Pixels.
    """

    cells: NDArray[np.uint8]
    frame_width: int
    frame_height: int

    def full(self) -> NDArray[np.uint8]:
        """The map in the frame's own size, (frame_height, frame_width) uint8."""
        rows, columns = self.cells.shape
        v = np.arange(self.frame_height) * rows // self.frame_height
        u = np.arange(self.frame_width) * columns // self.frame_width
        whole: NDArray[np.uint8] = self.cells[v[:, None], u[None, :]]
        return whole

    def to_bytes(self) -> bytes:
        """12 bytes (`MAP_HEADER`), then the cells row by row, a byte each, compressed by zlib."""
        rows, columns = self.cells.shape
        header = MAP_HEADER.pack(
            MAP_MAGIC, MAP_VERSION, columns, rows, self.frame_width, self.frame_height
        )
        return header + zlib.compress(np.ascontiguousarray(self.cells).tobytes(), ZLIB_LEVEL)

    @staticmethod
    def from_bytes(payload: bytes | memoryview) -> SurfaceMap:
        """Reads what `to_bytes` wrote; no more is unpacked than the header promises.

        Raises:
            WireError: Another layout, too many cells, fewer or more of them than promised, or an
                unknown surface.
        """
        if len(payload) < MAP_HEADER.size:
            raise WireError(f"drivable: expected {MAP_HEADER.size} bytes or more")
        magic, version, columns, rows, width, height = MAP_HEADER.unpack_from(payload)
        if magic != MAP_MAGIC or version != MAP_VERSION:
            raise WireError(f"drivable: expected a map of version {MAP_VERSION}")
        size = columns * rows
        if not 0 < size <= MAX_CELLS or not width or not height:
            raise WireError(
                f"drivable: {columns} x {rows} cells of a {width} x {height} frame, expected at "
                f"least 1 and at most {MAX_CELLS}"
            )
        unpacker = zlib.decompressobj()
        try:
            unpacked = unpacker.decompress(payload[MAP_HEADER.size :], size + 1)
        except zlib.error as error:
            raise WireError(f"drivable: {error}") from error
        if len(unpacked) != size or not unpacker.eof or unpacker.unused_data:
            raise WireError(f"drivable: expected {size} cells and no byte more")
        cells = np.frombuffer(unpacked, np.uint8).reshape(rows, columns)
        if (cells >= len(SURFACES)).any():
            raise WireError(
                f"drivable: surface {int(cells.max())}, expected 0..{len(SURFACES) - 1}"
            )
        return SurfaceMap(cells, width, height)


def _records(payload: bytes | memoryview, record: np.dtype[np.void], name: str) -> np.ndarray:
    size = len(payload)
    if size % record.itemsize:
        raise WireError(f"{name}: expected a multiple of {record.itemsize} bytes, got {size}")
    if size > MAX_ROWS * record.itemsize:
        raise WireError(f"{name}: at most {MAX_ROWS} rows, got {size // record.itemsize}")
    return np.frombuffer(payload, record)


def _boxes(records: np.ndarray, name: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    xyxy = np.ascontiguousarray(records["xyxy"], np.float32)
    score = np.ascontiguousarray(records["score"], np.float32)
    if not np.isfinite(xyxy).all():
        raise WireError(f"{name}: a box is not finite")
    if not ((score >= 0) & (score <= 1)).all():
        raise WireError(f"{name}: a score lies outside 0..1")
    return xyxy, score
