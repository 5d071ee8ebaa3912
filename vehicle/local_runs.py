"""What the inference worker was given: each job with its task, its model and its start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from scheduler.clock import Clock
from scheduler.tasks import Task
from vehicle.perception.worker import Answer

Frame = NDArray[np.uint8]  # (H, W, 3) BGR


class LocalRunner(Protocol):
    """The inference worker, as far as a vehicle needs it; each call is False when not taken."""

    @property
    def is_ready(self) -> bool:
        """Whether it takes jobs."""
        ...

    def detect(self, job_id: int, model: str, frame: Frame, heads: Sequence[str] = ()) -> bool:
        """Begin to look."""
        ...

    def encode(self, job_id: int, model: str, frame: Frame) -> bool:
        """Begin with a model's first half."""
        ...

    def flow(self, job_id: int, frame: Frame, request: bytes) -> bool:
        """Begin to measure motion."""
        ...


@dataclass(frozen=True, slots=True)
class Run:
    """A job that ended."""

    task: Task
    duration_ns: int


class LocalRuns:
    """Gives jobs to the worker and knows whose they are."""

    def __init__(self, worker: LocalRunner, clock: Clock) -> None:
        self._worker = worker
        self._clock = clock
        self._started: dict[int, tuple[Task, int]] = {}  # job -> whose, when
        self._last_job = 0

    def detect(self, task: Task, model: str, frame: Frame) -> bool:
        """Have a rung look; False when the worker did not take it."""
        return self._keep(task, self._worker.detect(self._next(), model, frame, task.heads))

    def encode(self, task: Task, model: str, frame: Frame) -> bool:
        """Have a first half run; False when the worker did not take it."""
        return self._keep(task, self._worker.encode(self._next(), model, frame))

    def flow(self, task: Task, frame: Frame, request: bytes) -> bool:
        """Have motion measured; False when the worker did not take it."""
        return self._keep(task, self._worker.flow(self._next(), frame, request))

    def ended(self, answer: Answer) -> Run | None:
        """Whose job this answer ends, and how long it took; None of a job that nobody gave."""
        found = self._started.pop(answer.job_id, None)
        if found is None:
            return None
        task, started_ns = found
        return Run(task, self._clock.now_ns() - started_ns)

    def _next(self) -> int:
        self._last_job += 1
        return self._last_job

    def _keep(self, task: Task, is_taken: bool) -> bool:
        if is_taken:
            self._started[self._last_job] = task, self._clock.now_ns()
        return is_taken
