"""Carries out what the dispatcher asks for, in real time, and brings it what happens.

One thread calls it. Nothing here waits: the worker, the encoder and the sockets take what they are
given or refuse it at once.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from scheduler import messages
from scheduler.clock import Clock
from scheduler.config import Vehicle
from scheduler.dispatcher import Dispatcher
from scheduler.effects import (
    Cancel,
    Close,
    Correct,
    Effect,
    Emit,
    Encode,
    EncodeFeatures,
    Open,
    Ping,
    Reopen,
    RunFlow,
    RunLocal,
    Send,
)
from scheduler.tasks import Task, deadline_by_speed_ns
from scheduler.verdicts import MS, verdict_of
from vehicle.camera.base import Frame
from vehicle.encoder import Encoded
from vehicle.findings import Findings
from vehicle.local_runs import LocalRunner, LocalRuns
from vehicle.offload import Answered, Beaconed, Heard, OffloadLink, Ponged, Welcomed
from vehicle.parts import JpegWriter, Speaker, Surroundings
from vehicle.perception.content import Content
from vehicle.perception.doubt import doubt
from vehicle.perception.worker import Answer
from vehicle.report import Stages, Tally, UnitCounts
from vehicle.services.base import Advisory, AfterVerdict, Scene
from vehicle.services.motion import motion_request, take_motion, wants_motion
from vehicle.services.registry import ServiceSet

log = logging.getLogger(__name__)

POSE_NS = 500_000_000  # an older pose no longer tells the speed
SLOW_NS = 10_000_000  # a service that takes longer is counted
Result = TypeVar("Result")
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
        self._runs = LocalRuns(worker, clock)
        self._has_doubt = "escalate" in vehicle.pipelines
        self._encoder = encoder
        self._links = links
        self._services = services
        self._accuracies = accuracies
        self._outlet = outlet
        self._clock = clock
        self._brake = brake
        self._surroundings = surroundings
        self._content = Content()
        self._frames: dict[int, Frame] = {}  # of open tasks
        self._emitted: list[int] = []  # tasks whose frames are wanted until their effects are done
        self._payloads: dict[int, bytes] = {}  # JPEG or features that are about to be sent
        self._looked_ns: dict[tuple[str, str], int] = {}  # newest frame that a model looked at
        self._cameras = [camera.id for camera in vehicle.cameras]
        self._next_task = 1
        self._was_ready = self._was_away = False

    # --- what happens ------------------------------------------------------------------------

    def on_frame(self, frame: Frame) -> None:
        """A camera gave a frame: each every-frame service owes a verdict now."""
        now_ns = self._clock.now_ns()
        self.tally.on_frame(now_ns)
        self._outlet.record_frame(frame)
        heads = self._services[frame.camera_id].heads  # of one look, whatever service it is for
        change = self._content.change(frame.camera_id, frame.stamp_ns, frame.image)
        deadline_ns = frame.stamp_ns + self._allowed_ns(now_ns)
        for name, service in self._services[frame.camera_id].every_frame.items():
            if getattr(service, "wants_scene", False):
                self._guarded(name, None, service.on_scene, self._scene(frame))  # type: ignore[attr-defined]
            task = Task(
                self._next_task,
                self._vehicle.id,
                frame.camera_id,
                frame.tick,
                frame.sim_ns,
                name,
                frame.stamp_ns,
                deadline_ns,
                frame.width,
                frame.height,
                self._vehicle.stays_on_board,
                heads,
                change,
            )
            heads = ()
            self._next_task += 1
            self._frames[task.task_id] = frame
            self._carry_out(self._dispatcher.on_frame(task, now_ns))

    def on_answers(self, answers: Sequence[Answer]) -> None:
        """The worker answered, or died with what it held."""
        self.watch_worker()
        for answer in answers:
            run = self._runs.ended(answer)
            if run is None:
                continue
            task, duration_ns = run.task, run.duration_ns
            now_ns = self._clock.now_ns()
            if answer.task == "flow":
                effects = self._on_motion(task, answer, duration_ns)
            elif answer.task == "encode":
                effects = self._on_features(task, answer, duration_ns)
            elif answer.is_ok and answer.detections is not None:
                found = Findings(answer.detections, answer.heads)
                unsure = doubt(answer.detections) if self._has_doubt else 0.0
                effects = self._dispatcher.on_local_done(
                    task.task_id, answer.model, found, duration_ns, now_ns, unsure
                )
            else:
                effects = self._dispatcher.on_local_failed(task.task_id, answer.error, now_ns)
            self._carry_out(effects)
            self._payloads.pop(task.task_id, None)

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
            self._payloads[item.task_id] = item.jpeg
            effects = self._dispatcher.on_encoded(
                item.task_id, len(item.jpeg), item.duration_ns, self._clock.now_ns()
            )
            self._carry_out(effects)
            self._payloads.pop(item.task_id, None)

    def on_heard(self, unit_id: str, heard: Sequence[Heard]) -> None:
        """A unit said something."""
        counts = self.tally.units[unit_id]
        total = self._dispatcher.counters.offload
        for item in heard:
            now_ns = self._clock.now_ns()
            ok, late, rejected = total.ok, total.late, total.rejected
            if isinstance(item, Welcomed):
                effects = self._dispatcher.on_welcome(
                    unit_id, item.credits, item.models, now_ns, item.splits, item.heads
                )
            elif isinstance(item, Beaconed):
                effects = self._dispatcher.on_beacon(unit_id, item.load, now_ns)
            elif isinstance(item, Ponged):
                effects = self._dispatcher.on_pong(unit_id, item.number, now_ns, item.there_ns)
            else:
                effects = self._on_answered(unit_id, item, now_ns)
            counts.ok += total.ok - ok
            counts.late += total.late - late
            counts.rejected += total.rejected - rejected
            self._carry_out(effects)

    def on_pose(self, pose: messages.Pose) -> None:
        """Where the vehicle is."""
        (x, y, _), yaw, now_ns = pose.position, pose.rotation[2], self._clock.now_ns()
        self._carry_out(self._dispatcher.on_pose(x, y, yaw, pose.speed, now_ns))

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
                case EncodeFeatures():
                    queue.extend(self._encode_features(effect))
                case RunFlow():
                    queue.extend(self._run_flow(effect.task))
                case Encode():
                    image = self._frames[effect.task.task_id].image
                    size = (effect.width, effect.height) if effect.width else None
                    self._encoder.encode(effect.task.task_id, image, effect.quality, size)
                case Send():
                    queue.extend(self._send(effect))
                case Cancel():
                    self._encoder.cancel(effect.task.task_id)
                case Correct():
                    if isinstance(effect.answer, Findings):
                        self._learn(effect.task, effect.answer, effect.model)
                case Reopen() | Open():
                    self.tally.units[effect.unit_id].reopened += isinstance(effect, Reopen)
                    self._links[effect.unit_id].reopen(self._clock.now_ns())
                case Close():
                    self._links[effect.unit_id].leave()
                case Ping():
                    self._links[effect.unit_id].ping(effect.number)
        for task_id in self._emitted:
            del self._frames[task_id]
        self._emitted.clear()

    def _run_local(self, effect: RunLocal) -> list[Effect]:
        task = effect.task
        if self._runs.detect(task, effect.model, self._frames[task.task_id].image):
            return []
        effects = self._lose_worker()
        now_ns = self._clock.now_ns()
        return effects + self._dispatcher.on_local_failed(
            task.task_id, "worker busy or away", now_ns
        )

    def _encode_features(self, effect: EncodeFeatures) -> list[Effect]:
        task, model = effect.task, effect.model
        if self._runs.encode(task, model, self._frames[task.task_id].image):
            return []
        effects = self._lose_worker()
        now_ns = self._clock.now_ns()
        return effects + self._dispatcher.on_features(task.task_id, model, 0, 0, now_ns)

    def _lose_worker(self) -> list[Effect]:
        """Say that it is away before the job's own end, else the dispatcher would ask again."""
        self._was_ready = False
        return list(self._dispatcher.on_worker(False, self._clock.now_ns()))

    def _on_features(self, task: Task, answer: Answer, duration_ns: int) -> list[Effect]:
        self._payloads[task.task_id] = answer.payload
        size = len(answer.payload) if answer.is_ok else 0
        now_ns = self._clock.now_ns()
        return self._dispatcher.on_features(task.task_id, answer.model, size, duration_ns, now_ns)

    def _run_flow(self, task: Task) -> list[Effect]:
        service = self._services[task.camera_id].every_frame[task.service]
        frame = self._frames[task.task_id]
        if wants_motion(service):
            stream = self._cameras.index(task.camera_id)
            boxes = self._guarded(service.name, None, service.boxes, task.stamp_ns)
            if boxes and self._runs.flow(task, frame.image, motion_request(stream, task, boxes)):
                return []
        return self._dispatcher.on_flow_done(0, self._clock.now_ns())

    def _on_motion(self, task: Task, answer: Answer, duration_ns: int) -> list[Effect]:
        for service in self._services[task.camera_id].every_frame.values():
            if answer.is_ok and wants_motion(service):
                self._guarded(service.name, None, take_motion, service, answer.payload)
        return self._dispatcher.on_flow_done(
            duration_ns if answer.is_ok else 0, self._clock.now_ns()
        )

    def _send(self, effect: Send) -> list[Effect]:
        now_ns = self._clock.now_ns()
        payload = self._payloads.get(effect.task.task_id, b"")
        is_sent = bool(payload) and self._links[effect.unit_id].send(effect, payload, now_ns)
        self.tally.units[effect.unit_id].sent += is_sent
        return self._dispatcher.on_sent(effect, is_sent, now_ns)

    def _on_answered(self, unit_id: str, item: Answered, now_ns: int) -> list[Effect]:
        if item.detections is None:
            return self._dispatcher.on_reject(unit_id, item.seq, item.report, now_ns)
        found = Findings(item.detections, item.heads)
        return self._dispatcher.on_result(unit_id, item.seq, item.report, found, now_ns)

    # --- verdicts ------------------------------------------------------------------------------

    def _emit(self, effect: Emit) -> None:
        task = effect.task
        frame = self._frames[task.task_id]
        self._emitted.append(task.task_id)
        service = self._services[task.camera_id].every_frame[task.service]
        if isinstance(effect.answer, Findings):
            self._learn(task, effect.answer, effect.model)
        if effect.is_still and hasattr(service, "on_still"):
            self._guarded(service.name, None, service.on_still, task.stamp_ns)
        now_ns = self._clock.now_ns()
        boxes = self._guarded(service.name, list[messages.Box](), service.boxes, now_ns)
        # Before the first look, the age is counted from the first frame.
        looked_ns = self._looked_ns.setdefault((task.camera_id, task.service), task.stamp_ns)
        verdict = verdict_of(effect, boxes, now_ns, self._clock.now_ns(), looked_ns)
        if verdict.is_late and not effect.is_late:  # what came after the decision took too long
            self._dispatcher.counters.late += 1
        self._measure(verdict, now_ns)
        self._outlet.publish(verdict, task.vehicle_id, task.camera_id, task.service)
        for follower in self._services[task.camera_id].followers(task.service):
            self._follow(follower, verdict, frame)

    def _measure(self, verdict: messages.Verdict, now_ns: int) -> None:
        for stage, duration_ms in verdict.stages_ms.items():
            self.stages.add(stage, duration_ms, now_ns)
        self.stages.add("total", verdict.age_ms, now_ns)

    def _learn(self, task: Task, found: Findings, model: str) -> None:
        services = self._services[task.camera_id]
        service = services.every_frame[task.service]
        accuracy = self._accuracies.get(model, max(self._accuracies.values(), default=0.0))
        arguments = (found.detections, task.stamp_ns, accuracy)
        self._guarded(service.name, None, service.on_answer, *arguments)
        for name, take in services.takers(found.heads):
            self._guarded(name, None, take, task.stamp_ns)
        key = (task.camera_id, task.service)
        self._content.on_look(task.camera_id, task.stamp_ns)
        self._looked_ns[key] = max(task.stamp_ns, self._looked_ns.get(key, 0))

    def _allowed_ns(self, now_ns: int) -> int:
        """How long after its picture a verdict is due; the dispatcher hears of a fresh pose."""
        around = self._surroundings
        pose = around.pose if around is not None else None
        if around is None or pose is None or now_ns - around.pose_stamp_ns > POSE_NS:
            return round(self._vehicle.deadline_ms * MS)
        self._dispatcher.on_pose(
            pose.position[0], pose.position[1], pose.rotation[2], pose.speed, around.pose_stamp_ns
        )
        if self._vehicle.deadline.mode == "speed":
            return deadline_by_speed_ns(pose.speed)
        return round(self._vehicle.deadline_ms * MS)

    def _scene(self, frame: Frame) -> Scene:
        around = self._surroundings
        if around is None:
            return Scene(frame, None, 0)
        return Scene(frame, around.pose, around.pose_stamp_ns, around.route)

    def _follow(self, follower: AfterVerdict, verdict: messages.Verdict, frame: Frame) -> None:
        scene = self._scene(frame)
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
