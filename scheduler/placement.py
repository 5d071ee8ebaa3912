"""Where a frame is computed, and what a policy may look at to decide it (public seam)."""

import math
from collections.abc import Mapping, Sequence
from typing import Literal, Protocol, runtime_checkable

from msgspec import Struct

from scheduler.link import LinkEstimator, LinkState, normal_cdf
from scheduler.tasks import Task

Pipeline = Literal["onboard", "offload", "split", "escalate"]
Place = Literal["onboard", "offload", "split", "escalate", "carry"]
Size = tuple[int, int]  # width and height, pixels
Z99 = 2.326  # standard deviations from the median to the 99th percentile


class Placement(Struct, frozen=True):
    """One decision, with its reason.

    Attributes:
        place: The pipeline. `onboard` runs a rung of the ladder here; `offload` sends the frame to
            a unit; `split` runs a model's first half here and its second half there; `escalate`
            lets a rung look here first and sends the frame only if it is unsure; `carry` moves the
            tracks to now without a model. The onboard fallback stays armed in all of them.
        model: The detector that shall look at the frame; empty for `carry`.
        quality: JPEG quality, of `offload` and `escalate`.
        p_in_time: Predicted probability that the answer is back by the deadline.
        utility: Expected utility, in units of F1.
        reason: Why, in words that a watcher understands.
        first: The rung that looks first, of `escalate`; `model` is then the unit's.
        width: Pixels of the picture that is sent, of `offload` and `escalate`; 0 = as it is.
        height: As `width`.
        probe: Of `onboard`: how a copy is sent to learn of a link. The rung's answer is the verdict
            as without it, unless the copy's comes first.
        hedge_model: The model that looks at a duplicate, where it is another than `model`.
        hedge: What runs at once beside an `offload`, first answer wins: `local` (a rung on board)
            or the id of a second unit, which gets a duplicate; empty for nothing.
    """

    place: Place
    model: str = ""
    unit_id: str = ""
    quality: int = 0
    p_in_time: float = 1.0
    utility: float = 0.0
    is_probe: bool = False
    reason: str = ""
    first: str = ""
    width: int = 0
    height: int = 0
    hedge: str = ""
    hedge_model: str = ""
    probe: "Placement | None" = None

    @property
    def label(self) -> str:
        """Short form for tables.

        `onboard/small`, `rsu1/large@q60`, `rsu1/large@q60 320x192`, `rsu1/medium+split`,
        `small>rsu1/large@q60`, `carry`; a hedge follows a plus: `rsu1/large@q60 +local`.
        """
        size = f" {self.width}x{self.height}" if self.width else ""
        hedge = f" +{self.hedge}" if self.hedge else ""
        hedge += f"/{self.hedge_model}" if self.hedge_model else ""
        match self.place:
            case "onboard":
                return f"onboard/{self.model}" + (f" +{self.probe.label}" if self.probe else "")
            case "offload":
                return f"{self.unit_id}/{self.model}@q{self.quality}{size}{hedge}"
            case "split":
                return f"{self.unit_id}/{split_name(self.model)}"
            case "escalate":
                return f"{self.first}>{self.unit_id}/{self.model}@q{self.quality}{size}"
            case _:
                return self.place

    @property
    def rung(self) -> str:
        """The rung that shall look on board first; empty where none was chosen."""
        return self.model if self.place == "onboard" else self.first


def split_name(model: str) -> str:
    """How tables call a model that runs in two halves."""
    return f"{model}+split"


class Rung(Struct, frozen=True):
    """An onboard detector with its measured cost.

    Attributes:
        accuracy: Expected F1 of this rung alone, 0..1.
        q50_ns: Median of pre-processing, model and post-processing on this vehicle.
        q99_ns: 99th percentile of the same.
    """

    model: str
    accuracy: float
    q50_ns: int
    q99_ns: int

    def p_in_time(self, available_ns: float) -> float:
        """Probability that a run ends within `available_ns`: log-normal through q50 and q99."""
        if available_ns <= 0.0 or self.q50_ns <= 0:
            return 0.0
        spread = max(0.02, math.log(self.q99_ns / self.q50_ns) / Z99)
        return normal_cdf(math.log(available_ns / self.q50_ns) / spread)


def fitting(rungs: Sequence[Rung], available_ns: int) -> Rung | None:
    """The most accurate rung whose q99 fits; else the cheapest one whose median does, else None.

    A run that is only likely to be in time is better than an idle detector: when it is not, its
    answer still corrects the tracks.

    Args:
        rungs: Least accurate first.
    """
    sure = [rung for rung in rungs if rung.q99_ns <= available_ns]
    if sure:
        return sure[-1]
    cheapest = min(rungs, key=lambda rung: rung.q50_ns, default=None)
    return cheapest if cheapest is not None and cheapest.q50_ns <= available_ns else None


class Encoding(Struct, frozen=True):
    """One way to write the frame as JPEG.

    Attributes:
        size_bytes: Expected size for this camera now.
        encode_ns: Median time to encode.
        accuracy_loss: F1 lost against the raw frame (reference perception.md 3).
        width: Pixels of the picture that is sent; 0 = as it is.
        height: As `width`.
    """

    quality: int
    size_bytes: int
    encode_ns: int
    accuracy_loss: float
    width: int = 0
    height: int = 0


