"""One verdict per task, no later than its deadline: the state machine between policy and world.

Sans-IO. The driver calls an `on_*` method for everything that happens, with the time; it gets back
effects, which it carries out in order, and owes the dispatcher `on_timer` at `next_timer_ns()`.
The same object runs in a vehicle and in virtual time.

A verdict is emitted when the placed pipeline answers, or `EMIT_MARGIN_NS` before the deadline with
the best answer there is by then: an onboard one, else tracks carried to now. It is never held back
for a better one, and an answer that comes after it only corrects the tracks.
"""

from collections.abc import Mapping, Sequence

from scheduler.effects import (
    AnswerKind,
    Correct,
    Counters,
    Effect,
    Emit,
    Send,
    UnitReport,
)
from scheduler.handover import Handover
from scheduler.link_events import LinkEvents
from scheduler.local_work import LocalWork
from scheduler.offloading import Offloading
from scheduler.onboard import FLOW, EncoderSpec, Onboard, RungSpec
from scheduler.open_tasks import OpenTask, OpenTasks
from scheduler.pictures import Pictures
from scheduler.placement import Pipeline, Policy, Size, split_name
from scheduler.placer import EMIT_MARGIN_NS, Placer
from scheduler.radio_map import RadioMaps
from scheduler.tasks import Task
from scheduler.uplink import FOREVER_NS, Uplink


