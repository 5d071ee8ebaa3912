"""Asks the policy, with all it may look at, and checks its answer (sans-IO)."""

from collections.abc import Mapping, Sequence

from scheduler.effects import Counters
from scheduler.latency import JpegSizes, StageTimes, accuracy_loss
from scheduler.onboard import Onboard
from scheduler.placement import Encoding, LinkView, Placement, Policy, View
from scheduler.tasks import Task
from scheduler.uplink import Uplink

EMIT_MARGIN_NS = 4_000_000  # a timer fires late by up to 1-2 ms on a busy machine, and publishing
LOCAL_MARGIN_NS = 2_000_000  # between an onboard answer and the emission
START_SLACK_NS = 2_000_000  # the fallback's timer may fire this late and its run still fit
ENCODE_PRIOR_NS = 4_000_000  # 640x384 at q60 on one core


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
    ) -> None:
        self.policy = policy
        self._onboard = onboard
        self._uplinks = uplinks
        self._counters = counters
        self._qualities = qualities
        self._frame_interval_ns = frame_interval_ns
        self._carry_accuracy = carry_accuracy
        self._watts = watts
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

    def view(self, task: Task, now_ns: int) -> View:
        """What the policy sees for this task."""
        pixels = task.width * task.height
        sizes = self._sizes.setdefault(task.camera_id, JpegSizes())
        links = tuple(
            LinkView(
                uplink.unit_id,
                uplink.state(now_ns),
                uplink.credits_free,
                uplink.models,
                uplink.estimator,
            )
            for uplink in self._uplinks.values()
        )
        encode_ns = self._encode.quantile_ns(0.5, now_ns)
        return View(
            now_ns=now_ns,
            busy_until_ns=max(now_ns, self._onboard.busy_until_ns),
            rungs=self._onboard.rungs(now_ns),
            links=() if task.stays_on_board else links,
            encodings=tuple(
                Encoding(q, sizes.expected_bytes(q, pixels), encode_ns, accuracy_loss(q))
                for q in self._qualities
            ),
            carry_accuracy=self._carry_accuracy,
            frame_interval_ns=self._frame_interval_ns,
            emit_margin_ns=EMIT_MARGIN_NS,
            margin_ns=EMIT_MARGIN_NS + LOCAL_MARGIN_NS,
            previous=self._previous.get(task.camera_id),
            watts=self._watts,
        )

    def _objection(self, placement: Placement, task: Task) -> str:
        if placement.place == "onboard" and placement.model not in self._models():
            return f"policy chose {placement.label!r}, which is no rung of this vehicle"
        if placement.place == "offload":
            return self._objection_to_offload(placement, task)
        if placement.place not in ("onboard", "carry"):
            return f"policy chose {placement.place!r}, expected onboard, offload or carry"
        return ""

    def _objection_to_offload(self, placement: Placement, task: Task) -> str:
        uplink = self._uplinks.get(placement.unit_id)
        if uplink is None:
            return f"policy chose {placement.unit_id!r}, which is no unit of this vehicle"
        if uplink.models and placement.model not in [m.model for m in uplink.models]:
            return f"policy chose {placement.label!r}, a model that the unit does not offer"
        if task.stays_on_board:
            return "policy offloaded a task that stays on board"
        if placement.quality not in range(1, 96):
            return f"policy chose JPEG quality {placement.quality}, expected 1 to 95"
        return ""

    def _models(self) -> list[str]:
        return [spec.model for spec in self._onboard.specs]
