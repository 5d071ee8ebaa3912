"""Frames and poses of a simulated vehicle, from the bridge's one publishing socket."""

import logging
import threading
import time

import numpy as np
import zmq
from numpy.typing import NDArray

from scheduler import messages, processes, telemetry, transport
from scheduler.config import Config, Vehicle
from scheduler.errors import WireError
from vehicle.camera.base import Frame, Setup, TickGaps
from vehicle.camera.slot import NewestSlot
from vehicle.perception.jpeg import decode_jpeg

log = logging.getLogger(__name__)

HIGH_WATER = 4  # frames; more only keeps old ones
FEED_LIMIT = 4_194_304  # bytes: a large town has many footprints


class BridgeCamera:
    """One camera of an ego; the stamp is the receiver's clock less the frame's age.

    Between hosts, half the least round trip would have to come off as well; publishing has no
    way back to measure it, so there the stamp is late by that much. There the pictures come as
    JPEG too, which a thread decodes; pixels from the same host are taken as they are.
    """

    def __init__(self, setup: Setup) -> None:
        self.missed = 0
        self.is_finished = False
        self.malformed = 0
        self._setup = setup
        self._topic = f"frame/{setup.vehicle.id}/{setup.section.id}"
        self._gaps = TickGaps()
        self._socket: zmq.Socket[bytes] | None = None
        self._slot: NewestSlot[Frame] | None = None
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    def open(self, now_ns: int) -> None:
        """Subscribe."""
        section, config = self._setup.section, self._setup.config
        self._socket = telemetry.subscribe(
            self._setup.context,
            config,
            "bridge",
            "",
            [self._topic],
            name=self._setup.vehicle.id,
            limit=transport.frame_limit(section.width, section.height),
            high_water=HIGH_WATER,
        )
        if processes.address(config, "bridge", "", "frames").startswith("tcp://"):
            self._slot = NewestSlot()
            name = f"bridge {section.id}"
            self._thread = threading.Thread(target=self._decode, name=name, daemon=True)
            self._thread.start()

    def pollable(self) -> "zmq.Socket[bytes] | int":
        """The SUB socket, or what wakes for the thread."""
        assert self._socket is not None
        return self._socket if self._slot is None else self._slot.fileno()

    def read(self, now_ns: int) -> Frame | None:
        """The newest frame."""
        assert self._socket is not None
        if self._slot is not None:
            return self._slot.take()
        return self._receive(self._socket, now_ns)

    def close(self) -> None:
        """Leave."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(1.0)
            self._thread = None
        if self._slot is not None:
            self._slot.close()
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _decode(self) -> None:
        """The thread's life: it alone uses the socket meanwhile."""
        assert self._socket is not None and self._slot is not None
        while not self._stop.is_set():
            if not self._socket.poll(100):
                continue
            frame = self._receive(self._socket, time.monotonic_ns())
            if frame is not None:
                self.missed += self._slot.put(frame)

    def _receive(self, socket: "zmq.Socket[bytes]", now_ns: int) -> Frame | None:
        newest: tuple[messages.Frame, list[bytes]] | None = None
        while (parts := transport.receive(socket)) is not None:
            if parts[0] != self._topic.encode():
                continue  # `front` is a prefix of `front2`
            try:
                _, header, payload = telemetry.read(parts)
            except WireError as error:
                self._refuse(error)
                continue
            if isinstance(header, messages.Frame):
                self.missed += self._gaps.missed(header.tick) + (newest is not None)
                newest = header, payload
        if newest is None:
            return None
        try:
            return self._frame(*newest, now_ns)
        except WireError as error:
            self._refuse(error)
            return None

    def _refuse(self, error: WireError) -> None:
        self.malformed += 1
        level = logging.WARNING if self.malformed == 1 else logging.DEBUG
        log.log(level, "camera %s: a frame was refused: %s", self._setup.section.id, error)

    def _frame(self, header: messages.Frame, payload: list[bytes], now_ns: int) -> Frame:
        if len(payload) != 1:
            raise WireError("expected a frame with one picture")
        return Frame(
            vehicle_id=header.vehicle_id,
            camera_id=header.camera_id,
            tick=header.tick,
            sim_ns=header.sim_ns,
            stamp_ns=now_ns - header.age_us * 1000,
            image=picture(header, payload[0]),
            intrinsics=header.intrinsics,
            distortion=tuple(header.distortion),
            camera_from_vehicle=header.camera_from_vehicle,
        )


def picture(header: messages.Frame, payload: bytes) -> NDArray[np.uint8]:
    """The payload as (H, W, 3) uint8 BGR.

    Raises:
        WireError: Its size is not what the header says.
    """
    if header.encoding == "jpeg":
        return decode_jpeg(payload, header.width, header.height)
    expected = header.width * header.height * 3
    if len(payload) != expected:
        raise WireError(f"expected {expected} bytes of BGR, got {len(payload)}")
    return np.frombuffer(payload, np.uint8).reshape(header.height, header.width, 3)


class BridgeFeed:
    """What else the bridge says about this vehicle: its poses and, once a second, its route."""

    def __init__(
        self, config: Config, vehicle: Vehicle, context: "zmq.Context[zmq.Socket[bytes]]"
    ) -> None:
        self._vehicle_id = vehicle.id
        topics = [f"pose/{vehicle.id}", "site"]
        self._socket: zmq.Socket[bytes] | None = telemetry.subscribe(
            context, config, "bridge", "", topics, name=vehicle.id, limit=FEED_LIMIT
        )
        self.pose: messages.Pose | None = None
        self.pose_stamp_ns = 0
        self.route: tuple[tuple[float, float], ...] = ()
        self.malformed = 0

    def pollable(self) -> "zmq.Socket[bytes]":
        """The SUB socket."""
        assert self._socket is not None
        return self._socket

    def read(self, now_ns: int) -> list[tuple[str, messages.Pose | messages.Site]]:
        """Everything new, oldest first, with its topic; `pose` and `route` are the newest."""
        assert self._socket is not None
        found: list[tuple[str, messages.Pose | messages.Site]] = []
        while (parts := transport.receive(self._socket)) is not None:
            try:
                topic, message, _ = telemetry.read(parts)
            except WireError:
                self.malformed += 1
                continue
            if isinstance(message, messages.Pose) and message.vehicle_id == self._vehicle_id:
                self.pose, self.pose_stamp_ns = message, now_ns - message.age_us * 1000
                found.append((topic, message))
            elif isinstance(message, messages.Site):
                route = tuple(message.routes.get(self._vehicle_id, []))
                if route != self.route:  # else the same object, which readers may recognise
                    self.route = route
                found.append((topic, message))
        return found

    def close(self) -> None:
        """Leave."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