class RemoteModel(Struct, frozen=True):
    """A detector that a unit serves.

    Attributes:
        accuracy: Expected F1 alone, of the frame as it is.
        service_ns: Decoding and inference.
        accuracy_at: Expected F1 of frames sent smaller, by width and height of what is sent.
    """

    model: str
    accuracy: float
    service_ns: int
    accuracy_at: Mapping[Size, float] = {}

    def accuracy_of(self, encoding: Encoding) -> float:
        """Expected F1 of a frame that is sent so."""
        size = (encoding.width, encoding.height)
        return self.accuracy_at.get(size, self.accuracy) - encoding.accuracy_loss


class Features(Struct, frozen=True):
    """A model's first half on this vehicle; its accuracy stands with the unit's second half.

    Attributes:
        size_bytes: Expected payload.
        q50_ns: Median time to encode a frame, on the onboard detector's own core.
        q99_ns: 99th percentile of the same.
    """

    model: str
    size_bytes: int
    q50_ns: int
    q99_ns: int


class Escalation(Struct, frozen=True):
    """What asking a unit about unsure frames alone brings.

    Attributes:
        share: Of the recent first looks that were unsure.
        gain: Of the F1 between the rung and the unit's model, the share that those frames hold.
    """

    share: float
    gain: float


class LinkView(Struct, frozen=True):
    """What is known of the link to one unit.

    Attributes:
        models: That look at whole pictures.
        splits: Whose second half runs there, with the accuracy through the bottleneck.
        snr_db: Of the link, where the radio reports it.
        in_flight: Requests that hold a credit.
    """

    unit_id: str
    state: LinkState
    credits_free: int
    models: tuple[RemoteModel, ...]
    estimate: LinkEstimator  # read only: `p_in_time`, `transfer_ns`, `quiet_ns`
    splits: tuple[RemoteModel, ...] = ()
    snr_db: float | None = None
    in_flight: int = 0


class View(Struct, frozen=True):
    """All that a policy may look at.

    Attributes:
        busy_until_ns: When the onboard detector is expected to be free.
        rungs: Onboard detectors, least accurate first.
        encodings: Best quality first; none where pixels may not leave the vehicle.
        carry_accuracy: Expected F1 of moving the tracks to now without a model, by what the last
            look was worth, its age and how much of the picture has changed since.
        frame_interval_ns: Time between this camera's frames.
        previous: The placement of the camera's last frame.
        emit_margin_ns: A verdict leaves this long before its deadline.
        margin_ns: What a run on board must leave of the deadline.
        watts: Declared draw while an onboard model runs.
        pipelines: Those that this task may take.
        features: First halves that run here; none where `split` is not allowed.
        escalation: None where `escalate` is not allowed.
        spent_joules: By models on board since the start.
        sent_bytes: Of pictures and features since the start.
    """

    now_ns: int
    busy_until_ns: int
    rungs: tuple[Rung, ...]
    links: tuple[LinkView, ...]
    encodings: tuple[Encoding, ...]
    carry_accuracy: float
    frame_interval_ns: int
    emit_margin_ns: int
    margin_ns: int
    previous: Placement | None
    watts: float
    pipelines: frozenset[Pipeline] = frozenset(("onboard", "offload"))
    features: tuple[Features, ...] = ()
    escalation: Escalation | None = None
    spent_joules: float = 0.0
    sent_bytes: int = 0

    def fitting_rung(self, deadline_ns: int, not_before_ns: int) -> Rung | None:
        """The most accurate rung that, started then, ends before the deadline; see `fitting`."""
        start = max(self.busy_until_ns, not_before_ns)
        return fitting(self.rungs, deadline_ns - self.margin_ns - start)

    def usable_links(self) -> list[LinkView]:
        """Links that are up and have a credit, in order of declaration."""
        return [link for link in self.links if link.state == "up" and link.credits_free > 0]


class Outcome(Struct, frozen=True):
    """What became of a frame that was sent.

    Attributes:
        unit_id: Of the link that it took.
        size_bytes: Of the payload.
        latency_ns: From sending to the answer; None when there was none within the lease.
        at_unit_ns: From complete receipt to the answer, of that.
        is_in_time: Whether it became the verdict.
    """

    task: Task
    placement: Placement
    unit_id: str
    size_bytes: int
    latency_ns: int | None
    at_unit_ns: int
    is_in_time: bool


class Policy(Protocol):
    """Decides one frame at a time. It must not block, and returns within 10 ms.

    A policy is built from its YAML options, `Policy(options)`, and checks them there.
    """

    name: str

    def place(self, task: Task, view: View) -> Placement:
        """Where this frame is computed."""
        ...


@runtime_checkable
class Learner(Protocol):
    """A policy that learns from what became of the frames that it sent."""

    def on_outcome(self, outcome: Outcome) -> None:
        """A request ended."""
        ...


Options = Mapping[str, object]
