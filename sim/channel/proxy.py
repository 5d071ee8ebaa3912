"""The TCP proxy of one (vehicle, unit) pair: all its connections through one queue a direction.

Bytes in flight are honest because little hides elsewhere: small kernel buffers, and a full queue
stops reading. A long outage in `drop` mode resets every connection and refuses new ones, as the
vehicle out of range would see it; in `hold` mode everything waits.
"""

import logging
import selectors
import socket
import struct
from collections.abc import Sequence

from scheduler.errors import PortInUseError
from sim.channel.base import UNKNOWN, LinkState
from sim.channel.link_model import PACKET_BYTES, RESET_AFTER_NS, LinkModel
from sim.channel.queue import LinkQueue

log = logging.getLogger(__name__)

KERNEL_BUFFER = 32_768  # bytes a socket and direction; the kernel doubles it for its own use
READ_BYTES = 16_384
BACKLOG = 16
RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: close sends RST


class _End:
    """One of the two sockets of a connection."""

    def __init__(self, connected: socket.socket, sends_to: "LinkQueue[_End]") -> None:
        self.socket = connected
        self.sends_to = sends_to  # the queue that what we read here goes into
        self.other: _End = self
        self.pending = bytearray()  # arrived from the radio, not yet taken by the kernel
        self.is_connecting = False
        self.is_finished = False  # it will send no more
        self.is_closing = False  # the other end finished: close once `pending` is written
        self.is_closed = False


