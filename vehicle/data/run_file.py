"""The run's log as MCAP with JSON messages: opens in Foxglove, and stays readable when cut off.

Chunks are small, so that what is older than a second is on disk whatever happens to the process.
Topics are those of the telemetry; pictures are `foxglove.CompressedImage` with fields of our own
beside. Times are nanoseconds of the vehicle's monotonic clock.
"""

import base64
import contextlib
from pathlib import Path
from typing import BinaryIO

import msgspec
from mcap.writer import CompressionType, Writer

from scheduler import messages
from scheduler.wire import AnyMessage

CHUNK_BYTES = 16_384  # about half a second of everything but pictures, each of which fills one
NS_PER_S = 1_000_000_000
IMAGE_SCHEMA_NAME = "foxglove.CompressedImage"
IMAGE_SCHEMA = {
    "title": IMAGE_SCHEMA_NAME,
    "type": "object",
    "properties": {
        "timestamp": {
            "type": "object",
            "title": "time",
            "properties": {"sec": {"type": "integer"}, "nsec": {"type": "integer"}},
        },
        "frame_id": {"type": "string"},
        "data": {"type": "string", "contentEncoding": "base64"},
        "format": {"type": "string"},
        "vehicle_id": {"type": "string"},
        "camera_id": {"type": "string"},
        "tick": {"type": "integer"},
        "sim_ns": {"type": "integer"},
        "stamp_ns": {"type": "integer"},
        "width": {"type": "integer"},
        "height": {"type": "integer"},
        "intrinsics": {"type": "array", "items": {"type": "number"}},
        "distortion": {"type": "array", "items": {"type": "number"}},
        "camera_from_vehicle": {"type": "array", "items": {"type": "number"}},
    },
}


class Image(msgspec.Struct, frozen=True):
    """A picture of the log."""

    timestamp: dict[str, int]
    frame_id: str
    data: str  # base64
    format: str
    vehicle_id: str
    camera_id: str
    tick: int
    sim_ns: int
    stamp_ns: int
    width: int
    height: int
    intrinsics: tuple[float, float, float, float]
    distortion: list[float]
    camera_from_vehicle: tuple[float, float, float, float, float, float]


class RunFile:
    """Writes one log.

    Attributes:
        bytes_written: Size of the file so far.
    """

    def __init__(self, path: Path) -> None:
        """Begin the file.

        Raises:
            OSError: it cannot be written.
        """
        self._stream: BinaryIO = path.open("wb")
        self._writer = Writer(
            self._stream, chunk_size=CHUNK_BYTES, compression=CompressionType.ZSTD
        )
        self._writer.start(profile="", library="vdap")
        self._schemas: dict[str, int] = {}
        self._channels: dict[str, int] = {}
        self._encoder = msgspec.json.Encoder()

    @property
    def bytes_written(self) -> int:
        """Of the file; what waits in the open chunk is not in it."""
        return self._stream.tell()

    def write(self, topic: str, message: AnyMessage, stamp_ns: int) -> None:
        """One message as JSON with its field names."""
        fields = {name: getattr(message, name) for name in message.__struct_fields__}
        self._add(topic, type(message).__name__, None, self._encoder.encode(fields), stamp_ns)

    def write_image(self, topic: str, header: messages.Frame, jpeg: bytes, stamp_ns: int) -> None:
        """One picture."""
        image = Image(
            {"sec": stamp_ns // NS_PER_S, "nsec": stamp_ns % NS_PER_S},
            header.camera_id,
            base64.b64encode(jpeg).decode("ascii"),
            "jpeg",
            header.vehicle_id,
            header.camera_id,
            header.tick,
            header.sim_ns,
            stamp_ns,
            header.width,
            header.height,
            header.intrinsics,
            header.distortion,
            header.camera_from_vehicle,
        )
        data = self._encoder.encode(image)
        self._add(topic, IMAGE_SCHEMA_NAME, IMAGE_SCHEMA, data, stamp_ns)

    def flush(self) -> None:
        """Hand what is in finished chunks to the system."""
        self._stream.flush()

    def close(self) -> None:
        """Write the index and close."""
        try:
            self._writer.finish()
        finally:
            self._stream.close()

    def abandon(self) -> None:
        """Close a file that can no longer be written; what is on disk stays readable."""
        with contextlib.suppress(OSError):
            self._stream.close()

    def _add(
        self, topic: str, schema: str, shape: object | None, data: bytes, stamp_ns: int
    ) -> None:
        if topic not in self._channels:
            if schema not in self._schemas:
                self._schemas[schema] = self._writer.register_schema(
                    name=schema,
                    encoding="jsonschema",
                    data=self._encoder.encode(shape or {"title": schema, "type": "object"}),
                )
            self._channels[topic] = self._writer.register_channel(
                topic=topic, message_encoding="json", schema_id=self._schemas[schema]
            )
        self._writer.add_message(
            channel_id=self._channels[topic], log_time=stamp_ns, publish_time=stamp_ns, data=data
        )
