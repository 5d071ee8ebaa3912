"""How many bytes a frame's JPEG takes where no drive says: the measured table, slowly varying."""

from __future__ import annotations

import math
from random import Random

from scheduler.latency import JpegSizes

SPREAD = 0.12  # standard deviation of ln(size) over a street
MEMORY = 0.95  # of the content from frame to frame
NOISE = SPREAD * math.sqrt(1.0 - MEMORY**2)


class FrameSizes:
    """Of one camera; its content is a first-order process with its own generator."""

    def __init__(self, seed: str) -> None:
        self._gauss = Random(seed).gauss
        self._content = SPREAD * self._gauss(0.0, 1.0)
        self._table = JpegSizes()

    def step(self) -> None:
        """The next frame is taken."""
        self._content = MEMORY * self._content + NOISE * self._gauss(0.0, 1.0)

    def jpeg_bytes(self, quality: int, pixels: int) -> int:
        """Of the newest frame."""
        return max(1, int(self._table.expected_bytes(quality, pixels) * math.exp(self._content)))
