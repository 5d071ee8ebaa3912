"""Asks the policy, with all it may look at, and checks its answer (sans-IO)."""

from collections.abc import Mapping, Sequence
from typing import get_args

from scheduler.effects import Counters
from scheduler.latency import JpegSizes, StageTimes, accuracy_loss
from scheduler.onboard import Onboard
from scheduler.placement import (
    Encoding,
    Escalation,
    LinkView,
    Pipeline,
    Placement,
    Policy,
    View,
)
from scheduler.tasks import Task
from scheduler.uplink import Uplink

EMIT_MARGIN_NS = 4_000_000  # a timer fires late by up to 1-2 ms on a busy machine, and publishing
LOCAL_MARGIN_NS = 2_000_000  # between an onboard answer and the emission
START_SLACK_NS = 2_000_000  # the fallback's timer may fire this late and its run still fit
ENCODE_PRIOR_NS = 4_000_000  # 640x384 at q60 on one core
LEAST_CHANCE = 0.1  # of an escalated frame to be back in time; raising it saves bytes
UNSURE_PRIOR = 0.5  # share of first looks, before there were any
UNSURE_RATE = 0.05  # of its mean; raising it follows the street faster, and its noise
PIPELINES: tuple[Pipeline, ...] = get_args(Pipeline)


def escalation_gain(share: float) -> float:
    """Of the F1 between a rung and a unit's model, the share that its unsure frames hold.

    Unsure frames hold more of it than their number: a curve through what `benchmarks/escalation.py`
    measured (docs/perception/pipelines.md).
    """
    return 1.0 - float((1.0 - share) ** 2.5)


