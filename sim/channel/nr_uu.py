"""5G NR in a town, small cells on the roadside units' masts: `model: nr_uu`.

TR 38.901 UMi; buildings of the town decide about sight where they are known. Every unit carries a
cell, the vehicle is served by the best of them, and reaches its unit through the wired network
behind (`backhaul_ms`). TDD gives the uplink a fifth of the time.
"""

from collections.abc import Mapping

import msgspec

from scheduler.messages import Metres3, Site
from sim.channel import phy_nr
from sim.channel.base import Mover
from sim.channel.cells import CellRadio, Cellular, Rates
from sim.channel.environment import UMI
from sim.channel.obstacles import Buildings

HIGHEST_M = 20.0  # of a street cell; a mast above it is a macro network's, not ours
OWN = "unit"  # name of the cell where the site names none


class NrRadio(CellRadio, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The channel's options in YAML, beside those of `CellRadio`."""

    blocks: int = 106  # 40 MHz at 30 kHz
    numerology: int = 1
    up_share: float = 0.2  # of the time that TDD gives the uplink
    dn_share: float = 0.7

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 < self.up_share <= 1.0 or not 0.0 < self.dn_share <= 1.0:
            raise ValueError("expected up_share and dn_share in 0..1")


class NrCells(Cellular):
    """Cells with the physical layer of NR."""

    def __init__(self, radio: NrRadio, *, seed: int, vehicle_id: str, unit_id: str) -> None:
        super().__init__(radio, seed=seed, vehicle_id=vehicle_id, unit_id=unit_id)
        up, dn = radio.up_share * radio.cell_share, radio.dn_share * radio.cell_share
        self._up = phy_nr.Carrier(radio.blocks, radio.numerology, phy_nr.UP_OVERHEAD, up)
        self._dn = phy_nr.Carrier(radio.blocks, radio.numerology, phy_nr.DN_OVERHEAD, dn)
        self.bandwidth_hz = self._up.bandwidth_hz

    def rates(self, up_snr_db: float, dn_snr_db: float) -> Rates:
        """`Cellular.rates`; the cell's power is spread over all vehicles, down stays wide."""
        up = phy_nr.adapt(up_snr_db, self._up, self.radio.spread)
        dn = phy_nr.adapt(dn_snr_db, self._dn)
        return Rates(up.rate_bps, up.bler, dn.rate_bps, dn.bler)

    def least_snr_db(self) -> float:
        """`Cellular.least_snr_db`."""
        return phy_nr.least_snr_db(self.radio.spread)


class NrUu(NrCells):
    """5G between a vehicle and a unit, by small cells."""

    environment = UMI

    def __init__(
        self, options: Mapping[str, object], *, seed: int, vehicle_id: str, unit_id: str
    ) -> None:
        """Seeds the dice of this vehicle; all its units share the way to a cell.

        Raises:
            ValueError: an option that `NrRadio` does not have, or out of bounds.
        """
        radio = msgspec.convert(options, NrRadio)
        super().__init__(radio, seed=seed, vehicle_id=vehicle_id, unit_id=unit_id)
        self._site: Site | None = None
        self._buildings: Buildings | None = None
        self._masts: dict[str, Metres3] = {}

    def masts(self, vehicle: Mover, unit: Metres3, site: Site) -> Mapping[str, Metres3]:
        """`Cellular.masts`: the units of the site."""
        if site is not self._site:
            if self._site is None or site.buildings != self._site.buildings:
                self._buildings = Buildings(site.buildings) if site.buildings else None
            self._site = site
            self._masts = {
                placed.unit_id: placed.position
                for placed in site.units
                if placed.position[2] < HIGHEST_M
            }
        return self._masts or {OWN: unit}

    def buildings(self, site: Site) -> Buildings | None:
        """`Cellular.buildings`."""
        return self._buildings
