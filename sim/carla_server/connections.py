"""The RPC port: who has said something is served in a thread, who is mute waits without one."""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sim.carla_server.framing import MAX_MESSAGE, FramingError, MessageReader
from sim.carla_server.limits import close_hard, connections_allowed, watch_peer
from sim.carla_server.rpc import RpcDispatcher

logger = logging.getLogger(__name__)

ACCEPT_PAUSE_S = 0.1
RECEIVE_SIZE = 1 << 18  # bytes per read; calls are mostly under a kilobyte
FIRST_MESSAGE = 1 << 16  # bytes: every client begins with small calls
BUFFERED_IN_ALL = 256 << 20  # bytes of incomplete messages of all clients together


@dataclass(eq=False)
class Connection:
    """One client's socket; `calls` counts the requests that it has made well."""

    socket: socket.socket
    reader: MessageReader = field(default_factory=lambda: MessageReader(FIRST_MESSAGE))
    calls: int = 0


class RpcServer:
    """Listens, and serves each connection in a thread of its own, calls in order.

    A client that never reads its answers stops its own thread alone. When all places are taken,
    the oldest connection that has never made a call gives up its place.
    """

    def __init__(self, host: str, port: int) -> None:
        self._listener = socket.create_server((host, port), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self._allowed = connections_allowed()
        self._connections: dict[Connection, None] = {}  # oldest first
        self._lock = threading.Lock()
        self._wake_out, self._wake_in = socket.socketpair()
        self._is_closed = False
        self._on_disconnect: Callable[[], None] = lambda: None

    def __len__(self) -> int:
        """How many are connected."""
        return len(self._connections)

    def start(
        self, dispatcher: RpcDispatcher, on_disconnect: Callable[[], None] = lambda: None
    ) -> None:
        """Begin to accept; who dialled before has waited in the backlog.

        Args:
            dispatcher: answers requests.
            on_disconnect: called at the end of a connection, in the thread that served it.
        """
        self._on_disconnect = on_disconnect
        threading.Thread(
            target=self._accept, args=(dispatcher,), name="rpc-accept", daemon=True
        ).start()

    def close(self) -> None:
        """Close the listener and all connections; their threads end by themselves."""
        self._is_closed = True
        with contextlib.suppress(OSError):
            self._wake_out.send(b"\0")
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            close_hard(connection.socket)
        close_hard(self._listener)

    # ---- the accepting thread: it watches the listener and those who have not said a word

    def _accept(self, dispatcher: RpcDispatcher) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._wake_in, selectors.EVENT_READ)
            while not self._is_closed:
                for key, _ in selector.select():
                    if self._is_closed:
                        break
                    if key.fileobj is self._listener:
                        self._welcome(selector)
                    elif key.data is not None:
                        selector.unregister(key.fileobj)
                        self._begin(key.data, dispatcher)
        self._wake_in.close()
        self._wake_out.close()

    def _welcome(self, selector: selectors.BaseSelector) -> None:
        try:
            client, peer = self._listener.accept()
            watch_peer(client)
        except OSError as error:
            if not self._is_closed:
                logger.warning("a client could not connect: %s", error.strerror)
                time.sleep(ACCEPT_PAUSE_S)  # out of descriptors, it would fail again at once
            return
        if len(self._connections) >= self._allowed and not self._make_room(selector):
            logger.warning("refused a client: %d are connected", len(self._connections))
            client.close()
            return
        logger.debug("client %s:%s connected", *peer[:2])
        connection = Connection(client)
        with self._lock:
            self._connections[connection] = None
        selector.register(client, selectors.EVENT_READ, connection)

    def _make_room(self, selector: selectors.BaseSelector) -> bool:
        with self._lock:
            useless = next((one for one in self._connections if not one.calls), None)
        if useless is None:
            return False
        with contextlib.suppress(KeyError, ValueError):
            selector.unregister(useless.socket)
        self._forget(useless)
        return True

    def _begin(self, connection: Connection, dispatcher: RpcDispatcher) -> None:
        try:
            threading.Thread(
                target=self._serve, args=(connection, dispatcher), name="rpc", daemon=True
            ).start()
        except RuntimeError:  # the system has no thread left
            logger.warning("refused a client: no thread could be started")
            self._forget(connection)

    def _forget(self, connection: Connection) -> None:
        with self._lock:
            self._connections.pop(connection, None)
        close_hard(connection.socket)

    # ---- a client's thread

    def _serve(self, connection: Connection, dispatcher: RpcDispatcher) -> None:
        try:
            while received := connection.socket.recv(RECEIVE_SIZE):
                self._answer(connection, received, dispatcher)
        except FramingError as error:
            logger.debug("closing a connection that is no CARLA client: %s", error)
        except OSError:
            pass  # the client has gone
        finally:
            self._forget(connection)
            self._on_disconnect()

    def _answer(self, connection: Connection, received: bytes, dispatcher: RpcDispatcher) -> None:
        reader = connection.reader
        for message in reader.feed(received):
            connection.socket.sendall(dispatcher.answer(message))
            if not connection.calls:
                reader.max_message = MAX_MESSAGE
            connection.calls += 1
        if reader.pending > FIRST_MESSAGE:
            with self._lock:
                pending = sum(one.reader.pending for one in self._connections)
            if pending > BUFFERED_IN_ALL:
                raise FramingError("all clients together have too much under way")
