"""The vehicle's JPEG writer in virtual time: one job after the other, as its thread does."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from scheduler.effects import Encode
from sim.lockstep.loop import Loop
from sim.lockstep.stages import Stage


class VirtualEncoder:
    """Answers every job once; one that was cancelled before it began has size 0."""

    __slots__ = ("_cancelled", "_done", "_is_busy", "_jobs", "_loop", "_size", "_stage")

    def __init__(
        self,
        loop: Loop,
        stage: Stage,
        size_of: Callable[[Encode], int],
        done: Callable[[Encode, int, int], None],
    ) -> None:
        """`done` is told of the job, bytes and duration in ns."""
        self._loop, self._stage, self._size, self._done = loop, stage, size_of, done
        self._jobs: deque[Encode] = deque()
        self._cancelled: set[int] = set()
        self._is_busy = False

    def encode(self, job: Encode) -> None:
        """Begin, or wait for the job before."""
        self._jobs.append(job)
        if not self._is_busy:
            self._next()

    def cancel(self, task_id: int) -> None:
        """It is wanted no more."""
        if any(job.task.task_id == task_id for job in self._jobs):
            self._cancelled.add(task_id)

    def _next(self) -> None:
        if not self._jobs:
            return
        self._is_busy = True
        job = self._jobs.popleft()
        if job.task.task_id in self._cancelled:
            self._cancelled.discard(job.task.task_id)
            self._loop.at(self._loop.now_ns, self._end, job, 0, 0)
            return
        duration_ns = self._stage.draw()
        size = self._size(job)
        self._loop.at(self._loop.now_ns + duration_ns, self._end, job, size, duration_ns)

    def _end(self, job: Encode, size_bytes: int, duration_ns: int) -> None:
        self._is_busy = False
        self._next()
        self._done(job, size_bytes, duration_ns)
