"""The figures of one cell, from its verdicts and counters."""

import itertools
import math
from collections.abc import Sequence

import msgspec

from sim.experiments.building import Cell
from sim.experiments.statistics import percentile
from sim.experiments.worth import Worth
from sim.lockstep import Outcome, VerdictRow

BINS = 10  # of predicted probabilities
SENT = ("offload", "split", "escalate")
LOST = ("kept on board", "missed", "sent worse or later than could be", "carried")


class Measures(msgspec.Struct, frozen=True):
    """One policy's drive; a row of cells.csv.

    Attributes:
        utility: Mean worth of a frame (`sim.experiments.worth`).
        expected: The same as the policy expected it.
        f1: Streaming F1; not a number without a drive.
        in_time: Share of frames that a unit answered in time.
        misses: Share of frames that were placed with a unit and not answered by it in time.
        onboard: Share of frames answered by a rung on board.
        carried: Share of frames answered by tracks alone.
        late: Share of verdicts after their deadline.
        megabytes: Sent by the vehicle, headers included.
        joules: Of the onboard detector, as declared.
        switches: A second, from one placement (board, or a unit) to another.
        age_p50_ms: From picture to verdict.
        age_p99_ms: Of the same.
        regret: What a frame loses on average to the relaxed bound, by what became of it (`LOST`);
            not a number without an oracle.
        bins: Frames that were sent: number, sum of predicted probabilities, answered in time; by
            tenth of the prediction.
        digest: SHA-256 of the verdicts' lines.
    """

    link: str
    drive: str
    seed: int
    deadline_ms: float
    policy: str
    frames: int
    utility: float
    expected: float
    f1: float
    in_time: float
    misses: float
    onboard: float
    carried: float
    late: float
    megabytes: float
    joules: float
    switches: float
    age_p50_ms: float
    age_p99_ms: float
    sent: int
    lost: int
    rejected: int
    duplicates: int
    faults: int
    regret: tuple[float, ...]
    bins: tuple[tuple[int, float, int], ...]
    digest: str

    @property
    def conditions(self) -> tuple[str, str, int, float]:
        """What policies are compared under."""
        return (self.link, self.drive, self.seed, self.deadline_ms)


def measure(
    cell: Cell,
    outcome: Outcome,
    worth: Worth,
    duration_s: float,
    digest: str,
    bounds: Sequence[float] | None,
) -> Measures:
    """The figures of a cell's one vehicle.

    Args:
        cell: Which one.
        outcome: Of its drive.
        worth: Of its verdicts.
        duration_s: Of its drive.
        digest: Of its lines.
        bounds: The most that each frame could have got, in order of stamps.
    """
    rows = outcome.verdicts
    (totals,) = outcome.vehicles.values()
    count = max(1, len(rows))
    ages = [row.age_ns / 1e6 for row in rows]
    f1 = outcome.streaming_f1
    offload = totals.counters.offload
    return Measures(
        link=cell.road.name,
        drive=cell.drive,
        seed=cell.seed,
        deadline_ms=cell.deadline_ms,
        policy=cell.policy.title,
        frames=len(rows),
        utility=math.fsum(map(worth.of, rows)) / count,
        expected=math.fsum(row.utility for row in rows) / count,
        f1=math.nan if f1 is None else f1,
        in_time=sum(is_answered(row) for row in rows) / count,
        misses=sum(was_sent(row) and not is_answered(row) for row in rows) / count,
        onboard=sum(row.answer == "onboard" for row in rows) / count,
        carried=sum(row.answer == "carried" for row in rows) / count,
        late=sum(row.is_late for row in rows) / count,
        megabytes=totals.up_bytes / 1e6,
        joules=totals.joules,
        switches=_switches(rows) / duration_s,
        age_p50_ms=percentile(ages, 0.5),
        age_p99_ms=percentile(ages, 0.99),
        sent=offload.sent,
        lost=offload.lost,
        rejected=offload.rejected,
        duplicates=totals.counters.duplicates,
        faults=totals.counters.policy_faults,
        regret=_regret(rows, worth, bounds),
        bins=_bins(rows),
        digest=digest,
    )


def was_sent(row: VerdictRow) -> bool:
    """Whether the frame was to be looked at by a unit; an escalated one only if it really left."""
    if row.place == "escalate":
        return row.size_bytes > 0
    return row.place in SENT


def is_answered(row: VerdictRow) -> bool:
    """Whether a unit answered in time."""
    return row.answer == "offloaded" and not row.is_late


def _switches(rows: Sequence[VerdictRow]) -> int:
    places = [row.placed_unit for row in sorted(rows, key=lambda row: row.stamp_ns)]
    return sum(before != after for before, after in itertools.pairwise(places))


def _regret(
    rows: Sequence[VerdictRow], worth: Worth, bounds: Sequence[float] | None
) -> tuple[float, ...]:
    if bounds is None:
        return (math.nan,) * len(LOST)
    parts: list[list[float]] = [[] for _ in LOST]
    for row, most in zip(sorted(rows, key=lambda row: row.stamp_ns), bounds, strict=True):
        parts[_fate(row)].append(most - worth.of(row))
    return tuple(math.fsum(part) / max(1, len(rows)) for part in parts)


def _fate(row: VerdictRow) -> int:
    """Index in `LOST`."""
    if was_sent(row) and not is_answered(row):
        return 1
    if is_answered(row):
        return 2
    return 0 if row.answer == "onboard" else 3


def _bins(rows: Sequence[VerdictRow]) -> tuple[tuple[int, float, int], ...]:
    counts = [[0, 0.0, 0] for _ in range(BINS)]
    for row in rows:
        if row.place == "offload":
            held = counts[min(BINS - 1, int(row.p_in_time * BINS))]
            held[0] += 1
            held[1] += row.p_in_time
            held[2] += is_answered(row)
    return tuple((int(n), round(p, 6), int(hits)) for n, p, hits in counts)
