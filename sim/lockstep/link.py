"""A vehicle's link to one unit in virtual time: connections, sessions and messages on the air.

The times of all messages come from `sim.channel.link_model`. What is a model here is the
transport: a handshake of a few exchanges, connections that a long outage resets and refuses, and
attempts to reconnect, as ZeroMQ makes them with our options (`scheduler.transport`).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from scheduler.effects import UnitLoad, UnitReport
from scheduler.offload_messages import Request
from sim.channel.link_model import LinkModel
from sim.lockstep import wire_bytes
from sim.lockstep.loop import Loop
from sim.lockstep.refusals import NEVER_NS, Refusals

if TYPE_CHECKING:
    from sim.lockstep.unit import VirtualUnit

HELLO_AGAIN_NS = 200_000_000  # as `vehicle.offload`
HELLO_SOON_NS = 20_000_000
RECONNECT_NS = 50_000_000  # as `scheduler.transport`
RECONNECT_MOST_NS = 500_000_000


class VirtualLink:
    """Both sockets of a vehicle's link, as one connection.

    Attributes:
        session: Changes with each `reopen`; what belongs to another one is dropped.
        is_connected: Whether the transport takes messages.
        heard: Told of what comes: set by the vehicle.
    """

    def __init__(
        self, loop: Loop, vehicle_id: str, name: str, unit: VirtualUnit, model: LinkModel,
        refusals: Refusals,
    ) -> None:  # fmt: skip
        self.name = name
        self.vehicle_id = vehicle_id
        self.heard_ns = 0  # at the unit
        self.session = zlib.crc32(f"{vehicle_id}/{name}".encode()) << 24
        self.is_connected = False
        self.up_bytes = 0
        self.dn_bytes = 0
        self.on_welcome: Callable[[VirtualLink], None] = _ignore
        self.on_pong: Callable[[VirtualLink, int], None] = _ignore
        self.on_beacon: Callable[[VirtualLink, UnitLoad], None] = _ignore
        self.on_answer: Callable[[VirtualLink, int, UnitReport], None] = _ignore
        self._loop = loop
        self.unit = unit
        self._up, self._dn = model.up.message, model.dn.message
        self._refusals = refusals
        self._connection = 0  # changes with each attempt: what is of an older one goes nowhere
        self._is_welcome = False
        self._opened_ns = 0

    # --- what the vehicle does ---------------------------------------------------------------

    def reopen(self) -> None:
        """New sockets with a new session."""
        self.session += 1
        self._is_welcome = False
        self._opened_ns = self._loop.now_ns
        self._connect(RECONNECT_NS)

    def leave(self) -> None:
        """Say good-bye and close the sockets; nothing is heard from here until `reopen`."""
        if self.is_connected:
            self._send(wire_bytes.BYE_BYTES, self._on_bye)
        self._connection += 1
        self.session += 1
        self.is_connected = False

    def ping(self, number: int) -> None:
        """Send a ping; lost where nobody is connected."""
        if self.is_connected:
            self._send(wire_bytes.PING_BYTES, self._on_ping, number)

    def send(self, request: Request, size_bytes: int) -> bool:
        """Send a request; False when the socket is away."""
        if not self.is_connected:
            return False
        self._send(wire_bytes.request_bytes(size_bytes), self._on_request, request)
        return True

    # --- what the unit does -------------------------------------------------------------------

    def answer(self, seq: int, report: UnitReport, boxes: int) -> None:
        """Send a result or a refusal (`boxes` -1)."""
        size = wire_bytes.refusal_bytes() if boxes < 0 else wire_bytes.result_bytes(boxes)
        self._return(size, self._deliver_answer, seq, report)

    def welcome(self) -> None:
        """Admit the session."""
        self._return(wire_bytes.WELCOME_BYTES, self._deliver_welcome)

    def beacon(self, load: UnitLoad) -> None:
        """Tell the vehicle of the unit's load."""
        self._return(wire_bytes.BEACON_BYTES, self._deliver_beacon, load)

    # --- connections --------------------------------------------------------------------------

    def _connect(self, wait_ns: int) -> None:
        """One attempt; the next, if it is refused or reset, comes after `wait_ns`."""
        self._connection += 1
        self.is_connected = False
        now_ns = self._loop.now_ns
        until_ns = self._refusals.ends_ns(now_ns)
        if until_ns >= NEVER_NS:
            return
        longer_ns = min(RECONNECT_MOST_NS, 2 * wait_ns)
        if until_ns:
            self._loop.at(now_ns + wait_ns, self._reconnect, self._connection, longer_ns)
            return
        reset_ns = self._refusals.next_ns(now_ns)
        if reset_ns < NEVER_NS:
            self._loop.at(reset_ns, self._reset, self._connection)
        self._handshake(self._connection, 0)

    def _reconnect(self, connection: int, wait_ns: int) -> None:
        if connection == self._connection:
            self._connect(wait_ns)

    def cut(self) -> None:
        """A long outage ends the connection; attempts to reconnect begin."""
        self._connect(RECONNECT_NS)

    def _reset(self, connection: int) -> None:
        """A long outage ended this connection."""
        if connection == self._connection:
            self.cut()

    def _handshake(self, connection: int, done: int) -> None:
        """One exchange after the other, then the socket is connected."""
        if connection != self._connection:
            return
        if done == len(wire_bytes.HANDSHAKE):
            self.is_connected = True
            if not self._is_welcome:
                waited = self._loop.now_ns - self._opened_ns
                soon_ns = -waited % HELLO_SOON_NS  # HELLO is tried on a grid until it leaves
                self._loop.at(self._loop.now_ns + soon_ns, self._hello, connection)
            return
        there = self._up(2 * wire_bytes.HANDSHAKE[done][0], self._loop.now_ns)
        if there is not None:
            self._loop.at(there, self._handshake_back, connection, done)

    def _handshake_back(self, connection: int, done: int) -> None:
        if connection != self._connection:
            return
        back = self._dn(2 * wire_bytes.HANDSHAKE[done][1], self._loop.now_ns)
        if back is not None:
            self._loop.at(back, self._handshake, connection, done + 1)

    def _hello(self, connection: int) -> None:
        if connection != self._connection or self._is_welcome:
            return
        self._send(2 * wire_bytes.HELLO_BYTES, self._on_hello)
        self._loop.at(self._loop.now_ns + HELLO_AGAIN_NS, self._hello, connection)

    # --- messages on the air --------------------------------------------------------------------

    def _send(self, size: int, call: Callable[..., None], *arguments: object) -> None:
        self.up_bytes += size
        there = self._up(size, self._loop.now_ns)
        if there is not None:
            self._loop.at(there, call, self.session, *arguments)

    def _return(self, size: int, call: Callable[..., None], *arguments: object) -> None:
        self.dn_bytes += size
        there = self._dn(size, self._loop.now_ns)
        if there is not None:
            self._loop.at(there, call, self._connection, *arguments)

    def _on_hello(self, session: int) -> None:
        self.heard_ns = self._loop.now_ns
        self.unit.on_hello(self, session)

    def _on_bye(self, session: int) -> None:
        self.unit.on_bye(self, session)

    def _on_ping(self, session: int, number: int) -> None:
        if self.unit.knows(self, session):
            self.heard_ns = self._loop.now_ns
            self._return(wire_bytes.PONG_BYTES, self._deliver_pong, number)

    def _on_request(self, session: int, request: Request) -> None:
        self.unit.on_request(self, session, request)

    def _deliver_welcome(self, connection: int) -> None:
        if connection == self._connection and not self._is_welcome:
            self._is_welcome = True
            self.on_welcome(self)

    def _deliver_pong(self, connection: int, number: int) -> None:
        if connection == self._connection:
            self.on_pong(self, number)

    def _deliver_beacon(self, connection: int, load: UnitLoad) -> None:
        if connection == self._connection:
            self.on_beacon(self, load)

    def _deliver_answer(self, connection: int, seq: int, report: UnitReport) -> None:
        if connection == self._connection:
            self.on_answer(self, seq, report)


def _ignore(*_: object) -> None:
    return None
