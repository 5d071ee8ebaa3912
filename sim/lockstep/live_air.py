"""A link whose rows come as time passes: the channel of a closed loop, where poses make the radio.

A message on the air when a row comes was timed by the rows before it; rows are 0.1 s apart and most
messages are not on the air for longer.
"""

from __future__ import annotations

from sim.channel.base import LinkState
from sim.channel.link_model import RESET_AFTER_NS, Direction, LinkModel, Outage, Row
from sim.lockstep.link import VirtualLink
from sim.lockstep.refusals import NEVER_NS, Refusals

MS = 1e6  # ns


class LiveRefusals(Refusals):
    """When connections are refused, as far as is known now."""

    def __init__(self) -> None:
        self.since_ns: int | None = None  # of the outage that goes on

    def is_refusing(self, now_ns: int) -> bool:
        """Whether an outage has lasted so long that connections end."""
        return self.since_ns is not None and now_ns - self.since_ns >= RESET_AFTER_NS

    def ends_ns(self, now_ns: int) -> int:
        """Some instant after now while connections are refused; else 0."""
        return now_ns + 1 if self.is_refusing(now_ns) else 0

    def next_ns(self, now_ns: int) -> int:
        """Nobody knows; `LiveAir` cuts the link when it is so far."""
        return NEVER_NS


class LiveAir:
    """One link's air.

    Args:
        limit_bytes: Of each direction's queue.
        outage: What a long one does to connections.
        seed: Of lost packets.
    """

    def __init__(self, *, limit_bytes: int, outage: Outage, seed: str) -> None:
        self.refusals = LiveRefusals()
        self._is_dropping = outage == "drop"
        self._was_refusing = False
        self.model = LinkModel(
            *(
                Direction(
                    [], limit_bytes=limit_bytes, outage=outage, seed=f"{seed}/{way}", loops=False
                )
                for way in ("up", "dn")
            )
        )

    def apply(self, now_ns: int, state: LinkState, link: VirtualLink) -> None:
        """What the radio carries from now on; a connection that an outage ends is cut."""
        up, dn = self.model
        up.append(Row(now_ns, round(state.up_bps), round(state.up_delay_ms * MS), state.up_loss))
        dn.append(Row(now_ns, round(state.dn_bps), round(state.dn_delay_ms * MS), state.dn_loss))
        if not (state.is_outage and self._is_dropping):
            self.refusals.since_ns = None
        elif self.refusals.since_ns is None:
            self.refusals.since_ns = now_ns
        is_refusing = self.refusals.is_refusing(now_ns)
        if is_refusing and not self._was_refusing:
            up.clear(now_ns)
            dn.clear(now_ns)
            link.cut()
        self._was_refusing = is_refusing
