"""How much a street takes from a radio signal: path loss, blocking vehicles, buildings.

Formulas of 3GPP TR 37.885 (urban, tables 6.2-1 and 6.2.1-1): distances in metres, frequencies in
GHz, losses in dB.
"""

import math
import random
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LOS, NLOSV, NLOS = "LOS", "NLOSv", "NLOS"
SHADOWING_DB = {LOS: 3.0, NLOSV: 3.0, NLOS: 4.0}
# Distance in which shadowing forgets itself to 1/e: TR 37.885's V2V figures.
DECORRELATION_M = {LOS: 10.0, NLOSV: 13.0, NLOS: 13.0}
STATE_DECORRELATION_M = 50.0  # of line of sight itself (TR 38.901 table 7.6.3.1-2, urban)
NEAREST_M = 1.0  # the formulas end here
BLOCKER_HEIGHT_M = 1.6  # a car in between
BLOCKER_SIGMA_DB = {True: 4.5, False: 4.0}  # both antennas below the blocker; one above
THERMAL_DBM_HZ = -174.0


def path_loss_db(state: str, distance: float, frequency_ghz: float) -> float:
    """Between isotropic antennas in a town; NLOS is round a corner."""
    d = math.log10(max(distance, NEAREST_M))
    f = math.log10(frequency_ghz)
    if state == NLOS:
        return 36.85 + 30.0 * d + 18.9 * f
    return 38.77 + 16.7 * d + 18.2 * f


def blocking_db(
    distance: float, lower: float, higher: float, blocker: float
) -> tuple[float, float]:
    """(mean, sigma) of the loss by a vehicle in between, to be drawn once a block.

    Args:
        distance: Between the antennas.
        lower: Height of the lower antenna.
        higher: Of the other.
        blocker: Of the vehicle in between.
    """
    if lower > blocker:
        return 0.0, 0.0
    is_deep = higher < blocker
    extra = max(0.0, 15.0 * math.log10(max(distance, NEAREST_M)) - 41.0)
    return (9.0 if is_deep else 5.0) + extra, BLOCKER_SIGMA_DB[is_deep]


def line_of_sight_probability(distance: float) -> float:
    """In the same street: that no vehicle stands in between."""
    return min(1.0, 1.05 * math.exp(-0.0114 * distance))


def noise_dbm(bandwidth_hz: float, noise_figure_db: float) -> float:
    """Thermal noise and what the receiver adds."""
    return THERMAL_DBM_HZ + 10.0 * math.log10(bandwidth_hz) + noise_figure_db


class Correlated:
    """A standard normal number that changes with the distance driven (TR 38.901 eq. 7.4-5)."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)
        self.value = self._random.gauss(0.0, 1.0)

    def moved(self, distance: float, decorrelation_m: float) -> float:
        """Its value after this many more metres."""
        kept = math.exp(-distance / decorrelation_m)
        fresh = self._random.gauss(0.0, 1.0)
        self.value = kept * self.value + math.sqrt(1.0 - kept * kept) * fresh
        return self.value


class Buildings:
    """The footprints of a town, asked whether they stand between two points."""

    def __init__(self, footprints: Sequence[Sequence[tuple[float, float]]]) -> None:
        edges, owners = [], []
        for owner, footprint in enumerate(footprints):
            for index, corner in enumerate(footprint):
                edges.append((*corner, *footprint[(index + 1) % len(footprint)]))
                owners.append(owner)
        self._edges: NDArray[np.float64] = np.array(edges, np.float64).reshape(-1, 4)
        self._owners: NDArray[np.intp] = np.array(owners, np.intp)

    def block(self, a: tuple[float, float], b: tuple[float, float]) -> bool:
        """Whether a building stands between a and b (metres, world).

        One that holds exactly one of the two does not count: the antenna is on its wall, or its
        footprint is a box round something that spans the street.
        """
        x1, y1, x2, y2 = self._edges.T
        dx, dy = b[0] - a[0], b[1] - a[1]
        # Each edge's ends lie on different sides of the line, and the line's of the edge; a point
        # on it counts to one side, so that a line through a corner is not missed.
        side_1 = dx * (y1 - a[1]) - dy * (x1 - a[0])
        side_2 = dx * (y2 - a[1]) - dy * (x2 - a[0])
        ex, ey = x2 - x1, y2 - y1
        side_a = ex * (a[1] - y1) - ey * (a[0] - x1)
        side_b = ex * (b[1] - y1) - ey * (b[0] - x1)
        is_crossed = ((side_1 >= 0) != (side_2 >= 0)) & ((side_a >= 0) != (side_b >= 0))
        crossings = np.bincount(self._owners[is_crossed])
        return bool(np.any((crossings > 0) & (crossings % 2 == 0)))
