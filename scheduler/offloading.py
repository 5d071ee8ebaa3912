"""Tasks on their way out: credits, the newest-frame slot, leases, stalls and the way back home."""

from collections.abc import Mapping

from scheduler.effects import Cancel, Counters, Effect, Encode, Ping, Reopen, Send, UnitReport
from scheduler.open_tasks import OpenTask, OpenTasks
from scheduler.uplink import MIN_LEASE_NS, Flight, Uplink


class Offloading:
    """What the dispatcher does with its links."""

    def __init__(
        self, uplinks: Mapping[str, Uplink], open_tasks: OpenTasks, counters: Counters
    ) -> None:
        self._uplinks = uplinks
        self._open = open_tasks
        self._counters = counters
        self._seq = 0

    def begin(self, entry: OpenTask, effects: list[Effect], now_ns: int) -> None:
        """Take a credit and have the frame encoded, or wait for a credit, or go home."""
        placement = entry.placement
        uplink = self._uplinks[placement.unit_id]
        state = uplink.state(now_ns)
        task_id = entry.task.task_id
        if state != "up":
            self.send_home(task_id, f"{placement.unit_id}: link {state}")
        elif uplink.credits_free > 0:
            uplink.encoding.add(task_id)
            if placement.place == "split":
                entry.wants_features = True  # as soon as the onboard detector is free
            else:
                effects.append(
                    Encode(entry.task, placement.quality, placement.width, placement.height)
                )
        else:
            if uplink.waiting is not None:
                problem = f"{placement.unit_id}: a newer frame took its place"
                self.send_home(uplink.waiting, problem)
            uplink.waiting = task_id

    def refill(self, uplink: Uplink, effects: list[Effect], now_ns: int) -> None:
        """A credit may be free: the waiting frame takes it."""
        if uplink.waiting is None or uplink.credits_free <= 0:
            return
        entry = self._open.get(uplink.waiting)
        uplink.waiting = None
        if entry is not None and entry.is_out:
            self.begin(entry, effects, now_ns)

    def send_home(self, task_id: int, problem: str) -> None:
        """The offload of this task is over: if it is still open, it wants an onboard answer now."""
        entry = self._open.get(task_id)
        if entry is not None:
            entry.problem, entry.wants_local, entry.wants_features = problem, True, False

    def give_up(self, entry: OpenTask, problem: str, effects: list[Effect], now_ns: int) -> None:
        """An encoding that was not sent: its credit serves the next, the task goes home."""
        uplink = self.holder(entry.task.task_id)
        self.send_home(entry.task.task_id, problem)
        if uplink is not None:
            uplink.encoding.discard(entry.task.task_id)
            self.refill(uplink, effects, now_ns)

    def send(
        self, task_id: int, size_bytes: int, duration_ns: int, effects: list[Effect], now_ns: int
    ) -> None:
        """An encoded frame leaves, if it is still wanted (`size_bytes` 0: encoding failed)."""
        uplink = self.holder(task_id)
        entry = self._open.get(task_id)
        if uplink is None:
            return
        if entry is None:
            uplink.encoding.discard(task_id)
            self.refill(uplink, effects, now_ns)
            return
        entry.stages_ns["encode"] = duration_ns
        if size_bytes == 0 or entry.due_ns <= now_ns:
            problem = "encoded too late" if size_bytes else "encoding failed"
            self.give_up(entry, problem, effects, now_ns)
            return
        entry.size_bytes = size_bytes
        self._seq += 1
        model, is_split = entry.placement.model, entry.placement.place == "split"
        effects.append(
            Send(
                entry.task,
                uplink.unit_id,
                self._seq,
                model,
                uplink.estimator.service_budget_ns(size_bytes, entry.due_ns, now_ns),
                "features" if is_split else "jpeg",
                () if is_split else uplink.heads_of(model, entry.task.heads),
                entry.placement.width,
                entry.placement.height,
            )
        )

    def on_sent(self, effect: Send, is_sent: bool, effects: list[Effect], now_ns: int) -> None:
        """Whether the transport took the request."""
        uplink = self._uplinks[effect.unit_id]
        task = effect.task
        uplink.encoding.discard(task.task_id)
        entry = self._open.get(task.task_id)
        if is_sent:
            self._counters.offload.sent += 1
            lease_ns = now_ns + max(MIN_LEASE_NS, 4 * (task.deadline_ns - task.stamp_ns))
            is_split = effect.payload_kind == "features"
            uplink.flights[effect.seq] = Flight(task.task_id, effect.model, lease_ns, is_split)
            uplink.estimator.on_sent(effect.seq, entry.size_bytes if entry else 1, now_ns)
            return
        if entry is not None:
            entry.size_bytes = 0
            self.send_home(task.task_id, f"{effect.unit_id}: socket full or away")
        self.refill(uplink, effects, now_ns)

    def on_answer(
        self, uplink: Uplink, seq: int, report: UnitReport, now_ns: int
    ) -> tuple[Flight, dict[str, int]] | None:
        """The request that an answer ends, and its stages; None when nobody expects it."""
        flight = uplink.flights.pop(seq, None)
        if flight is None:
            self._counters.duplicates += 1
            return None
        on_link_ns = uplink.estimator.on_answer(seq, report.at_unit_ns, report.queue_ns, now_ns)
        downlink_ns = min(on_link_ns, uplink.estimator.rtt_min_ns // 2)
        return flight, {
            "uplink": on_link_ns - downlink_ns,
            "queue": report.queue_ns,
            "decode": report.decode_ns,
            "infer": report.infer_ns,
            "downlink": downlink_ns,
        }

    def stop_encoding(self, entry: OpenTask, effects: list[Effect], now_ns: int) -> None:
        """Whose verdict is out needs no encoding; one that runs still gives its credit back."""
        uplink = self.holder(entry.task.task_id)
        if uplink is None:
            return
        if entry.wants_features:  # it never began
            uplink.encoding.discard(entry.task.task_id)
            self.refill(uplink, effects, now_ns)
        elif entry.placement.place != "split":
            effects.append(Cancel(entry.task))

    def holder(self, task_id: int) -> Uplink | None:
        """The link whose credit the encoding of this task holds."""
        return next((u for u in self._uplinks.values() if task_id in u.encoding), None)

    def on_timer(self, effects: list[Effect], until_ns: int, now_ns: int) -> None:
        """Leases, stalls and pings that are due."""
        for uplink in self._uplinks.values():
            self._expire(uplink, effects, until_ns)
            if uplink.estimator.is_stalled(until_ns):
                self._reopen(uplink, effects, now_ns)
            if uplink.ping_due_ns() <= until_ns:
                effects.append(Ping(uplink.unit_id, uplink.ping(now_ns)))

    def timers_ns(self) -> list[int]:
        """When `on_timer` is due, of each link."""
        return [uplink.next_timer_ns() for uplink in self._uplinks.values()]

    def shutdown(self, now_ns: int) -> None:
        """What is in flight is lost."""
        for uplink in self._uplinks.values():
            self._counters.offload.lost += len(uplink.flights)
            uplink.open(now_ns)

    def _expire(self, uplink: Uplink, effects: list[Effect], now_ns: int) -> None:
        expired = uplink.expire(now_ns)
        self._counters.offload.lost += len(expired)
        for task_id in expired:
            self.send_home(task_id, f"{uplink.unit_id}: no answer within the lease")
        if expired:
            self.refill(uplink, effects, now_ns)

    def _reopen(self, uplink: Uplink, effects: list[Effect], now_ns: int) -> None:
        self._counters.offload.lost += len(uplink.flights)
        self._counters.offload.reopened += 1
        for task_id in uplink.open(now_ns):
            self.send_home(task_id, f"{uplink.unit_id}: link stalled")
        effects.append(Reopen(uplink.unit_id))
