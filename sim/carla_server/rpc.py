"""MessagePack-RPC calls: decoded by the protocol's tables, their answers wrapped as CARLA's are."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec
from msgspec.structs import astuple

from sim.carla_server.framing import FramingError
from sim.carla_server.protocol import Protocol, Rpc

logger = logging.getLogger(__name__)

LONGEST_NAME = (
    80  # characters of an unknown call that are repeated to whoever asks or reads the log
)
MOST_NAMES_LOGGED = 200  # unknown names can be made up without end
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


class _Call(NamedTuple):
    """One row of the table of calls, with all that answers it."""

    rpc: Rpc
    decode: Callable[[msgspec.Raw], msgspec.Struct]
    handler: Handler | None


DONE = ((False,),)  # the answer of a call that returns nothing


class RpcDispatcher:
    """Turns one request's bytes into one response's bytes.

    Calls never fail in the MessagePack-RPC error slot but for unknown names: the Traffic Manager
    ends its process when it finds that slot filled.
    """

    def __init__(self, protocol: Protocol, handlers: Mapping[str, Handler]) -> None:
        self._decode = msgspec.msgpack.Decoder(_Request).decode
        self._encode = msgspec.msgpack.Encoder().encode
        self._calls = {
            name: _Call(
                rpc,
                argument_decoder(name, (msgspec.Raw, *rpc.arguments)).decode,
                handlers.get(name),
            )
            for name, rpc in protocol.rpcs.items()
        }
        self._logged: set[str] = set()

    def answer(self, message: bytes) -> bytes:
        """Return the response to one request.

        Raises:
            FramingError: the message is no request.
        """
        try:
            request = self._decode(message)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            raise FramingError(f"expected a MessagePack-RPC request: {error}") from error
        call = self._calls.get(request.name)
        if call is None:
            name = request.name[:LONGEST_NAME]
            self._log_once(name, "unknown RPC %r: answered with an error")
            return self._encode((1, request.message_id, f"unknown RPC '{name}'", None))
        result = self._result(request.name, call, request.arguments)
        return self._encode((1, request.message_id, None, result))

    def _result(self, name: str, call: _Call, raw: msgspec.Raw) -> object:
        rpc, decode, handler = call
        try:
            if rpc.missing:
                self._log_once(name, "RPC %r was called: not available here")
                raise RpcFailure(f"{name} is not available: {rpc.missing}")
            if handler is None:
                raise KeyError(name)
            value = handler(astuple(decode(raw))[1:])
        except RpcFailure as failure:
            return _failure(rpc, str(failure))
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            self._log_once(name, "RPC %r got arguments of another shape")
            return _failure(rpc, f"{name}: arguments do not match: {error}")
        except Exception:
            # An edge: one broken call must cost its caller an error, not everyone the world.
            if self._is_new(f"{name} failed"):
                logger.exception("RPC %s failed", name)
            return _failure(rpc, f"Responding error from function {name}: internal error")
        if rpc.result == "void":
            return DONE
        return value if rpc.result == "batch" else ((1, value),)

    def _log_once(self, name: str, text: str) -> None:
        if self._is_new(name):
            logger.warning(text, name)

    def _is_new(self, what: str) -> bool:
        """Return True the first time, so that a client in a loop fills no disk."""
        is_new = what not in self._logged and len(self._logged) < MOST_NAMES_LOGGED
        if is_new:
            self._logged.add(what)
        return is_new


def _failure(rpc: Rpc, text: str) -> object:
    if rpc.result == "void":
        return ((True, (text,)),)
    return () if rpc.result == "batch" else ((0, (text,)),)
