"""An IEEE 802.11p link from poses, buildings and vehicles: from metres to bits a second.

A building between the antennas makes it NLOS, a vehicle NLOSv; fading is drawn each row. The best
modulation carries what is left; with nine packets in ten lost, the link is out, and what is sent
then is lost (`drop`). Rules of a row: `rows` of docs/scheduling/links.md.
"""

import random
from collections.abc import Mapping, Sequence
from functools import cache
from typing import ClassVar, Literal

import msgspec

from scheduler.messages import Metres3, Obstacle, Site
from sim.channel import phy_80211p, propagation
from sim.channel.base import LinkState, Mover
from sim.channel.environment import URBAN, WINNER_B1, Environment, ends_of
from sim.channel.obstacles import CAR_M, Blocker, Buildings, blocker_between
from sim.channel.radio_path import RadioPath, Way

OUTAGE_LOSS = 0.9  # share of packets lost at which the radio is as good as off
RETRIES = 7  # of the MAC; what is lost after them is lost to TCP
ACCESS_MS = 2.0  # from the queue's head to the air and back
RETRY_MS = 2.0
BANDWIDTH_HZ = 10e6


class Radio(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The channel's options in YAML."""

    tx_power_dbm: float = 23.0
    antenna_gain_db: float = 6.0  # both ends together
    noise_figure_db: float = 9.0
    frequency_ghz: float = 5.9
    interference_db: float = 0.0  # raises the noise
    share: float = 1.0  # of the air time that is ours; others' is 1 - share
    margin_db: float = 3.0  # fast fading within a packet; costs range
    fading_db: float = 2.0  # sigma from row to row
    vehicle_antenna_m: float = 1.5  # above the vehicle's origin
    blocker_m: float = CAR_M  # height of the vehicle in between where the traffic is not known
    path_loss: Literal["tr37885", "winner_b1"] = "tr37885"  # winner_b1: a town's only

    def __post_init__(self) -> None:
        if not 0.0 < self.share <= 1.0:
            raise ValueError(f"expected share in 0..1, got {self.share}")
        if self.frequency_ghz <= 0.0:
            raise ValueError(f"expected frequency_ghz above 0, got {self.frequency_ghz}")


class Radio80211p:
    """The radio between one vehicle and one roadside unit; a subclass says where."""

    outage: ClassVar[Literal["hold", "drop"]] = "drop"
    environment: ClassVar[Environment] = URBAN

    def __init__(
        self, options: Mapping[str, object], *, seed: int, vehicle_id: str, unit_id: str
    ) -> None:
        """Seeds the dice of this pair.

        Raises:
            ValueError: an option that `Radio` does not have, or out of bounds.
        """
        self._radio = msgspec.convert(options, Radio)
        name = f"{seed}/{vehicle_id}/{unit_id}"
        place = self.environment
        if self._radio.path_loss == "winner_b1":
            if place is not URBAN:
                raise ValueError("path_loss winner_b1 is of a town: expected model urban_80211p")
            place = WINNER_B1
        self._path = RadioPath(place, name, self._radio.frequency_ghz)
        self._fading = random.Random(f"{name}/fading")
        self._traffic: Sequence[Obstacle] | None = None
        self._footprints: list[list[tuple[float, float]]] | None = None
        self._buildings = Buildings(())
        noise = propagation.noise_dbm(BANDWIDTH_HZ, self._radio.noise_figure_db)
        received = self._radio.tx_power_dbm + self._radio.antenna_gain_db
        self._budget_db = received - noise - self._radio.interference_db  # SNR without any loss

    def see(self, traffic: Sequence[Obstacle]) -> None:
        """Who is on the road now; until the first call a die says who is in between."""
        self._traffic = traffic

    def row(self, t_s: float, vehicle: Mover, unit: Metres3, site: Site) -> LinkState:
        """The link where the vehicle is now; `Channel.row`."""
        if site.buildings is not self._footprints:  # the site is told each second, mostly the same
            if site.buildings != self._footprints:
                self._buildings = Buildings(site.buildings)
            self._footprints = site.buildings
        place = (vehicle.x, vehicle.y)
        antenna = (*place, vehicle.z + self._radio.vehicle_antenna_m)
        if self._traffic is None:
            blocker: Blocker | None = Blocker(-1, vehicle.z + self._radio.blocker_m)
        else:
            blocker = blocker_between(antenna, unit, self._traffic)
        way = self._path.at(
            place,
            ends_of(antenna, (vehicle.vx, vehicle.vy), unit),
            is_behind=self._buildings.block(place, (unit[0], unit[1])),
            blocker=blocker,
            knows_traffic=self._traffic is not None,
        )
        return self._state_over(way)

    def _state_over(self, way: Way) -> LinkState:
        radio = self._radio
        snr_db = self._budget_db - way.loss_db + self._fading.gauss(0.0, radio.fading_db)
        most_loss_db = self._budget_db - outage_snr_db() - radio.margin_db
        expected = way.probability_over(most_loss_db, radio.fading_db)
        rate, loss = phy_80211p.best(snr_db - radio.margin_db)
        if loss >= OUTAGE_LOSS:
            return LinkState(0.0, ACCESS_MS, 1.0, 0.0, ACCESS_MS, 1.0, snr_db, way.state, expected)
        rate *= radio.share
        delay = ACCESS_MS + RETRY_MS * loss / (1.0 - loss)
        lost = loss ** (RETRIES + 1)
        return LinkState(rate, delay, lost, rate, delay, lost, snr_db, way.state, expected)


@cache
def outage_snr_db() -> float:
    """The SNR at which the most robust modulation loses nine packets in ten, without margin."""
    low, high = -20.0, 20.0
    while high - low > 1e-6:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if phy_80211p.best(middle)[1] >= OUTAGE_LOSS else (low, middle)
    return high
