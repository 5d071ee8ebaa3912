"""A camera's intrinsics, from a field of view or from a calibration file."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Intrinsics:
    """K and distortion of a camera's pictures.

    Attributes:
        width: pixels.
        height: pixels.
        fx: focal length in pixels, along u (right).
        fy: focal length in pixels, along v (down).
        cx: principal point, pixels.
        cy: principal point, pixels.
        distortion: OpenCV's k1, k2, p1, p2, k3; empty for a pinhole.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    distortion: tuple[float, ...] = ()

    @classmethod
    def from_fov(cls, width: int, height: int, fov_deg: float) -> "Intrinsics":
        """A pinhole with square pixels and a horizontal field of view in degrees."""
        f = width / (2.0 * math.tan(math.radians(fov_deg) / 2.0))
        return cls(width, height, f, f, width / 2.0, height / 2.0)

    def project(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, 3) points in camera body axes, x > 0, to (N, 2) pixels."""
        x = -points[:, 1] / points[:, 0]
        y = -points[:, 2] / points[:, 0]
        return np.stack([self.cx + self.fx * x, self.cy + self.fy * y], axis=1)
