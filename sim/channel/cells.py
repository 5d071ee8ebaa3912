"""What all cellular channels share: which cell serves a vehicle, handover gaps, delays.

The vehicle is served by the cell with the least loss and changes when another is better by a
hysteresis; a change costs a gap without a link. Below the slowest rate it is out. Cellular
networks keep packets meanwhile (`hold`), and HARQ turns lost blocks into delay, so IP loss is 0.
"""

import math
import random
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Literal, NamedTuple

import msgspec

from scheduler.messages import Metres3, Site
from sim.channel import propagation
from sim.channel.base import LinkState, Mover
from sim.channel.environment import Environment, ends_of
from sim.channel.obstacles import Buildings
from sim.channel.radio_path import RadioPath, Way

CONSIDERED = 5  # nearest cells; farther ones never serve
GAP_RULE_S = 0.05  # a row that lies in a gap for half of its 100 ms is one
PAYLOAD_SHARE = 0.95  # of what the radio carries: IP, TCP, PDCP, RLC and MAC headers are the rest
BURST_BLOCKS = 8  # transport blocks of a picture of tens of kB, that waits for the slowest
Antenna = Literal["roof", "inside", "inside_metallised"]
CAR_DB: Mapping[Antenna, tuple[float, float]] = {
    "roof": (0.0, 0.0),
    "inside": (propagation.CAR_LOSS_DB, propagation.CAR_SIGMA_DB),
    "inside_metallised": (propagation.METALLISED_LOSS_DB, propagation.CAR_SIGMA_DB),
}


