"""A virtual vehicle that sees a recorded drive: real services turn stored answers into verdicts."""

from __future__ import annotations

from scheduler import config
from scheduler.effects import Correct, Effect, Emit, Encode, Send
from scheduler.messages import VERSION, Verdict
from scheduler.tasks import Task
from sim.evaluation.belief import f1_current
from sim.evaluation.detect.stored import RAW, SPLIT
from sim.lockstep.loop import Loop
from sim.lockstep.pictures import Pictures
from sim.lockstep.recorder import Recorder
from sim.lockstep.scenario import Look, VehicleSpec
from vehicle.perception.detections import Detections
from vehicle.perception.doubt import doubt
from vehicle.perception.scores.streaming import Counts
from vehicle.services.registry import ServiceSet

MS = 1e6  # ns


class SeeingRecorder(Recorder):
    """Answers are those of the drive's file; what is published is what a vehicle would publish."""

    def __init__(
        self,
        loop: Loop,
        spec: VehicleSpec,
        seed: int,
        pictures: dict[str, Pictures],
        looks: dict[str, Look],
        accuracies: dict[str, float],
    ) -> None:
        """Makes the services.

        Args:
            loop: Virtual time.
            spec: The vehicle.
            seed: Of the scenario.
            pictures: By camera.
            looks: Of each model, on board `local/NAME`, at units `NAME`.
            accuracies: Expected F1 of every model.

        Raises:
            ConfigError: There is no such service.
        """
        super().__init__(loop, spec, seed)
        self._pictures = pictures
        self._looks = looks
        self._accuracies = accuracies
        sections = [config.Service(name=spec.service)]
        self._services = {
            camera.id: ServiceSet(sections, spec.id, camera.id).every_frame[spec.service]
            for camera in spec.cameras
        }
        self._qualities: dict[int, int] = {}  # of the JPEG, by task
        self._has_doubt = "escalate" in spec.pipelines
        self.published: dict[str, list[Verdict]] = {camera.id: [] for camera in spec.cameras}

    def answer_on_board(self, task: Task, model: str) -> object:
        """What the rung on board finds in the raw frame."""
        pictures = self._pictures[task.camera_id]
        return pictures.found(task.tick, self._looks[f"local/{model}"], None, RAW)

    def answer_of(self, sent: Send) -> object:
        """What the unit's model finds in what was sent."""
        task = sent.task
        pictures, look = self._pictures[task.camera_id], self._looks[sent.model]
        if sent.payload_kind == "features":
            return pictures.found(task.tick, look, None, SPLIT)
        size = (sent.width or task.width, sent.height or task.height)
        return pictures.found(task.tick, look, size, self._qualities[task.task_id])

    def doubt(self, answer: object) -> float:
        """As the vehicle's driver measures it."""
        return doubt(answer) if self._has_doubt and isinstance(answer, Detections) else 0.0

    def encoding(self, job: Encode) -> None:
        """Remembers how what may be sent looks."""
        self._qualities[job.task.task_id] = job.quality

    def jpeg_bytes(self, job: Encode) -> int:
        """As the drive's frame took."""
        task = job.task
        size = (job.width or task.width, job.height or task.height)
        return self._pictures[task.camera_id].jpeg_bytes(task.tick, size, job.quality)

    def payload_bytes(self, task: Task, model: str, otherwise: int) -> int:
        """As the drive's frame took, where that is known."""
        look = self._looks[model]
        return self._pictures[task.camera_id].payload_bytes(task.tick, look) or otherwise

    def emit(self, effect: Emit) -> None:
        """The service learns of the answer, and says what it believes now."""
        task, now_ns = effect.task, self._loop.now_ns
        super().emit(effect)
        if isinstance(effect.answer, Detections):
            self._learn(task, effect.answer, effect.model)
        boxes = self._services[task.camera_id].boxes(now_ns)
        looked_ns = self._emitted[-1][2]
        self.published[task.camera_id].append(
            Verdict(
                VERSION, task.vehicle_id, task.camera_id, task.tick, task.sim_ns, task.service,
                effect.kind, effect.reason, effect.placement.label, effect.placement.reason,
                effect.unit_id, effect.model, task.stamp_ns, now_ns, now_ns, task.deadline_ns,
                (now_ns - task.stamp_ns) / MS, (now_ns - looked_ns) / MS, effect.is_late,
                {name: ns / MS for name, ns in effect.stages_ns.items()}, effect.size_bytes,
                boxes, effect.placement.place,
            )
        )  # fmt: skip

    def correct(self, effect: Effect) -> None:
        """A late answer still corrects the tracks."""
        super().correct(effect)
        if isinstance(effect, Correct) and isinstance(effect.answer, Detections):
            self._learn(effect.task, effect.answer, effect.model)

    def scores(self) -> dict[str, Counts]:
        """Streaming F1's counts of each camera whose drive tells the truth."""
        found: dict[str, Counts] = {}
        for camera_id, verdicts in self.published.items():
            pictures = self._pictures[camera_id]
            if truth := pictures.truth():
                found[camera_id] = f1_current(verdicts, truth, *pictures.sizes[0])
        return found

    def _learn(self, task: Task, found: Detections, model: str) -> None:
        accuracy = self._accuracies.get(model, max(self._accuracies.values(), default=0.0))
        self._services[task.camera_id].on_answer(found, task.stamp_ns, accuracy)
