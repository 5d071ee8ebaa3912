"""Cuts a TCP byte stream into MessagePack-RPC messages, which carry no length of their own."""

from __future__ import annotations

from collections.abc import Iterator

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


def message_end(data: bytes | bytearray, start: int = 0) -> int | None:
    """Return the index after the MessagePack object at `start`, or None while it is incomplete.

    Counts the objects still owed instead of recursing, so that nesting costs no stack.
    """
    position, owed, size = start, 1, len(data)
    while owed:
        if position >= size:
            return None
        code = data[position]
        position += 1
        owed -= 1
        if code <= 0x7F or code >= 0xE0:
            continue
        if code <= 0x8F:
            owed += 2 * (code & 0x0F)
        elif code <= 0x9F:
            owed += code & 0x0F
        elif code <= 0xBF:
            position += code & 0x1F
        elif code in _FIXED_BODY:
            position += _FIXED_BODY[code]
        elif code in _SIZED_BODY:
            width, extra = _SIZED_BODY[code]
            if position + width > size:
                return None
            position += width + extra + int.from_bytes(data[position : position + width], "big")
        elif code in _CONTAINERS:
            width, items = _CONTAINERS[code]
            if position + width > size:
                return None
            owed += items * int.from_bytes(data[position : position + width], "big")
            position += width
        else:
            raise FramingError(f"expected MessagePack, got the reserved byte 0x{code:02x}")
    return position if position <= size else None


class MessageReader:
    """Collects received bytes and hands out whole messages."""

    def __init__(self, max_message: int = MAX_MESSAGE) -> None:
        self._data = bytearray()
        self._max_message = max_message

    def feed(self, received: bytes) -> Iterator[bytes]:
        """Yield each message that is complete with `received`; keep the rest.

        Raises:
            FramingError: the stream cannot be read on; close the connection.
        """
        self._data += received
        start = 0
        while (end := message_end(self._data, start)) is not None:
            yield bytes(self._data[start:end])
            start = end
            if start == len(self._data):
                break
        del self._data[:start]
        if len(self._data) > self._max_message:
            raise FramingError(f"a message of more than {self._max_message} bytes")
