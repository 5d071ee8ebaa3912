"""Cuts a TCP byte stream into MessagePack-RPC messages, which carry no length of their own."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

MAX_MESSAGE = 64 << 20
"""Bytes: an OpenDRIVE file may be tens of megabytes; more than this is not a CARLA client."""

_FIXED_BODY = {
    0xC0: 0, 0xC2: 0, 0xC3: 0,  # nil, false, true
    0xCA: 4, 0xCB: 8,  # float32, float64
    0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8,  # unsigned
    0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8,  # signed
    0xD4: 2, 0xD5: 3, 0xD6: 5, 0xD7: 9, 0xD8: 17,  # fixext: type byte and body
}  # fmt: skip
_SIZED_BODY = {
    0xC4: (1, 0), 0xC5: (2, 0), 0xC6: (4, 0),  # bin: width of the size field, extra bytes
    0xC7: (1, 1), 0xC8: (2, 1), 0xC9: (4, 1),  # ext
    0xD9: (1, 0), 0xDA: (2, 0), 0xDB: (4, 0),  # str
}  # fmt: skip
# array, map: width of the count, objects per entry
_CONTAINERS = {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}


class FramingError(ValueError):
    """The bytes are not MessagePack, or one message is larger than `MAX_MESSAGE`."""


class MessageScan:
    """Finds where one MessagePack object ends, going on where the bytes ended last time.

    Counts the objects still owed instead of recursing, so that nesting costs no stack, and reads no
    byte twice, so that a large message in small pieces costs no more than in one.
    """

    def __init__(self, start: int = 0) -> None:
        self._position = start
        self._owed = 1

    def end(self, data: bytes | bytearray) -> int | None:
        """Return the index after the object, or None while it is incomplete.

        Raises:
            FramingError: a byte that begins no MessagePack object.
        """
        position, owed, size = self._position, self._owed, len(data)
        while owed:
            if position >= size:
                break
            code = data[position]
            if code <= 0x7F or code >= 0xE0:
                position += 1
            elif code <= 0x9F:
                owed += (code & 0x0F) * (2 if code <= 0x8F else 1)
                position += 1
            elif code <= 0xBF:
                position += 1 + (code & 0x1F)
            elif code in _FIXED_BODY:
                position += 1 + _FIXED_BODY[code]
            else:
                sized = _sized(data, position, size)
                if sized is None:
                    break
                position, more = sized
                owed += more
            owed -= 1
        self._position, self._owed = position, owed
        return position if not owed and position <= size else None


def _sized(data: bytes | bytearray, position: int, size: int) -> tuple[int, int] | None:
    """Return (next position, objects it holds) of what writes its size; None if that is cut off."""
    code = data[position]
    if code in _SIZED_BODY:
        (width, extra), items = _SIZED_BODY[code], 0
    elif code in _CONTAINERS:
        (width, items), extra = _CONTAINERS[code], 0
    else:
        raise FramingError(f"expected MessagePack, got the reserved byte 0x{code:02x}")
    body = position + 1 + width
    if body > size:
        return None
    count = int.from_bytes(data[position + 1 : body], "big")
    return (body, items * count) if items else (body + extra + count, 0)


def message_end(data: bytes | bytearray, start: int = 0) -> int | None:
    """Return the index after the MessagePack object at `start`, or None while it is incomplete."""
    return MessageScan(start).end(data)


_REQUEST = msgspec.msgpack.Decoder(list[msgspec.Raw])


def is_one_request(data: bytes) -> bool:
    """Return True if the bytes are one whole array and no more; False says nothing.

    Nearly every read is one call and no more, which this sees ten times as fast as a `MessageScan`.
    """
    try:
        _REQUEST.decode(data)
    except (msgspec.MsgspecError, RecursionError):
        return False
    return True


class MessageReader:
    """Collects received bytes and hands out whole messages."""

    def __init__(self, max_message: int = MAX_MESSAGE) -> None:
        self.max_message = max_message
        self._data = bytearray()
        self._scan = MessageScan()

    @property
    def pending(self) -> int:
        """Bytes of the message that is not complete."""
        return len(self._data)

    def feed(self, received: bytes) -> Iterator[bytes]:
        """Yield each message that is complete with `received`; keep the rest.

        Raises:
            FramingError: the stream cannot be read on; close the connection.
        """
        if not self._data and is_one_request(received):
            yield received
            return
        self._data += received
        start = 0
        while start < len(self._data) and (end := self._scan.end(self._data)) is not None:
            yield bytes(self._data[start:end])
            start = end
            self._scan = MessageScan(start)
        if start:
            del self._data[:start]
            self._scan = MessageScan()  # what is left of the next message is read once more
        if len(self._data) > self.max_message:
            raise FramingError(f"a message of more than {self.max_message} bytes")
