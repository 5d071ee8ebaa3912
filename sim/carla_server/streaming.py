"""Sensor and snapshot streams: a TCP session per subscription, none of which stops the world."""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import threading
import time
from collections.abc import Callable, Sequence

from sim.carla_server.layouts import LENGTH, STREAM_ID, stream_token
from sim.carla_server.limits import close_hard, connections_allowed, watch_peer
from sim.carla_server.sessions import SEND_BUFFER, Buffer, Session

logger = logging.getLogger(__name__)

__all__ = ["Buffer", "StreamServer"]

SUBSCRIBE_WAIT_S = 1.0  # a client connects within milliseconds of asking for a token
ACCEPT_PAUSE_S = 0.05


class StreamServer:
    """Accepts subscriptions in one thread and fans messages out to them."""

    def __init__(self, host: str, port: int) -> None:
        self._listener = socket.create_server((host, port), backlog=256)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self.is_alive: Callable[[int], bool] = lambda _stream_id: True
        self._allowed = connections_allowed()
        self._sessions: dict[int, list[Session]] = {}
        self._open: dict[Session, None] = {}  # oldest first
        self._pending: dict[int, float] = {}
        self._let_down: set[int] = set()
        self._changed = threading.Condition()
        self._wake_out, self._wake_in = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._is_closed = False
        self._selector = selectors.DefaultSelector()
        self._thread = threading.Thread(target=self._serve, name="streams", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        """How many are connected."""
        return len(self._open)

    def token(self, stream_id: int) -> bytes:
        """Return the 24-byte token of a stream."""
        return stream_token(stream_id, self.port)

    def expect(self, stream_id: int) -> None:
        """Note that a client is about to subscribe, for `wait_for_subscribers`.

        A stream whose subscriber once failed to come is not waited for again.
        """
        with self._changed:
            if stream_id not in self._let_down:
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
                    self._let_down.add(stream_id)
                if self._pending:
                    self._changed.wait(max(0.0, max(self._pending.values()) - now))

    def has_subscribers(self, stream_id: int) -> bool:
        """Return whether anybody would read a message."""
        return bool(self._sessions.get(stream_id))

    def forget_stream(self, stream_id: int) -> None:
        """Wait no longer for subscribers of a stream that has ended."""
        with self._changed:
            self._pending.pop(stream_id, None)
            self._let_down.discard(stream_id)
            self._changed.notify_all()

    def send(self, stream_id: int, message: Sequence[Buffer], wait_s: float | None = None) -> float:
        """Send one message to all subscribers.

        Args:
            stream_id: whose subscribers.
            message: buffers that are not changed afterwards.
            wait_s: None drops it for a subscriber that has not read the last one (asynchronous
                mode); a number lets it wait in that subscriber's queue, and bounds how long all
                whose queues are full are waited for (synchronous mode).

        Returns:
            Seconds it took.
        """
        sessions = list(self._sessions.get(stream_id, ()))
        if not sessions:
            return 0.0
        size = sum(len(p) if type(p) is bytes else memoryview(p).nbytes for p in message)
        parts = [LENGTH.pack(size), *message]
        size += LENGTH.size
        started = time.monotonic()
        deadline = None if wait_s is None else started + wait_s
        if wait_s is not None and len(sessions) > 1:  # the quick ones do not wait for the slow
            sessions.sort(key=lambda session: not _could_take(session, size))
        for session in sessions:
            try:
                is_sent = session.offer(parts, size, deadline)
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
                elif key.data in self._open:  # not one that has just been sent away
                    self._serve_session(key.data, events)
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]  # only sockets are registered
        self._wake_out.close()
        self._selector.close()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
            watch_peer(connection)
        except BlockingIOError:
            return
        except OSError as error:
            logger.warning("a subscriber could not connect: %s", error.strerror)
            time.sleep(ACCEPT_PAUSE_S)  # out of descriptors, it would fail again at once
            return
        if len(self._open) >= self._allowed and not self._make_room():
            logger.warning("refused a subscriber: %d are connected", len(self._open))
            close_hard(connection)
            return
        connection.setblocking(False)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        session = Session(connection)
        self._open[session] = None
        self._selector.register(connection, selectors.EVENT_READ, session)

    def _make_room(self) -> bool:
        """Send away the oldest that has named no stream, or one that has ended."""
        useless = next((s for s in self._open if s.is_silent), None) or next(
            (s for s in self._open if not self.is_alive(s.stream_id)), None
        )
        if useless is not None:
            self._forget(useless)
        return useless is not None

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
        received = session.socket.recv(STREAM_ID.size + 1)
        if not received or len(session.head) + len(received) > STREAM_ID.size:
            self._forget(session)  # gone, or somebody who speaks another language
            return
        session.head += received
        if len(session.head) == STREAM_ID.size:
            (session.stream_id,) = STREAM_ID.unpack(session.head)
            with self._changed:
                self._sessions.setdefault(session.stream_id, []).append(session)
                self._pending.pop(session.stream_id, None)
                self._changed.notify_all()

    def _forget(self, session: Session) -> None:
        # A session whose sensor was destroyed stays open and silent until its client closes it:
        # a client whose stream is closed under it reconnects in a busy loop.
        self._open.pop(session, None)
        with self._changed:
            kept = [s for s in self._sessions.get(session.stream_id, []) if s is not session]
            if kept:
                self._sessions[session.stream_id] = kept
            else:
                self._sessions.pop(session.stream_id, None)
        self._selector.unregister(session.socket)
        if session.dropped:
            logger.info("stream %d: %d messages dropped", session.stream_id, session.dropped)
        session.close()


def _could_take(session: Session, size: int) -> bool:
    try:
        return session.could_take(size)
    except OSError:
        return True  # gone: it costs no wait
