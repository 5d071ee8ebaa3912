"""What a vehicle in virtual time believes: the deployed services over the answers it got.

As `vehicle.driver` does with what the dispatcher emits: answers go to the service of the frame,
its boxes into the verdict, the verdict to its followers, whose advisories brake the vehicle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from scheduler.effects import Correct, Effect, Emit, Encode, Send
from scheduler.messages import Pose, Verdict
from scheduler.tasks import Task
from scheduler.verdicts import verdict_of
from sim.lockstep.loop import Loop
from sim.lockstep.recorder import Recorder
from sim.lockstep.scenario import VehicleSpec
from vehicle.perception.detections import Detections
from vehicle.perception.doubt import doubt
from vehicle.services.base import Advisory, Frame, Scene
from vehicle.services.motion import motion_request, take_motion, wants_motion
from vehicle.services.registry import ServiceSet


class Eyes(Protocol):
    """Where detections come from: a detector on the frame's picture, or a stored or made answer."""

    def on_board(self, task: Task, model: str) -> Detections:
        """What the vehicle's own model finds in the task's frame."""
        ...

    def at_unit(self, sent: Send, quality: int) -> Detections:
        """What a unit's model finds in what was sent of the frame, in pixels of the frame."""
        ...

    def jpeg_bytes(self, job: Encode) -> int | None:
        """What the frame takes as this JPEG; None = a usual frame."""
        ...

    def done(self, task: Task) -> None:
        """The task has its verdict; a late answer may still come."""
        ...


@dataclass(frozen=True, slots=True)
class Advised:
    """An advisory, when it left the vehicle and for which tick."""

    at_ns: int
    tick: int
    service: str
    advisory: Advisory


class Believer(Recorder):
    """The recorder of a vehicle that sees pictures: it has the services of the configuration.

    Attributes:
        verdicts: Emitted so far, in order.
        advised: Advisories that nobody took yet (`take_advised`).
    """

    def __init__(
        self,
        loop: Loop,
        spec: VehicleSpec,
        seed: int,
        services: Mapping[str, ServiceSet],
        accuracies: Mapping[str, float],
        eyes: Eyes,
    ) -> None:
        super().__init__(loop, spec, seed)
        self._services = services
        self._accuracies = accuracies
        self._eyes = eyes
        self._frames: dict[tuple[str, int], Frame] = {}
        self._pose: Pose | None = None
        self._pose_ns = 0
        self._route: tuple[tuple[float, float], ...] = ()
        self._qualities: dict[int, int] = {}  # of the JPEG, by task
        self._newest_ns: dict[tuple[str, str], int] = {}
        self._has_doubt = "escalate" in spec.pipelines
        self.verdicts: list[Verdict] = []
        self.advised: list[Advised] = []

    # --- what the world says -----------------------------------------------------------------

    def on_pose(self, pose: Pose, stamp_ns: int) -> None:
        """Where the vehicle is."""
        self._pose, self._pose_ns = pose, stamp_ns

    def on_route(self, route: Sequence[tuple[float, float]]) -> None:
        """Where it will go."""
        if tuple(route) != self._route:  # else the same object, which readers may recognise
            self._route = tuple(route)

    def on_frame(self, frame: Frame) -> None:
        """A picture came; its task follows."""
        self._frames[frame.camera_id, frame.tick] = frame
        for service in self._services[frame.camera_id].every_frame.values():
            if getattr(service, "wants_scene", False):
                service.on_scene(self._scene(frame))  # type: ignore[attr-defined]

    # --- what the vehicle asks ---------------------------------------------------------------

    def answer_on_board(self, task: Task, model: str) -> object:
        """What the onboard model finds."""
        return self._eyes.on_board(task, model)

    def answer_of(self, sent: Send) -> object:
        """What the unit's model finds."""
        return self._eyes.at_unit(sent, self._qualities.get(sent.task.task_id, 0))

    def encoding(self, job: Encode) -> None:
        """Remembers how what may be sent looks."""
        self._qualities[job.task.task_id] = job.quality

    def boxes_of(self, answer: object) -> int:
        """How many boxes an answer holds."""
        return len(answer) if isinstance(answer, Detections) else 0

    def jpeg_bytes(self, job: Encode) -> int:
        """What the frame takes as this JPEG."""
        return self._eyes.jpeg_bytes(job) or super().jpeg_bytes(job)

    def doubt(self, answer: object) -> float:
        """How unsure the first look of `escalate` is, in bits."""
        return doubt(answer) if self._has_doubt and isinstance(answer, Detections) else 0.0

    def wanted_motion(self, task: Task) -> bytes | None:
        """Asks how the tracks' boxes moved up to the task's frame; None where nobody wants it."""
        service = self._services[task.camera_id].every_frame[task.service]
        if not wants_motion(service):
            return None
        boxes = service.boxes(task.stamp_ns)
        return motion_request(0, task, boxes) if boxes else None

    def motion(self, task: Task, answer: bytes) -> None:
        """Services that want it take how their boxes moved."""
        for service in self._services[task.camera_id].every_frame.values():
            if wants_motion(service):
                take_motion(service, answer)

    def correct(self, effect: Effect) -> None:
        """An answer came after its verdict: it corrects tracks."""
        super().correct(effect)
        if isinstance(effect, Correct) and isinstance(effect.answer, Detections):
            self._learn(effect.task, effect.answer, effect.model)

    def emit(self, effect: Emit) -> None:
        """A verdict leaves now."""
        super().emit(effect)
        task = effect.task
        services = self._services[task.camera_id]
        if isinstance(effect.answer, Detections):
            self._learn(task, effect.answer, effect.model)
        service = services.every_frame[task.service]
        if effect.is_still and hasattr(service, "on_still"):
            service.on_still(task.stamp_ns)
        verdict = self._verdict(effect)
        self.verdicts.append(verdict)
        frame = self._frames.pop((task.camera_id, task.tick))
        scene = self._scene(frame)
        self._eyes.done(task)
        for follower in services.followers(task.service):
            for advisory in follower.on_verdict(verdict, scene):
                self.advised.append(Advised(self._loop.now_ns, task.tick, follower.name, advisory))

    def take_advised(self) -> list[Advised]:
        """The advisories since the last call."""
        taken, self.advised = self.advised, []
        return taken

    def _learn(self, task: Task, found: Detections, model: str) -> None:
        service = self._services[task.camera_id].every_frame[task.service]
        accuracy = self._accuracies.get(model, max(self._accuracies.values(), default=0.0))
        service.on_answer(found, task.stamp_ns, accuracy)
        key = task.camera_id, task.service
        self._newest_ns[key] = max(task.stamp_ns, self._newest_ns.get(key, 0))

    def _scene(self, frame: Frame) -> Scene:
        return Scene(frame, self._pose, self._pose_ns, self._route)

    def _verdict(self, effect: Emit) -> Verdict:
        task, now_ns = effect.task, self._loop.now_ns
        boxes = self._services[task.camera_id].every_frame[task.service].boxes(now_ns)
        looked_ns = self._newest_ns.setdefault((task.camera_id, task.service), task.stamp_ns)
        return verdict_of(effect, boxes, now_ns, now_ns, looked_ns)
