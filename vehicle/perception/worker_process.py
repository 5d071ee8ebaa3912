"""The inference worker's own process: models stay loaded, frames come by shared memory.

Started by `vehicle.perception.worker.Worker` as `python -m vehicle.perception.worker_process FD FD`
(control socket, frame memory). It ends when the control socket closes, so it never outlives
whoever started it.
"""

import logging
import mmap
import os
import resource
import signal
import sys
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from scheduler.errors import VdapError
from vehicle.perception.detections import Detections
from vehicle.perception.detector import Detector, DetectorSpec, load_detector
from vehicle.perception.jpeg import decode_jpeg

log = logging.getLogger(__name__)

WARM_UP_SHAPE = (384, 640, 3)  # of the picture that a fresh model is tried on
WARM_UP_RUNS = 3  # the first is slow for every runtime, the rest tell the typical duration
SPARE_MEMORY = 1 << 30  # bytes that a job may add to what the loaded models take
NonNegative = Annotated[int, Meta(ge=0)]


class Setup(Struct, frozen=True, array_like=True):
    """First message to the process: what to load."""

    specs: list[DetectorSpec]
    threads: int
    slowdown: float
    slot_bytes: int


class Job(Struct, frozen=True, array_like=True):
    """One frame in a slot: BGR pixels, or a JPEG of `size` bytes."""

    job_id: int
    slot: NonNegative
    model: str
    is_jpeg: bool
    size: NonNegative
    width: NonNegative
    height: NonNegative
    given_ns: int


class Done(Struct, frozen=True, array_like=True):
    """Answer to a job; durations in ns, after slowdown."""

    job_id: int
    slot: int
    error: str  # empty when it went well
    detections: bytes
    model: str
    queue_ns: int
    decode_ns: int
    infer_ns: int
    total_ns: int


class Loaded(Struct, frozen=True, array_like=True):
    """Answer to the setup: typical duration of each model, ns, or why there is none."""

    error: str
    typical_ns: dict[str, int]


class Stopwatch:
    """Compute time of this process between two looks: CPU time, at most the wall time.

    The declared board shares its cores with nobody, so what other processes take here does not
    count; with several threads the wall time is the shorter one.
    """

    def __init__(self) -> None:
        self.wall_ns, self._cpu_ns = time.monotonic_ns(), time.process_time_ns()

    def lap_ns(self) -> int:
        """Nanoseconds of compute since the last look."""
        wall_ns, cpu_ns = time.monotonic_ns(), time.process_time_ns()
        passed = min(wall_ns - self.wall_ns, cpu_ns - self._cpu_ns)
        self.wall_ns, self._cpu_ns = wall_ns, cpu_ns
        return passed


class Inference:
    """The loaded models and the frame memory."""

    def __init__(self, setup: Setup, memory: mmap.mmap) -> None:
        self._setup = setup
        self._memory = memory
        self._detectors: Mapping[str, Detector] = {
            spec.name: load_detector(spec, setup.threads) for spec in setup.specs
        }

    def typical_ns(self) -> dict[str, int]:
        """Runs each model on a grey picture: least duration of some runs, after slowdown."""
        picture: NDArray[np.uint8] = np.full(WARM_UP_SHAPE, 114, np.uint8)
        typical = {}
        for name, detector in self._detectors.items():
            runs = []
            for _ in range(WARM_UP_RUNS):
                watch = Stopwatch()
                detector.detect(picture)
                runs.append(watch.lap_ns())
            typical[name] = int(min(runs) * self._setup.slowdown)
        return typical

    def answer(self, job: Job) -> Done:
        """Does one job; an error of the picture or the model is an answer as well."""
        watch = Stopwatch()
        start_ns = watch.wall_ns
        found, error, decode_ns = Detections.empty(), "", 0
        try:
            detector = self._detectors[job.model]
            frame = self._frame(job)
            decode_ns = watch.lap_ns()
            found = detector.detect(frame)
        except VdapError as problem:
            error = str(problem)
        except KeyError:
            error = f"no model {job.model!r} here"
        except Exception as problem:  # the model is somebody else's code
            log.exception("job %d failed", job.job_id)
            error = f"{type(problem).__name__}: {problem}"
        infer_ns = watch.lap_ns()
        slowdown = self._setup.slowdown
        if slowdown > 1.0:
            due_ns = start_ns + int((decode_ns + infer_ns) * slowdown)
            time.sleep(max(0, due_ns - time.monotonic_ns()) / 1e9)
        return Done(
            job.job_id,
            job.slot,
            error[:300],
            found.to_bytes(),
            job.model,
            max(0, start_ns - job.given_ns),
            int(decode_ns * slowdown),
            int(infer_ns * slowdown),
            time.monotonic_ns() - start_ns,
        )

    def _frame(self, job: Job) -> NDArray[np.uint8]:
        at = job.slot * self._setup.slot_bytes
        if job.is_jpeg:
            return decode_jpeg(self._memory[at : at + job.size], job.width, job.height)
        pixels = np.frombuffer(self._memory, np.uint8, job.size, at)
        return pixels.reshape(job.height, job.width, 3)


def bound_memory() -> None:
    """Lets a job take `SPARE_MEMORY` more than the models already have, and no more."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - not a real file
            pages = int(file.read().split()[0])
    except OSError:
        return  # not Linux: the header guard alone bounds a picture
    limit = pages * os.sysconf("SC_PAGE_SIZE") + SPARE_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))


def bound_threads() -> None:
    """OpenCV in one thread: the config's `threads` are those of the model."""
    try:
        import cv2
    except ImportError:
        return
    cv2.setNumThreads(1)


def serve(connection: Connection, memory: mmap.mmap) -> None:
    """Loads, says so, and answers jobs in order until the connection closes."""
    encoder = msgspec.msgpack.Encoder()
    jobs = msgspec.msgpack.Decoder(Job)
    setup = msgspec.msgpack.decode(connection.recv_bytes(), type=Setup)
    bound_threads()
    try:
        inference = Inference(setup, memory)
        typical_ns = inference.typical_ns()
    except VdapError as error:
        connection.send_bytes(encoder.encode(Loaded(str(error), {})))
        return
    bound_memory()
    connection.send_bytes(encoder.encode(Loaded("", typical_ns)))
    while True:
        job = jobs.decode(connection.recv_bytes())
        connection.send_bytes(encoder.encode(inference.answer(job)))


def main(arguments: list[str]) -> int:
    """Entry of the process; `arguments` are the numbers of the two file descriptors."""
    for number in (signal.SIGINT, signal.SIGTERM):  # these reach the whole group; we end by EOF
        signal.signal(number, signal.SIG_IGN)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    connection = Connection(int(arguments[0]))
    memory_fd = int(arguments[1])
    with mmap.mmap(memory_fd, os.fstat(memory_fd).st_size) as memory:
        try:
            serve(connection, memory)
        except (EOFError, OSError):
            return 0  # whoever started us is gone
        finally:
            connection.close()
    return 0


if __name__ == "__main__":
    os._exit(main(sys.argv[1:]))  # runtimes' threads must not delay the end
