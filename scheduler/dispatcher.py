"""One verdict per task, no later than its deadline: the state machine between policy and world.

Sans-IO. The driver calls an `on_*` method for everything that happens, with the time; it gets back
effects, which it carries out in order, and owes the dispatcher `on_timer` at `next_timer_ns()`.
The same object runs in a vehicle and in virtual time.

A verdict is emitted when the placed pipeline answers, or `EMIT_MARGIN_NS` before the deadline with
the best answer there is by then: an onboard one, else tracks carried to now. It is never held back
for a better one, and an answer that comes after it only corrects the tracks.
"""

from collections.abc import Sequence

from scheduler.effects import (
    AnswerKind,
    Cancel,
    Correct,
    Counters,
    Effect,
    Emit,
    Encode,
    Ping,
    Reopen,
    RunLocal,
    Send,
    UnitReport,
)
from scheduler.onboard import Onboard, RungSpec
from scheduler.open_tasks import OpenTask, OpenTasks
from scheduler.placement import Policy
from scheduler.placer import EMIT_MARGIN_NS, Placer
from scheduler.tasks import Task
from scheduler.uplink import MIN_LEASE_NS, Flight, Uplink


class Dispatcher:
    """All open tasks of one vehicle.

    Args:
        policy: Decides each task; one that raises is counted and the task goes on board.
        rungs: Onboard detectors.
        units: Ids of the roadside units that the vehicle may use.
        accuracies: Expected F1 of each remote model.
        window: Requests in flight per link; more hides round trips and adds age.
        qualities: JPEG qualities that a placement may use, best first.
        frame_interval_ns: Between frames of one camera.
        carry_accuracy: Expected F1 of tracks moved without a model; below every rung's.
        watts: Declared draw while an onboard model runs.
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
        frame_interval_ns: int = 100_000_000,
        carry_accuracy: float = 0.2,
        watts: float = 10.0,
    ) -> None:
        self.counters = Counters()
        self.onboard = Onboard(rungs)
        self.uplinks = {unit: Uplink(unit, window, accuracies, now_ns) for unit in units}
        self.placer = Placer(
            policy,
            self.onboard,
            self.uplinks,
            self.counters,
            qualities=tuple(qualities),
            frame_interval_ns=frame_interval_ns,
            carry_accuracy=carry_accuracy,
            watts=watts,
        )
        self._open = OpenTasks(self.onboard)
        self._carried: OpenTask | None = None  # the newest since the detector was last given out
        self._now_ns = now_ns
        self._seq = 0

    # --- events of the vehicle -------------------------------------------------------------

    def on_frame(self, task: Task, now_ns: int) -> list[Effect]:
        """A task arrived: ask the policy and act on its placement."""
        effects: list[Effect] = []
        self.counters.tasks += 1
        placement = self.placer.place(task, now_ns)
        due_ns = max(now_ns, task.deadline_ns - EMIT_MARGIN_NS)
        entry = OpenTask(task, placement, now_ns, due_ns, placement.place == "onboard")
        self._open.add(entry)
        if placement.place == "carry":
            self._emit(entry, "carried", "as placed", effects, now_ns)
        elif placement.place == "offload":
            self._offload(entry, effects, now_ns)
        self._advance(effects, now_ns)
        return effects

    def on_encoded(
        self, task_id: int, size_bytes: int, duration_ns: int, now_ns: int
    ) -> list[Effect]:
        """The JPEG is there (`size_bytes` 0: it could not be written)."""
        effects: list[Effect] = []
        uplink = self._holding_credit(task_id)
        entry = self._open.get(task_id)
        if entry is None or uplink is None:
            if uplink is not None:
                uplink.encoding.discard(task_id)
                self._fill_slot(uplink, effects, now_ns)
            return effects
        entry.stages_ns["encode"] = duration_ns
        if size_bytes == 0 or entry.due_ns <= now_ns:
            uplink.encoding.discard(task_id)
            self._send_home(task_id, "encoded too late" if size_bytes else "encoding failed")
            self._fill_slot(uplink, effects, now_ns)
        else:
            entry.size_bytes = size_bytes
            self.placer.on_encoded(entry.task, entry.placement, size_bytes, duration_ns, now_ns)
            self._seq += 1
            budget = uplink.estimator.service_budget_ns(size_bytes, entry.due_ns, now_ns)
            model = entry.placement.model
            effects.append(Send(entry.task, uplink.unit_id, self._seq, model, budget))
        self._advance(effects, now_ns)
        return effects

    def on_sent(self, effect: Send, is_sent: bool, now_ns: int) -> list[Effect]:
        """Whether the transport took the request."""
        effects: list[Effect] = []
        uplink = self.uplinks[effect.unit_id]
        task = effect.task
        uplink.encoding.discard(task.task_id)
        entry = self._open.get(task.task_id)
        if is_sent:
            self.counters.offload.sent += 1
            lease_ns = now_ns + max(MIN_LEASE_NS, 4 * (task.deadline_ns - task.stamp_ns))
            uplink.flights[effect.seq] = Flight(task.task_id, effect.model, lease_ns)
            uplink.estimator.on_sent(effect.seq, entry.size_bytes if entry else 1, now_ns)
        else:
            if entry is not None:
                entry.size_bytes = 0
                self._send_home(task.task_id, f"{effect.unit_id}: socket full or away")
            self._fill_slot(uplink, effects, now_ns)
        self._advance(effects, now_ns)
        return effects

    def on_local_done(
        self, task_id: int, model: str, answer: object, duration_ns: int, now_ns: int
    ) -> list[Effect]:
        """An onboard run answered."""
        effects: list[Effect] = []
        self.onboard.stop()
        self.onboard.measure(model, duration_ns, now_ns)
        entry = self._open.get(task_id)
        if entry is None:
            self._correct(task_id, model, answer, effects)
        else:
            entry.local = (model, answer)
            entry.stages_ns["local"] = duration_ns
            if entry.wants_local:
                self._emit(entry, "onboard", entry.problem or "as placed", effects, now_ns)
        self._advance(effects, now_ns)
        return effects

    def on_local_failed(self, task_id: int, reason: str, now_ns: int) -> list[Effect]:
        """An onboard run gave no answer; it may be tried again if there is time."""
        effects: list[Effect] = []
        self.onboard.stop()
        self.counters.local_faults += 1
        entry = self._open.get(task_id)
        if entry is not None:
            entry.problem = reason
        self._advance(effects, now_ns)
        return effects

    def on_worker(self, is_ready: bool, now_ns: int) -> list[Effect]:
        """The inference worker came up or went down."""
        effects: list[Effect] = []
        self.onboard.is_ready = is_ready
        self._advance(effects, now_ns)
        return effects

    # --- events of the links ---------------------------------------------------------------

    def on_welcome(
        self, unit_id: str, credits: int, models: Sequence[tuple[str, int]], now_ns: int
    ) -> list[Effect]:
        """A unit admitted the session; `models` holds (name, typical inference in ns)."""
        self.uplinks[unit_id].on_welcome(credits, models, now_ns)
        return self.on_timer(now_ns)

    def on_pong(self, unit_id: str, number: int, now_ns: int) -> list[Effect]:
        """A ping came back."""
        self.uplinks[unit_id].on_pong(number, now_ns)
        return self.on_timer(now_ns)

    def on_result(
        self, unit_id: str, seq: int, report: UnitReport, answer: object, now_ns: int
    ) -> list[Effect]:
        """A unit answered with detections."""
        effects: list[Effect] = []
        uplink = self.uplinks[unit_id]
        flight = uplink.flights.pop(seq, None)
        if flight is None:
            self.counters.duplicates += 1
            return effects
        on_link_ns = uplink.estimator.on_answer(seq, report.at_unit_ns, report.queue_ns, now_ns)
        entry = self._open.get(flight.task_id)
        if entry is None:
            self.counters.offload.late += 1
            self._correct(flight.task_id, flight.model, answer, effects)
        else:
            uplink.on_report(flight.model, report.credits, report.decode_ns + report.infer_ns)
            entry.stages_ns |= {
                "uplink": max(0, on_link_ns - uplink.estimator.rtt_min_ns // 2),
                "queue": report.queue_ns,
                "decode": report.decode_ns,
                "infer": report.infer_ns,
                "downlink": min(on_link_ns, uplink.estimator.rtt_min_ns // 2),
            }
            self.counters.offload.ok += 1
            self._emit(entry, "offloaded", "as placed", effects, now_ns, (unit_id, answer))
        self._fill_slot(uplink, effects, now_ns)
        self._advance(effects, now_ns)
        return effects

    def on_reject(self, unit_id: str, seq: int, report: UnitReport, now_ns: int) -> list[Effect]:
        """A unit answered without detections: rejected, too late for it, or bad."""
        effects: list[Effect] = []
        uplink = self.uplinks[unit_id]
        flight = uplink.flights.pop(seq, None)
        if flight is None:
            self.counters.duplicates += 1
            return effects
        uplink.estimator.on_answer(seq, report.at_unit_ns, report.queue_ns, now_ns)
        if report.status == "late":
            self.counters.offload.late += 1
        else:
            self.counters.offload.rejected += 1
        uplink.retry_at_ns = max(uplink.retry_at_ns, now_ns + report.retry_after_ns)
        self._send_home(flight.task_id, f"{unit_id}: {report.status} {report.reason}".strip())
        self._fill_slot(uplink, effects, now_ns)
        self._advance(effects, now_ns)
        return effects

    # --- time ------------------------------------------------------------------------------

    def on_timer(self, now_ns: int, due_ns: int = 0) -> list[Effect]:
        """Leases, stalls, pings, then verdicts and the fallback: all that is due until `due_ns`.

        Only what leaves now is stamped with it: `due_ns` may lie some milliseconds ahead.
        """
        effects: list[Effect] = []
        until_ns = max(now_ns, due_ns)
        for uplink in self.uplinks.values():
            self._expire(uplink, effects, until_ns)
            if uplink.estimator.is_stalled(until_ns):
                self._reopen(uplink, effects, now_ns)
            if uplink.ping_due_ns() <= until_ns:
                effects.append(Ping(uplink.unit_id, uplink.ping(now_ns)))
        self._advance(effects, until_ns)
        return effects

    def next_timer_ns(self) -> int | None:
        """When `on_timer` is due; None when nothing is pending."""
        times = [uplink.next_timer_ns() for uplink in self.uplinks.values()]
        times += [entry.due_ns for entry in self._open]
        start = self._open.fallback_start_ns(self._now_ns)
        if start is not None and self.onboard.running_task is None:
            times.append(start)
        return min(times, default=None)

    def shutdown(self, now_ns: int) -> list[Effect]:
        """Close every open task and count what is in flight as lost."""
        effects: list[Effect] = []
        for uplink in self.uplinks.values():
            self.counters.offload.lost += len(uplink.flights)
            uplink.open(now_ns)
        for entry in list(self._open):
            self._emit_best(entry, "shutdown", effects, now_ns)
        return effects

    @property
    def open_tasks(self) -> int:
        """Tasks that still owe their verdict."""
        return len(self._open)

    # --- offloading ------------------------------------------------------------------------

    def _offload(self, entry: OpenTask, effects: list[Effect], now_ns: int) -> None:
        placement = entry.placement
        uplink = self.uplinks[placement.unit_id]
        state = uplink.state(now_ns)
        if state != "up":
            self._send_home(entry.task.task_id, f"{placement.unit_id}: link {state}")
        elif uplink.credits_free > 0:
            uplink.encoding.add(entry.task.task_id)
            effects.append(Encode(entry.task, placement.quality))
        else:
            if uplink.waiting is not None:
                problem = f"{placement.unit_id}: a newer frame took its place"
                self._send_home(uplink.waiting, problem)
            uplink.waiting = entry.task.task_id

    def _fill_slot(self, uplink: Uplink, effects: list[Effect], now_ns: int) -> None:
        if uplink.waiting is None or uplink.credits_free <= 0:
            return
        entry = self._open.get(uplink.waiting)
        uplink.waiting = None
        if entry is not None and not entry.wants_local and entry.local is None:
            self._offload(entry, effects, now_ns)

    def _send_home(self, task_id: int, problem: str) -> None:
        """The offload of this task is over: if it is still open, it wants an onboard answer now."""
        entry = self._open.get(task_id)
        if entry is not None:
            entry.problem, entry.wants_local = problem, True

    def _correct(self, task_id: int, model: str, answer: object, effects: list[Effect]) -> None:
        """An answer came after its verdict."""
        task = self._open.closed(task_id)
        if task is not None:
            effects.append(Correct(task, model, answer))

    def _holding_credit(self, task_id: int) -> Uplink | None:
        return next((u for u in self.uplinks.values() if task_id in u.encoding), None)

    # --- links -----------------------------------------------------------------------------

    def _expire(self, uplink: Uplink, effects: list[Effect], now_ns: int) -> None:
        expired = uplink.expire(now_ns)
        self.counters.offload.lost += len(expired)
        for task_id in expired:
            self._send_home(task_id, f"{uplink.unit_id}: no answer within the lease")
        if expired:
            self._fill_slot(uplink, effects, now_ns)

    def _reopen(self, uplink: Uplink, effects: list[Effect], now_ns: int) -> None:
        self.counters.offload.lost += len(uplink.flights)
        self.counters.offload.reopened += 1
        for task_id in uplink.open(now_ns):
            self._send_home(task_id, f"{uplink.unit_id}: link stalled")
        effects.append(Reopen(uplink.unit_id))

    # --- verdicts and the fallback ---------------------------------------------------------

    def _advance(self, effects: list[Effect], now_ns: int) -> None:
        self._now_ns = now_ns
        for entry in list(self._open):
            if entry.due_ns <= now_ns or (entry.wants_local and entry.local is not None):
                self._emit_best(entry, "deadline", effects, now_ns)
        self._start_local(effects, now_ns)

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
        remote: tuple[str, object] | None = None,
    ) -> None:
        task = entry.task
        self._open.remove(task.task_id)
        if self._holding_credit(task.task_id) is not None:
            effects.append(Cancel(task))
        unit_id, model, answer = "", "", None
        if remote is not None:
            (unit_id, answer), model = remote, entry.placement.model
        elif kind == "onboard" and entry.local is not None:
            model, answer = entry.local
        if kind == "carried":
            self._carried = entry
        is_late = now_ns > task.deadline_ns
        self.counters.on_verdict(kind, is_late)
        effects.append(
            Emit(task, entry.placement, kind, reason, unit_id, model, answer, is_late,
                 dict(entry.stages_ns), entry.size_bytes)
        )  # fmt: skip

    def _start_local(self, effects: list[Effect], now_ns: int) -> None:
        carried, self._carried = self._carried, None
        chosen = self._open.next_local(now_ns)
        if chosen is None and carried is not None:
            chosen = self._open.next_look(carried, now_ns)
        if chosen is not None:
            entry, model = chosen
            self.onboard.start(entry.task.task_id, model, now_ns)
            effects.append(RunLocal(entry.task, model))
