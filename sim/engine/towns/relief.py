"""The shape of the land: level, or gentle hills that roads, fields and woods follow alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Relief:
    """Rolling hills that fade to level ground at the edges of a rectangle.

    Attributes:
        amplitude: metres of the hills; 0 for level land.
        wavelength: metres from top to top; less makes roads steeper.
        level_below: north (y) up to which the land is level, metres.
        fade: metres over which the hills begin.
    """

    amplitude: float = 0.0
    wavelength: float = 520.0
    level_below: float = 0.0
    fade: float = 300.0

    def heights(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Height of the land at points, metres."""
        if self.amplitude == 0.0:
            return np.zeros_like(np.asarray(x, np.float64))
        turn = 2 * np.pi / self.wavelength
        share = np.clip((np.asarray(y) - self.level_below) / self.fade, 0.0, 1.0)
        share = share * share * (3 - 2 * share)
        waves = 0.5 - 0.5 * np.cos(turn * np.asarray(x)) * np.cos(0.6 * turn * np.asarray(y))
        return np.asarray(self.amplitude * share * waves)

    def height(self, x: float, y: float) -> float:
        """Height of the land at a point, metres."""
        return float(self.heights(np.array([x]), np.array([y]))[0])


FLAT = Relief()
