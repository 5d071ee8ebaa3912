"""Tasks on their way out: credits, the newest-frame slot, leases, stalls and the way back home."""

from collections.abc import Mapping

from scheduler.effects import (
    Cancel,
    Close,
    Counters,
    Effect,
    Encode,
    Open,
    Ping,
    Reopen,
    Send,
    UnitReport,
)
from scheduler.handover import Decision, Handover
from scheduler.open_tasks import REMEMBERED_TASKS, OpenTask, OpenTasks
from scheduler.placement import Placement
from scheduler.uplink import FOREVER_NS, MIN_LEASE_NS, Flight, Uplink


class Offloading:
    """What the dispatcher does with its links."""

    def __init__(
        self,
        uplinks: Mapping[str, Uplink],
        open_tasks: OpenTasks,
        counters: Counters,
        handover: Handover | None = None,
    ) -> None:
        self._uplinks = uplinks
        self._open = open_tasks
        self._counters = counters
        self._handover = handover
        self._answered: dict[int, None] = {}  # tasks that one copy of a hedged request answered
        self._seq = 0

    def begin(self, entry: OpenTask, effects: list[Effect], now_ns: int) -> None:
        """Take a credit and have the frame encoded, or wait for a credit, or go home.

        A hedged frame takes a credit of each of its two links, or goes over the one that has one.
        """
        placement = entry.sent_as
        uplink = self._uplinks[placement.unit_id]
        second = self._second(placement, now_ns)
        if second is not None and (
            uplink.state(now_ns) != "up" or uplink.credits_free(now_ns) <= 0
        ):
            uplink, second = second, None
        state = uplink.state(now_ns)
        task_id = entry.task.task_id
        if state != "up":
            self.send_home(task_id, f"{uplink.unit_id}: link {state}")
        elif uplink.credits_free(now_ns) > 0:
            uplink.encoding.add(task_id)
            if second is not None:
                second.encoding.add(task_id)
            if placement.place == "split":
                entry.wants_features = True  # as soon as the onboard detector is free
            else:
                effects.append(
                    Encode(entry.task, placement.quality, placement.width, placement.height)
                )
        else:
            if uplink.waiting is not None:
                problem = f"{uplink.unit_id}: a newer frame took its place"
                self.send_home(uplink.waiting, problem)
            uplink.waiting = task_id

    def _second(self, placement: Placement, now_ns: int) -> Uplink | None:
        """The link that gets a duplicate of a hedged placement, if it can take one now."""
        second = self._uplinks.get(placement.hedge)
        if second is None or placement.place != "offload" or second.unit_id == placement.unit_id:
            return None
        is_free = second.state(now_ns) == "up" and second.credits_free(now_ns) > 0
        return (
            second if is_free and second.offers(placement.hedge_model or placement.model) else None
        )

    def refill(self, uplink: Uplink, effects: list[Effect], now_ns: int) -> None:
        """A credit may be free: the waiting frame takes it."""
        if uplink.waiting is None or uplink.credits_free(now_ns) <= 0:
            return
        entry = self._open.get(uplink.waiting)
        if entry is not None and uplink.pace.is_nearly_due(now_ns - entry.arrived_ns):
            return
        uplink.waiting = None
        if entry is not None and entry.is_out:
            self.begin(entry, effects, now_ns)

    def send_home(self, task_id: int, problem: str) -> None:
        """The offload of this task is over: if it is still open, it wants an onboard answer now.

        Not if a copy of it may still be answered over another link.
        """
        entry = self._open.get(task_id)
        if entry is None or entry.placement.probe is not None:
            return  # a copy that is not answered changes nothing
        if not any(u.carries(task_id) for u in self._uplinks.values()):
            entry.problem, entry.wants_local, entry.wants_features = problem, True, False

    def give_up(self, entry: OpenTask, problem: str, effects: list[Effect], now_ns: int) -> None:
        """An encoding that was not sent: its credit serves the next, the task goes home."""
        task_id = entry.task.task_id
        holders = self.holders(task_id)
        for uplink in holders:
            uplink.encoding.discard(task_id)
        self.send_home(task_id, problem)
        for uplink in holders:
            self.refill(uplink, effects, now_ns)

    def send(
        self, task_id: int, size_bytes: int, duration_ns: int, effects: list[Effect], now_ns: int
    ) -> None:
        """An encoded frame leaves, if it is still wanted (`size_bytes` 0: encoding failed)."""
        holders = self.holders(task_id)
        entry = self._open.get(task_id)
        if not holders:
            return
        if entry is None:
            for uplink in holders:
                uplink.encoding.discard(task_id)
                self.refill(uplink, effects, now_ns)
            return
        entry.stages_ns["encode"] = duration_ns
        if size_bytes == 0 or entry.due_ns <= now_ns:
            problem = "encoded too late" if size_bytes else "encoding failed"
            self.give_up(entry, problem, effects, now_ns)
            return
        entry.size_bytes = size_bytes
        is_hedged = len(holders) > 1
        effects.extend([self._request(entry, uplink, is_hedged, now_ns) for uplink in holders])

    def _request(self, entry: OpenTask, uplink: Uplink, is_hedged: bool, now_ns: int) -> Send:
        self._seq += 1
        placement = entry.sent_as
        is_split = placement.place == "split"
        is_other = placement.hedge_model and uplink.unit_id == placement.hedge
        model = placement.hedge_model if is_other else placement.model
        return Send(
            entry.task,
            uplink.unit_id,
            self._seq,
            model,
            uplink.estimator.service_budget_ns(entry.size_bytes, entry.due_ns, now_ns),
            "features" if is_split else "jpeg",
            () if is_split else uplink.heads_of(model, entry.task.heads),
            placement.width,
            placement.height,
            is_hedged,
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
            uplink.pace.on_sent(uplink.turn_ns(effect.model, is_split), now_ns)
            uplink.flights[effect.seq] = Flight(
                task.task_id, effect.model, lease_ns, is_split, task.deadline_ns, effect.is_hedged
            )
            self._counters.offload.hedged += (
                effect.is_hedged and effect.unit_id != entry.sent_as.unit_id
                if entry is not None
                else 0
            )
            if entry is None:
                uplink.estimator.on_sent(effect.seq, 1, now_ns)
            else:
                uplink.estimator.on_sent(
                    effect.seq,
                    entry.size_bytes,
                    now_ns,
                    entry.due_ns,
                    uplink.service_ns(effect.model, is_split),
                    # What was promised of two links together is no promise of either.
                    -1.0 if effect.is_hedged else entry.sent_as.p_in_time,
                )
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
        turn_ns = uplink.turn_ns(flight.model, flight.is_split)
        waited_ns = max(0, report.at_unit_ns - turn_ns)
        uplink.pace.on_answer(waited_ns, turn_ns, len(uplink.flights), now_ns)
        on_link_ns = uplink.estimator.on_answer(
            seq, report.at_unit_ns, report.queue_ns, now_ns, is_ok=report.status == "ok"
        )
        downlink_ns = min(on_link_ns, uplink.estimator.rtt_min_ns // 2)
        return flight, {
            "uplink": on_link_ns - downlink_ns,
            "queue": report.queue_ns,
            "decode": report.decode_ns,
            "infer": report.infer_ns,
            "downlink": downlink_ns,
        }

    def is_spare(self, flight: Flight, now_ns: int) -> bool:
        """Whether the other copy of a hedged request has answered its task; counts this one then.

        The first answer that finds the task open is remembered, and is none itself.
        """
        task_id, counters = flight.task_id, self._counters.offload
        if not flight.is_hedged:
            return False
        if task_id not in self._answered:
            if self._open.get(task_id) is not None:
                self._answered[task_id] = None
                if len(self._answered) > REMEMBERED_TASKS:
                    del self._answered[next(iter(self._answered))]
            return False
        counters.spare += 1
        if now_ns <= flight.deadline_ns:
            counters.ok += 1
        else:
            counters.late += 1
        return True

    def stop_encoding(self, entry: OpenTask, effects: list[Effect], now_ns: int) -> None:
        """Whose verdict is out needs no encoding; one that runs still gives its credit back."""
        holders = self.holders(entry.task.task_id)
        if not holders:
            return
        if entry.wants_features:  # it never began
            for uplink in holders:
                uplink.encoding.discard(entry.task.task_id)
                self.refill(uplink, effects, now_ns)
        elif entry.sent_as.place != "split":
            effects.append(Cancel(entry.task))

    def holders(self, task_id: int) -> list[Uplink]:
        """The links whose credits the encoding of this task holds."""
        return [u for u in self._uplinks.values() if task_id in u.encoding]

    def on_timer(self, effects: list[Effect], until_ns: int, now_ns: int) -> None:
        """Leases, stalls and pings that are due, and the choice of links."""
        for uplink in self._uplinks.values():
            if not uplink.is_open:
                continue
            self._expire(uplink, effects, until_ns)
            if uplink.estimator.is_stalled(until_ns):
                self._reopen(uplink, effects, now_ns)
            if uplink.ping_due_ns() <= until_ns:
                effects.append(Ping(uplink.unit_id, uplink.ping(now_ns)))
        if self._handover is not None and self._handover.is_choosing:
            self._hand_over(self._handover.decide(self._uplinks, until_ns), effects, now_ns)

    def next_timer_ns(self) -> int:
        """When `on_timer` is due for the links and their choice; far away when for nothing."""
        due_ns = FOREVER_NS
        for uplink in self._uplinks.values():
            if uplink.is_open and (link_ns := uplink.next_timer_ns()) < due_ns:
                due_ns = link_ns
        if self._handover is None:
            return due_ns
        handover_ns = self._handover.next_ns()
        return due_ns if handover_ns is None or handover_ns > due_ns else handover_ns

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
        if self._handover is not None:
            self._handover.on_lost(uplink.unit_id)
        self._drop_all(uplink, "link stalled", now_ns)
        if uplink.is_leaving:
            return  # nothing is in flight now: it closes
        self._counters.offload.reopened += 1
        effects.append(Reopen(uplink.unit_id))

    def _drop_all(self, uplink: Uplink, why: str, now_ns: int) -> None:
        self._counters.offload.lost += len(uplink.flights)
        for task_id in uplink.open(now_ns):
            self.send_home(task_id, f"{uplink.unit_id}: {why}")

    def _hand_over(self, decision: Decision, effects: list[Effect], now_ns: int) -> None:
        for link_id in decision.closed:
            uplink = self._uplinks[link_id]
            self._drop_all(uplink, "link closed", now_ns)
            uplink.is_open = uplink.is_leaving = False
            self._counters.offload.closed += 1
            effects.append(Close(link_id))
        for link_id in decision.opened:
            uplink = self._uplinks[link_id]
            uplink.is_open = True
            uplink.open(now_ns)
            self._counters.offload.opened += 1
            effects.append(Open(link_id))
        for link_id in decision.leaving:
            uplink = self._uplinks[link_id]
            uplink.is_leaving = True
            waiting, uplink.waiting = uplink.waiting, None
            if waiting is not None:
                self.send_home(waiting, f"{link_id}: left for a better link")