class CellRadio(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Options of every cellular channel in YAML."""

    frequency_ghz: float = 3.5
    up_power_dbm: float = 23.0  # of the vehicle
    dn_power_dbm: float = 40.0  # of the cell
    mast_gain_db: float = 8.0
    vehicle_gain_db: float = 0.0
    mast_noise_figure_db: float = 5.0
    vehicle_noise_figure_db: float = 9.0
    up_interference_db: float = 3.0  # of other cells, over the noise
    dn_interference_db: float = 6.0
    antenna: Antenna = "roof"
    vehicle_antenna_m: float = 1.5  # above the vehicle's origin
    margin_db: float = 1.0  # fast fading that the link adaptation misses
    fading_db: float = 2.0  # sigma from row to row
    cell_share: float = 0.5  # of the cell that is ours
    spread: int = 8  # how many times narrower the vehicle may send at the edge of a cell
    up_delay_ms: tuple[float, float] = (8.0, 15.0)  # request, grant, slots: drawn evenly each row
    dn_delay_ms: tuple[float, float] = (4.0, 8.0)
    harq_ms: float = 6.0  # a repeated block costs
    backhaul_ms: float = 1.0  # from the cell to the unit, one way
    hysteresis_db: float = 3.0  # that another cell must be better ...
    trigger_s: float = 1.0  # ... for so long: 640 ms to trigger, behind a filter of 0.4 s; less
    # changes more often (1 to 5 times a km as it stands), more falls out of reach
    handover_s: tuple[float, float] = (0.05, 0.3)  # a change costs, drawn evenly

    def __post_init__(self) -> None:
        if not 0.0 < self.cell_share <= 1.0:
            raise ValueError(f"expected cell_share in 0..1, got {self.cell_share}")
        if self.frequency_ghz <= 0.0:
            raise ValueError(f"expected frequency_ghz above 0, got {self.frequency_ghz}")
        for name in ("up_delay_ms", "dn_delay_ms", "handover_s"):
            least, most = getattr(self, name)
            if not 0.0 <= least <= most:
                raise ValueError(f"expected {name} as [least, most], got {[least, most]}")


class Rates(NamedTuple):
    """What the physical layer makes of two SNRs: bits a second and first-transmission BLER."""

    up_bps: float
    up_bler: float
    dn_bps: float
    dn_bler: float


class Cellular(ABC):
    """The way from one vehicle through a cellular network to one unit.

    A subclass says where cells stand (`masts`), what its physical layer carries (`rates`), and the
    uplink SNR below which it is out (`least_snr_db`).
    """

    outage: ClassVar[Literal["hold", "drop"]] = "hold"
    environment: ClassVar[Environment]
    bandwidth_hz: float

    def __init__(self, radio: CellRadio, *, seed: int, vehicle_id: str, unit_id: str) -> None:
        self.radio = radio
        self.seed = seed
        self._vehicle_id = vehicle_id
        name = f"{seed}/{vehicle_id}/{type(self).__name__}"
        self._name = name
        self._paths: dict[str, RadioPath] = {}
        self._fading = random.Random(f"{name}/fading")
        self._delays = random.Random(f"{name}/{unit_id}/delays")
        self._handovers = random.Random(f"{name}/handovers")
        mean, sigma = CAR_DB[radio.antenna]
        self._car_db = max(0.0, random.Random(f"{name}/car").gauss(mean, sigma)) if mean else 0.0
        self._serving = ""
        self._rival = ""
        self._rival_since_s = 0.0
        self._gap_until_s = -math.inf

    @abstractmethod
    def masts(self, vehicle: Mover, unit: Metres3, site: Site) -> Mapping[str, Metres3]:
        """The antennas of the cells around, by name."""

    @abstractmethod
    def rates(self, up_snr_db: float, dn_snr_db: float) -> Rates:
        """What the physical layer carries."""

    @abstractmethod
    def least_snr_db(self) -> float:
        """The uplink SNR, over the whole carrier, below which there is no link."""

    def buildings(self, site: Site) -> Buildings | None:
        """The buildings that decide about sight; None leaves that to the die."""
        return None

    def row(self, t_s: float, vehicle: Mover, unit: Metres3, site: Site) -> LinkState:
        """The link where the vehicle is now; `Channel.row`."""
        ways = self._ways(vehicle, self.masts(vehicle, unit, site), self.buildings(site))
        way = self._serve(t_s, ways)
        fading = self._fading.gauss(0.0, self.radio.fading_db) - self.radio.margin_db
        up_db, dn_db = self._budgets_db()
        loss = way.loss_db - fading
        limit = up_db - self.least_snr_db() - self.radio.margin_db
        expected = math.prod(
            one.probability_over(limit, self.radio.fading_db) for one in ways.values()
        )
        return self._state(t_s, up_db - loss, dn_db - loss, way.state, expected)

    def _ways(
        self, vehicle: Mover, masts: Mapping[str, Metres3], buildings: Buildings | None
    ) -> dict[str, Way]:
        place = (vehicle.x, vehicle.y)
        antenna = (*place, vehicle.z + self.radio.vehicle_antenna_m)
        near = sorted(masts, key=lambda name: (math.dist(place, masts[name][:2]), name))
        ways = {}
        for name in near[:CONSIDERED]:
            mast = masts[name]
            if name not in self._paths:
                seed = f"{self._name}/{name}"
                self._paths[name] = RadioPath(self.environment, seed, self.radio.frequency_ghz)
            hidden = None if buildings is None else buildings.block(place, (mast[0], mast[1]))
            ends = ends_of(antenna, (vehicle.vx, vehicle.vy), mast)
            ways[name] = self._paths[name].at(
                place, ends, is_behind=hidden, blocker=None, knows_traffic=False
            )
        return ways

    def _serve(self, t_s: float, ways: Mapping[str, Way]) -> Way:
        """The way of the serving cell; a change begins a gap."""
        best = min(ways, key=lambda name: (ways[name].loss_db, name))
        own = ways.get(self._serving)
        if own is not None and not self._is_due(t_s, best, ways[best], own):
            return own
        if self._serving:
            self._gap_until_s = t_s + self._handovers.uniform(*self.radio.handover_s)
        self._serving, self._rival = best, ""
        return ways[best]

    def _is_due(self, t_s: float, best: str, way: Way, own: Way) -> bool:
        """Whether another cell has been better by the hysteresis for long enough."""
        if way.loss_db >= own.loss_db - self.radio.hysteresis_db:
            self._rival = ""
            return False
        if best != self._rival:
            self._rival, self._rival_since_s = best, t_s
        return t_s - self._rival_since_s >= self.radio.trigger_s

    def _budgets_db(self) -> tuple[float, float]:
        """(up, down) SNR without any way in between."""
        radio = self.radio
        gains = radio.mast_gain_db + radio.vehicle_gain_db - self._car_db
        mast = propagation.noise_dbm(self.bandwidth_hz, radio.mast_noise_figure_db)
        car = propagation.noise_dbm(self.bandwidth_hz, radio.vehicle_noise_figure_db)
        up = radio.up_power_dbm + gains - mast - radio.up_interference_db
        return up, radio.dn_power_dbm + gains - car - radio.dn_interference_db

    def _state(
        self, t_s: float, up_snr_db: float, dn_snr_db: float, state: str, expected: float
    ) -> LinkState:
        radio = self.radio
        up_ms = self._delays.uniform(*radio.up_delay_ms) + radio.backhaul_ms
        dn_ms = self._delays.uniform(*radio.dn_delay_ms) + radio.backhaul_ms
        carried = self.rates(up_snr_db, dn_snr_db)
        in_gap = t_s + GAP_RULE_S <= self._gap_until_s
        if in_gap or carried.up_bps <= 0.0 or carried.dn_bps <= 0.0:
            return LinkState(0.0, up_ms, 0.0, 0.0, dn_ms, 0.0, up_snr_db, state, expected)
        return LinkState(
            carried.up_bps * PAYLOAD_SHARE,
            up_ms + radio.harq_ms * _repeats(carried.up_bler),
            0.0,
            carried.dn_bps * PAYLOAD_SHARE,
            dn_ms + radio.harq_ms * _repeats(carried.dn_bler),
            0.0,
            up_snr_db,
            state,
            expected,
        )


def _repeats(bler: float) -> float:
    """HARQ round trips that a burst waits for the slowest of its blocks, on average.

    A repeat adds its energy to the first (chase combining, 3 dB), which is some ten times the way
    from every second block lost to one in a thousand: second repeats are not counted.
    """
    return 1.0 - (1.0 - bler) ** BURST_BLOCKS
