"""What links alone tell the dispatcher: who admits us, who lives, how busy units are, and places.

Answers to requests concern tasks as well: they are in `dispatcher`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from scheduler.effects import Effect, UnitLoad
from scheduler.handover import Handover
from scheduler.uplink import Uplink


class LinkEvents(ABC):
    """The part of a dispatcher that its links talk to.

    Attributes:
        uplinks: By link id, in order of declaration.
    """

    def __init__(self, uplinks: dict[str, Uplink], handover: Handover | None, now_ns: int) -> None:
        self.uplinks = uplinks
        # With few links there is nothing to choose: all stay open.
        self._handover = handover if handover is not None and handover.is_choosing else None
        if self._handover is not None:
            first = self._handover.first(now_ns)
            for uplink in uplinks.values():
                uplink.is_open = uplink.unit_id in first

    @abstractmethod
    def on_timer(self, now_ns: int, due_ns: int = 0) -> list[Effect]:
        """What is due until then."""

    def heard(self, uplink: Uplink) -> None:
        """Something came over this link."""
        if self._handover is not None:
            self._handover.on_heard(uplink.unit_id)

    def on_pose(
        self, x: float, y: float, heading: float, speed: float, now_ns: int
    ) -> list[Effect]:
        """Where the vehicle is (world, m, radians, m/s): links may learn by place."""
        for uplink in self.uplinks.values():
            uplink.on_pose(x, y, heading, speed, now_ns)
        if self._handover is not None:
            self._handover.on_pose(x, y, heading, speed)
        return []

    def on_welcome(
        self,
        unit_id: str,
        credits: int,
        models: Sequence[tuple[str, int]],
        now_ns: int,
        splits: Sequence[tuple[str, int]] = (),
        heads: Mapping[str, Sequence[str]] | None = None,
    ) -> list[Effect]:
        """A unit admitted the session; `models` holds (name, typical inference in ns).

        `splits` are the models whose second half runs there, `heads` the further results of each.
        """
        self.uplinks[unit_id].on_welcome(credits, models, now_ns, splits, heads)
        return self.on_timer(now_ns)

    def on_beacon(self, unit_id: str, load: UnitLoad, now_ns: int) -> list[Effect]:
        """A unit says how busy it is."""
        self.uplinks[unit_id].on_beacon(load, now_ns)
        if load.position is not None:
            self.on_place(unit_id, *load.position)
        return []

    def on_place(self, unit_id: str, x: float, y: float) -> None:
        """Where the unit at the end of this link stands (world, m), by a map or its beacon."""
        if self._handover is not None:
            self._handover.on_place(unit_id, x, y)

    def on_pong(self, unit_id: str, number: int, now_ns: int, there_ns: int = 0) -> list[Effect]:
        """A ping came back; `there_ns` was the unit's own clock (0 = not told), for displays."""
        self.uplinks[unit_id].on_pong(number, now_ns, there_ns)
        self.heard(self.uplinks[unit_id])
        return self.on_timer(now_ns)
