"""ZeroMQ sockets with the project's options, and addresses that say in one line what is wrong.

Options and their reasons: reference network.md 3.1. A `tcp://` socket always speaks CURVE unless
the config says `insecure_loopback`; an `ipc://` one is guarded by its folder's mode 0700.
"""

import errno
from collections.abc import Sequence
from pathlib import Path

import zmq

from scheduler import wire
from scheduler.errors import PortInUseError
from scheduler.security import Keys

CONTROL_TOS = 0xB8  # DSCP EF; harmless where ignored
FRAMES_TOS = 0x88  # DSCP AF41
SEND_HIGH_WATER = 4  # a fuse only: credits keep it at most 3
PUBLISH_HIGH_WATER = 64  # a slow subscriber loses what comes then, never slows the publisher
SUBSCRIBE_LIMIT = 1_048_576  # bytes of a message from somebody of our own site


_DONTWAIT = int(zmq.DONTWAIT)  # plain: to combine and convert pyzmq's enums takes a microsecond
_POLLIN = int(zmq.POLLIN)
_MORE = int(zmq.DONTWAIT | zmq.SNDMORE)


def frame_limit(width: int, height: int) -> int:
    """`MAXMSGSIZE` of a frames socket: four bytes a pixel and 64 kB for headers."""
    return 4 * width * height + 65_536


def _secure(socket: "zmq.Socket[bytes]", keys: Keys | None, server_key: bytes | None) -> None:
    if keys is None:
        return
    socket.curve_publickey = keys.public
    socket.curve_secretkey = keys.secret
    if server_key is None:
        socket.curve_server = True
        socket.zap_domain = b"vdap"  # without a domain libzmq may skip the authenticator
    else:
        socket.curve_serverkey = server_key


def _common(socket: "zmq.Socket[bytes]", limit: int) -> None:
    socket.linger = 0
    socket.setsockopt(zmq.MAXMSGSIZE, limit)  # before bind: it also bounds the handshake
    socket.setsockopt(zmq.HANDSHAKE_IVL, 2000)


def _bind(socket: "zmq.Socket[bytes]", address: str) -> None:
    try:
        socket.bind(address)
    except zmq.ZMQError as error:
        socket.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUseError(
                f"expected {address} to be free, but another process listens there: "
                "stop it, or give another `bind.port`"
            ) from None
        raise PortInUseError(f"cannot listen at {address}: {error}") from None
    if address.startswith("ipc://"):
        Path(address.removeprefix("ipc://")).chmod(0o600)


def bind_router(
    context: "zmq.Context[zmq.Socket[bytes]]",
    address: str,
    keys: Keys | None,
    *,
    limit: int = wire.MAX_OFFLOAD_BYTES,
) -> "zmq.Socket[bytes]":
    """A ROUTER that many peers connect to; `send` to one that left raises EHOSTUNREACH."""
    socket = context.socket(zmq.ROUTER)
    _common(socket, limit)
    socket.rcvhwm = 16
    socket.sndhwm = 16
    socket.rcvbuf = 262_144
    socket.setsockopt(zmq.BACKLOG, 512)
    socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
    socket.setsockopt(zmq.HEARTBEAT_IVL, 1000)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 3000)
    socket.setsockopt(zmq.HEARTBEAT_TTL, 5000)
    _secure(socket, keys, None)
    _bind(socket, address)
    return socket


def connect_dealer(
    context: "zmq.Context[zmq.Socket[bytes]]",
    address: str,
    keys: Keys | None,
    server_key: bytes | None,
    *,
    tos: int = CONTROL_TOS,
    limit: int = wire.MAX_OFFLOAD_BYTES,
) -> "zmq.Socket[bytes]":
    """A DEALER to one peer that queues nothing while the peer is away."""
    socket = context.socket(zmq.DEALER)
    _common(socket, limit)
    socket.sndhwm = SEND_HIGH_WATER
    socket.rcvhwm = 64
    socket.setsockopt(zmq.IMMEDIATE, 1)  # else frames seconds old arrive after a reconnect
    socket.setsockopt(zmq.CONNECT_TIMEOUT, 300)  # the kernel's SYN back-off reaches seconds
    socket.setsockopt(zmq.RECONNECT_IVL, 50)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, 500)
    socket.setsockopt(zmq.HEARTBEAT_IVL, 200)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 600)
    socket.setsockopt(zmq.HEARTBEAT_TTL, 1000)
    socket.setsockopt(zmq.TOS, tos)
    _secure(socket, keys, server_key)
    socket.connect(address)
    return socket


def bind_publisher(
    context: "zmq.Context[zmq.Socket[bytes]]",
    address: str,
    keys: Keys | None,
    *,
    high_water: int = PUBLISH_HIGH_WATER,
) -> "zmq.Socket[bytes]":
    """A PUB socket that drops, per subscriber, what does not fit in its queue."""
    socket = context.socket(zmq.PUB)
    _common(socket, 65_536)
    socket.sndhwm = high_water
    _secure(socket, keys, None)
    _bind(socket, address)
    return socket


def connect_subscriber(
    context: "zmq.Context[zmq.Socket[bytes]]",
    addresses: Sequence[str],
    topics: Sequence[str],
    keys: Keys | None = None,
    server_key: bytes | None = None,
    *,
    limit: int = SUBSCRIBE_LIMIT,
    high_water: int = PUBLISH_HIGH_WATER,
) -> "zmq.Socket[bytes]":
    """A SUB socket to some publishers (`server_key` is that of all of them, where tcp)."""
    socket = context.socket(zmq.SUB)
    _common(socket, limit)
    socket.rcvhwm = high_water
    socket.setsockopt(zmq.RECONNECT_IVL, 50)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, 500)
    for topic in topics:
        socket.subscribe(topic)
    if any(address.startswith("tcp://") for address in addresses):
        _secure(socket, keys, server_key)
    for address in addresses:
        socket.connect(address)
    return socket


def send(socket: "zmq.Socket[bytes]", parts: Sequence[bytes | memoryview]) -> bool:
    """Send without waiting.

    Returns:
        False when the peer is away or its queue is full: the message is dropped.
    """
    try:
        # As `send_multipart` does, without its checks of every part: two thirds of its time.
        for part in parts[:-1]:
            socket.send(part, _MORE)
        socket.send(parts[-1], _DONTWAIT)
    except zmq.Again:
        return False
    except zmq.ZMQError as error:
        if error.errno in (errno.EHOSTUNREACH, errno.EAGAIN):
            return False
        raise
    return True


def receive(socket: "zmq.Socket[bytes]", *, is_likely: bool = False) -> list[bytes] | None:
    """The next multipart message, or None when there is none now.

    Args:
        is_likely: There was one when the socket was polled. To hear by an exception that there is
            none takes twice as long as to ask, and to ask in vain half as long.
    """
    if not is_likely and not int(socket.getsockopt(zmq.EVENTS)) & _POLLIN:
        return None
    try:
        frame = socket.recv(_DONTWAIT, copy=False)
    except zmq.Again:
        return None
    parts = [frame.bytes]
    while frame.more:  # a frame knows; to ask the socket takes longer than to read it
        frame = socket.recv(_DONTWAIT, copy=False)
        parts.append(frame.bytes)
    return parts