class Proxy:
    """All connections of one pair."""

    def __init__(
        self,
        selector: selectors.BaseSelector,
        name: str,
        routes: Sequence[tuple[tuple[str, int], tuple[str, int]]],
        model: LinkModel,
        *,
        limit_bytes: int,
    ) -> None:
        """Listens; carries nothing until `begin`.

        Args:
            selector: Its keys' `data` are callables that take the event mask and the time.
            name: Of the pair, for messages.
            routes: (listen at, forward to) of each socket, host and port.
            model: When anything comes out; `drop` resets connections in a long outage.
            limit_bytes: Of each direction's queue.

        Raises:
            PortInUseError: another process listens there.
        """
        self.name = name
        self.up: LinkQueue[_End] = LinkQueue(model.up, limit_bytes, is_reliable=True)
        self.dn: LinkQueue[_End] = LinkQueue(model.dn, limit_bytes, is_reliable=True)
        self.resets = 0
        self.bytes_up = 0
        self.bytes_dn = 0
        self._selector = selector
        self._is_dropping = model.up.is_dropping
        self._is_starved = False  # a socket may have bytes, but its queue is full
        self._ends: set[_End] = set()
        self._listeners: list[socket.socket] = []
        self._state: LinkState = UNKNOWN
        self._out_since_ns: int | None = -RESET_AFTER_NS  # out of range until told otherwise
        try:
            for listen_at, forward_to in routes:
                self._listen(listen_at, forward_to)
        except PortInUseError:
            self.close()
            raise

    def begin(self, start_ns: int) -> None:
        """The rows of the model begin at this instant."""
        self.up.begin(start_ns)
        self.dn.begin(start_ns)

    def apply(self, now_ns: int, state: LinkState) -> None:
        """What the radio carries from now on."""
        self.up.set_state(now_ns, state.row_up(now_ns))
        self.dn.set_state(now_ns, state.row_dn(now_ns))
        if not state.is_outage:
            self._out_since_ns = None
        elif self._out_since_ns is None:
            self._out_since_ns = now_ns
        self._state = state
        if self._is_refusing(now_ns) and self._ends:
            log.debug("%s: out of range, %d ends reset", self.name, len(self._ends))
            self.resets += len(self._ends) // 2
            for end in list(self._ends):
                self._reset(end)
            self.up.clear(now_ns)
            self.dn.clear(now_ns)

    def due_ns(self) -> int | None:
        """When `pump` has something to do, if no socket asks before."""
        due = [at for at in (self.up.due_ns(), self.dn.due_ns()) if at is not None]
        return min(due, default=None)

    def pump(self, now_ns: int) -> None:
        """Hand what has arrived to its sockets."""
        arrived = [*self.up.take(now_ns), *self.dn.take(now_ns)]
        for end, data in arrived:
            if end.is_closed:
                continue
            end.pending += data
            end.is_closing = end.is_closing or not data
            self._write(end)
        if arrived or self._is_starved:
            self._is_starved = False
            for end in list(self._ends):
                self._register(end)

    def close(self) -> None:
        """Close everything at once."""
        for end in list(self._ends):
            self._reset(end)
        for listener in self._listeners:
            self._selector.unregister(listener)
            listener.close()
        self._listeners.clear()

    def _listen(self, at: tuple[str, int], forward_to: tuple[str, int]) -> None:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _bound_buffers(listener)  # inherited by what it accepts
        try:
            listener.bind(at)
        except OSError as error:
            listener.close()
            raise PortInUseError(
                f"link {self.name}: cannot listen at {at[0]}:{at[1]} ({error.strerror}): "
                "stop the other process, or give another `link.bind.port`"
            ) from None
        listener.listen(BACKLOG)
        listener.setblocking(False)
        self._listeners.append(listener)
        self._selector.register(
            listener,
            selectors.EVENT_READ,
            lambda mask, now_ns: self._accept(listener, forward_to, now_ns),
        )

    def _is_refusing(self, now_ns: int) -> bool:
        since = self._out_since_ns
        return self._is_dropping and since is not None and now_ns - since >= RESET_AFTER_NS

    def _accept(self, listener: socket.socket, forward_to: tuple[str, int], now_ns: int) -> None:
        try:
            accepted, _ = listener.accept()
        except OSError:
            return
        if self._is_refusing(now_ns):
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            accepted.close()
            return
        towards = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        _bound_buffers(towards)
        near, far = _End(accepted, self.up), _End(towards, self.dn)
        near.other, far.other = far, near
        far.is_connecting = True
        for end in (near, far):
            end.socket.setblocking(False)
            end.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._ends.add(end)
        try:
            far.socket.connect_ex(forward_to)
        except OSError as error:  # a host name that does not resolve
            log.warning("link %s: cannot reach %s: %s", self.name, forward_to[0], error)
            self._reset(near)
            self._reset(far)
            return
        for end in (near, far):
            self._register(end)

    def _register(self, end: _End) -> None:
        """Ask for the events that this end can use now."""
        if end.is_closed:
            return
        wanted = 0
        if not end.is_finished and not end.is_connecting:
            if self._room(end):
                wanted |= selectors.EVENT_READ
            else:
                self._is_starved = True
        if end.is_connecting or end.pending:
            wanted |= selectors.EVENT_WRITE
        known = self._selector.get_map().get(end.socket.fileno())
        if known is None:
            if wanted:
                self._selector.register(
                    end.socket, wanted, lambda mask, now_ns: self._serve(end, mask, now_ns)
                )
        elif not wanted:
            self._selector.unregister(end.socket)
        elif known.events != wanted:
            self._selector.modify(end.socket, wanted, known.data)

    def _room(self, end: _End) -> int:
        """Bytes that may be read here: what the queue takes, less what its receiver leaves."""
        return max(0, end.sends_to.room() - len(end.other.pending))

    def _serve(self, end: _End, mask: int, now_ns: int) -> None:
        if end.is_closed:
            return
        if end.is_connecting:
            if end.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                self._reset(end.other)
                self._reset(end)
                return
            end.is_connecting = False
        if mask & selectors.EVENT_READ:
            self._read(end, now_ns)
        if mask & selectors.EVENT_WRITE:
            self._write(end)
        self._register(end)

    def _read(self, end: _End, now_ns: int) -> None:
        room = self._room(end)
        if not room or end.is_finished:
            return
        try:
            data = end.socket.recv(min(room, READ_BYTES))
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data and end.sends_to is self.up:
            self.bytes_up += len(data)
        else:
            self.bytes_dn += len(data)
        end.is_finished = not data
        end.sends_to.offer(now_ns, end.other, data)  # no data: the mark of its end

    def _write(self, end: _End) -> None:
        try:
            while end.pending and not end.is_connecting:
                sent = end.socket.send(end.pending)
                del end.pending[:sent]
        except BlockingIOError:
            return
        except OSError:
            self._reset(end.other)
            self._reset(end)
            return
        if end.is_closing and not end.pending:
            # ZeroMQ never half-closes: when one side is gone, the other is of no use.
            self._reset(end.other)
            self._reset(end, is_orderly=True)  # a reset would eat what it has not read yet

    def _reset(self, end: _End, *, is_orderly: bool = False) -> None:
        if end.is_closed:
            return
        end.is_closed = True
        self._ends.discard(end)
        if end.socket.fileno() in self._selector.get_map():
            self._selector.unregister(end.socket)
        if not is_orderly:
            end.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        end.socket.close()


def _bound_buffers(opened: socket.socket) -> None:
    """Keep the kernel from hiding what the queue should show."""
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BUFFER)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BUFFER)
    # Loopback's 64 kB segments do not fit such a window and would wait for timers.
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, PACKET_BYTES)
