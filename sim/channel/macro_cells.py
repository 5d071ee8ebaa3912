"""Where the masts of a macro network stand: a triangular grid that a seed lays over the world."""

import math
import random

from scheduler.messages import Metres3

ROWS_AROUND = 2  # of the grid, about the vehicle: the nearest five masts are among them


class MacroGrid:
    """Masts at the same distance from each neighbour.

    Args:
        distance_m: Between neighbours (500 m is TR 38.901's UMa).
        mast_m: Height of the antennas.
        seed: Shifts the grid.
    """

    def __init__(self, distance_m: float, mast_m: float, seed: int) -> None:
        self._distance_m = distance_m
        self._mast_m = mast_m
        choose = random.Random(f"{seed}/macro grid")
        self._shift = (choose.random() * distance_m, choose.random() * distance_m)

    def around(self, x: float, y: float) -> dict[str, Metres3]:
        """The masts near a place, by row and column."""
        height = self._distance_m * math.sqrt(0.75)  # from row to row
        middle = round((y - self._shift[1]) / height)
        found = {}
        for row in range(middle - ROWS_AROUND, middle + ROWS_AROUND + 1):
            offset = self._shift[0] + (row % 2) * 0.5 * self._distance_m
            near = round((x - offset) / self._distance_m)
            for column in range(near - ROWS_AROUND, near + ROWS_AROUND + 1):
                place = (offset + column * self._distance_m, self._shift[1] + row * height)
                found[f"{row}.{column}"] = (*place, self._mast_m)
        return found
