"""The onboard detector as a serial resource: who gets it next, and when the fallback must start.

Of the open tasks in deadline order, task i must start by
`min over j >= i of (deadline_j - sum of q99 over i..j) - margin` for all of them to be answered in
time. At that instant the newest task that still fits takes the largest rung that fits.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from scheduler.latency import FOREVER_NS, StageTimes
from scheduler.placement import Features, Rung, fitting, split_name

FLOW = "flow"  # the job that measures motion; it takes the detector's core as well
FLOW_PRIOR_NS = 4_000_000
SIZE_RATE = 0.2  # of the payloads' mean; raising it follows the street faster, and its noise


class RungSpec(Struct, frozen=True):
    """A rung as declared: its expected F1 alone and a first guess of its duration."""

    model: str
    accuracy: float
    prior_ns: int


class EncoderSpec(Struct, frozen=True):
    """A model's first half that runs on board: first guesses of its duration and payload."""

    model: str
    prior_ns: int
    size_bytes: int


def latest_start_ns(deadlines_ns: Sequence[int], duration_ns: int, margin_ns: int) -> int:
    """The latest start of the first of these tasks, run one after the other.

    Args:
        deadlines_ns: In increasing order, at least one.
        duration_ns: q99 of the rung that each would take.
    """
    return (
        min(deadline - (j + 1) * duration_ns for j, deadline in enumerate(deadlines_ns)) - margin_ns
    )


class Onboard:
    """Measured durations of the rungs, and what runs now."""

    def __init__(self, rungs: Sequence[RungSpec], encoders: Sequence[EncoderSpec] = ()) -> None:
        self.specs = sorted(rungs, key=lambda rung: rung.accuracy)
        self.encoders = tuple(encoder.model for encoder in encoders)
        self._sizes = {encoder.model: float(encoder.size_bytes) for encoder in encoders}
        times = {rung.model: StageTimes(rung.prior_ns) for rung in self.specs}
        times |= {split_name(e.model): StageTimes(e.prior_ns) for e in encoders}
        self._times: Mapping[str, StageTimes] = times | {FLOW: StageTimes(FLOW_PRIOR_NS)}
        self.is_ready = False
        self.running_task: int | None = None
        self.busy_until_ns = 0
        self._rungs: tuple[Rung, ...] = ()  # as last measured, with the cheapest of them
        self._cheapest: Rung | None = None
        self._rungs_until_ns = -1  # they stay so until then, or the next measurement

    def rungs(self, now_ns: int) -> tuple[Rung, ...]:
        """Rungs with their quantiles as measured, least accurate first; none while not ready."""
        if not self.is_ready:
            return ()
        if now_ns > self._rungs_until_ns:
            self._refresh(now_ns)
        return self._rungs

    def _refresh(self, now_ns: int) -> None:
        times = [(spec, self._times[spec.model]) for spec in self.specs]
        self._rungs = tuple(
            Rung(
                spec.model,
                spec.accuracy,
                measured.quantile_ns(0.5, now_ns),
                measured.quantile_ns(0.99, now_ns),
            )
            for spec, measured in times
        )
        self._cheapest = min(self._rungs, key=lambda rung: rung.q50_ns, default=None)
        self._rungs_until_ns = min(
            (measured.fresh_until_ns for _, measured in times), default=FOREVER_NS
        )

    def features(self, now_ns: int) -> tuple[Features, ...]:
        """First halves with their quantiles as measured; none while not ready."""
        if not self.is_ready:
            return ()
        return tuple(
            Features(
                model,
                round(self._sizes[model]),
                self.quantile_ns(split_name(model), 0.5, now_ns),
                self.quantile_ns(split_name(model), 0.99, now_ns),
            )
            for model in self.encoders
        )

    def quantile_ns(self, job: str, share: float, now_ns: int) -> int:
        """Of a rung, a `split_name` or `FLOW`."""
        return self._times[job].quantile_ns(share, now_ns)

    def cheapest(self, now_ns: int) -> Rung | None:
        """The rung that is soonest done, None while there is none."""
        if not self.is_ready:
            return None
        if now_ns > self._rungs_until_ns:
            self._refresh(now_ns)
        return self._cheapest

    def fitting(self, now_ns: int, by_ns: int, preferred: str = "") -> str | None:
        """The preferred rung if its q99 ends by then, else what `placement.fitting` says."""
        rungs = self.rungs(now_ns)
        for rung in rungs:
            if rung.model == preferred and now_ns + rung.q99_ns <= by_ns:
                return preferred
        found = fitting(rungs, by_ns - now_ns)
        return found.model if found else None

    def start(self, task_id: int, job: str, now_ns: int) -> None:
        """A run begins, of a rung, a `split_name` or `FLOW`."""
        self.running_task = task_id
        self.busy_until_ns = now_ns + self.quantile_ns(job, 0.99, now_ns)

    def stop(self) -> None:
        """The run ended."""
        self.running_task = None
        self.busy_until_ns = 0

    def measure(self, job: str, duration_ns: int, now_ns: int) -> None:
        """What a run took."""
        if job in self._times:
            self._times[job].add(duration_ns, now_ns)
            self._rungs_until_ns = -1

    def measure_size(self, model: str, size_bytes: int) -> None:
        """What a first half made of a frame."""
        if model in self._sizes:
            self._sizes[model] += SIZE_RATE * (size_bytes - self._sizes[model])
