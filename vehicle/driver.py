"""Carries out what the dispatcher asks for, in real time, and brings it what happens.

One thread calls it. Nothing here waits: the worker, the encoder and the sockets take what they are
given or refuse it at once.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from scheduler import messages
from scheduler.clock import Clock
from scheduler.config import Vehicle
from scheduler.dispatcher import Dispatcher
from scheduler.effects import (
    Cancel,
    Correct,
    Effect,
    Emit,
    Encode,
    Ping,
    Reopen,
    RunLocal,
    Send,
)
from scheduler.tasks import Task
from vehicle.camera.base import Frame
from vehicle.encoder import Encoded
from vehicle.offload import Answered, Heard, OffloadLink, Ponged, Welcomed
from vehicle.perception.detections import Detections
from vehicle.perception.worker import Answer
from vehicle.report import Stages, Tally, UnitCounts
from vehicle.services.base import Advisory, AfterVerdict, Scene
from vehicle.services.registry import ServiceSet

log = logging.getLogger(__name__)

SLOW_NS = 10_000_000  # a service that takes longer is counted
MS = 1e6  # ns
Result = TypeVar("Result")


class Speaker(Protocol):
    """Where verdicts, events and pictures go; see `Outlet`."""

    def publish(self, message: messages.Verdict, *ids: str) -> None:
        """To watchers and into the log."""
        ...

    def event(self, level: str, text: str) -> None:
        """Something that a watcher wants to read."""
        ...

    def record_frame(self, frame: Frame) -> None:
        """A picture into the log."""
        ...


class LocalRunner(Protocol):
    """The inference worker, as far as the driver needs it."""

    @property
    def is_ready(self) -> bool:
        """Whether it takes jobs."""
        ...

    def detect(self, job_id: int, model: str, frame: NDArray[np.uint8]) -> bool:
        """Begin; False when it was not taken."""
        ...


class JpegWriter(Protocol):
    """The encoder, as far as the driver needs it."""

    def encode(self, task_id: int, image: NDArray[np.uint8], quality: int) -> None:
        """Begin."""
        ...

    def cancel(self, task_id: int) -> None:
        """It is wanted no more."""
        ...


class Surroundings(Protocol):
    """What the vehicle knows of its own motion."""

    pose: messages.Pose | None
    pose_stamp_ns: int
    route: tuple[tuple[float, float], ...]


Brake = Callable[[int, str, Advisory], None]  # tick, service, advisory


class Driver:
    """The dispatcher's hands.

    Args:
        services: Of each camera.
        accuracies: Expected F1 of every model, onboard and remote.
        brake: Takes advisories; None where nothing is controlled.
        surroundings: None where nobody publishes poses.
    """

    def __init__(
        self,
        vehicle: Vehicle,
        dispatcher: Dispatcher,
        worker: LocalRunner,
        encoder: JpegWriter,
        links: Mapping[str, OffloadLink],
        services: Mapping[str, ServiceSet],
        accuracies: Mapping[str, float],
        outlet: Speaker,
        clock: Clock,
        *,
        brake: Brake | None = None,
        surroundings: Surroundings | None = None,
    ) -> None:
        self.tally = Tally(units={unit: UnitCounts() for unit in links})
        self.stages = Stages()
        self._vehicle = vehicle
        self._dispatcher = dispatcher
        self._worker = worker
        self._encoder = encoder
        self._links = links
        self._services = services
        self._accuracies = accuracies
        self._outlet = outlet
        self._clock = clock
        self._brake = brake
        self._surroundings = surroundings
        self._frames: dict[int, Frame] = {}  # of open tasks
        self._emitted: list[int] = []  # tasks whose frames are wanted until their effects are done
        self._jpegs: dict[int, bytes] = {}
        self._started_ns: dict[int, int] = {}  # of the onboard runs
        self._looked_ns: dict[tuple[str, str], int] = {}  # newest frame that a model looked at
        self._next_task = 1
        self._was_ready = self._was_away = False

    # --- what happens ------------------------------------------------------------------------

    def on_frame(self, frame: Frame) -> None:
        """A camera gave a frame: each every-frame service owes a verdict now."""
        now_ns = self._clock.now_ns()
        self.tally.on_frame(now_ns)
        self._outlet.record_frame(frame)
        for name in self._services[frame.camera_id].every_frame:
            task = Task(
                self._next_task,
                self._vehicle.id,
                frame.camera_id,
                frame.tick,
                frame.sim_ns,
                name,
                frame.stamp_ns,
                frame.stamp_ns + round(self._vehicle.deadline_ms * MS),
                frame.width,
                frame.height,
                self._vehicle.stays_on_board,
            )
            self._next_task += 1
            self._frames[task.task_id] = frame
            self._carry_out(self._dispatcher.on_frame(task, now_ns))

    def on_answers(self, answers: Sequence[Answer]) -> None:
        """The worker answered, or died with what it held."""
        self.watch_worker()
        for answer in answers:
            now_ns = self._clock.now_ns()
            started_ns = self._started_ns.pop(answer.job_id, now_ns)
            if answer.is_ok and answer.detections is not None:
                effects = self._dispatcher.on_local_done(
                    answer.job_id, answer.model, answer.detections, now_ns - started_ns, now_ns
                )
            else:
                effects = self._dispatcher.on_local_failed(answer.job_id, answer.error, now_ns)
            self._carry_out(effects)

    def watch_worker(self) -> None:
        """Tell the dispatcher when the worker came up or went down."""
        if self._worker.is_ready != self._was_ready:
            self._was_ready = self._worker.is_ready
            if not self._was_ready:
                self._was_away = True
                self._outlet.event("warning", "the inference worker is away: tracks are carried")
            elif self._was_away:
                self._outlet.event("info", "the inference worker is back")
            effects = self._dispatcher.on_worker(self._was_ready, self._clock.now_ns())
            self._carry_out(effects)

    def on_encoded(self, encoded: Sequence[Encoded]) -> None:
        """JPEGs are there."""
        for item in encoded:
            self._jpegs[item.task_id] = item.jpeg
            effects = self._dispatcher.on_encoded(
                item.task_id, len(item.jpeg), item.duration_ns, self._clock.now_ns()
            )
            self._carry_out(effects)
            self._jpegs.pop(item.task_id, None)

    def on_heard(self, unit_id: str, heard: Sequence[Heard]) -> None:
        """A unit said something."""
        counts = self.tally.units[unit_id]
        total = self._dispatcher.counters.offload
        for item in heard:
            now_ns = self._clock.now_ns()
            ok, late, rejected = total.ok, total.late, total.rejected
            if isinstance(item, Welcomed):
                effects = self._dispatcher.on_welcome(unit_id, item.credits, item.models, now_ns)
            elif isinstance(item, Ponged):
                effects = self._dispatcher.on_pong(unit_id, item.number, now_ns)
            else:
                effects = self._on_answered(unit_id, item, now_ns)
            counts.ok += total.ok - ok
            counts.late += total.late - late
            counts.rejected += total.rejected - rejected
            self._carry_out(effects)

    def on_timer(self, due_ns: int = 0) -> None:
        """The dispatcher's timer is due, or `due_ns` is near enough to be taken for now."""
        self._carry_out(self._dispatcher.on_timer(self._clock.now_ns(), due_ns))

    def shutdown(self) -> None:
        """Every open task gets its verdict now."""
        self._carry_out(self._dispatcher.shutdown(self._clock.now_ns()))

    # --- what is to be done --------------------------------------------------------------------

    def _carry_out(self, effects: Sequence[Effect]) -> None:
        queue = deque(effects)
        while queue:
            effect = queue.popleft()
            match effect:
                case Emit():
                    self._emit(effect)
                case RunLocal():
                    queue.extend(self._run_local(effect))
                case Encode():
                    image = self._frames[effect.task.task_id].image
                    self._encoder.encode(effect.task.task_id, image, effect.quality)
                case Send():
                    queue.extend(self._send(effect))
                case Cancel():
                    self._encoder.cancel(effect.task.task_id)
                case Correct():
                    if isinstance(effect.answer, Detections):
                        self._learn(effect.task, effect.answer, effect.model)
                case Reopen():
                    self.tally.units[effect.unit_id].reopened += 1
                    self._links[effect.unit_id].reopen(self._clock.now_ns())
                case Ping():
                    self._links[effect.unit_id].ping(effect.number)
        for task_id in self._emitted:
            del self._frames[task_id]
        self._emitted.clear()

    def _run_local(self, effect: RunLocal) -> list[Effect]:
        task_id, now_ns = effect.task.task_id, self._clock.now_ns()
        if self._worker.detect(task_id, effect.model, self._frames[task_id].image):
            self._started_ns[task_id] = now_ns
            return []
        # Say that it is away first, else the dispatcher would ask again at once.
        self._was_ready = False
        effects = list(self._dispatcher.on_worker(False, now_ns))
        return effects + self._dispatcher.on_local_failed(task_id, "worker busy or away", now_ns)

    def _send(self, effect: Send) -> list[Effect]:
        now_ns = self._clock.now_ns()
        jpeg = self._jpegs.get(effect.task.task_id, b"")
        is_sent = bool(jpeg) and self._links[effect.unit_id].send(effect, jpeg, now_ns)
        self.tally.units[effect.unit_id].sent += is_sent
        return self._dispatcher.on_sent(effect, is_sent, now_ns)

    def _on_answered(self, unit_id: str, item: Answered, now_ns: int) -> list[Effect]:
        if item.detections is None:
            return self._dispatcher.on_reject(unit_id, item.seq, item.report, now_ns)
        return self._dispatcher.on_result(unit_id, item.seq, item.report, item.detections, now_ns)

    # --- verdicts ------------------------------------------------------------------------------

    def _emit(self, effect: Emit) -> None:
        task = effect.task
        frame = self._frames[task.task_id]
        self._emitted.append(task.task_id)
        service = self._services[task.camera_id].every_frame[task.service]
        if isinstance(effect.answer, Detections):
            self._learn(task, effect.answer, effect.model)
        now_ns = self._clock.now_ns()
        boxes = self._guarded(service.name, list[messages.Box](), service.boxes, now_ns)
        verdict = self._verdict(effect, boxes, now_ns, self._clock.now_ns())
        if verdict.is_late and not effect.is_late:  # what came after the decision took too long
            self._dispatcher.counters.late += 1
        self._measure(verdict, now_ns)
        self._outlet.publish(verdict, task.vehicle_id, task.camera_id, task.service)
        for follower in self._services[task.camera_id].followers(task.service):
            self._follow(follower, verdict, frame)

    def _verdict(
        self, effect: Emit, boxes: list[messages.Box], valid_ns: int, emitted_ns: int
    ) -> messages.Verdict:
        task = effect.task
        # Before the first look, the age is counted from the first frame.
        looked_ns = self._looked_ns.setdefault((task.camera_id, task.service), task.stamp_ns)
        return messages.Verdict(
            version=messages.VERSION,
            vehicle_id=task.vehicle_id,
            camera_id=task.camera_id,
            tick=task.tick,
            sim_ns=task.sim_ns,
            service=task.service,
            answer=effect.kind,
            reason=effect.reason,
            placed=effect.placement.label,
            placed_reason=effect.placement.reason,
            unit_id=effect.unit_id,
            model=effect.model,
            stamp_ns=task.stamp_ns,
            emitted_ns=emitted_ns,
            valid_ns=valid_ns,
            deadline_ns=task.deadline_ns,
            age_ms=(emitted_ns - task.stamp_ns) / MS,
            answer_age_ms=(emitted_ns - looked_ns) / MS,
            is_late=effect.is_late or emitted_ns > task.deadline_ns,
            stages_ms={name: ns / MS for name, ns in effect.stages_ns.items()},
            size_bytes=effect.size_bytes,
            boxes=boxes,
        )

    def _measure(self, verdict: messages.Verdict, now_ns: int) -> None:
        for stage, duration_ms in verdict.stages_ms.items():
            self.stages.add(stage, duration_ms, now_ns)
        self.stages.add("total", verdict.age_ms, now_ns)

    def _learn(self, task: Task, answer: Detections, model: str) -> None:
        service = self._services[task.camera_id].every_frame[task.service]
        accuracy = self._accuracies.get(model, max(self._accuracies.values(), default=0.0))
        self._guarded(service.name, None, service.on_answer, answer, task.stamp_ns, accuracy)
        key = (task.camera_id, task.service)
        self._looked_ns[key] = max(task.stamp_ns, self._looked_ns.get(key, 0))

    def _follow(self, follower: AfterVerdict, verdict: messages.Verdict, frame: Frame) -> None:
        around = self._surroundings
        scene = Scene(
            frame,
            around.pose if around else None,
            around.pose_stamp_ns if around else 0,
            around.route if around else (),
        )
        none: list[Advisory] = []
        for advisory in self._guarded(follower.name, none, follower.on_verdict, verdict, scene):
            if advisory.is_new:
                self._outlet.event("warning", f"{follower.name}: brakes, {advisory.reason}")
            if self._brake is not None:
                self._brake(verdict.tick, follower.name, advisory)

    def _guarded(
        self, name: str, otherwise: Result, call: Callable[..., Result], *arguments: object
    ) -> Result:
        """Calls a service; one that raises or is slow is counted and stops nothing."""
        start_ns = self._clock.now_ns()
        try:
            result = call(*arguments)
        except Exception:
            if not self.tally.faults[f"service {name}"]:
                log.exception("service %s raised; further ones are only counted", name)
            self.tally.faults[f"service {name}"] += 1
            return otherwise
        if self._clock.now_ns() - start_ns > SLOW_NS:
            self.tally.faults[f"slow service {name}"] += 1
        return result
