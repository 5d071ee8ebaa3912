"""Keeps a virtual vehicle's verdicts, and makes their rows when the drive is over."""

from __future__ import annotations

from scheduler.effects import Correct, Effect, Emit, Encode, Send
from scheduler.tasks import Task
from sim.lockstep.loop import Loop
from sim.lockstep.outcome import VerdictRow
from sim.lockstep.scenario import CameraSpec, PoseAt, VehicleSpec
from sim.lockstep.sizes import FrameSizes


class Recorder:
    """Of one vehicle that sees no pictures: its answers are empty."""

    def __init__(self, loop: Loop, spec: VehicleSpec, seed: int = 0) -> None:
        self._loop = loop
        self._spec = spec
        self._emitted: list[tuple[Emit, int, int]] = []  # what, when, newest look
        self._looked_ns: dict[str, int] = {}  # by camera
        purpose = f"{seed}/{spec.id}"
        self._sizes = {c.id: FrameSizes(f"{purpose}/{c.id}/sizes") for c in spec.cameras}

    def answer_on_board(self, task: Task, model: str) -> object:
        """What an onboard model says of the frame."""
        return model

    def answer_of(self, sent: Send) -> object:
        """What a unit says of the frame that was sent."""
        return sent.model

    def frame(self, camera: CameraSpec, tick: int, sim_ns: int, stamp_ns: int) -> float:
        """A picture came; how much of it changed since the last look, 1.0 = unknown."""
        self._sizes[camera.id].step()
        return 1.0

    def pose(self, pose: PoseAt, now_ns: int) -> None:
        """The vehicle is there now."""

    def encoding(self, job: Encode) -> None:
        """A JPEG of the frame is begun."""

    def jpeg_bytes(self, job: Encode) -> int:
        """What the frame takes as this JPEG."""
        task = job.task
        pixels = (job.width or task.width) * (job.height or task.height)
        return self._sizes[task.camera_id].jpeg_bytes(job.quality, pixels)

    def payload_bytes(self, task: Task, model: str, otherwise: int) -> int:
        """What a model's first half makes of the frame."""
        return otherwise

    def measured(self, task: Task) -> bytes | None:
        """How the tracks' boxes moved up to the task's frame; None where nobody can tell."""
        return None

    def motion(self, task: Task, answer: bytes) -> None:
        """That measurement is there."""

    def doubt(self, answer: object) -> float:
        """How unsure a first look is, in bits."""
        return 0.0

    def emit(self, effect: Emit) -> None:
        """A verdict leaves now."""
        task = effect.task
        if effect.answer is not None:
            self._look(task)
        looked_ns = self._looked_ns.setdefault(task.camera_id, task.stamp_ns)
        self._emitted.append((effect, self._loop.now_ns, looked_ns))

    def correct(self, effect: Effect) -> None:
        """An answer came after its verdict."""
        if isinstance(effect, Correct):
            self._look(effect.task)

    def rows(self) -> list[VerdictRow]:
        """All verdicts, in order of emission."""
        return [_row(*emitted) for emitted in self._emitted]

    def _look(self, task: Task) -> None:
        known_ns = self._looked_ns.get(task.camera_id, 0)
        self._looked_ns[task.camera_id] = max(task.stamp_ns, known_ns)


def _row(effect: Emit, emitted_ns: int, looked_ns: int) -> VerdictRow:
    task, placement = effect.task, effect.placement
    sends = placement.place in ("offload", "escalate")
    return VerdictRow(
        task.vehicle_id,
        task.camera_id,
        task.tick,
        task.stamp_ns,
        emitted_ns,
        emitted_ns,
        task.deadline_ns,
        effect.kind,
        placement.label,
        placement.place,
        placement.unit_id,
        placement.model,
        effect.unit_id,
        effect.model,
        placement.quality,
        (placement.width or task.width) if sends else 0,
        (placement.height or task.height) if sends else 0,
        effect.size_bytes,
        effect.is_late,
        round(placement.utility, 6),
        round(placement.p_in_time, 6),
        placement.is_probe,
        effect.reason,
        placement.reason,
        looked_ns,
        dict(effect.stages_ns),
    )
