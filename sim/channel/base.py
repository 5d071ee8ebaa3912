"""The seam of the radio: what a channel is told, and the row that it answers with."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, runtime_checkable

from scheduler.messages import Metres3, Obstacle, Site
from sim.channel.link_model import Row


class Mover(NamedTuple):
    """A vehicle in the world frame: metres and m/s, x east, y north, z up."""

    x: float
    y: float
    z: float
    vx: float
    vy: float


@dataclass(frozen=True, slots=True)
class LinkState:
    """What one link carries from now until the next row; up = vehicle to unit.

    Attributes:
        up_bps: Goodput, bits of TCP payload a second; 0 = outage.
        up_delay_ms: One way, without the time in the queue.
        up_loss: Share of packets that the radio gives up on, 0..1.
        dn_bps: As up_bps, unit to vehicle.
        dn_delay_ms: As up_delay_ms.
        dn_loss: As up_loss.
        snr_db: Signal to noise; 0 where there is none to tell (a replayed trace).
        state: LOS, NLOSv (a vehicle in between), NLOS (a building in between), trace or unknown.
        expected_outage: The model's own probability of an outage at this place, before the dice
            of shadowing and fading; None where there is no model.
    """

    up_bps: float
    up_delay_ms: float
    up_loss: float
    dn_bps: float
    dn_delay_ms: float
    dn_loss: float
    snr_db: float = 0.0
    state: str = "trace"
    expected_outage: float | None = None

    @property
    def is_outage(self) -> bool:
        """Whether nothing reaches the unit."""
        return self.up_bps <= 0.0

    def row_up(self, start_ns: int) -> Row:
        """What vehicle to unit carries from `start_ns` on."""
        return Row(start_ns, round(self.up_bps), round(self.up_delay_ms * 1e6), self.up_loss)

    def row_dn(self, start_ns: int) -> Row:
        """What unit to vehicle carries from `start_ns` on."""
        return Row(start_ns, round(self.dn_bps), round(self.dn_delay_ms * 1e6), self.dn_loss)


UNKNOWN = LinkState(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, state="unknown")  # before any pose is known


class Channel(Protocol):
    """One link's radio; it keeps the state of its fading and reads no clock.

    A class of the user's own is made as `Class(options, seed=..., vehicle_id=..., unit_id=...)`.
    """

    def row(self, t_s: float, vehicle: Mover, unit: Metres3, site: Site) -> LinkState:
        """The state of the link from `t_s` on (seconds since the start, increasing).

        Args:
            t_s: When.
            vehicle: Where the vehicle is and how it moves.
            unit: The antenna of the roadside unit, metres.
            site: What stands between them.
        """
        ...


@runtime_checkable
class SeesTraffic(Protocol):
    """What a channel also has that wants to know which vehicles are on the road."""

    def see(self, traffic: Sequence[Obstacle]) -> None:
        """Who is there from now on; called before `row` whenever it is known anew."""
        ...


def outage_of(channel: object, wish: Literal["hold", "drop"] | None) -> Literal["hold", "drop"]:
    """What happens to packets in an outage: as the config wishes, else as the channel is.

    A channel or trace says so in an attribute `outage`; one that has none drops.
    """
    own: Literal["hold", "drop"] | None = getattr(channel, "outage", None)
    return wish or own or "drop"
