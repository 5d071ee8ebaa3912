"""MessagePack-RPC server: decodes calls by the protocol's tables and wraps what handlers answer."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Mapping

import msgspec

from sim.carla_server.framing import FramingError, MessageReader
from sim.carla_server.protocol import Protocol, Rpc

logger = logging.getLogger(__name__)

ACCEPT_PAUSE_S = 0.1
RECEIVE_SIZE = 1 << 18  # bytes per read; calls are mostly under a kilobyte
Handler = Callable[[tuple[object, ...]], object]


class RpcFailure(Exception):  # noqa: N818 - the peer's word: a call that fails is an answer
    """A call that cannot be done; its text becomes the client's RuntimeError."""


class _Request(msgspec.Struct, array_like=True):
    kind: int
    message_id: int
    name: str
    arguments: msgspec.Raw


def argument_decoder(
    name: str, types: tuple[object, ...]
) -> msgspec.msgpack.Decoder[msgspec.Struct]:
    """Return a decoder for an array of these types; further elements are ignored."""
    fields = [(f"argument_{index}", kind) for index, kind in enumerate(types)]
    struct = msgspec.defstruct(name, fields, array_like=True)
    return msgspec.msgpack.Decoder(struct)


class RpcDispatcher:
    """Turns one request's bytes into one response's bytes.

    Calls never fail in the MessagePack-RPC error slot but for unknown names: the Traffic Manager
    ends its process when it finds that slot filled.
    """

    def __init__(self, protocol: Protocol, handlers: Mapping[str, Handler]) -> None:
        self._rpcs = protocol.rpcs
        self._handlers = handlers
        self._requests = msgspec.msgpack.Decoder(_Request)
        self._encoder = msgspec.msgpack.Encoder()
        self._arguments = {
            name: argument_decoder(name, (msgspec.Raw, *rpc.arguments))
            for name, rpc in protocol.rpcs.items()
        }
        self._logged: set[str] = set()

    def answer(self, message: bytes) -> bytes:
        """Return the response to one request.

        Raises:
            FramingError: the message is no request.
        """
        try:
            request = self._requests.decode(message)
        except msgspec.MsgspecError as error:
            raise FramingError(f"expected a MessagePack-RPC request: {error}") from error
        rpc = self._rpcs.get(request.name)
        if rpc is None:
            self._log_once(request.name, "unknown RPC %r: answered with an error")
            return self._encoder.encode(
                (1, request.message_id, f"unknown RPC '{request.name}'", None)
            )
        return self._encoder.encode(
            (1, request.message_id, None, self._result(request.name, rpc, request.arguments))
        )

    def _result(self, name: str, rpc: Rpc, raw: msgspec.Raw) -> object:
        try:
            if rpc.missing:
                self._log_once(name, "RPC %r was called: not available here")
                raise RpcFailure(f"{name} is not available: {rpc.missing}")
            arguments = msgspec.structs.astuple(self._arguments[name].decode(raw))[1:]
            value = self._handlers[name](arguments)
        except RpcFailure as failure:
            return _failure(rpc, str(failure))
        except msgspec.MsgspecError as error:
            self._log_once(name, "RPC %r got arguments of another shape")
            return _failure(rpc, f"{name}: arguments do not match: {error}")
        except Exception:
            # An edge: one broken call must cost its caller an error, not everyone the world.
            logger.exception("RPC %s failed", name)
            return _failure(rpc, f"Responding error from function {name}: internal error")
        if rpc.result == "void":
            return ((False,),)
        return value if rpc.result == "batch" else ((1, value),)

    def _log_once(self, name: str, text: str) -> None:
        if name not in self._logged:
            self._logged.add(name)
            logger.warning(text, name)


def _failure(rpc: Rpc, text: str) -> object:
    if rpc.result == "void":
        return ((True, (text,)),)
    return () if rpc.result == "batch" else ((0, (text,)),)


class RpcServer:
    """Listens, and serves each connection in a thread of its own, calls in order."""

    def __init__(self, host: str, port: int) -> None:
        self._listener = socket.create_server((host, port), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self._connections: set[socket.socket] = set()
        self._is_closed = False
        self._on_disconnect: Callable[[], None] = lambda: None

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
        for connection in (self._listener, *tuple(self._connections)):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _accept(self, dispatcher: RpcDispatcher) -> None:
        while not self._is_closed:
            try:
                connection, peer = self._listener.accept()
            except OSError as error:
                if self._is_closed:
                    return
                logger.warning("a client could not connect: %s", error.strerror)
                time.sleep(ACCEPT_PAUSE_S)  # out of descriptors, it would fail again at once
                continue
            logger.debug("client %s:%s connected", *peer[:2])
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connections.add(connection)
            threading.Thread(
                target=self._serve, args=(connection, dispatcher), name="rpc", daemon=True
            ).start()

    def _serve(self, connection: socket.socket, dispatcher: RpcDispatcher) -> None:
        reader = MessageReader()
        try:
            while received := connection.recv(RECEIVE_SIZE):
                for message in reader.feed(received):
                    connection.sendall(dispatcher.answer(message))
        except FramingError as error:
            logger.warning("closing a connection that is no CARLA client: %s", error)
        except OSError:
            pass  # the client has gone
        finally:
            self._connections.discard(connection)
            connection.close()
            self._on_disconnect()
