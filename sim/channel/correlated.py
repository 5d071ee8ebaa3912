"""A die that changes with the distance driven: shadowing, and whether there is a line of sight."""

import math
import random


class Correlated:
    """A standard normal number, first-order autoregressive in metres (TR 38.901 eq. 7.4-5)."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)
        self.value = self._random.gauss(0.0, 1.0)

    def moved(self, distance: float, decorrelation_m: float) -> float:
        """Its value after this many more metres; it forgets itself to 1/e in `decorrelation_m`."""
        kept = math.exp(-distance / decorrelation_m)
        fresh = self._random.gauss(0.0, 1.0)
        self.value = kept * self.value + math.sqrt(1.0 - kept * kept) * fresh
        return self.value

    @property
    def uniform(self) -> float:
        """The same die as a number of equal chances in 0..1."""
        return 0.5 * math.erfc(-self.value / math.sqrt(2.0))
