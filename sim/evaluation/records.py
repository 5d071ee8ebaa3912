"""Reads a run folder: verdicts and frames of the vehicle, telemetry, counters; what is there."""

import base64
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec
from mcap.exceptions import McapError
from mcap.records import Channel, Message
from mcap.stream_reader import StreamReader

from scheduler import config_file, telemetry, wire
from scheduler.config import Config
from scheduler.messages import LinkRow, Verdict, WorldStatus

M = TypeVar("M", bound=wire.AnyMessage)


@dataclass(frozen=True, slots=True)
class Heard:
    """One line of `telemetry.jsonl`."""

    t_ns: int  # this machine's monotonic clock
    message: wire.AnyMessage


class Counts(msgspec.Struct, frozen=True):
    """The final counters that a vehicle wrote; unknown keys are its own business."""

    captured: int = 0
    missed_upstream: int = 0
    verdicts: int = 0
    late: int = 0
    answers: dict[str, int] = {}
    offload: dict[str, int] = {}
    fps: float = 0.0
    faults: dict[str, int] = {}
    stages_ms: dict[str, tuple[float, float]] = {}
    models: dict[str, str] = {}  # what computed each onboard model, in words


class WorldFigures(msgspec.Struct, frozen=True):
    """What the bridge says of the world at the end; unknown keys are its own business."""

    adapter: str
    real_time_factor: float | None
    collisions: dict[str, int]
    min_ttc_s: dict[str, float]
    hard_brakes: dict[str, int]
    weather: str = ""
    town: str = ""


@dataclass(frozen=True, slots=True)
class JpegFrame:
    """One recorded picture."""

    vehicle_id: str
    camera_id: str
    tick: int
    jpeg: bytes


class RunFolder:
    """Read access to one run folder; a file that is missing reads as empty."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config: Config = config_file.load(str(path / "config.yaml"), environment={})
        self._heard: list[Heard] | None = None

    def recordings(self, vehicle_id: str) -> list[Path]:
        """The MCAP files that hold this vehicle's messages."""
        own = self.path / f"run-{vehicle_id}.mcap"
        found = [own] if own.is_file() else sorted(self.path.glob("run.mcap"))
        return [path for path in found if path.is_file()]

    def vehicles(self) -> list[str]:
        """Ids of the vehicles that left a record here; other machines ran the rest."""
        return [
            vehicle.id
            for vehicle in self.config.vehicles
            if self.recordings(vehicle.id) or (self.path / f"vehicle-{vehicle.id}.json").exists()
        ]

    def verdicts(self, vehicle_id: str) -> list[Verdict]:
        """All recorded verdicts of a vehicle, in the order of their frames."""
        decoder = msgspec.json.Decoder(Verdict)
        found = [
            decoder.decode(data)
            for path in self.recordings(vehicle_id)
            for _, data in recorded(path, f"verdict/{vehicle_id}/")
        ]
        return sorted(found, key=lambda v: (v.stamp_ns, v.camera_id, v.tick, v.service))

    def frames(self, vehicle_id: str, every: int) -> Iterator[JpegFrame]:
        """Each `every`-th recorded picture of each camera of a vehicle."""
        for path in self.recordings(vehicle_id):
            for topic, data in recorded(path, f"frame/{vehicle_id}/"):
                picture = json.loads(data)
                tick = int(picture["tick"])
                if tick % every == 0:
                    jpeg = base64.b64decode(picture["data"])
                    yield JpegFrame(vehicle_id, topic.split("/")[2], tick, jpeg)

    def counts(self, vehicle_id: str) -> Counts | None:
        """A vehicle's own final counters; None when it wrote none (killed, or elsewhere)."""
        try:
            text = (self.path / f"vehicle-{vehicle_id}.json").read_bytes()
            return msgspec.json.decode(text, type=Counts)
        except (OSError, msgspec.MsgspecError):
            return None

    def heard(self, kind: type[M]) -> list[tuple[int, M]]:
        """What the launcher heard of one kind, with the time of its clock."""
        if self._heard is None:
            self._heard = list(_heard(self.path / "telemetry.jsonl"))
        return [(line.t_ns, line.message) for line in self._heard if isinstance(line.message, kind)]

    def world(self) -> WorldFigures | None:
        """The bridge's last word, or the last status heard of a killed one; None: no world."""
        try:
            text = (self.path / "bridge.json").read_bytes()
            return msgspec.json.decode(text, type=WorldFigures)
        except (OSError, msgspec.MsgspecError):
            heard = self.heard(WorldStatus)
        if not heard:
            return None
        last = heard[-1][1]
        return WorldFigures(
            last.adapter, last.real_time_factor, last.collisions, last.min_ttc_s, last.hard_brakes
        )

    def link_rows(self) -> list[tuple[int, LinkRow]]:
        """The channel's rows, a link and 100 ms each."""
        return self.heard(LinkRow)


def recorded(path: Path, prefix: str) -> Iterator[tuple[str, bytes]]:
    """(topic, bytes) of an MCAP file under a topic prefix; a file cut short is read to its end."""
    topics: dict[int, str] = {}
    with path.open("rb") as file:
        try:
            for record in StreamReader(file).records:
                if isinstance(record, Channel):
                    topics[record.id] = record.topic.lstrip("/")
                elif isinstance(record, Message):
                    topic = topics.get(record.channel_id, "")
                    if topic.startswith(prefix):
                        yield topic, record.data
        except (McapError, struct.error):
            return  # a killed run ends in the middle of a record


def _heard(path: Path) -> Iterator[Heard]:
    if not path.is_file():
        return
    head = msgspec.json.Decoder(tuple[int, str, msgspec.Raw])
    decoders = {
        kind.decode(): msgspec.json.Decoder(topic.message)
        for kind, topic in telemetry.BY_KIND.items()
    }
    for line in path.read_bytes().splitlines():
        try:
            t_ns, kind, raw = head.decode(line)
            yield Heard(t_ns, decoders[kind].decode(raw))
        except (msgspec.MsgspecError, KeyError):
            continue  # the last line of a killed run
