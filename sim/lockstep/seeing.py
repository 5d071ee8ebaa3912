"""A virtual vehicle that sees a recorded drive: its answers, its change of content, its score."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import numpy as np

from scheduler import config
from scheduler.effects import Encode, Send
from scheduler.messages import VERSION, Pose
from scheduler.tasks import Task
from sim.evaluation.belief import f1_current
from sim.evaluation.detect.stored import RAW, SPLIT
from sim.lockstep.believer import Believer
from sim.lockstep.loop import Loop
from sim.lockstep.pictures import Pictures
from sim.lockstep.recorded_motion import RecordedFlow
from sim.lockstep.scenario import CameraSpec, Look, PoseAt, VehicleSpec
from vehicle.perception.content import Content
from vehicle.perception.detections import Detections
from vehicle.perception.scores.streaming import Counts
from vehicle.services.base import Frame
from vehicle.services.registry import ServiceSet

Six = tuple[float, float, float, float, float, float]


class StoredEyes:
    """Answers out of a drive's file.

    Args:
        pictures: By camera.
        looks: Of each model: on board `local/NAME`, at units `NAME`.
    """

    def __init__(self, pictures: Mapping[str, Pictures], looks: Mapping[str, Look]) -> None:
        self._pictures = pictures
        self._looks = looks

    def on_board(self, task: Task, model: str) -> Detections:
        """What the rung on board finds in the raw frame."""
        look = self._looks[f"local/{model}"]
        return self._pictures[task.camera_id].found(task.tick, look, None, RAW)

    def at_unit(self, sent: Send, quality: int) -> Detections:
        """What the unit's model finds in what was sent."""
        task, look = sent.task, self._looks[sent.model]
        pictures = self._pictures[task.camera_id]
        if sent.payload_kind == "features":
            return pictures.found(task.tick, look, None, SPLIT)
        size = (sent.width or task.width, sent.height or task.height)
        return pictures.found(task.tick, look, size, quality)

    def jpeg_bytes(self, job: Encode) -> int | None:
        """As the drive's frame took."""
        task = job.task
        size = (job.width or task.width, job.height or task.height)
        return self._pictures[task.camera_id].jpeg_bytes(task.tick, size, job.quality)

    def payload_bytes(self, task: Task, model: str) -> int:
        """Of a model's first half; 0 where the drive does not say."""
        return self._pictures[task.camera_id].payload_bytes(task.tick, self._looks[model])

    def done(self, task: Task) -> None:
        """Nothing to forget."""


class Spectator(Believer):
    """The recorder of a vehicle that sees a drive."""

    def __init__(
        self,
        loop: Loop,
        spec: VehicleSpec,
        seed: int,
        pictures: Mapping[str, Pictures],
        looks: Mapping[str, Look],
        accuracies: Mapping[str, float],
    ) -> None:
        """Makes the services.

        Args:
            loop: Virtual time.
            spec: The vehicle.
            seed: Of the scenario.
            pictures: By camera.
            looks: As of `StoredEyes`.
            accuracies: Expected F1 of every model.

        Raises:
            ConfigError: There is no such service.
        """
        sections = [config.Service(name=spec.service)]
        services = {c.id: ServiceSet(sections, spec.id, c.id) for c in spec.cameras}
        self._stored = StoredEyes(pictures, looks)
        super().__init__(loop, spec, seed, services, accuracies, self._stored)
        self._pictures = pictures
        self._content = Content()
        self._flows = {
            camera_id: RecordedFlow(one.motion, one.sizes[0])
            for camera_id, one in pictures.items()
            if one.motion is not None
        }

    def frame(self, camera: CameraSpec, tick: int, sim_ns: int, stamp_ns: int) -> float:
        """A picture came; how much of it changed since the last look."""
        super().frame(camera, tick, sim_ns, stamp_ns)
        pictures = self._pictures[camera.id]
        about = pictures.stored.frame(pictures.number(tick))
        lens = cast(
            tuple[float, float, float, float], tuple(cast(list[float], about["intrinsics"]))
        )
        mount = cast(Six, tuple(cast(list[float], about["camera_from_vehicle"])))
        blank = np.broadcast_to(np.zeros(3, np.uint8), (camera.height, camera.width, 3))
        vehicle_id = self._spec.id
        self.on_frame(Frame(vehicle_id, camera.id, tick, sim_ns, stamp_ns, blank, lens, (), mount))
        small = pictures.thumb(tick)
        if small is None or not self._spec.sees_change:
            return 1.0
        return self._content.change_of(camera.id, stamp_ns, small)

    def pose(self, pose: PoseAt, now_ns: int) -> None:
        """The services hear of it."""
        told = Pose(
            VERSION, self._spec.id, 0, pose.t_ns, 0, (pose.x, pose.y, 0.0),
            (0.0, 0.0, pose.heading), pose.speed, pose.yaw_rate, 0.0, False,
        )  # fmt: skip
        self.on_pose(told, now_ns)

    def measured(self, task: Task) -> bytes | None:
        """As flow measured it in the recorded pictures."""
        flow = self._flows.get(task.camera_id)
        request = self.wanted_motion(task)
        if flow is None or request is None:
            return None
        pictures = self._pictures[task.camera_id]
        return flow.answer(pictures.index(task.tick), pictures.numbers, request)

    def payload_bytes(self, task: Task, model: str, otherwise: int) -> int:
        """As the drive's frame took, where that is known."""
        return self._stored.payload_bytes(task, model) or otherwise

    def scores(self) -> dict[str, Counts]:
        """Streaming F1's counts of each camera whose drive tells the truth."""
        found: dict[str, Counts] = {}
        for camera_id, pictures in self._pictures.items():
            own = [verdict for verdict in self.verdicts if verdict.camera_id == camera_id]
            if truth := pictures.truth():
                found[camera_id] = f1_current(own, truth, *pictures.sizes[0])
        return found

    def _look(self, task: Task) -> None:
        super()._look(task)
        self._content.on_look(task.camera_id, task.stamp_ns)
