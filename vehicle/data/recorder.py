"""Keeps the run's log in a process of its own, behind a bounded queue that drops and counts.

Neither a slow disk nor a full one ever costs a verdict: the vehicle's main hands over pictures and
messages without waiting. Run as `python -m vehicle.data.recorder ADDRESS FILE MAX_BYTES`; it ends
its file properly when its standard input closes, which it also does when the vehicle is gone.
"""

import contextlib
import errno
import logging
import os
import select
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import zmq
from numpy.typing import NDArray

from scheduler import messages, telemetry, wire
from scheduler.errors import MissingPartError, WireError
from vehicle.camera.base import Frame
from vehicle.data.run_file import RunFile

log = logging.getLogger(__name__)

QUEUE = 64  # messages or pictures between main and recorder; then they are dropped
JPEG_QUALITY = 90  # of recorded pictures: 0.25 bytes a pixel, little enough lost to score them
STOP_SECONDS = 0.6  # to end the file; a drive must end within a second
START_SECONDS = 10.0  # for its process to begin the file; a drive then goes on without
READY = "ready"  # the process's first line
_STAMP = struct.Struct("<q")


class Recorder:
    """Main's end: starts the process and feeds it.

    Attributes:
        dropped: Messages that did not fit the queue.
    """

    def __init__(
        self,
        context: "zmq.Context[zmq.Socket[bytes]]",
        address: str,
        path: Path,
        *,
        max_bytes: int,
        is_keeping_frames: bool,
    ) -> None:
        self.dropped = 0
        self._is_ready = False
        self._is_keeping_frames = is_keeping_frames
        self._socket = context.socket(zmq.PUSH)
        self._socket.linger = 0
        self._socket.sndhwm = QUEUE
        self._socket.setsockopt(zmq.RECONNECT_IVL, 20)
        self._socket.connect(address)  # the recorder binds: what comes before that is queued
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, address, str(path), str(max_bytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        )
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def fileno(self) -> int:
        """Readable when `alarms` has something."""
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def alarms(self) -> tuple[list[str], bool]:
        """What the process complains of, and whether it is still there."""
        assert self._process.stdout is not None
        text = self._process.stdout.read()
        if text:
            lines = text.decode(errors="replace").splitlines()
            self._is_ready = self._is_ready or READY in lines
            return [line for line in lines if line != READY], True
        return [], self._process.poll() is None

    def wait_ready(self) -> list[str]:
        """Wait until the process has begun the file; what it complains of meanwhile."""
        complaints: list[str] = []
        end = time.monotonic() + START_SECONDS
        while not self._is_ready and time.monotonic() < end:
            select.select([self.fileno()], [], [], 0.1)
            lines, is_alive = self.alarms()
            complaints += lines
            if not is_alive:
                break
        return complaints

    def put(self, topic: str, message: wire.AnyMessage, stamp_ns: int) -> None:
        """One message of the telemetry."""
        self._put([_STAMP.pack(stamp_ns), topic.encode(), message.kind, wire.encode(message)])

    def put_frame(self, frame: Frame) -> None:
        """One picture; its pixels are not copied here."""
        if not self._is_keeping_frames:
            return
        header = messages.Frame(
            messages.VERSION, frame.vehicle_id, frame.camera_id, frame.tick, frame.sim_ns, 0,
            frame.width, frame.height, "bgr", frame.intrinsics, list(frame.distortion),
            frame.camera_from_vehicle,
        )  # fmt: skip
        topic = f"frame/{frame.vehicle_id}/{frame.camera_id}"
        self._put(
            [_STAMP.pack(frame.stamp_ns), topic.encode(), header.kind, wire.encode(header),
             np.ascontiguousarray(frame.image).data]
        )  # fmt: skip

    def end(self) -> None:
        """Ask it to end its file; `stop` waits for that."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def stop(self) -> None:
        """Let it end its file, for `STOP_SECONDS` at most."""
        self.end()
        if self._process.poll() is None:
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                log.warning("the recorder did not end in time")
                self._process.kill()
                self._process.wait(1.0)
        self._socket.close()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _put(self, parts: list[bytes | memoryview]) -> None:
        try:
            self._socket.send_multipart(parts, zmq.DONTWAIT, copy=False)
        except zmq.Again:
            self.dropped += 1


class Keeper:
    """The process's end: writes what comes until the disk or the allowance is full."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._file: RunFile | None = None
        self._is_keeping_frames = True
        try:
            self._file = RunFile(path)
        except OSError as error:
            self._give_up(error)

    def keep(self, parts: list[bytes]) -> None:
        """One message from main."""
        if self._file is None:
            return
        try:
            (stamp_ns,) = _STAMP.unpack(parts[0])
            topic, message, payload = telemetry.read(parts[1:])
            if isinstance(message, messages.Frame):
                self._keep_frame(self._file, topic, message, payload, stamp_ns)
            else:
                self._file.write(topic, message, stamp_ns)
        except (WireError, struct.error, IndexError) as error:
            log.warning("not recorded: %s", error)
        except MissingPartError as error:
            self._is_keeping_frames = False
            alarm(f"recording: pictures are left out: {error}")
        except OSError as error:
            self._give_up(error)

    def flush(self) -> None:
        """Once a second."""
        if self._file is not None:
            try:
                self._file.flush()
            except OSError as error:
                self._give_up(error)

    def close(self) -> None:
        """End the file with its index."""
        if self._file is not None:
            try:
                self._file.close()
            except OSError as error:
                self._give_up(error)
            self._file = None

    def _keep_frame(
        self,
        file: RunFile,
        topic: str,
        header: messages.Frame,
        payload: list[bytes],
        stamp_ns: int,
    ) -> None:
        if not self._is_keeping_frames:
            return
        if file.bytes_written >= self._max_bytes:
            self._is_keeping_frames = False
            alarm(f"recording: {self._max_bytes / 2**30:.2f} GiB are full, pictures stop here")
            return
        pixels = np.frombuffer(payload[0], np.uint8).reshape(header.height, header.width, 3)
        file.write_image(topic, header, jpeg_of(pixels), stamp_ns)

    def _give_up(self, error: OSError) -> None:
        why = "the disk is full" if error.errno == errno.ENOSPC else (error.strerror or str(error))
        alarm(f"recording stops: {why}")
        if self._file is not None:
            self._file.abandon()
            self._file = None


