"""What the dispatcher asks its driver to do, and what it counts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from msgspec import Struct

from scheduler.carrying import CHANGE_REF
from scheduler.placement import Placement
from scheduler.tasks import Task

PayloadKind = Literal["jpeg", "features"]
AnswerKind = Literal["onboard", "offloaded", "carried"]


class Encode(Struct, frozen=True):
    """Write the task's frame as JPEG; the driver owes `on_encoded`.

    Attributes:
        width: Pixels of the picture to be written; 0 = as it is.
        height: As `width`.
    """

    task: Task
    quality: int
    width: int = 0
    height: int = 0


class EncodeFeatures(Struct, frozen=True):
    """Run a model's first half on the task's frame, in the inference worker.

    The driver owes `on_features`, or `on_local_failed`.
    """

    task: Task
    model: str


class Send(Struct, frozen=True):
    """Send the encoded frame; the driver owes `on_sent` at once.

    Attributes:
        seq: Unique among all requests of this vehicle process.
        budget_ns: From complete receipt at the unit to the answer handed to its socket.
        payload_kind: A JPEG, or what `EncodeFeatures` made.
        heads: Further results that the unit's model shall bring.
        width: Pixels of the encoded picture; 0 = those of the frame.
        height: As `width`.
        is_hedged: Another copy of this request goes over another link.
    """

    task: Task
    unit_id: str
    seq: int
    model: str
    budget_ns: int
    payload_kind: PayloadKind = "jpeg"
    heads: tuple[str, ...] = ()
    width: int = 0
    height: int = 0
    is_hedged: bool = False


class RunLocal(Struct, frozen=True):
    """Run an onboard rung on the task's frame; the driver owes `on_local_done` or `_failed`.

    The task's verdict may be among the same effects, before this one: then the run is for the
    tracks alone.
    """

    task: Task
    model: str


class RunFlow(Struct, frozen=True):
    """Measure in the idle worker how the tracks' boxes moved; the driver owes `on_flow_done`."""

    task: Task


class Cancel(Struct, frozen=True):
    """The task's encoding, if it did not end yet, is wanted no more."""

    task: Task


class Emit(Struct, frozen=True):
    """The verdict of a task, now; the driver fills in boxes and publishes it.

    Attributes:
        answer: What `on_result` or `on_local_done` were given; None when carried.
        stages_ns: What is known of encode, uplink, queue, decode, infer, downlink, local.
    """

    task: Task
    placement: Placement
    kind: AnswerKind
    reason: str
    unit_id: str
    model: str
    answer: object | None
    is_late: bool
    stages_ns: Mapping[str, int]
    size_bytes: int

    @property
    def is_still(self) -> bool:
        """Carried on purpose, because the picture is as a model saw it last."""
        return (
            self.kind == "carried"
            and self.placement.place == "carry"
            and (self.task.change < CHANGE_REF)
        )


class Correct(Struct, frozen=True):
    """An answer came after its verdict: it corrects tracks and changes no verdict."""

    task: Task
    model: str
    answer: object


class Reopen(Struct, frozen=True):
    """Close both sockets to this unit and open new ones with a new session."""

    unit_id: str


class Open(Struct, frozen=True):
    """Open both sockets of this link, which was closed, with a new session."""

    unit_id: str


class Close(Struct, frozen=True):
    """Say good-bye on this link and close its sockets: nothing is in flight there."""

    unit_id: str


class Ping(Struct, frozen=True):
    """Send a ping of this number to this unit."""

    unit_id: str
    number: int


Effect: TypeAlias = (
    Encode | EncodeFeatures | Send | RunLocal | RunFlow | Cancel | Emit | Correct
    | Reopen | Open | Close | Ping
)  # fmt: skip


@dataclass(slots=True)
class OffloadCounters:
    """Every sent request ends in exactly one of `ok`, `late`, `rejected` and `lost`.

    The duplicate of a hedged placement is a request of its own; `spare` are those among `ok` and
    `late` whose task the other copy had answered.
    """

    sent: int = 0
    ok: int = 0
    late: int = 0
    rejected: int = 0
    lost: int = 0
    reopened: int = 0
    hedged: int = 0  # duplicates among `sent`
    spare: int = 0
    opened: int = 0  # links, by handover
    closed: int = 0


@dataclass(slots=True)
class Counters:
    """`verdicts = captured x services = onboard + offloaded + carried` when no task is open."""

    tasks: int = 0
    verdicts: int = 0
    late: int = 0
    onboard: int = 0
    offloaded: int = 0
    carried: int = 0
    duplicates: int = 0  # results that no request in flight expected
    policy_faults: int = 0
    local_faults: int = 0
    first_looks: int = 0  # of `escalate`
    escalated: int = 0  # of these the unsure ones for which a unit was asked
    hedged: int = 0  # offloads beside which something else ran at once
    local_ns: int = 0  # that models ran on board
    sent_bytes: int = 0  # of pictures and features
    offload: OffloadCounters = field(default_factory=OffloadCounters)

    def on_verdict(self, kind: AnswerKind, is_late: bool) -> None:
        """One more verdict."""
        self.verdicts += 1
        self.late += is_late
        self.onboard += kind == "onboard"
        self.offloaded += kind == "offloaded"
        self.carried += kind == "carried"


class UnitLoad(Struct, frozen=True):
    """What a unit's beacon says of it, whoever asked what of it; durations in nanoseconds.

    Attributes:
        wait_ns: Mean wait of the requests that it answered since the beacon before.
        busy_share: Of its inference, over the same time, 0..1.
        models: What each whole model takes of late.
        splits: What each second half takes.
        position: x, y of the antenna in the world, metres; None where the unit does not know it.
    """

    queue_length: int
    wait_ns: int
    busy_share: float
    credits: int
    models: Mapping[str, int] = {}
    splits: Mapping[str, int] = {}
    position: tuple[float, float] | None = None


class UnitReport(Struct, frozen=True):
    """What a unit says beside its answer; durations in nanoseconds on its own clock."""

    status: Literal["ok", "late", "reject", "bad"]
    queue_ns: int
    decode_ns: int
    infer_ns: int
    credits: int
    retry_after_ns: int = 0
    reason: str = ""

    @property
    def at_unit_ns(self) -> int:
        """From complete receipt to the answer."""
        return self.queue_ns + self.decode_ns + self.infer_ns
