"""How long a stage takes: log-normal draws through a measured median and 99th percentile."""

import math
from dataclasses import dataclass
from random import Random

from scheduler.errors import ConfigError

Z99 = 2.326347874  # standard deviations from the median to the 99th percentile
LONGEST = 4.0  # of the 99th percentile: no draw exceeds it, as no watchdog would let it


@dataclass(frozen=True, slots=True)
class StageProfile:
    """A stage's duration as measured.

    Attributes:
        q50_ns: Median; 0 = the stage takes no time.
        q99_ns: 99th percentile, at least the median.
    """

    q50_ns: int
    q99_ns: int

    def __post_init__(self) -> None:
        if not 0 <= self.q50_ns <= self.q99_ns:
            raise ConfigError(
                f"stage profile: expected 0 <= q50 <= q99, got {self.q50_ns} and {self.q99_ns} ns"
            )

    @staticmethod
    def of_ms(q50_ms: float, q99_ms: float | None = None) -> "StageProfile":
        """From milliseconds; without a 99th percentile every run takes the median."""
        return StageProfile(round(q50_ms * 1e6), round((q99_ms or q50_ms) * 1e6))


NOTHING = StageProfile(0, 0)


class Stage:
    """Draws durations; one object and one generator per (owner, stage)."""

    __slots__ = ("_median", "_most", "_other", "_random", "_spread")

    def __init__(self, profile: StageProfile, seed: str) -> None:
        self._random = Random(seed).random
        self._median = profile.q50_ns
        self._most = int(LONGEST * profile.q99_ns)
        self._spread = math.log(profile.q99_ns / profile.q50_ns) / Z99 if profile.q50_ns else 0.0
        self._other: float | None = None  # factor of the next duration

    def draw(self) -> int:
        """The next duration, in ns."""
        if self._spread == 0.0:
            return self._median
        factor = self._other
        if factor is None:  # Box-Muller gives two at a time
            radius = self._spread * math.sqrt(-2.0 * math.log(1.0 - self._random()))
            angle = math.tau * self._random()
            factor = math.exp(radius * math.cos(angle))
            self._other = math.exp(radius * math.sin(angle))
        else:
            self._other = None
        duration_ns = int(self._median * factor)
        return duration_ns if duration_ns < self._most else self._most
