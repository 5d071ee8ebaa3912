"""Reads a run's log in the order it was written, also one that was cut off."""

import base64
from collections.abc import Iterator
from pathlib import Path

import msgspec
from mcap.exceptions import McapError
from mcap.reader import NonSeekingReader

from scheduler.errors import SourceError
from vehicle.data.run_file import IMAGE_SCHEMA_NAME, Image


def log_of(run: Path, vehicle_id: str) -> Path:
    """The log in a run folder (a log itself is taken as it is).

    Raises:
        SourceError: there is none.
    """
    for path in (run, run / f"run-{vehicle_id}.mcap", run / "run.mcap"):
        if path.is_file():
            return path
    raise SourceError(f"expected a run folder or its run.mcap at {run}, there is none")


def images(path: Path) -> Iterator[tuple[Image, bytes]]:
    """Pictures of a log with their JPEG bytes, as far as it is readable.

    Raises:
        SourceError: the file is not a log.
    """
    decoder = msgspec.json.Decoder(Image)
    with path.open("rb") as stream:
        try:
            for schema, _, message in NonSeekingReader(stream).iter_messages(log_time_order=False):
                if schema is not None and schema.name == IMAGE_SCHEMA_NAME:
                    image = decoder.decode(message.data)
                    yield image, base64.b64decode(image.data)
        except (McapError, EOFError) as error:
            if stream.tell() < 100:
                raise SourceError(f"{path} is not an MCAP file: {error}") from None
            return  # cut off by a crash: what came before stands
