"""What a virtual drive leaves: a row per verdict, counters per vehicle and unit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from scheduler.calibration import Reliability
from scheduler.effects import AnswerKind, Counters
from scheduler.messages import Verdict
from vehicle.perception.scores.streaming import Counts


class VerdictRow(msgspec.Struct, frozen=True):
    """One verdict.

    Attributes:
        valid_ns: When its boxes hold.
        answer: What it was: `offloaded`, `onboard` or `carried`.
        placed: The placement in short, as in a run's tables.
        place: The placed pipeline.
        placed_unit: The link it was placed on; empty on board.
        placed_model: The model that should have looked.
        unit_id: The link that the answer came over; empty when from on board.
        model: Whose answer it is; empty when carried.
        quality: JPEG quality of the placement; 0 where no JPEG was to be sent.
        width: Pixels of the picture that was to be sent.
        height: Pixels of the picture that was to be sent.
        size_bytes: Of the payload that was sent; 0 = nothing was.
        utility: As the policy expected it.
        p_in_time: As the policy expected it.
        looked_ns: When the newest frame that a model looked at was taken.
        local_ns: What the onboard run for this frame took, where it ended before the verdict.
    """

    vehicle_id: str
    camera_id: str
    tick: int
    stamp_ns: int
    emitted_ns: int
    valid_ns: int
    deadline_ns: int
    answer: AnswerKind
    placed: str
    place: str
    placed_unit: str
    placed_model: str
    unit_id: str
    model: str
    quality: int
    width: int
    height: int
    size_bytes: int
    is_late: bool
    utility: float
    p_in_time: float
    is_probe: bool
    reason: str
    placed_reason: str
    looked_ns: int
    stages_ns: dict[str, int]

    @property
    def age_ns(self) -> int:
        """From the picture taken to the verdict."""
        return self.emitted_ns - self.stamp_ns


@dataclass(slots=True)
class VehicleTotals:
    """Of one vehicle.

    Attributes:
        raw: What its links' beliefs promised at sending, against what came.
        promised: The same of what its placements promised.
    """

    counters: Counters
    up_bytes: int = 0  # handed to the links, headers included
    dn_bytes: int = 0
    local_ns: int = 0  # the onboard worker was busy
    joules: float = 0.0  # of that, at the declared draw
    raw: Reliability = field(default_factory=Reliability)
    promised: Reliability = field(default_factory=Reliability)


@dataclass(slots=True)
class UnitTotals:
    """Of one unit, as its own report counts."""

    received: int = 0
    ok: int = 0
    rejected: int = 0
    late: int = 0
    unbound: int = 0
    undeliverable: int = 0
    dropped: int = 0
    busy_ns: int = 0
    copies: int = 0  # of a request that came over another radio; not among `received`


@dataclass(slots=True)
class Outcome:
    """A drive's result; rows are in order of emission, vehicle by vehicle.

    Attributes:
        scores: Streaming F1's counts by vehicle and camera, where a drive tells the truth.
        published: What each vehicle that saw a drive would have published.
        events: Of virtual time that were carried out.
    """

    verdicts: list[VerdictRow] = field(default_factory=list)
    vehicles: dict[str, VehicleTotals] = field(default_factory=dict)
    units: dict[str, UnitTotals] = field(default_factory=dict)
    scores: dict[tuple[str, str], Counts] = field(default_factory=dict)
    published: dict[str, list[Verdict]] = field(default_factory=dict)
    events: int = 0

    @property
    def streaming_f1(self) -> float | None:
        """Over all vehicles and cameras; None where nothing is known to be seen."""
        return sum(self.scores.values(), Counts()).f1

    def lines(self) -> Iterator[bytes]:
        """Each verdict as a line of JSON; the same scenario gives the same bytes."""
        encoder = msgspec.json.Encoder()
        return (encoder.encode(row) for row in self.verdicts)
