"""One subscriber of a stream: what waits for it, how much of that, and what is dropped."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Sequence

Buffer = bytes | bytearray | memoryview

SEND_BUFFER = 4 << 20  # bytes asked of the kernel: it may hold two 800x600 images
QUEUE_BYTES = 16 << 20  # that may wait beside; raising it costs memory for each slow subscriber
MOST_PARTS = 64  # buffers handed to the kernel at once; it takes 1,024 at most


class Session:
    """One subscriber's socket and the bytes still to be written to it."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.opened = time.monotonic()
        self.stream_id = 0
        self.head = b""
        self.dropped = 0
        self.is_stalled = False
        self._rest: list[memoryview] = []
        self._queued = 0
        self._lock = threading.Lock()

    @property
    def has_rest(self) -> bool:
        """True while a message is not fully written."""
        return bool(self._rest)

    @property
    def is_silent(self) -> bool:
        """True while it has not said which stream it wants."""
        return not self.stream_id

    def offer(self, message: Sequence[Buffer], size: int, deadline: float | None) -> bool:
        """Take `message`, whose buffers must not change any more; False if it was dropped.

        Args:
            message: what to write, `size` bytes.
            size: of it.
            deadline: None takes it only if the last one is fully written; else it may wait in
                the queue, and where that is full, for room until then (monotonic seconds).
                A reader that let one wait run out is not waited for again until it has read all.

        Raises:
            OSError: the subscriber has gone.
        """
        with self._lock:
            if not self._rest and len(message) <= MOST_PARTS:  # a reader that keeps up
                self.is_stalled = False
                try:
                    sent = self.socket.sendmsg(message)
                except (BlockingIOError, InterruptedError):
                    sent = 0
                if sent < size:
                    self._queue(message, size)
                    self._drop_sent(sent)
                return True
            if not self._has_room(size, deadline):
                self.dropped += 1
                return False
            self._queue(message, size)
            self._write_some()
            return True

    def _queue(self, message: Sequence[Buffer], size: int) -> None:
        self._rest += [memoryview(part).cast("B") for part in message]
        self._queued += size

    def _drop_sent(self, sent: int) -> None:
        """Let go of the first `sent` bytes of what waits."""
        self._queued -= sent
        while self._rest and sent >= len(self._rest[0]):
            sent -= len(self._rest.pop(0))
        if sent:
            self._rest[0] = self._rest[0][sent:]

    def could_take(self, size: int) -> bool:
        """Return whether there is room in the queue without any wait."""
        with self._lock:
            return self._write_some() or self._queued + size <= QUEUE_BYTES

    def flush(self) -> None:
        """Write what the socket takes now."""
        if self._lock.acquire(blocking=False):  # else an offer is writing already
            try:
                self._write_some()
            finally:
                self._lock.release()

    def _has_room(self, size: int, deadline: float | None) -> bool:
        if self._write_some():
            self.is_stalled = False
            return True
        if deadline is None:
            return False
        while self._queued + size > QUEUE_BYTES:
            remaining = deadline - time.monotonic()
            if remaining <= 0 or self.is_stalled:
                self.is_stalled = True
                return False
            poll = select.poll()
            poll.register(self.socket, select.POLLOUT)
            poll.poll(remaining * 1000.0)
            if self._write_some():
                break
        return True

    def _write_some(self) -> bool:
        """Write until the socket is full; True if nothing is left."""
        while self._rest:
            try:
                sent = self.socket.sendmsg(self._rest[:MOST_PARTS])
            except (BlockingIOError, InterruptedError):
                return False
            self._drop_sent(sent)
        return True

    def close(self) -> None:
        """Close the socket and let go of what waited."""
        with contextlib.suppress(OSError):
            self.socket.close()
        self._rest = []
