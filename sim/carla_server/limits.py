"""How many connections a server holds, so that any number of strangers leaves room for a client."""

from __future__ import annotations

import contextlib
import resource
import socket

WANTED_DESCRIPTORS = 8192
RESERVED_DESCRIPTORS = 128  # files, listeners, pipes, caches of the compiler
MOST_CONNECTIONS = 1024  # each of RPC and streams; a client needs one and one per sensor

KEEPALIVE_IDLE_S = 20  # of silence until the peer is asked whether it is there
KEEPALIVE_EVERY_S = 5
KEEPALIVE_PROBES = 4  # unanswered ones after which a host is gone


def connections_allowed() -> int:
    """Ask the system for more descriptors; return how many connections each listener may hold."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(WANTED_DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    free = (
        min(soft, WANTED_DESCRIPTORS) if soft > 0 else WANTED_DESCRIPTORS
    ) - RESERVED_DESCRIPTORS
    return max(8, min(MOST_CONNECTIONS, free // 2))


def watch_peer(connection: socket.socket) -> None:
    """Send small messages at once, and notice a peer whose host has gone without a word."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", KEEPALIVE_IDLE_S),
        ("TCP_KEEPINTVL", KEEPALIVE_EVERY_S),
        ("TCP_KEEPCNT", KEEPALIVE_PROBES),
    ):
        if hasattr(socket, name):  # each system has its own choice of them
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def close_hard(connection: socket.socket) -> None:
    """Close a connection on which another thread may be waiting."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