class Placer:
    """The policy with its guard; a policy that raises never stops the stream."""

    def __init__(
        self,
        policy: Policy,
        onboard: Onboard,
        uplinks: Mapping[str, Uplink],
        counters: Counters,
        *,
        qualities: Sequence[int],
        frame_interval_ns: int,
        carry_accuracy: float,
        watts: float,
        pipelines: Sequence[Pipeline] = ("onboard", "offload"),
    ) -> None:
        self.policy = policy
        self._onboard = onboard
        self._uplinks = uplinks
        self._counters = counters
        self._qualities = qualities
        self._frame_interval_ns = frame_interval_ns
        self._carry_accuracy = carry_accuracy
        self._watts = watts
        self._pipelines = frozenset(pipelines)
        self._unsure_share = UNSURE_PRIOR
        self._sizes: dict[str, JpegSizes] = {}
        self._encode = StageTimes(ENCODE_PRIOR_NS)
        self._previous: dict[str, Placement] = {}

    def place(self, task: Task, now_ns: int) -> Placement:
        """The policy's placement, or the best onboard one with the reason why not its own."""
        view = self.view(task, now_ns)
        try:
            placement = self.policy.place(task, view)
            problem = self._objection(placement, task)
        except Exception as error:  # noqa: BLE001 - a user's policy must never stop the stream
            problem = f"policy raised {type(error).__name__}: {error}"[:200]
        if problem:
            self._counters.policy_faults += 1
            rung = view.fitting_rung(task.deadline_ns, now_ns)
            model = rung.model if rung else self._models()[0] if self._models() else ""
            placement = Placement("onboard" if model else "carry", model, reason=problem)
        self._previous[task.camera_id] = placement
        return placement

    def on_encoded(
        self, task: Task, placement: Placement, size_bytes: int, duration_ns: int, now_ns: int
    ) -> None:
        """What encoding a frame took, for the next prediction."""
        self._encode.add(duration_ns, now_ns)
        sizes = self._sizes.setdefault(task.camera_id, JpegSizes())
        sizes.add(placement.quality, task.width * task.height, size_bytes)

    def on_first_look(self, is_unsure: bool) -> None:
        """What an onboard rung thought of a frame that might be escalated."""
        self._unsure_share += UNSURE_RATE * (is_unsure - self._unsure_share)

    def has_chance(
        self, task: Task, placement: Placement, uplink: Uplink, due_ns: int, now_ns: int
    ) -> bool:
        """Whether a frame that is encoded from now on may be answered in time.

        A small chance is enough: an answer is in hand, and what is sent tells of the link.
        """
        sizes = self._sizes.setdefault(task.camera_id, JpegSizes())
        size_bytes = sizes.expected_bytes(placement.quality, task.width * task.height)
        encode_ns = self._encode.quantile_ns(0.5, now_ns)
        service_ns = [m.service_ns for m in uplink.models if m.model == placement.model]
        remaining_ns = due_ns - now_ns - encode_ns - sum(service_ns)
        return uplink.estimator.p_in_time(size_bytes, remaining_ns, now_ns) >= LEAST_CHANCE

    def allowed(self, task: Task) -> frozenset[Pipeline]:
        """The pipelines that this task may take."""
        with_pixels: frozenset[Pipeline] = frozenset(("offload", "escalate"))
        return self._pipelines - with_pixels if task.stays_on_board else self._pipelines

    def view(self, task: Task, now_ns: int) -> View:
        """What the policy sees for this task."""
        pixels = task.width * task.height
        sizes = self._sizes.setdefault(task.camera_id, JpegSizes())
        encode_ns = self._encode.quantile_ns(0.5, now_ns)
        allowed = self.allowed(task)
        share = self._unsure_share
        sends_pixels = bool(allowed & {"offload", "escalate"})
        return View(
            now_ns=now_ns,
            busy_until_ns=max(now_ns, self._onboard.busy_until_ns),
            rungs=self._onboard.rungs(now_ns),
            links=self._links(now_ns) if allowed - {"onboard"} else (),
            encodings=tuple(
                Encoding(q, sizes.expected_bytes(q, pixels), encode_ns, accuracy_loss(q))
                for q in (self._qualities if sends_pixels else ())
            ),
            carry_accuracy=self._carry_accuracy,
            frame_interval_ns=self._frame_interval_ns,
            emit_margin_ns=EMIT_MARGIN_NS,
            margin_ns=EMIT_MARGIN_NS + LOCAL_MARGIN_NS,
            previous=self._previous.get(task.camera_id),
            watts=self._watts,
            pipelines=allowed,
            features=self._onboard.features(now_ns) if "split" in allowed else (),
            escalation=Escalation(share, escalation_gain(share)) if "escalate" in allowed else None,
        )

    def _links(self, now_ns: int) -> tuple[LinkView, ...]:
        return tuple(
            LinkView(
                uplink.unit_id,
                uplink.state(now_ns),
                uplink.credits_free,
                uplink.models,
                uplink.estimator,
                uplink.splits,
            )
            for uplink in self._uplinks.values()
        )

    def _objection(self, placement: Placement, task: Task) -> str:
        place = placement.place
        if place == "carry":
            return ""
        if place not in PIPELINES:
            return f"policy chose {place!r}, expected {', '.join(PIPELINES)} or carry"
        allowed = self.allowed(task)
        if place not in allowed and place != "onboard":
            why = "a task that stays on board" if place in self._pipelines else "this vehicle"
            return f"policy chose {place}, which is no pipeline of {why}"
        if place != "onboard" and (problem := self._objection_to_unit(placement)):
            return problem
        if place in ("onboard", "escalate") and placement.rung not in self._models():
            return f"policy chose {placement.label!r}, which is no rung of this vehicle"
        if place == "split" and placement.model not in self._onboard.encoders:
            return f"policy chose {placement.label!r}, whose first half is not on this vehicle"
        return ""

    def _objection_to_unit(self, placement: Placement) -> str:
        uplink = self._uplinks.get(placement.unit_id)
        if uplink is None:
            return f"policy chose {placement.unit_id!r}, which is no unit of this vehicle"
        is_split = placement.place == "split"
        offered = uplink.splits if is_split else uplink.models
        if uplink.models and placement.model not in [m.model for m in offered]:
            return f"policy chose {placement.label!r}, a model that the unit does not offer"
        if not is_split and placement.quality not in range(1, 96):
            return f"policy chose JPEG quality {placement.quality}, expected 1 to 95"
        return ""

    def _models(self) -> list[str]:
        return [spec.model for spec in self._onboard.specs]
