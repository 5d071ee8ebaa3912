"""5G NR through a macro network to a unit far away, such as a cloud: `model: nr_uma`.

TR 38.901 UMa: masts on roofs each 500 m, sight by its probability, and `backhaul_ms` on the wire
to where the unit is. Where the unit stands in the world does not matter.
"""

from collections.abc import Mapping

import msgspec

from scheduler.messages import Metres3, Site
from sim.channel.base import Mover
from sim.channel.environment import UMA
from sim.channel.macro_cells import MacroGrid
from sim.channel.nr_uu import NrCells, NrRadio


class Radio(NrRadio, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The channel's options in YAML; those of `NrRadio` and `CellRadio` too."""

    dn_power_dbm: float = 46.0
    mast_gain_db: float = 17.0
    backhaul_ms: float = 15.0
    cell_distance_m: float = 500.0
    mast_m: float = 25.0


class NrUma(NrCells):
    """5G between a vehicle and a cloud, by macro cells."""

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
        self._grid = MacroGrid(radio.cell_distance_m, radio.mast_m, seed)

    def masts(self, vehicle: Mover, unit: Metres3, site: Site) -> Mapping[str, Metres3]:
        """`Cellular.masts`."""
        return self._grid.around(vehicle.x, vehicle.y)
