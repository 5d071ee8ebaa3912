"""Multipart framing: messages to bytes and back, guarded before anything is trusted.

A message on a socket is `[kind, header, payload...]`; a published one has the topic in front:
`[topic, kind, header, payload...]`. Headers are MessagePack, checked field by field by msgspec.
"""

import zlib
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from scheduler import messages
from scheduler.errors import WireError

MAX_OFFLOAD_BYTES = 600_000  # one message from a stranger; set before bind (network.md 4.3)
MAX_HEADER_BYTES = 4_096

AnyMessage = messages.Message | messages.Record
M = TypeVar("M", bound=AnyMessage)

_ENCODER = msgspec.msgpack.Encoder()
_DECODERS: dict[type, msgspec.msgpack.Decoder[AnyMessage]] = {}


def encode(message: AnyMessage) -> bytes:
    """The header bytes of a message."""
    return _ENCODER.encode(message)


def pack(message: AnyMessage, *payload: bytes) -> list[bytes]:
    """The parts to send: `[kind, header, payload...]`."""
    return [message.kind, _ENCODER.encode(message), *payload]


def decode(kind: type[M], header: bytes) -> M:
    """Decode one header.

    Raises:
        WireError: not MessagePack, wrong shape, a field out of bounds, or another version.
    """
    decoder = _DECODERS.get(kind)
    if decoder is None:
        decoder = _DECODERS[kind] = msgspec.msgpack.Decoder(kind)
    try:
        message = decoder.decode(header)
    # Invalid UTF-8 raises UnicodeDecodeError and deep nesting RecursionError, not msgspec's own.
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(f"expected a {kind.__name__} header, got {error}") from None
    version: int = getattr(message, "version")  # noqa: B009 - every subclass starts with it
    if version != messages.VERSION:
        raise WireError(
            f"{kind.__name__} has version {version}, this side speaks {messages.VERSION}: "
            "install the same vdap on both"
        )
    assert isinstance(message, kind)
    return message


def unpack(parts: Sequence[bytes], *kinds: type[AnyMessage]) -> tuple[AnyMessage, list[bytes]]:
    """Decode `[kind, header, payload...]` as one of the expected kinds.

    Raises:
        WireError: too few parts, an unexpected kind, an oversized or malformed header.
    """
    if len(parts) < 2:
        raise WireError(f"expected [kind, header, ...], got {len(parts)} part(s)")
    if len(parts[1]) > MAX_HEADER_BYTES:
        raise WireError(f"expected at most {MAX_HEADER_BYTES} bytes of header, got {len(parts[1])}")
    for kind in kinds:
        if parts[0] == kind.kind:
            return decode(kind, parts[1]), list(parts[2:])
    expected = ", ".join(k.kind.decode() for k in kinds)
    raise WireError(f"expected one of {expected}, got {bytes(parts[0][:16])!r}")


def crc32(payload: bytes | memoryview) -> int:
    """CRC-32 of a payload, as the request's header states it."""
    return zlib.crc32(payload)
