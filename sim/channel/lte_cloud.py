"""LTE through a macro network to a cloud: `model: lte_cloud`.

TR 38.901 UMa at 1.8 GHz, masts 1 km apart and the antenna inside the car: a link with deep
fades, slow to answer, that reaches everywhere. Rates by truncated Shannon and CQI.
"""

from collections.abc import Mapping

import msgspec

from scheduler.messages import Metres3, Site
from sim.channel import phy_lte
from sim.channel.base import Mover
from sim.channel.cells import Antenna, CellRadio, Cellular, Rates
from sim.channel.environment import UMA
from sim.channel.macro_cells import MacroGrid


class Radio(CellRadio, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The channel's options in YAML, beside those of `CellRadio`."""

    frequency_ghz: float = 1.8
    dn_power_dbm: float = 46.0
    mast_gain_db: float = 17.0
    antenna: Antenna = "roof"
    up_delay_ms: tuple[float, float] = (12.0, 20.0)
    dn_delay_ms: tuple[float, float] = (5.0, 10.0)
    harq_ms: float = 8.0
    backhaul_ms: float = 15.0
    blocks: int = 100  # 20 MHz
    cell_distance_m: float = 1000.0
    mast_m: float = 25.0


class LteCloud(Cellular):
    """LTE between a vehicle and a cloud."""

    environment = UMA

    def __init__(
        self, options: Mapping[str, object], *, seed: int, vehicle_id: str, unit_id: str
    ) -> None:
        """Seeds the dice of this vehicle.

        Raises:
            ValueError: an option that `Radio` does not have, or out of bounds.
        """
        radio = msgspec.convert(options, Radio)
        super().__init__(radio, seed=seed, vehicle_id=vehicle_id, unit_id=unit_id)
        self._blocks = radio.blocks
        self.bandwidth_hz = phy_lte.bandwidth_hz(radio.blocks)
        self._grid = MacroGrid(radio.cell_distance_m, radio.mast_m, seed)

    def masts(self, vehicle: Mover, unit: Metres3, site: Site) -> Mapping[str, Metres3]:
        """`Cellular.masts`."""
        return self._grid.around(vehicle.x, vehicle.y)

    def rates(self, up_snr_db: float, dn_snr_db: float) -> Rates:
        """`Cellular.rates`."""
        share, spread = self.radio.cell_share, self.radio.spread
        up = phy_lte.rate_bps(up_snr_db, self._blocks, phy_lte.UP, share=share, spread=spread)
        dn = phy_lte.rate_bps(dn_snr_db, self._blocks, phy_lte.DN, share=share)
        return Rates(up, phy_lte.TARGET_BLER, dn, phy_lte.TARGET_BLER)

    def least_snr_db(self) -> float:
        """`Cellular.least_snr_db`."""
        return phy_lte.least_snr_db(self.radio.spread)
