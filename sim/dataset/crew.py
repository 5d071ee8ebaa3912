"""Worker processes that each do one job at a time, and never outlive the command.

A worker that dies or falls silent is replaced and its job begun again: the CARLA client's
synchronous Traffic Manager can wait for itself for ever.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from scheduler.errors import VdapError, WorldError

log = logging.getLogger(__name__)

ATTEMPTS = 3  # of one job
STOP_S = 0.5  # that a worker may take to end when told
START_S = 60.0  # that a new worker may take until it begins
POLL_S = 1.0  # between looks for workers that are stuck
Job = Callable[[int, int, Callable[[], None]], None]  # (number, attempt, tell of a step)


@dataclass(slots=True, eq=False)
class _Worker:
    process: BaseProcess
    pipe: Connection
    number: int = -1
    attempt: int = 0
    steps: int = 0
    heard: float = 0.0

    def stop(self) -> None:
        self.process.terminate()
        self.process.join(STOP_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.pipe.close()


class Crew:
    """Runs numbered jobs in worker processes.

    Args:
        job: A function of a module; it tells of every step and returns when the job is done.
        workers: Processes.
        patience_s: A worker that is silent for longer is taken for stuck.
    """

    def __init__(self, job: Job, workers: int, patience_s: float) -> None:
        self._job = job
        self._count = workers
        self._patience_s = patience_s
        self._workers: list[_Worker] = []

    def run(self, numbers: Sequence[int]) -> Iterator[int]:
        """Does all jobs; yields +1 for every step, and minus the steps of a job begun again.

        Raises:
            VdapError: A job raised it.
            WorldError: A job's worker died or fell silent `ATTEMPTS` times.
        """
        waiting = [(number, 1) for number in reversed(numbers)]
        try:
            while waiting or any(worker.number >= 0 for worker in self._workers):
                self._fill(waiting)
                yield from self._listen(waiting)
        finally:
            for worker in self._workers:
                worker.stop()
            self._workers.clear()

    def _fill(self, waiting: list[tuple[int, int]]) -> None:
        for worker in self._workers:
            if worker.number < 0 and waiting:
                self._give(worker, waiting.pop())
        while waiting and len(self._workers) < self._count:
            worker = self._start()
            self._workers.append(worker)
            self._give(worker, waiting.pop())

    def _start(self) -> _Worker:
        fresh = multiprocessing.get_context("spawn")
        ours, theirs = fresh.Pipe()
        process = fresh.Process(target=_work, args=(self._job, theirs), daemon=True)
        process.start()
        theirs.close()
        return _Worker(process, ours)

    def _give(self, worker: _Worker, what: tuple[int, int]) -> None:
        worker.number, worker.attempt = what
        worker.steps = 0
        worker.heard = time.monotonic() + START_S
        worker.pipe.send(what)

    def _listen(self, waiting: list[tuple[int, int]]) -> Iterator[int]:
        busy = {worker.pipe: worker for worker in self._workers if worker.number >= 0}
        for pipe in connection.wait(list(busy), POLL_S):
            assert isinstance(pipe, Connection)
            worker = busy[pipe]
            worker.heard = time.monotonic()
            try:
                said: Any = pipe.recv()
            except (EOFError, OSError):
                yield -worker.steps
                self._replace(worker, "died", waiting)
                continue
            if isinstance(said, VdapError):
                raise said
            if said == "done":
                worker.number = -1
            elif said == "step":
                worker.steps += 1
                yield 1
        for worker in busy.values():
            is_silent = time.monotonic() - worker.heard > self._patience_s
            if worker in self._workers and worker.number >= 0 and is_silent:
                yield -worker.steps
                self._replace(worker, "is stuck", waiting)

    def _replace(self, worker: _Worker, why: str, waiting: list[tuple[int, int]]) -> None:
        worker.stop()
        self._workers.remove(worker)
        if worker.attempt == ATTEMPTS:
            raise WorldError(f"segment {worker.number}: its worker {why}, {ATTEMPTS} times")
        log.warning("segment %d: its worker %s; begun again", worker.number, why)
        waiting.append((worker.number, worker.attempt + 1))


def _work(job: Job, pipe: Connection) -> None:
    """The worker's main: jobs from the pipe until it closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to all; the crew decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            number, attempt = pipe.recv()
            pipe.send("begun")
            try:
                job(number, attempt, lambda: pipe.send("step"))
                pipe.send("done")
            except VdapError as error:
                pipe.send(error)
    sys.stderr.flush()
    os._exit(0)  # the carla client's threads may abort the interpreter's own end


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
