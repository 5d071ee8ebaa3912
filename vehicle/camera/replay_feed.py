"""Poses and routes of a recorded run, at their pace: what the bridge said then."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import msgspec
from mcap.exceptions import McapError
from mcap.reader import NonSeekingReader

from scheduler import messages
from scheduler.config import Config, Vehicle
from scheduler.errors import ConfigError
from vehicle.camera.replay import Pace
from vehicle.data.run_reader import log_of

log = logging.getLogger(__name__)

Said = messages.Pose | messages.Site


class ReplayFeed:
    """As `BridgeFeed`, from a log in place of a bridge.

    Attributes:
        pose: The newest; None before the first.
        pose_stamp_ns: When it was taken, on this vehicle's clock.
        route: The newest.
    """

    def __init__(self, config: Config, vehicle: Vehicle, path: Path) -> None:
        self.pose: messages.Pose | None = None
        self.pose_stamp_ns = 0
        self.route: tuple[tuple[float, float], ...] = ()
        self.malformed = 0
        self._vehicle_id = vehicle.id
        self._path = log_of(path, vehicle.id)
        self._pace = Pace(config, 0)
        self._due: deque[tuple[int, str, Said]] = deque()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._tell, name="replay poses", daemon=True)
        self._thread.start()

    def pollable(self) -> int:
        """Readable when something is due."""
        return self._wake_read

    def read(self, now_ns: int) -> list[tuple[str, Said]]:
        """Everything that became due, oldest first, with its topic."""
        found: list[tuple[str, Said]] = []
        try:
            count = len(os.read(self._wake_read, 64))
        except BlockingIOError:
            return found
        for _ in range(count):
            stamp_ns, topic, message = self._due.popleft()
            if isinstance(message, messages.Pose):
                self.pose, self.pose_stamp_ns = message, stamp_ns
            else:
                route = tuple(message.routes.get(self._vehicle_id, []))
                if route != self.route:  # else the same object, which readers may recognise
                    self.route = route
            found.append((topic, message))
        return found

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join(2.0)
        if self._wake_write >= 0 and not self._thread.is_alive():
            os.close(self._wake_read)
            os.close(self._wake_write)
            self._wake_read = self._wake_write = -1

    def _tell(self) -> None:
        """The thread's life."""
        said = list(recorded(self._path, self._vehicle_id))  # before the start: it takes a second
        try:
            if not self._pace.wait(self._stop):
                return
        except ConfigError as error:
            log.error("poses: %s", error)
            return
        for log_ns, topic, message in said:
            due_ns = self._pace.due_ns(log_ns)
            if self._stop.wait(max(0, due_ns - time.monotonic_ns()) / 1e9):
                return
            age_ns = message.age_us * 1000 if isinstance(message, messages.Pose) else 0
            self._due.append((due_ns - age_ns, topic, message))
            os.write(self._wake_write, b"1")


def recorded(path: Path, vehicle_id: str) -> Iterator[tuple[int, str, Said]]:
    """(when the vehicle heard it, topic, message) of a log's poses and sites, oldest first."""
    kinds: dict[str, type[Said]] = {f"pose/{vehicle_id}": messages.Pose, "site": messages.Site}
    decoder = msgspec.json.Decoder(dict[str, object])
    with path.open("rb") as stream:
        try:
            reader = NonSeekingReader(stream).iter_messages(log_time_order=False)
            for _, channel, message in reader:
                topic = channel.topic.lstrip("/")
                kind = kinds.get(topic)
                if kind is not None:
                    # The log has the names of the fields, the message is an array.
                    fields = decoder.decode(message.data)
                    values = [fields[name] for name in kind.__struct_fields__]
                    yield message.log_time, topic, msgspec.convert(values, kind)
        except (McapError, EOFError):
            return  # cut off by a crash: what came before stands
