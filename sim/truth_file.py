"""Writes and reads `truth.mcap`: what was really to be seen in every picture of a drive.

One JSON message per (vehicle, camera, tick) on the topic `truth/<vehicle>/<camera>`, which
Foxglove opens too. Records are not chunked, so that the file of a killed run is readable up to
its last whole message.
"""

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec
from mcap.exceptions import McapError
from mcap.records import Message, Schema
from mcap.stream_reader import StreamReader
from mcap.writer import Writer

from scheduler.errors import SourceError
from sim.ground_truth import TruthBox

FLUSH_NS = 500_000_000  # of simulated time between flushes to the disk


class TruthFrame(msgspec.Struct, frozen=True):
    """Truth of one picture.

    Attributes:
        vehicle_id: whose camera.
        camera_id: which camera.
        tick: of the frame; with the camera it is the key.
        sim_ns: simulated time of the tick.
        width: of the picture, pixels.
        height: of the picture, pixels.
        boxes: visible objects, nearest first.
    """

    vehicle_id: str
    camera_id: str
    tick: int
    sim_ns: int
    width: int
    height: int
    boxes: tuple[TruthBox, ...]


_BOX = {
    "type": "object",
    "properties": {
        "actor_id": {"type": "integer"},
        "class_id": {"type": "integer"},
        "xyxy": {"type": "array", "items": {"type": "number"}},
        "visibility": {"type": "number"},
        "distance_m": {"type": "number"},
        "position": {"type": "array", "items": {"type": "number"}},
        "velocity": {"type": "array", "items": {"type": "number"}},
    },
}
_SCHEMA = {
    "type": "object",
    "properties": {
        "vehicle_id": {"type": "string"},
        "camera_id": {"type": "string"},
        "tick": {"type": "integer"},
        "sim_ns": {"type": "integer"},
        "width": {"type": "integer"},
        "height": {"type": "integer"},
        "boxes": {"type": "array", "items": _BOX},
    },
}


class TruthWriter:
    """Appends truth frames to a file; use as a context or call `close`."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._writer = Writer(self._file, use_chunking=False)
        self._writer.start(profile="", library="vdap")
        self._schema = self._writer.register_schema(
            "vdap.TruthFrame", "jsonschema", msgspec.json.encode(_SCHEMA)
        )
        self._channels: dict[str, int] = {}
        self._flushed_ns = 0

    def write(self, frame: TruthFrame) -> None:
        """Append one frame; what is half a second old is on the disk."""
        topic = f"truth/{frame.vehicle_id}/{frame.camera_id}"
        if topic not in self._channels:
            self._channels[topic] = self._writer.register_channel(topic, "json", self._schema)
        data = msgspec.json.encode(frame)
        self._writer.add_message(
            self._channels[topic], frame.sim_ns, data, frame.sim_ns, sequence=frame.tick
        )
        if frame.sim_ns - self._flushed_ns >= FLUSH_NS:
            self._file.flush()
            self._flushed_ns = frame.sim_ns

    def close(self) -> None:
        """Finish the file; safe to call twice."""
        if not self._file.closed:
            self._writer.finish()
            self._file.close()

    def __enter__(self) -> "TruthWriter":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def read(path: Path, vehicle_id: str = "", camera_ids: Sequence[str] = ()) -> Iterator[TruthFrame]:
    """The frames of a file in the order written, also of a run that was killed.

    Args:
        path: a `truth.mcap`.
        vehicle_id: only of this vehicle; empty for all.
        camera_ids: only of these cameras; empty for all.

    Raises:
        SourceError: the file is missing or is not a truth file.
    """
    decoder = msgspec.json.Decoder(TruthFrame)
    try:
        with path.open("rb") as file:
            for data in _messages(file, path):
                try:
                    frame = decoder.decode(data)
                except msgspec.DecodeError:
                    if file.read(1):
                        raise
                    return  # the last message of a killed run is cut short
                if vehicle_id and frame.vehicle_id != vehicle_id:
                    continue
                if camera_ids and frame.camera_id not in camera_ids:
                    continue
                yield frame
    except (OSError, msgspec.MsgspecError) as error:
        raise SourceError(f"expected a truth file at {path}: {error}") from None


def _messages(file: BinaryIO, path: Path) -> Iterator[bytes]:
    is_truth = False
    try:
        for record in StreamReader(file).records:
            if isinstance(record, Schema):
                is_truth = record.name == "vdap.TruthFrame"
            elif isinstance(record, Message):
                yield bytes(record.data)
    except (McapError, struct.error) as error:
        # A killed run ends in the middle of a record or without a footer.
        if not is_truth:
            raise SourceError(f"expected a truth file at {path}: {error}") from None