class Dispatcher(LinkEvents):
    """All open tasks of one vehicle.

    Args:
        policy: Decides each task; one that raises is counted and the task goes on board.
        rungs: Onboard detectors.
        units: Ids of the roadside units that the vehicle may use.
        accuracies: Expected F1 of each remote model.
        window: Requests in flight per link; more hides round trips and adds age.
        qualities: JPEG qualities that a placement may use, best first.
        resolutions: Widths and heights that a frame may be sent at; empty = as it is.
        shrunk: Expected F1 of remote models by the size of the picture that is sent.
        frame_interval_ns: Between frames of one camera.
        carry_accuracy: Expected F1 of tracks moved without a model; below every rung's.
        watts: Declared draw while an onboard model runs.
        pipelines: That a placement may take.
        encoders: First halves of split models that run on board.
        doubt_above: Bits; a first look with more doubt is unsure: raising it sends fewer frames.
        flow_ns: The worker measures motion when it is free and that takes no longer; 0 = never.
        handover: Chooses the links that are open; None = all are. The driver opens at the start
            those that `uplinks` then calls open.
        radio_maps: Where links broke and what they carried, learned by place; None = not asked.
    """

    def __init__(
        self,
        policy: Policy,
        rungs: Sequence[RungSpec],
        units: Sequence[str],
        *,
        accuracies: dict[str, float],
        now_ns: int,
        window: int = 2,
        qualities: Sequence[int] = (80, 60, 40),
        resolutions: Sequence[Size] = (),
        shrunk: Mapping[str, Mapping[Size, float]] | None = None,
        frame_interval_ns: int = 100_000_000,
        carry_accuracy: float = 0.2,
        watts: float = 10.0,
        pipelines: Sequence[Pipeline] = ("onboard", "offload"),
        encoders: Sequence[EncoderSpec] = (),
        doubt_above: float = 2.0,
        flow_ns: int = 0,
        handover: Handover | None = None,
        radio_maps: RadioMaps | None = None,
    ) -> None:
        self.counters = Counters()
        self.onboard = Onboard(rungs, encoders)
        maps = {unit: radio_maps.of(unit) for unit in units} if radio_maps is not None else {}
        super().__init__(
            {
                unit: Uplink(unit, window, accuracies, now_ns, maps.get(unit), frame_interval_ns)
                for unit in units
            },
            handover,
            now_ns,
        )
        for uplink in self.uplinks.values():
            uplink.shrunk = shrunk or {}
        self.placer = Placer(
            policy,
            self.onboard,
            self.uplinks,
            self.counters,
            Pictures(qualities, resolutions),
            frame_interval_ns=frame_interval_ns,
            carry_accuracy=carry_accuracy,
            watts=watts,
            pipelines=pipelines,
        )
        self._doubt_above = doubt_above
        self._open = OpenTasks(self.onboard)
        self._out = Offloading(self.uplinks, self._open, self.counters, self._handover)
        self.work = LocalWork(self.onboard, self._open, self._out, flow_ns)
        self._now_ns = now_ns

    # --- events of the vehicle -------------------------------------------------------------

    def on_frame(self, task: Task, now_ns: int) -> list[Effect]:
        """A task arrived: ask the policy and act on its placement."""
        effects: list[Effect] = []
        self.counters.tasks += 1
        placement = self.placer.place(task, now_ns)
        due_ns = max(now_ns, task.deadline_ns - EMIT_MARGIN_NS)
        is_home = placement.place in ("onboard", "escalate")
        entry = OpenTask(task, placement, now_ns, due_ns, is_home)
        self._open.add(entry)
        if placement.place == "carry":
            self._emit(entry, "carried", "as placed", effects, now_ns)
        elif not is_home:
            if placement.hedge == "local":
                entry.runs_beside = True
                self.counters.hedged += 1
            self._out.begin(entry, effects, now_ns)
        self._advance(effects, now_ns)
        if placement.probe is not None:
            self._out.begin(entry, effects, now_ns)
        self.work.measure_motion(task, effects, now_ns)
        return effects

    def on_encoded(
        self, task_id: int, size_bytes: int, duration_ns: int, now_ns: int
    ) -> list[Effect]:
        """The JPEG is there (`size_bytes` 0: it could not be written)."""
        effects: list[Effect] = []
        entry = self._open.get(task_id)
        if entry is not None and size_bytes:
            self.placer.on_encoded(entry.task, entry.sent_as, size_bytes, duration_ns, now_ns)
        self._out.send(task_id, size_bytes, duration_ns, effects, now_ns)
        self._advance(effects, now_ns)
        return effects

    def on_features(
        self, task_id: int, model: str, size_bytes: int, duration_ns: int, now_ns: int
    ) -> list[Effect]:
        """A model's first half is done (`size_bytes` 0: it failed)."""
        effects: list[Effect] = []
        self.onboard.stop()
        self.counters.local_ns += duration_ns
        if size_bytes:
            self.onboard.measure(split_name(model), duration_ns, now_ns)
            self.onboard.measure_size(model, size_bytes)
        else:
            self.counters.local_faults += 1
        self._out.send(task_id, size_bytes, duration_ns, effects, now_ns)
        self._advance(effects, now_ns)
        return effects

    def on_flow_done(self, duration_ns: int, now_ns: int) -> list[Effect]:
        """The worker measured motion, or failed to (`duration_ns` 0): it is free again."""
        effects: list[Effect] = []
        self.onboard.stop()
        if duration_ns:
            self.onboard.measure(FLOW, duration_ns, now_ns)
        self._advance(effects, now_ns)
        return effects

    def on_sent(self, effect: Send, is_sent: bool, now_ns: int) -> list[Effect]:
        """Whether the transport took the request."""
        effects: list[Effect] = []
        entry = self._open.get(effect.task.task_id)
        if is_sent and entry is not None:
            size_bytes, placement = entry.size_bytes, entry.sent_as
            self.counters.sent_bytes += size_bytes
            self.placer.outcomes.on_sent(
                effect.seq, effect.task, placement, effect.unit_id, size_bytes, now_ns
            )
        self._out.on_sent(effect, is_sent, effects, now_ns)
        if not is_sent:  # then the task may want an answer from on board
            self._advance(effects, now_ns)
        return effects

    def on_local_done(
        self,
        task_id: int,
        model: str,
        answer: object,
        duration_ns: int,
        now_ns: int,
        doubt: float = 0.0,
    ) -> list[Effect]:
        """An onboard run answered; `doubt`: how unsure it is, by the driver's measure."""
        effects: list[Effect] = []
        self.onboard.stop()
        self.onboard.measure(model, duration_ns, now_ns)
        self.counters.local_ns += duration_ns
        entry = self._looked(task_id, model, "", answer, effects)
        if entry is not None:
            entry.local = (model, answer)
            entry.stages_ns["local"] = duration_ns
            if entry.wants_local:
                self._on_first_look(entry, doubt, effects, now_ns)
        self._advance(effects, now_ns)
        return effects

    def on_local_failed(self, task_id: int, reason: str, now_ns: int) -> list[Effect]:
        """An onboard run gave no answer; it may be tried again if there is time."""
        effects: list[Effect] = []
        self.onboard.stop()
        self.counters.local_faults += 1
        entry = self._open.get(task_id)
        if entry is not None:
            is_first_look = entry.placement.place == "escalate" and not entry.problem
            entry.problem = reason
            if is_first_look:  # then the unit is asked at once
                entry.wants_local = False
                self._out.begin(entry, effects, now_ns)
        self._advance(effects, now_ns)
        return effects

    def on_worker(self, is_ready: bool, now_ns: int) -> list[Effect]:
        """The inference worker came up or went down."""
        effects: list[Effect] = []
        self.onboard.is_ready = is_ready
        self._advance(effects, now_ns)
        return effects

    # --- events of the links ---------------------------------------------------------------

    def on_result(
        self, unit_id: str, seq: int, report: UnitReport, answer: object, now_ns: int
    ) -> list[Effect]:
        """A unit answered with detections."""
        effects: list[Effect] = []
        uplink = self.uplinks[unit_id]
        answered = self._out.on_answer(uplink, seq, report, now_ns)
        if answered is None:
            return effects
        flight, stages_ns = answered
        if self._out.is_spare(flight, now_ns):
            is_in_time = now_ns <= flight.deadline_ns
            self.placer.outcomes.on_answer(seq, report.at_unit_ns, is_in_time, now_ns)
            return self._refilled(uplink, effects, now_ns)
        entry = self._looked(flight.task_id, flight.model, unit_id, answer, effects)
        self.placer.outcomes.on_answer(seq, report.at_unit_ns, entry is not None, now_ns)
        if entry is None:
            self.counters.offload.late += 1
        else:
            uplink.on_report(flight, report.credits, report.decode_ns + report.infer_ns)
            entry.stages_ns |= stages_ns
            self.counters.offload.ok += 1
            reason = f"{entry.look}{unit_id} looked too" if entry.look else "as placed"
            self._emit(entry, "offloaded", reason, effects, now_ns, (unit_id, flight.model, answer))
        return self._refilled(uplink, effects, now_ns)

    def on_reject(self, unit_id: str, seq: int, report: UnitReport, now_ns: int) -> list[Effect]:
        """A unit answered without detections: rejected, too late for it, or bad."""
        effects: list[Effect] = []
        uplink = self.uplinks[unit_id]
        answered = self._out.on_answer(uplink, seq, report, now_ns)
        if answered is None:
            return effects
        flight = answered[0]
        self.placer.outcomes.on_answer(seq, report.at_unit_ns, False, now_ns)
        if report.status == "late":
            self.counters.offload.late += 1
        else:
            self.counters.offload.rejected += 1
        uplink.retry_at_ns = max(uplink.retry_at_ns, now_ns + report.retry_after_ns)
        self._out.send_home(flight.task_id, f"{unit_id}: {report.status} {report.reason}".strip())
        return self._refilled(uplink, effects, now_ns)

    def _refilled(self, uplink: Uplink, effects: list[Effect], now_ns: int) -> list[Effect]:
        self.heard(uplink)
        self._out.refill(uplink, effects, now_ns)
        self._advance(effects, now_ns)
        return effects

    # --- time ------------------------------------------------------------------------------

    def on_timer(self, now_ns: int, due_ns: int = 0) -> list[Effect]:
        """Leases, stalls, pings, then verdicts and the fallback: all that is due until `due_ns`.

        Only what leaves now is stamped with it: `due_ns` may lie some milliseconds ahead.
        """
        effects: list[Effect] = []
        until_ns = max(now_ns, due_ns)
        self._out.on_timer(effects, until_ns, now_ns)
        self._advance(effects, until_ns)
        return effects

    def next_timer_ns(self) -> int | None:
        """When `on_timer` is due; None when nothing is pending."""
        due_ns = self._open.next_timer_ns(self._out.next_timer_ns(), self._now_ns)
        return due_ns if due_ns < FOREVER_NS else None

    def shutdown(self, now_ns: int) -> list[Effect]:
        """Close every open task and count what is in flight as lost."""
        effects: list[Effect] = []
        self._out.shutdown(now_ns)
        for entry in list(self._open):
            self._emit_best(entry, "shutdown", effects, now_ns)
        return effects

    @property
    def open_tasks(self) -> int:
        """Tasks that still owe their verdict."""
        return len(self._open)

    # --- the stages of a pipeline ----------------------------------------------------------

    def _on_first_look(
        self, entry: OpenTask, doubt: float, effects: list[Effect], now_ns: int
    ) -> None:
        """The onboard answer that a task waited for: its verdict, unless a first look is unsure."""
        if entry.placement.place != "escalate" or entry.problem:
            self._emit(entry, "onboard", entry.problem or "as placed", effects, now_ns)
            return
        is_unsure = doubt > self._doubt_above
        self.counters.first_looks += 1
        self.placer.on_first_look(is_unsure)
        if not is_unsure:
            self._emit(entry, "onboard", f"sure, doubt {doubt:.2f}", effects, now_ns)
            return
        entry.doubt = doubt
        uplink = self.uplinks[entry.placement.unit_id]
        if not self.placer.has_chance(entry.task, entry.placement, uplink, entry.due_ns, now_ns):
            problem = f"{uplink.unit_id} could not answer in time"
            self._emit(entry, "onboard", entry.look + problem, effects, now_ns)
            return
        self.counters.escalated += 1
        entry.wants_local = False
        self._out.begin(entry, effects, now_ns)

    def _looked(
        self, task_id: int, model: str, unit_id: str, answer: object, effects: list[Effect]
    ) -> OpenTask | None:
        """A model answered for a task; one that has its verdict already corrects the tracks."""
        entry = self._open.get(task_id)
        task = entry.task if entry is not None else self._open.closed(task_id)
        if task is not None:
            self.placer.on_look(task, model, unit_id)
            if entry is None:
                effects.append(Correct(task, model, answer))
        return entry

    # --- verdicts and the fallback ---------------------------------------------------------

    def _advance(self, effects: list[Effect], now_ns: int) -> None:
        self._now_ns = now_ns
        if not self._open and self.work.carried is None:
            return
        while ripe := self._open.ripe(now_ns):  # one verdict may send another task home
            for entry in ripe:
                self._emit_best(entry, "deadline", effects, now_ns)
        self.work.start(effects, now_ns)

    def _emit_best(self, entry: OpenTask, why: str, effects: list[Effect], now_ns: int) -> None:
        kind: AnswerKind = "carried" if entry.local is None else "onboard"
        self._emit(entry, kind, entry.explanation(why), effects, now_ns)

    def _emit(
        self,
        entry: OpenTask,
        kind: AnswerKind,
        reason: str,
        effects: list[Effect],
        now_ns: int,
        remote: tuple[str, str, object] | None = None,
    ) -> None:
        task = entry.task
        self._open.remove(task.task_id)
        self._out.stop_encoding(entry, effects, now_ns)
        unit_id, model, answer = "", "", None
        if remote is not None:
            unit_id, model, answer = remote
        elif kind == "onboard" and entry.local is not None:
            model, answer = entry.local
        if kind == "carried":
            self.work.carried = entry
        is_late = now_ns > task.deadline_ns
        self.counters.on_verdict(kind, is_late)
        effects.append(
            Emit(task, entry.placement, kind, reason, unit_id, model, answer, is_late,
                 dict(entry.stages_ns), entry.size_bytes)
        )  # fmt: skip