def jpeg_of(pixels: NDArray[np.uint8]) -> bytes:
    """A picture for the log."""
    from vehicle.codec import encode_jpeg

    return encode_jpeg(pixels, JPEG_QUALITY)


def alarm(text: str) -> None:
    """One line to the vehicle's main, which makes it an event."""
    with contextlib.suppress(OSError):
        os.write(1, f"{text}\n".encode())


def main(arguments: list[str]) -> int:
    """Record until standard input closes."""
    for number in (signal.SIGINT, signal.SIGTERM):  # these reach the whole group, we end after main
        signal.signal(number, signal.SIG_IGN)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    with contextlib.suppress(OSError):
        os.nice(5)  # a drive's deadlines come first
    address, path, max_bytes = arguments
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(zmq.PULL)
    socket.linger = 0
    socket.rcvhwm = QUEUE
    socket.bind(address)
    keeper = Keeper(Path(path), int(max_bytes))
    poller = zmq.Poller()
    poller.register(socket, zmq.POLLIN)
    poller.register(0, zmq.POLLIN)  # readable at its end
    alarm(READY)
    flushed = time.monotonic()
    while 0 not in dict(poller.poll(1000)):
        _drain(socket, keeper)
        if time.monotonic() - flushed > 1.0:
            keeper.flush()
            flushed = time.monotonic()
    end = time.monotonic() + STOP_SECONDS / 2
    while time.monotonic() < end and socket.poll(50):  # what was on its way
        _drain(socket, keeper)
    keeper.close()
    socket.close()
    context.term()
    return 0


def _drain(socket: "zmq.Socket[bytes]", keeper: Keeper) -> None:
    for _ in range(QUEUE):
        try:
            keeper.keep(socket.recv_multipart(zmq.DONTWAIT))
        except zmq.Again:
            return


if __name__ == "__main__":
    os._exit(main(sys.argv[1:]))  # the file is closed: nothing is left to wait for
