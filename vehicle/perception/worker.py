"""Inference in a process of its own: a crash costs the frames it held, and it is replaced.

The same worker serves a vehicle and a roadside unit. Frames cross by shared memory (an anonymous
file that both sides map: nothing to unlink, whoever dies), control messages by a socket pair.
"""

from __future__ import annotations

import contextlib
import logging
import mmap
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from socket import socketpair

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from scheduler.clock import Clock
from scheduler.errors import ConfigError, WireError
from vehicle.perception.abilities import Wanted
from vehicle.perception.detections import Detections
from vehicle.perception.detector import DetectorSpec
from vehicle.perception.family import expected_ns
from vehicle.perception.worker_process import Done, Job, Loaded, Payload, Setup, Task

log = logging.getLogger(__name__)

SLOTS = 3  # frames that a worker may hold: one in work, one queued, one being written
HUNG_NS = 2_000_000_000  # a job in work for longer is stuck: twenty deadlines of 100 ms
HUNG_TIMES = 4  # a slow model's job gets this many times its typical duration
LOADING_NS = 60_000_000_000  # a process that has not loaded by then is stuck
FIRST_PAUSE_NS = 100_000_000  # before the second start in a row that failed; then doubled
LONGEST_PAUSE_NS = 5_000_000_000
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Answer(Struct, frozen=True, eq=False):
    """What became of a job.

    Attributes:
        error: Empty when `is_ok`.
        detections: In pixels of the picture that was given; None unless `is_ok` and for the
            tasks that find none.
        queue_ns: From `detect` to the start of work.
        decode_ns: Of a JPEG, after slowdown, as are the next two.
        infer_ns: Pre-processing, model and post-processing.
        total_ns: In the worker, its waiting for the slowdown included.
        task: What was asked for.
        payload: What "encode" or "flow" made; empty of the others.
        heads: Results of those heads that were asked for and that the model has.
        packed: `detections` as the wire has them.
    """

    job_id: int
    is_ok: bool
    error: str
    detections: Detections | None
    model: str
    queue_ns: int = 0
    decode_ns: int = 0
    infer_ns: int = 0
    total_ns: int = 0
    task: Task = "detect"
    payload: bytes = b""
    heads: Mapping[str, bytes] = {}
    packed: bytes = b""


@dataclass(slots=True)
class _Held:
    slot: int
    model: str
    task: Task
    given_ns: int


