"""One link as two TUN devices: real IP packets, delayed, queued and lost by the link model.

What the proxy cannot show is real here: retransmissions, SYN back-off, congestion control, kernel
buffers. A row's rate is payload of TCP, so a packet counts with the share that its payload would
have in a full one.
"""

import contextlib
import logging
import os
import selectors

from sim.channel.base import LinkState
from sim.channel.link_model import PACKET_BYTES, LinkModel
from sim.channel.queue import LinkQueue
from sim.channel.tun_devices import MTU

log = logging.getLogger(__name__)

MOST_AT_ONCE = 64  # packets read from one device before the other has its turn


class TunLink:
    """The packets of one (vehicle, unit) pair."""

    def __init__(
        self,
        selector: selectors.BaseSelector,
        name: str,
        devices: tuple[int, int],
        model: LinkModel,
        *,
        limit_bytes: int,
    ) -> None:
        """Carries nothing until `begin`.

        Args:
            selector: Its keys' `data` are callables that take the event mask and the time.
            name: Of the pair, for messages.
            devices: Descriptors of the vehicle's and the unit's end; closed by `close`. Each read
                is one packet, each write too.
            model: When what comes out, and what is lost.
            limit_bytes: Of each direction's queue.
        """
        self.name = name
        self.up: LinkQueue[None] = LinkQueue(model.up, limit_bytes, is_reliable=False)
        self.dn: LinkQueue[None] = LinkQueue(model.dn, limit_bytes, is_reliable=False)
        self.resets = 0  # connections live and die by themselves here
        self.bytes_up = 0
        self.bytes_dn = 0
        self._selector = selector
        self._near, self._far = devices
        for device in devices:
            selector.register(
                device,
                selectors.EVENT_READ,
                lambda mask, now_ns, device=device: self._read(device, now_ns),
            )

    def begin(self, start_ns: int) -> None:
        """The rows of the model begin at this instant."""
        self.up.begin(start_ns)
        self.dn.begin(start_ns)

    def apply(self, now_ns: int, state: LinkState) -> None:
        """What the radio carries from now on."""
        self.up.set_state(now_ns, state.row_up(now_ns))
        self.dn.set_state(now_ns, state.row_dn(now_ns))

    def due_ns(self) -> int | None:
        """When `pump` has something to do, if no packet comes before."""
        due = [at for at in (self.up.due_ns(), self.dn.due_ns()) if at is not None]
        return min(due, default=None)

    def pump(self, now_ns: int) -> None:
        """Hand what has arrived to its device."""
        for queue, device in ((self.up, self._far), (self.dn, self._near)):
            for _, packet in queue.take(now_ns):
                with contextlib.suppress(BlockingIOError, OSError):  # the device's queue is full
                    os.write(device, packet)

    def counters(self) -> dict[str, int]:
        """Packets that found a full queue and that the radio lost, per direction."""
        return {
            "full_up": self.up.direction.full,
            "lost_up": self.up.direction.lost,
            "full_dn": self.dn.direction.full,
            "lost_dn": self.dn.direction.lost,
        }

    def close(self) -> None:
        """Close the devices, which ends them."""
        for device in (self._near, self._far):
            self._selector.unregister(device)
            os.close(device)

    def _read(self, device: int, now_ns: int) -> None:
        is_up = device == self._near
        queue = self.up if is_up else self.dn
        for _ in range(MOST_AT_ONCE):
            try:
                packet = os.read(device, MTU)
            except BlockingIOError:
                return
            except OSError as error:
                log.debug("%s: %s", self.name, error)
                return
            if is_up:
                self.bytes_up += len(packet)
            else:
                self.bytes_dn += len(packet)
            queue.offer(now_ns, None, packet, -(-len(packet) * PACKET_BYTES // MTU))
