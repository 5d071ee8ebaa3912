"""A dispatcher in virtual time: a fake vehicle, encoder, worker, link and unit for tests.

Events are (instant, number, call); nothing sleeps and no clock is read.
"""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from scheduler.dispatcher import Dispatcher
from scheduler.effects import (
    Correct,
    Effect,
    Emit,
    Encode,
    EncodeFeatures,
    Ping,
    Reopen,
    RunFlow,
    RunLocal,
    Send,
    UnitReport,
)
from scheduler.onboard import EncoderSpec, RungSpec
from scheduler.placement import Pipeline, Policy, split_name
from scheduler.tasks import Task

MS = 1_000_000
SECOND = 1_000 * MS


@dataclass
class FakeLink:
    """A link with a rate, a delay and times at which it is dead (answers vanish)."""

    rate_bps: float = 20e6
    delay_ms: float = 5.0
    service_ms: float = 15.0
    dead: list[tuple[float, float]] = field(default_factory=list)  # (from, to) in ms
    has_split: bool = True  # whether the unit has the second half of "medium"
    heads: tuple[str, ...] = ()  # that its models have
    free_ns: int = 0

    def is_dead(self, now_ns: int) -> bool:
        return any(start * MS <= now_ns < end * MS for start, end in self.dead)


class VirtualDrive:
    """Runs a dispatcher; `emitted` holds (instant, Emit) of every verdict."""

    def __init__(
        self,
        policy: Policy,
        *,
        fps: float = 10.0,
        deadline_ms: float = 100.0,
        local_ms: float = 40.0,
        encode_ms: float = 3.0,
        size_bytes: int = 20_000,
        links: dict[str, FakeLink] | None = None,
        window: int = 2,
        timer_lag_ms: float = 0.5,
        rungs: Sequence[RungSpec] | None = None,
        pipelines: Sequence[Pipeline] = ("onboard", "offload"),
        split_ms: float = 10.0,
        feature_bytes: int = 2_000,
        doubt: Callable[[int], float] = lambda task_id: 0.0,
        doubt_above: float = 0.5,
        has_flow: bool = False,
        heads: tuple[str, ...] = (),
        stays_on_board: bool = False,
        resolutions: Sequence[tuple[int, int]] = (),
        change: Callable[[int], float] = lambda task_id: 1.0,
    ) -> None:
        self.links = links if links is not None else {"rsu": FakeLink()}
        self.local_ms, self.encode_ms, self.size_bytes = local_ms, encode_ms, size_bytes
        self.split_ms, self.feature_bytes, self.doubt = split_ms, feature_bytes, doubt
        self.heads, self.stays_on_board = heads, stays_on_board
        self.change = change
        self.deadline_ms, self.fps, self.timer_lag_ms = deadline_ms, fps, timer_lag_ms
        self.dispatcher = Dispatcher(
            policy,
            rungs or [RungSpec("small", 0.5, int(local_ms * MS))],
            list(self.links),
            accuracies={"large": 0.8, split_name("medium"): 0.75},
            now_ns=0,
            window=window,
            frame_interval_ns=int(SECOND / fps),
            pipelines=pipelines,
            resolutions=resolutions,
            shrunk={"large": {(320, 192): 0.7}},
            encoders=[EncoderSpec("medium", int(split_ms * MS), feature_bytes)],
            doubt_above=doubt_above,
            flow_ns=50 * MS if has_flow else 0,
        )
        self.now_ns = 0
        self.emitted: list[tuple[int, Emit]] = []
        self.corrected: list[Correct] = []
        self.effects: list[tuple[int, Effect]] = []
        self._queue: list[tuple[int, int, Callable[[], list[Effect]]]] = []
        self._number = 0
        self._held: dict[int, RunLocal | EncodeFeatures | RunFlow] = {}  # event -> worker's job
        self._do(self.dispatcher.on_worker(True, 0))
        for unit in self.links:
            self.at(1 * MS, lambda unit=unit: self._welcome(unit))

    def at(self, when_ns: int, call: Callable[[], list[Effect]]) -> None:
        self._number += 1
        heapq.heappush(self._queue, (when_ns, self._number, call))

    def frames(self, count: int, first_ms: float = 500.0) -> None:
        for k in range(count):
            stamp = int(first_ms * MS + k * SECOND / self.fps)
            self.at(stamp, lambda k=k, stamp=stamp: self._frame(k + 1, stamp))

    def run(self, until_ms: float) -> None:
        """Process events and owed timers in order until this instant."""
        end = int(until_ms * MS)
        while True:
            due = self.dispatcher.next_timer_ns()
            timer = None if due is None else max(self.now_ns, due) + int(self.timer_lag_ms * MS)
            event = self._queue[0][0] if self._queue else None
            candidates = [t for t in (timer, event) if t is not None]
            if not candidates or min(candidates) > end:
                self.now_ns = end
                return
            if event is not None and (timer is None or event <= timer):
                when, _, call = heapq.heappop(self._queue)
                self.now_ns = max(self.now_ns, when)
                self._do(call())
            else:
                assert timer is not None
                self.now_ns = timer
                self._do(self.dispatcher.on_timer(timer))

    def _frame(self, task_id: int, stamp_ns: int) -> list[Effect]:
        deadline = stamp_ns + int(self.deadline_ms * MS)
        task = Task(
            task_id,
            "ego",
            "front",
            task_id,
            stamp_ns,
            "object_detection",
            stamp_ns,
            deadline,
            640,
            384,
            self.stays_on_board,
            self.heads,
            self.change(task_id),
        )
        return self.dispatcher.on_frame(task, self.now_ns)

    def _welcome(self, unit: str) -> list[Effect]:
        link = self.links[unit]
        if link.is_dead(self.now_ns):
            self.at(self.now_ns + 200 * MS, lambda: self._welcome(unit))
            return []
        service_ns = int(link.service_ms * MS)
        splits = [("medium", service_ns)] if link.has_split else []
        heads = {"large": link.heads}
        return self.dispatcher.on_welcome(
            unit, 4, [("large", service_ns)], self.now_ns, splits, heads
        )

    def _do(self, effects: list[Effect]) -> None:
        for effect in effects:
            self.effects.append((self.now_ns, effect))
            self._carry_out(effect)

    def _carry_out(self, effect: Effect) -> None:
        now = self.now_ns
        if isinstance(effect, Emit):
            self.emitted.append((now, effect))
        elif isinstance(effect, Correct):
            self.corrected.append(effect)
        elif isinstance(effect, Encode):
            self.at(
                now + int(self.encode_ms * MS),
                lambda: self.dispatcher.on_encoded(
                    effect.task.task_id, self.size_bytes, int(self.encode_ms * MS), self.now_ns
                ),
            )
        elif isinstance(effect, RunLocal):
            task_id, model, took_ns = effect.task.task_id, effect.model, int(self.local_ms * MS)
            self._run(
                effect,
                took_ns,
                lambda: self.dispatcher.on_local_done(
                    task_id, model, "boxes", took_ns, self.now_ns, self.doubt(task_id)
                ),
            )
        elif isinstance(effect, EncodeFeatures):
            task_id, model, took_ns = effect.task.task_id, effect.model, int(self.split_ms * MS)
            self._run(
                effect,
                took_ns,
                lambda: self.dispatcher.on_features(
                    task_id, model, self.feature_bytes, took_ns, self.now_ns
                ),
            )
        elif isinstance(effect, RunFlow):
            self._run(effect, 2 * MS, lambda: self.dispatcher.on_flow_done(2 * MS, self.now_ns))
        elif isinstance(effect, Send):
            self._send(effect)
        elif isinstance(effect, Ping):
            link = self.links[effect.unit_id]
            if not link.is_dead(now):
                self.at(
                    now + int(2 * link.delay_ms * MS),
                    lambda: self.dispatcher.on_pong(effect.unit_id, effect.number, self.now_ns),
                )
        elif isinstance(effect, Reopen):
            self.at(now + 50 * MS, lambda: self._welcome(effect.unit_id))

    def drop_runs(self) -> list[RunLocal | EncodeFeatures | RunFlow]:
        """The worker dies: the jobs that it held, which will not end."""
        held, self._held = list(self._held.values()), {}
        return held

    def _run(
        self,
        effect: RunLocal | EncodeFeatures | RunFlow,
        took_ns: int,
        end: Callable[[], list[Effect]],
    ) -> None:
        number = self._number + 1

        def done() -> list[Effect]:
            return end() if self._held.pop(number, None) is not None else []

        assert not self._held, "the worker does one job at a time"
        self._held[number] = effect
        self.at(self.now_ns + took_ns, done)

    def _send(self, effect: Send) -> None:
        link, now = self.links[effect.unit_id], self.now_ns
        self._do(self.dispatcher.on_sent(effect, True, now))
        size_bytes = self.size_bytes if effect.payload_kind == "jpeg" else self.feature_bytes
        link.free_ns = max(now, link.free_ns) + int(size_bytes * 8.4 / link.rate_bps * SECOND)
        done = link.free_ns + int((2 * link.delay_ms + link.service_ms) * MS)
        if link.is_dead(now) or link.is_dead(done):
            return
        report = UnitReport("ok", 0, 2 * MS, int(link.service_ms * MS) - 2 * MS, 4)
        self.at(
            done,
            lambda: self.dispatcher.on_result(
                effect.unit_id, effect.seq, report, "remote boxes", self.now_ns
            ),
        )
