"""Asks the policy, with all it may look at, and checks its answer (sans-IO)."""

from collections.abc import Mapping, Sequence
from typing import get_args

from scheduler.carrying import Look, Looks
from scheduler.effects import Counters
from scheduler.onboard import Onboard, RungSpec
from scheduler.outcomes import Outcomes
from scheduler.pictures import Pictures
from scheduler.placement import (
    Escalation,
    Learner,
    LinkView,
    Outcome,
    Pipeline,
    Placement,
    Policy,
    RemoteModel,
    View,
)
from scheduler.tasks import Task
from scheduler.uplink import Uplink

EMIT_MARGIN_NS = 4_000_000  # a timer fires late by up to 1-2 ms on a busy machine, and publishing
LOCAL_MARGIN_NS = 2_000_000  # between an onboard answer and the emission
START_SLACK_NS = 2_000_000  # the fallback's timer may fire this late and its run still fit
LEAST_CHANCE = 0.1  # of an escalated frame to be back in time; raising it saves bytes
UNSURE_PRIOR = 0.5  # share of first looks, before there were any
UNSURE_RATE = 0.05  # of its mean; raising it follows the street faster, and its noise
PIPELINES: tuple[Pipeline, ...] = get_args(Pipeline)
QUALITIES = range(1, 96)  # of JPEGs
WITH_PIXELS: frozenset[Pipeline] = frozenset(("offload", "escalate"))


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
        pictures: Pictures,
        *,
        frame_interval_ns: int,
        carry_accuracy: float,
        watts: float,
        pipelines: Sequence[Pipeline] = ("onboard", "offload"),
    ) -> None:
        self.policy = policy
        self._learner = policy if isinstance(policy, Learner) else None
        self.outcomes = Outcomes(self._tell if self._learner is not None else None)
        self._onboard = onboard
        self._uplinks = uplinks
        self._counters = counters
        self._pictures = pictures
        self._frame_interval_ns = frame_interval_ns
        self._looks = Looks(carry_accuracy)
        self._watts = watts
        self._pipelines = frozenset(pipelines)
        self._pipelines_of_guarded = self._pipelines - WITH_PIXELS
        self._unsure_share = UNSURE_PRIOR
        self._previous: dict[str, Placement] = {}

    def place(self, task: Task, now_ns: int) -> Placement:
        """The policy's placement, or the best onboard one with the reason why not its own."""
        self.outcomes.expire(now_ns)
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
        if placement.probe is None:
            self._previous[task.camera_id] = placement
        return placement

    def on_encoded(
        self, task: Task, placement: Placement, size_bytes: int, duration_ns: int, now_ns: int
    ) -> None:
        """What encoding a frame took, for the next prediction."""
        size = (placement.width, placement.height)
        self._pictures.on_encoded(task, placement.quality, size, size_bytes, duration_ns, now_ns)

    def on_look(self, task: Task, model: str, unit_id: str = "") -> None:
        """A model answered for a frame, on board or at a unit; for what carrying is then worth."""
        known: Sequence[RemoteModel | RungSpec] = self._onboard.specs
        if unit_id:
            uplink = self._uplinks[unit_id]
            known = (*uplink.models, *uplink.splits) if uplink.splits else uplink.models
        for each in known:
            if each.model == model:
                self._looks.add(task.camera_id, Look(task.stamp_ns, each.accuracy))
                return

    def on_first_look(self, is_unsure: bool) -> None:
        """What an onboard rung thought of a frame that might be escalated."""
        self._unsure_share += UNSURE_RATE * (is_unsure - self._unsure_share)

    def has_chance(
        self, task: Task, placement: Placement, uplink: Uplink, due_ns: int, now_ns: int
    ) -> bool:
        """Whether a frame that is encoded from now on may be answered in time.

        A small chance is enough: an answer is in hand, and what is sent tells of the link.
        """
        size = (placement.width, placement.height)
        encoding = self._pictures.of(task, placement.quality, size, now_ns)
        service_ns = [m.service_ns for m in uplink.models if m.model == placement.model]
        remaining_ns = due_ns - now_ns - encoding.encode_ns - sum(service_ns)
        p = uplink.estimator.p_in_time(encoding.size_bytes, remaining_ns, now_ns)
        return p >= LEAST_CHANCE

    def allowed(self, task: Task) -> frozenset[Pipeline]:
        """The pipelines that this task may take."""
        return self._pipelines_of_guarded if task.stays_on_board else self._pipelines

    def view(self, task: Task, now_ns: int) -> View:
        """What the policy sees for this task."""
        allowed = self.allowed(task)
        share = self._unsure_share
        is_sending = len(allowed) > ("onboard" in allowed)
        sends_pixels = "offload" in allowed or "escalate" in allowed
        counters = self._counters
        return View(
            now_ns=now_ns,
            busy_until_ns=max(now_ns, self._onboard.busy_until_ns),
            rungs=self._onboard.rungs(now_ns),
            links=self._links(now_ns) if is_sending else (),
            encodings=self._pictures.encodings(task, now_ns) if sends_pixels else (),
            carry_accuracy=self._looks.worth(task.camera_id, task.stamp_ns, task.change),
            frame_interval_ns=self._frame_interval_ns,
            emit_margin_ns=EMIT_MARGIN_NS,
            margin_ns=EMIT_MARGIN_NS + LOCAL_MARGIN_NS,
            previous=self._previous.get(task.camera_id),
            watts=self._watts,
            pipelines=allowed,
            features=self._onboard.features(now_ns) if "split" in allowed else (),
            escalation=Escalation(share, escalation_gain(share)) if "escalate" in allowed else None,
            spent_joules=self._watts * counters.local_ns / 1e9,
            sent_bytes=counters.sent_bytes,
        )

    def _links(self, now_ns: int) -> tuple[LinkView, ...]:
        return tuple(
            [
                LinkView(
                    uplink.unit_id,
                    uplink.state(now_ns),
                    uplink.credits_free(now_ns),
                    uplink.models,
                    uplink.estimator,
                    uplink.splits,
                    uplink.snr_db,
                    len(uplink.flights) + len(uplink.encoding),
                )
                for uplink in self._uplinks.values()
            ]
        )

    def _tell(self, outcome: Outcome) -> None:
        """The policy learns; one that cannot is counted and stops nothing."""
        try:
            assert self._learner is not None
            self._learner.on_outcome(outcome)
        except Exception:  # noqa: BLE001 - as `place`
            self._counters.policy_faults += 1

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
        if place in ("onboard", "escalate") and not _has_model(self._onboard.specs, placement.rung):
            return f"policy chose {placement.label!r}, which is no rung of this vehicle"
        if place == "split" and placement.model not in self._onboard.encoders:
            return f"policy chose {placement.label!r}, whose first half is not on this vehicle"
        if placement.probe is not None:
            if place != "onboard" or placement.probe.place != "offload":
                return f"policy chose {placement.label!r}, expected a probe offloaded, of onboard"
            return self._objection(placement.probe, task)
        return self._objection_to_hedge(placement) if placement.hedge else ""

    def _objection_to_hedge(self, placement: Placement) -> str:
        if placement.place != "offload":
            return f"policy chose {placement.label!r}, expected a hedge beside an offload alone"
        other = placement.hedge
        if other != "local" and (other not in self._uplinks or other == placement.unit_id):
            known = ", ".join(("local", *self._uplinks))
            return f"policy chose the hedge {other!r}, expected another one of {known}"
        return ""

    def _objection_to_unit(self, placement: Placement) -> str:
        uplink = self._uplinks.get(placement.unit_id)
        if uplink is None:
            return f"policy chose {placement.unit_id!r}, which is no unit of this vehicle"
        is_split = placement.place == "split"
        offered = uplink.splits if is_split else uplink.models
        if uplink.models and not _has_model(offered, placement.model):
            return f"policy chose {placement.label!r}, a model that the unit does not offer"
        if not is_split and placement.quality not in QUALITIES:
            return f"policy chose JPEG quality {placement.quality}, expected 1 to 95"
        return ""

    def _models(self) -> list[str]:
        return [spec.model for spec in self._onboard.specs]


def _has_model(known: Sequence[RemoteModel] | Sequence[RungSpec], name: str) -> bool:
    for each in known:  # noqa: SIM110 - a generator costs more
        if each.model == name:
            return True
    return False
