"""An urban IEEE 802.11p link from poses and buildings, seeded: from metres to bits a second.

A building between the antennas makes it NLOS; else it is LOS or NLOSv by TR 37.885's probability,
drawn so that it stays as it is over some 50 m. Shadowing is correlated over the distance driven,
fading is drawn each row. The best modulation carries what is left; with nine packets in ten lost,
the link is out.
"""

import math
import random
from collections.abc import Mapping
from functools import cache

import msgspec

from scheduler.messages import Metres3, Site
from sim.channel import phy_80211p, propagation
from sim.channel.base import LinkState, Mover
from sim.channel.propagation import LOS, NLOS, NLOSV

OUTAGE_LOSS = 0.9  # share of packets lost at which the radio is as good as off
RETRIES = 7  # of the MAC; what is lost after them is lost to TCP
ACCESS_MS = 2.0  # from the queue's head to the air and back
RETRY_MS = 2.0
BANDWIDTH_HZ = 10e6
LOCAL_M = 0.3  # draw shadowing anew only after this distance: a parked car's is constant
# Five points and weights of Gauss-Hermite quadrature, for the mean over the blocking loss.
QUADRATURE = (
    (-2.856970, 0.011257),
    (-1.355626, 0.222076),
    (0.0, 0.533333),
    (1.355626, 0.222076),
    (2.856970, 0.011257),
)


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
    blocker_m: float = propagation.BLOCKER_HEIGHT_M

    def __post_init__(self) -> None:
        if not 0.0 < self.share <= 1.0:
            raise ValueError(f"expected share in 0..1, got {self.share}")
        if self.frequency_ghz <= 0.0:
            raise ValueError(f"expected frequency_ghz above 0, got {self.frequency_ghz}")


class Urban80211p:
    """The radio between one vehicle and one roadside unit."""

    def __init__(
        self, options: Mapping[str, object], *, seed: int, vehicle_id: str, unit_id: str
    ) -> None:
        """Seeds the dice of this pair.

        Raises:
            ValueError: an option that `Radio` does not have, or out of bounds.
        """
        self._radio = msgspec.convert(options, Radio)
        name = f"{seed}/{vehicle_id}/{unit_id}"
        self._shadowing = propagation.Correlated(f"{name}/shadowing")
        self._sight = propagation.Correlated(f"{name}/sight")
        self._blocking = random.Random(f"{name}/blocking")
        self._fading = random.Random(f"{name}/fading")
        self._blocked = 0.0  # the present blocker's draw, in sigmas
        self._state = ""
        self._last: tuple[float, float] | None = None
        self._footprints: list[list[tuple[float, float]]] | None = None
        self._buildings = propagation.Buildings(())
        self._outage_snr_db = outage_snr_db() + self._radio.margin_db

    def row(self, t_s: float, vehicle: Mover, unit: Metres3, site: Site) -> LinkState:
        """The link where the vehicle is now; `Channel.row`."""
        radio = self._radio
        antenna = vehicle.z + radio.vehicle_antenna_m
        distance = math.dist((vehicle.x, vehicle.y, antenna), unit)
        is_behind = self._is_behind_building(vehicle, unit, site)
        state = self._move(vehicle, distance, is_behind)
        mean_db = self._mean_snr_db(state, distance)
        loss_db, sigma_db = self._blocking_db(distance, antenna, vehicle, unit)
        if state == NLOSV:
            mean_db -= max(0.0, loss_db + sigma_db * self._blocked)
        snr_db = (
            mean_db
            - propagation.SHADOWING_DB[state] * self._shadowing.value
            + self._fading.gauss(0.0, radio.fading_db)
        )
        expected = self._expected_outage(distance, is_behind, loss_db, sigma_db)
        return self._state_at(snr_db, state, expected)

    def _is_behind_building(self, vehicle: Mover, unit: Metres3, site: Site) -> bool:
        if site.buildings != self._footprints:
            self._footprints = site.buildings
            self._buildings = propagation.Buildings(site.buildings)
        return self._buildings.block((vehicle.x, vehicle.y), (unit[0], unit[1]))

    def _move(self, vehicle: Mover, distance: float, is_behind: bool) -> str:
        """Carry the dice along by what was driven; the state of the link here."""
        here = (vehicle.x, vehicle.y)
        driven = math.dist(here, self._last) if self._last is not None else 0.0
        if self._last is None or driven >= LOCAL_M:
            self._last = here
            near = self._state or LOS
            self._shadowing.moved(driven, propagation.DECORRELATION_M[near])
            self._sight.moved(driven, propagation.STATE_DECORRELATION_M)
        state = NLOS
        if not is_behind:
            uniform = 0.5 * math.erfc(-self._sight.value / math.sqrt(2.0))
            in_sight = uniform < propagation.line_of_sight_probability(distance)
            state = LOS if in_sight else NLOSV
        if state == NLOSV and self._state != NLOSV:
            self._blocked = self._blocking.gauss(0.0, 1.0)
        self._state = state
        return state

    def _mean_snr_db(self, state: str, distance: float) -> float:
        radio = self._radio
        noise = propagation.noise_dbm(BANDWIDTH_HZ, radio.noise_figure_db) + radio.interference_db
        received = radio.tx_power_dbm + radio.antenna_gain_db
        return received - propagation.path_loss_db(state, distance, radio.frequency_ghz) - noise

    def _blocking_db(
        self, distance: float, antenna: float, vehicle: Mover, unit: Metres3
    ) -> tuple[float, float]:
        lower, higher = sorted((antenna, unit[2]))
        blocker = vehicle.z + self._radio.blocker_m
        return propagation.blocking_db(distance, lower, higher, blocker)

    def _state_at(self, snr_db: float, state: str, expected: float) -> LinkState:
        rate, loss = phy_80211p.best(snr_db - self._radio.margin_db)
        if loss >= OUTAGE_LOSS:
            return LinkState(0.0, ACCESS_MS, 1.0, 0.0, ACCESS_MS, 1.0, snr_db, state, expected)
        rate *= self._radio.share
        delay = ACCESS_MS + RETRY_MS * loss / (1.0 - loss)
        lost = loss ** (RETRIES + 1)
        return LinkState(rate, delay, lost, rate, delay, lost, snr_db, state, expected)

    def _expected_outage(
        self, distance: float, is_behind: bool, loss_db: float, sigma_db: float
    ) -> float:
        """Probability of an outage here over all seeds: the mean over every die that is cast."""
        if is_behind:
            return self._outage_probability(NLOS, self._mean_snr_db(NLOS, distance))
        in_sight = propagation.line_of_sight_probability(distance)
        mean_db = self._mean_snr_db(LOS, distance)
        blocked = sum(
            weight * self._outage_probability(NLOSV, mean_db - max(0.0, loss_db + sigma_db * point))
            for point, weight in QUADRATURE
        )
        return in_sight * self._outage_probability(LOS, mean_db) + (1.0 - in_sight) * blocked

    def _outage_probability(self, state: str, mean_db: float) -> float:
        sigma = math.hypot(propagation.SHADOWING_DB[state], self._radio.fading_db)
        return 0.5 * math.erfc((mean_db - self._outage_snr_db) / (sigma * math.sqrt(2.0)))


@cache
def outage_snr_db() -> float:
    """The SNR at which the most robust modulation loses nine packets in ten, without margin."""
    low, high = -20.0, 20.0
    while high - low > 1e-6:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if phy_80211p.best(middle)[1] >= OUTAGE_LOSS else (low, middle)
    return high
