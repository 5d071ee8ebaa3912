"""Says where a picture's time goes, stage by stage; without a clock it costs next to nothing."""

from collections import defaultdict
from collections.abc import Callable


class Stages:
    """Seconds by stage, for benchmarks.

    Args:
        clock: seconds; None measures nothing.

    Attributes:
        seconds: by stage, since the start.
    """

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        self._clock = clock
        self._last = 0.0
        self.seconds: dict[str, float] = defaultdict(float)

    def begin(self) -> None:
        """What happened since the last mark belongs to no stage."""
        if self._clock is not None:
            self._last = self._clock()

    def mark(self, stage: str) -> None:
        """What happened since the last mark was this stage's."""
        if self._clock is not None:
            now = self._clock()
            self.seconds[stage] += now - self._last
            self._last = now
