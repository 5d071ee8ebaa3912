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
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Annotated, Literal

import msgspec
import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from scheduler.errors import ConfigError, VdapError, WireError
from vehicle.perception.abilities import (
    Decode,
    Encode,
    FlowEstimator,
    Model,
    Wanted,
    load_flow,
    load_model,
)
from vehicle.perception.detections import Detections
from vehicle.perception.detector import DetectorSpec
from vehicle.perception.jpeg import decode_jpeg

log = logging.getLogger(__name__)

WARM_UP_SHAPE = (384, 640, 3)  # of the picture that a fresh model is tried on
WARM_UP_RUNS = 3  # the first is slow for every runtime, the rest tell the typical duration
SPARE_MEMORY = 1 << 30  # bytes that a job may add to what the loaded models take
NonNegative = Annotated[int, Meta(ge=0)]


Task = Literal["detect", "encode", "decode", "flow"]
Payload = Literal["bgr", "jpeg", "features"]


class Setup(Struct, frozen=True, array_like=True):
    """First message to the process: what to load."""

    specs: list[DetectorSpec]
    threads: int
    slowdown: float
    slot_bytes: int
    wanted: Wanted = Wanted()


class Job(Struct, frozen=True, array_like=True):
    """What to do with the `size` bytes in a slot.

    Attributes:
        model: The detector; empty for "flow".
        payload: BGR pixels, a JPEG, or what an encoder made of a picture of that size.
        task: "detect" and "decode" answer detections, "encode" and "flow" bytes.
        heads: Further results that a "detect" shall bring; those that the model lacks are left out.
        request: Of "flow": which boxes of which camera, as `motion.MotionRequest` lays it out.
    """

    job_id: int
    slot: NonNegative
    model: str
    payload: Payload
    size: NonNegative
    width: NonNegative
    height: NonNegative
    given_ns: int
    task: Task = "detect"
    heads: list[str] = []
    request: bytes = b""


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
    task: Task = "detect"
    payload: bytes = b""  # of "encode" and "flow"
    heads: dict[str, bytes] = {}


class Loaded(Struct, frozen=True, array_like=True):
    """Answer to the setup, or why there is none.

    Attributes:
        typical_ns: Duration of each model's "detect".
        encode_ns: The same of each model that encodes.
        decode_ns: The same of each model that decodes.
        heads: Of each model that has any of those wanted.
        backends: What runs each model, in words; only of models that tell.
        why_not: Why a model has no such ability, by "MODEL: ABILITY".
    """

    error: str
    typical_ns: dict[str, int] = {}
    encode_ns: dict[str, int] = {}
    decode_ns: dict[str, int] = {}
    heads: dict[str, list[str]] = {}
    backends: dict[str, str] = {}
    why_not: dict[str, str] = {}


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
        self._models: Mapping[str, Model] = {
            spec.name: load_model(spec, setup.threads, setup.wanted) for spec in setup.specs
        }
        self._flow: FlowEstimator | None = None  # loaded when it is first asked for

    def loaded(self) -> Loaded:
        """Tries each model on a grey picture: least duration of some runs, after slowdown."""
        picture: NDArray[np.uint8] = np.full(WARM_UP_SHAPE, 114, np.uint8)
        typical, encode_ns, decode_ns, backends = {}, {}, {}, {}
        for name, model in self._models.items():
            typical[name] = self._try(lambda m=model: m.detector.detect(picture))  # type: ignore[misc]
            backend = getattr(model.detector, "backend", "")
            if backend:
                backends[name] = str(backend)
            if model.encode is not None:
                encode_ns[name] = self._try(lambda m=model: m.encode(picture))  # type: ignore[misc]
            if model.decode is not None:
                payload = model.sample(picture)
                decode_ns[name] = self._try(lambda m=model, p=payload: m.decode(p))  # type: ignore[misc]
            if model.heads:
                model.look(picture, model.heads)
        heads = {name: list(model.heads) for name, model in self._models.items() if model.heads}
        why_not = {
            f"{name}: {ability}": reason
            for name, model in self._models.items()
            for ability, reason in model.why_not.items()
        }
        return Loaded("", typical, encode_ns, decode_ns, heads, backends, why_not)

    def _try(self, run: Callable[[], object]) -> int:
        runs = []
        for _ in range(WARM_UP_RUNS):
            watch = Stopwatch()
            run()
            runs.append(watch.lap_ns())
        return int(min(runs) * self._setup.slowdown)

    def answer(self, job: Job) -> Done:
        """Does one job; an error of the picture or the model is an answer as well."""
        watch = Stopwatch()
        start_ns = watch.wall_ns
        found, heads, payload = Detections.empty(), dict[str, bytes](), b""
        error, decode_ns = "", 0
        try:
            if job.task == "decode":
                found = self._decoder(job)(self._bytes(job))
            else:
                frame = self._frame(job)
                decode_ns = watch.lap_ns()
                if job.task == "encode":
                    payload = self._encoder(job)(frame)
                elif job.task == "flow":
                    payload = self._flow_estimator().answer(frame, job.request)
                else:
                    found, results = self._model(job).look(frame, job.heads)
                    heads = dict(results)
        except VdapError as problem:
            error = str(problem)
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
            job.task,
            payload,
            heads,
        )

    def _model(self, job: Job) -> Model:
        model = self._models.get(job.model)
        if model is None:
            raise ConfigError(f"no model {job.model!r} here")
        return model

    def _encoder(self, job: Job) -> Encode:
        encode = self._model(job).encode
        if encode is None:
            raise ConfigError(f"model {job.model!r} has no encoder here")
        return encode

    def _decoder(self, job: Job) -> Decode:
        decode = self._model(job).decode
        if decode is None:
            raise ConfigError(f"model {job.model!r} has no decoder here")
        return decode

    def _flow_estimator(self) -> FlowEstimator:
        if self._flow is None:
            self._flow = load_flow()
        return self._flow

    def _bytes(self, job: Job) -> bytes:
        at = job.slot * self._setup.slot_bytes
        return self._memory[at : at + job.size]

    def _frame(self, job: Job) -> NDArray[np.uint8]:
        if job.payload == "jpeg":
            return decode_jpeg(self._bytes(job), job.width, job.height)
        if job.payload != "bgr":
            raise WireError(f"expected a picture to {job.task}, got {job.payload}")
        at = job.slot * self._setup.slot_bytes
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
        loaded = inference.loaded()
    except VdapError as error:
        connection.send_bytes(encoder.encode(Loaded(str(error))))
        return
    bound_memory()
    connection.send_bytes(encoder.encode(loaded))
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
