"""Sensor and snapshot streams: a TCP session per subscription, none of which stops the world."""

from __future__ import annotations

import contextlib
import logging
import select
import selectors
import socket
import threading
import time
from collections.abc import Sequence

from sim.carla_server.layouts import LENGTH, STREAM_ID, stream_token

logger = logging.getLogger(__name__)

Buffer = bytes | bytearray | memoryview

SEND_BUFFER = 4 << 20  # bytes asked of the kernel: it may hold two 800x600 images
SUBSCRIBE_WAIT_S = 1.0  # a client connects within milliseconds of asking for a token
MAX_SESSIONS = 1024


class Session:
    """One subscriber's socket, with at most one message under way."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.stream_id = 0
        self.head = b""
        self.dropped = 0
        self.is_stalled = False
        self._rest: list[memoryview] = []
        self._lock = threading.Lock()

    @property
    def has_rest(self) -> bool:
        """True while a message is not fully written."""
        return bool(self._rest)

    def offer(self, message: Sequence[Buffer], wait_s: float) -> bool:
        """Write `message`, waiting up to `wait_s` for a slow reader; False if it was dropped.

        A reader that let one wait run out is not waited for again until it has caught up.

        Raises:
            OSError: the subscriber has gone.
        """
        with self._lock:
            deadline = time.monotonic() + (0.0 if self.is_stalled else wait_s)
            if not self._write_until(deadline):
                self.dropped += 1
                self.is_stalled = True
                return False
            self.is_stalled = False
            self._rest = [memoryview(part).cast("B") for part in message]
            if not self._write_until(deadline) and wait_s > 0:
                self.is_stalled = True
            return True

    def flush(self) -> None:
        """Write what the socket takes now."""
        with self._lock:
            self._write_some()

    def _write_until(self, deadline: float) -> bool:
        while not self._write_some():
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                return False
            poll = select.poll()
            poll.register(self.socket, select.POLLOUT)
            poll.poll(remaining * 1000.0)
        return True

    def _write_some(self) -> bool:
        while self._rest:
            try:
                sent = self.socket.sendmsg(self._rest)
            except (BlockingIOError, InterruptedError):
                return False
            while self._rest and sent >= len(self._rest[0]):
                sent -= len(self._rest.pop(0))
            if self._rest:
                self._rest[0] = self._rest[0][sent:]
        return True


class StreamServer:
    """Accepts subscriptions in one thread and fans messages out to them."""

    def __init__(self, host: str, port: int) -> None:
        self._listener = socket.create_server((host, port), backlog=64)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self._sessions: dict[int, list[Session]] = {}
        self._pending: dict[int, float] = {}
        self._changed = threading.Condition()
        self._wake_out, self._wake_in = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._is_closed = False
        self._selector = selectors.DefaultSelector()
        self._thread = threading.Thread(target=self._serve, name="streams", daemon=True)
        self._thread.start()

    def token(self, stream_id: int) -> bytes:
        """Return the 24-byte token of a stream."""
        return stream_token(stream_id, self.port)

    def expect(self, stream_id: int) -> None:
        """Note that a client is about to subscribe, for `wait_for_subscribers`."""
        with self._changed:
            self._pending[stream_id] = time.monotonic() + SUBSCRIBE_WAIT_S

    def wait_for_subscribers(self) -> None:
        """Return when every expected subscriber has connected, or its second is over.

        Without it the first frame after `listen()` is lost about every second time.
        """
        with self._changed:
            while self._pending and not self._is_closed:
                now = time.monotonic()
                for stream_id in [i for i, end in self._pending.items() if end <= now]:
                    del self._pending[stream_id]
                if self._pending:
                    self._changed.wait(max(self._pending.values()) - now)

    def has_subscribers(self, stream_id: int) -> bool:
        """Return whether anybody would read a message."""
        return bool(self._sessions.get(stream_id))

    def send(self, stream_id: int, message: Sequence[Buffer], wait_s: float = 0.0) -> float:
        """Send one message to all subscribers; `wait_s` bounds the wait for all slow ones.

        Returns:
            Seconds it took.
        """
        sessions = list(self._sessions.get(stream_id, ()))
        if not sessions:
            return 0.0
        parts = [LENGTH.pack(sum(memoryview(part).nbytes for part in message)), *message]
        started = time.monotonic()
        deadline = started + wait_s
        for session in sessions:
            try:
                is_sent = session.offer(parts, max(0.0, deadline - time.monotonic()))
            except OSError:
                continue  # the serving thread sees the closed socket and forgets the session
            if not is_sent and session.dropped == 1:
                logger.warning("stream %d: a subscriber is behind, dropping", stream_id)
        if any(session.has_rest for session in sessions):
            self._wake()
        return time.monotonic() - started

    def close(self) -> None:
        """Close every socket."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._wake()
        self._thread.join(timeout=0.5)

    def _wake(self) -> None:
        # A full pipe wakes too, and a closed one belongs to a server that has ended.
        with contextlib.suppress(OSError):
            self._wake_out.send(b"\0")

    # ---- the serving thread

    def _serve(self) -> None:
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._wake_in, selectors.EVENT_READ)
        while not self._is_closed:
            for key, events in self._selector.select():
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj is self._wake_in:
                    self._wake_in.recv(4096)
                    self._watch_writers()
                else:
                    self._serve_session(key.data, events)
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]  # only sockets are registered
        self._wake_out.close()
        self._selector.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            connection, _ = self._listener.accept()
            if len(self._selector.get_map()) > MAX_SESSIONS:
                connection.close()
                return
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
            self._selector.register(connection, selectors.EVENT_READ, Session(connection))

    def _watch_writers(self) -> None:
        for sessions in list(self._sessions.values()):
            for session in sessions:
                if session.has_rest:
                    self._selector.modify(
                        session.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, session
                    )

    def _serve_session(self, session: Session, events: int) -> None:
        try:
            if events & selectors.EVENT_WRITE:
                session.flush()
                if not session.has_rest:
                    self._selector.modify(session.socket, selectors.EVENT_READ, session)
            if events & selectors.EVENT_READ:
                self._read(session)
        except OSError:
            self._forget(session)

    def _read(self, session: Session) -> None:
        """Take the stream id, the only thing a client ever writes, or notice the end."""
        wanted = STREAM_ID.size - len(session.head)
        received = session.socket.recv(wanted or 1)
        if not received:
            self._forget(session)
            return
        session.head += received if wanted else b""
        if wanted and len(session.head) == STREAM_ID.size:
            (session.stream_id,) = STREAM_ID.unpack(session.head)
            with self._changed:
                self._sessions.setdefault(session.stream_id, []).append(session)
                self._pending.pop(session.stream_id, None)
                self._changed.notify_all()

    def _forget(self, session: Session) -> None:
        # A session whose sensor was destroyed stays open and silent until its client closes it:
        # a client whose stream is closed under it reconnects in a busy loop.
        with self._changed:
            sessions = self._sessions.get(session.stream_id, [])
            if session in sessions:
                self._sessions[session.stream_id] = [s for s in sessions if s is not session]
        self._selector.unregister(session.socket)
        session.socket.close()