class Worker:
    """One inference process and its replacement.

    Attributes:
        generation: Changes whenever `fileno` does; -1 is then not to be polled.
        restarts: How often a process that died or hung was replaced.
        typical_ns: Duration of each model as tried at start, after slowdown; until ready what this
            machine's profile expects of those that it knows.
        loaded: What else the models can do, and how long that takes.
        failure: Why the models do not load; empty when they do.
    """

    def __init__(
        self,
        name: str,
        specs: Sequence[DetectorSpec],
        *,
        threads: int,
        slowdown: float = 1.0,
        max_frame_bytes: int,
        clock: Clock,
        wanted: Wanted = Wanted(),  # noqa: B008 - frozen
    ) -> None:
        """Prepares the frame memory; `start` starts the process.

        Args:
            name: For messages.
            specs: Models to load; a job names one of them.
            threads: Of one inference.
            slowdown: Answers are held until this many times the measured compute time has
                passed, which stands for a slower board.
            max_frame_bytes: Of one picture; a larger one is refused.
            clock: Of the watchdog and of the pauses between restarts.
            wanted: What the models shall do besides detecting, as far as they can.
        """
        self.name = name
        self.generation = 0
        self.restarts = 0
        expected = {spec.name: expected_ns(spec, threads) for spec in specs}
        self.typical_ns: Mapping[str, int] = {
            name: round(ns * slowdown) for name, ns in expected.items() if ns is not None
        }
        self.loaded = Loaded("")
        self.failure = ""
        self._setup = Setup(list(specs), threads, slowdown, max_frame_bytes, wanted)
        self._niceness = os.getpriority(os.PRIO_PROCESS, 0)
        self._clock = clock
        self._memory_fd = _anonymous_file(max_frame_bytes * SLOTS)
        self._memory = mmap.mmap(self._memory_fd, max_frame_bytes * SLOTS)
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._held: dict[int, _Held] = {}  # by job id, in the order of work
        self._free = list(range(SLOTS))
        self._is_loaded = False
        self._busy_since_ns = 0
        self._start_due_ns: int | None = None
        self._failed_starts = 0

    @property
    def is_ready(self) -> bool:
        """Whether a job would be taken, slots aside."""
        return self._is_loaded

    @property
    def pid(self) -> int:
        """Of the process; 0 when there is none."""
        return self._process.pid if self._process is not None else 0

    def fileno(self) -> int:
        """What to poll for reading; -1 while no process runs."""
        return self._connection.fileno() if self._connection is not None else -1

    def start(self) -> None:
        """Start the process; it loads and warms up by itself, `is_ready` tells when."""
        ours, theirs = socketpair()
        environment = dict(os.environ)
        environment.update(dict.fromkeys(THREAD_VARIABLES, str(self._setup.threads)))
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        with theirs:
            descriptors = (theirs.fileno(), self._memory_fd)
            self._process = subprocess.Popen(
                [sys.executable, "-m", "vehicle.perception.worker_process", *map(str, descriptors)],
                pass_fds=descriptors,
                stdin=subprocess.DEVNULL,
                stdout=2,  # our own stdout speaks to the launcher
                env=environment,
            )
        with contextlib.suppress(OSError):  # a thread of higher priority may have replaced it
            os.setpriority(os.PRIO_PROCESS, self._process.pid, self._niceness)
        self._connection = Connection(ours.detach())
        self._poller = select.poll()  # a tenth of the cost of the connection's own, every turn
        self._poller.register(self._connection.fileno(), select.POLLIN)
        self.generation += 1
        self._start_due_ns = None
        self._busy_since_ns = self._clock.now_ns()
        self._connection.send_bytes(msgspec.msgpack.encode(self._setup))

    def wait_ready(self, timeout_s: float) -> None:
        """Wait until the models are loaded; for the start of a process, not for its loop.

        Raises:
            ConfigError: a model does not load, or not within the time.
        """
        end = time.monotonic() + timeout_s
        while not self._is_loaded:
            wait_s = max(0.0, min(0.2, end - time.monotonic()))
            if self._connection is not None:
                self._connection.poll(wait_s)
            else:
                time.sleep(wait_s / 10)  # it died and is due to start again
            self.poll(self._clock.now_ns())
            if self.failure or (not self._is_loaded and time.monotonic() > end):
                reason = self.failure or f"no answer in {timeout_s:.0f} s"
                raise ConfigError(f"worker {self.name}: the models do not load: {reason}")

    def detect(
        self, job_id: int, model: str, frame: NDArray[np.uint8], heads: Sequence[str] = ()
    ) -> bool:
        """Give a frame (H, W, 3) uint8 BGR to a model.

        Returns:
            False when it was not taken: not ready, no free slot, or the frame is too large. The
            same holds for the other tasks.
        """
        return self._give_frame(job_id, model, frame, "detect", heads)

    def detect_jpeg(
        self,
        job_id: int,
        model: str,
        jpeg: bytes,
        width: int,
        height: int,
        heads: Sequence[str] = (),
    ) -> bool:
        """Give a JPEG to a model; the worker refuses it unless it has the promised size."""
        return self._give_bytes(job_id, model, jpeg, "jpeg", width, height, "detect", heads)

    def encode(self, job_id: int, model: str, frame: NDArray[np.uint8]) -> bool:
        """Run the first half of a split model; the answer's `payload` goes to the second."""
        return self._give_frame(job_id, model, frame, "encode")

    def decode(self, job_id: int, model: str, features: bytes, width: int, height: int) -> bool:
        """Run the second half; boxes are in pixels of the frame of this size."""
        return self._give_bytes(job_id, model, features, "features", width, height, "decode")

    def flow(self, job_id: int, frame: NDArray[np.uint8], request: bytes) -> bool:
        """Ask how boxes moved up to this frame (`motion.MotionRequest`)."""
        return self._give_frame(job_id, "", frame, "flow", request=request)

    def poll(self, now_ns: int) -> list[Answer]:
        """Answers that came, errors of jobs that a dead process held; restarts it when due.

        Call it when `fileno` is readable and at least every 100 ms.
        """
        answers: list[Answer] = []
        is_alive = self._process is not None
        try:
            while self._connection is not None and self._poller.poll(0):
                answers += self._read(self._connection.recv_bytes())
        except (EOFError, OSError, msgspec.MsgspecError):
            is_alive = False
        if is_alive and self._is_hung(now_ns):
            log.warning("worker %s (%d) hangs: killing it", self.name, self.pid)
            is_alive = False
        if not is_alive and self._process is not None:
            answers += self._bury(now_ns)
        if self._start_due_ns is not None and now_ns >= self._start_due_ns:
            self.start()
        return answers

    def stop(self) -> None:
        """End the process and give back its memory; jobs that it held get no answer."""
        self._start_due_ns = None
        self._close()
        if not self._memory.closed:
            self._memory.close()
            os.close(self._memory_fd)

    def _has_room(self) -> bool:
        return self._is_loaded and bool(self._free)

    def _give_frame(
        self,
        job_id: int,
        model: str,
        frame: NDArray[np.uint8],
        task: Task,
        heads: Sequence[str] = (),
        request: bytes = b"",
    ) -> bool:
        height, width = frame.shape[:2]
        if frame.nbytes > self._setup.slot_bytes or not self._has_room():
            return False
        slot = self._free.pop()
        view = np.frombuffer(self._memory, np.uint8, frame.nbytes, slot * self._setup.slot_bytes)
        np.copyto(view.reshape(frame.shape), frame)
        now_ns = time.monotonic_ns()
        return self._give(
            Job(
                job_id, slot, model, "bgr", frame.nbytes, width, height, now_ns,
                task, list(heads), request,
            )
        )  # fmt: skip

    def _give_bytes(
        self,
        job_id: int,
        model: str,
        payload: bytes,
        kind: Payload,
        width: int,
        height: int,
        task: Task,
        heads: Sequence[str] = (),
    ) -> bool:
        size = len(payload)
        if size > self._setup.slot_bytes or not self._has_room():
            return False
        slot = self._free.pop()
        at = slot * self._setup.slot_bytes
        self._memory[at : at + size] = payload
        now_ns = time.monotonic_ns()
        return self._give(
            Job(job_id, slot, model, kind, size, width, height, now_ns, task, list(heads))
        )

    def _give(self, job: Job) -> bool:
        assert self._connection is not None
        try:
            self._connection.send_bytes(msgspec.msgpack.encode(job))
        except OSError:  # it died just now; `poll` sees to it
            self._free.append(job.slot)
            return False
        now_ns = self._clock.now_ns()
        if not self._held:
            self._busy_since_ns = now_ns
        self._held[job.job_id] = _Held(job.slot, job.model, job.task, now_ns)
        return True

    def _read(self, message: bytes) -> list[Answer]:
        if not self._is_loaded:
            loaded = msgspec.msgpack.decode(message, type=Loaded)
            self.failure = loaded.error
            self.loaded, self.typical_ns = loaded, loaded.typical_ns
            self._is_loaded = not loaded.error
            self._failed_starts = 0 if self._is_loaded else self._failed_starts
            return []
        done = msgspec.msgpack.decode(message, type=Done)
        held = self._held.pop(done.job_id, None)
        if held is None:
            return []
        self._free.append(held.slot)
        self._busy_since_ns = self._clock.now_ns()
        return [_answer(done)]

    def _is_hung(self, now_ns: int) -> bool:
        if not self._is_loaded:
            return now_ns - self._busy_since_ns > LOADING_NS
        patience_ns = max(HUNG_NS, HUNG_TIMES * max(self.typical_ns.values(), default=0))
        return bool(self._held) and now_ns - self._busy_since_ns > patience_ns

    def _bury(self, now_ns: int) -> list[Answer]:
        """Errors for what the process held; plans the next start."""
        lost = [
            Answer(job_id, False, "worker died", None, held.model, task=held.task)
            for job_id, held in self._held.items()
        ]
        self._failed_starts += 0 if self._is_loaded else 1
        self._close()
        pause = FIRST_PAUSE_NS << min(self._failed_starts - 1, 10) if self._failed_starts else 0
        self._start_due_ns = now_ns + min(pause, LONGEST_PAUSE_NS)
        self.restarts += 1
        log.warning("worker %s died holding %d job(s): replacing it", self.name, len(lost))
        return lost

    def _close(self) -> None:
        self._is_loaded = False
        self._held.clear()
        self._free = list(range(SLOTS))
        if self._connection is not None:
            self._connection.close()
            self._connection = None
            self.generation += 1
        if self._process is not None:
            self._process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(1.0)
            self._process = None


def _answer(done: Done) -> Answer:
    error, found = done.error, None
    if not error and done.task in ("detect", "decode"):
        try:
            found = Detections.from_bytes(done.detections)
        except WireError as problem:  # a model of the user's own gave nonsense
            error = str(problem)
    return Answer(
        done.job_id, not error, error, found, done.model,
        done.queue_ns, done.decode_ns, done.infer_ns, done.total_ns,
        done.task, done.payload, done.heads, done.detections,
    )  # fmt: skip


def _anonymous_file(size: int) -> int:
    """A file in memory with no name: it goes when the last process that maps it ends."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("vdap-frames")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, size)
    return descriptor
