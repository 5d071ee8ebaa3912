"""What the messages between vehicle and unit weigh on the link, headers and CURVE included.

Headers are those of real messages, encoded once. A part of a ZMTP message under CURVE costs 33
bytes (8 of command name, 8 of nonce, 16 of authenticator, 1 of flags; RFC 26) and its own frame
header of 2 bytes, 9 above 255 bytes (RFC 23).
"""

from scheduler import wire
from scheduler.messages import VERSION, Message
from scheduler.offload_messages import Beacon, Bye, Hello, Ping, Pong, Request, Result, Welcome

CURVE_BYTES = 33
PER_BOX_BYTES = 21  # as `Detections.to_bytes`
# Both sides of the handshake: greeting, then HELLO, WELCOME, INITIATE, READY (RFC 26).
GREETING_BYTES = 64
HANDSHAKE = ((GREETING_BYTES, GREETING_BYTES), (202, 170), (300, 80))


def part_bytes(size: int) -> int:
    """One part of a message as it travels."""
    return size + CURVE_BYTES + (2 if size + CURVE_BYTES <= 255 else 9)


def _message_bytes(message: Message) -> int:
    return sum(part_bytes(len(part)) for part in wire.pack(message))


_SESSION = 2**62
_REQUEST = _message_bytes(
    Request(
        VERSION, "ego", _SESSION, 1000, "front", 1000, 10**11, "object_detection", "medium",
        5_000, 80_000, 640, 384, 1.0, 20_000, 2**31,
    )
)  # fmt: skip
_RESULT = _message_bytes(
    Result(VERSION, "rsu1", _SESSION, 1000, "ok", "", "medium", 80_000, 1000, 2000, 9000, 1, 2, 0)
)
HELLO_BYTES = _message_bytes(Hello(VERSION, "ego", _SESSION, "control", "", True))
WELCOME_BYTES = _message_bytes(
    Welcome(VERSION, "rsu1", _SESSION, 2, ["medium", "large"], [9_000, 20_000])
)
BYE_BYTES = _message_bytes(Bye(VERSION, "ego", _SESSION))
PING_BYTES = _message_bytes(Ping(VERSION, "ego", _SESSION, 1000))
PONG_BYTES = _message_bytes(Pong(VERSION, "rsu1", _SESSION, 1000, 1))


BEACON_BYTES = _message_bytes(
    Beacon(
        VERSION, "rsu1", _SESSION, 1000, 1, 0.5, 9_000, 2, {"medium": 9_000, "large": 20_000}, {},
        (10.0, 20.0, 5.0),
    )
)  # fmt: skip


def request_bytes(payload_bytes: int) -> int:
    """A request with its picture or features."""
    return _REQUEST + part_bytes(payload_bytes)


def result_bytes(boxes: int) -> int:
    """An answer with this many boxes."""
    return _RESULT + part_bytes(boxes * PER_BOX_BYTES)


def refusal_bytes() -> int:
    """An answer without boxes."""
    return _RESULT
