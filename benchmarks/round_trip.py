"""What the unit's front process and its worker process add to a raw CURVE round trip.

    python benchmarks/round_trip.py [--frames 600] [--rate 30] [--profile FILE]

One frame of 45 kB at a time, CURVE on, loopback, a model that does nothing. All servers run side by
side and are asked in turn, so that the machine's load is the same for each:

    echo      a bare pyzmq ROUTER that sends back what came
    answer    the same, which sends back 300 bytes: a result's size
    front     the roadside unit's process (guards, session, admission, result), the model inside it
    worker    the same with its inference process behind it

The vehicle's side of the last two is `vehicle.offload`, of the first two a bare DEALER. CPU is that
of both sides per frame, in microseconds, all threads.
"""

import argparse
import cProfile
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import zmq

from scheduler import config_file, messages, processes, transport
from scheduler.clock import MonotonicClock
from scheduler.config import Config
from scheduler.effects import Send
from scheduler.security import Site, start_authenticator, write_site
from scheduler.tasks import Task
from vehicle.offload import Addresses, Answered, OffloadLink
from vehicle.perception.detections import Detections

ROOT = Path(__file__).parents[1]
FRAME_BYTES = 45_000
RESULT_BYTES = 300
WARM_UP = 30  # frames
KINDS = ("echo", "answer", "front", "worker")
WAIT_MS = 5000


class Nothing:
    """A model that finds nothing, at once; its second half too."""

    def __init__(self, spec, threads):  # type: ignore[no-untyped-def]
        self.name, self.stages_ns, self.heads = spec.name, {}, ()

    def detect(self, frame):  # type: ignore[no-untyped-def]
        """No boxes."""
        return Detections.empty()

    def encode(self, frame: object) -> bytes:
        """Some bytes."""
        return b"features"

    def decode(self, payload: bytes) -> Detections:
        """No boxes."""
        return Detections.empty()


class Inline:
    """A worker without a process: the answer is there when it is asked for."""

    def __init__(self) -> None:
        from vehicle.perception.worker import Answer
        from vehicle.perception.worker_process import Loaded

        self.is_ready, self.generation, self.restarts = True, 0, 0
        self.typical_ns: dict[str, int] = {"large": 1}
        self.loaded = Loaded("", {"large": 1}, {}, {"large": 1})
        self._answers: list[object] = []
        self._found, self._answer = Detections.empty(), Answer
        self._packed = self._found.to_bytes()  # in the worker's process, where there is one

    def fileno(self) -> int:
        """Nothing to poll."""
        return -1

    def decode(self, job_id: int, model: str, features: bytes, width: int, height: int) -> bool:
        """Answer at once."""
        answer = self._answer(
            job_id, True, "", self._found, model, task="decode", packed=self._packed
        )
        self._answers.append(answer)
        return True

    def poll(self, now_ns: int) -> list[object]:
        """The answers so far."""
        answers, self._answers = self._answers, []
        return answers


def config_of(folder: Path, kind: str) -> Config:
    """A unit's config; the raw servers use its keys and ports too."""
    port = 19_000 + 10 * KINDS.index(kind)
    tree = {
        "vehicles": [{"id": "ego", "cameras": [{"source": "video:none"}]}],
        "roadside_units": [
            {"id": "rsu", "bind": {"port": port},
             "detectors": [{"id": "large", "kind": "round_trip:Nothing", "accuracy": 0.5}]}
        ],
        "link": {},
        "security": {"certificates": str(folder / "certificates")},
        "ipc_folder": str(folder / kind),
        "source_folder": str(ROOT / "benchmarks"),
    }  # fmt: skip
    (folder / kind).mkdir(mode=0o700, exist_ok=True)
    return config_file.decode(tree, "benchmark")


def serve(kind: str, folder: Path, profile: str) -> None:
    """Run one server until it is ended."""
    profiler = cProfile.Profile() if profile else None
    stop = processes.Stop()
    config = config_of(folder, kind)
    if kind in ("echo", "answer"):
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context(io_threads=1)
        site = Site(folder / "certificates")
        authenticator = start_authenticator(context, site)
        address = processes.address(config, "rsu", "rsu", "frames", is_bind=True)
        router = transport.bind_router(context, address, site.keys("rsu"))
        processes.ready()
        while not stop:
            if router.poll(50):
                parts = router.recv_multipart()
                parts = parts if kind == "echo" else [parts[0], bytes(RESULT_BYTES)]
                router.send_multipart(parts)
        authenticator.stop()
        context.destroy(linger=0)
        return
    from roadside_unit.server import Server
    from vehicle.perception.abilities import Wanted
    from vehicle.perception.detector import DetectorSpec
    from vehicle.perception.worker import Worker

    unit = config.unit("rsu")
    clock = MonotonicClock()
    if kind == "front":
        worker = Inline()
    else:
        specs = [DetectorSpec.of(detector, config.path) for detector in unit.detectors]
        worker = Worker(  # type: ignore[assignment]
            "rsu", specs, threads=1, max_frame_bytes=600_000, clock=clock,
            wanted=Wanted(decode=True),
        )  # fmt: skip
        worker.start()  # type: ignore[attr-defined]
        worker.wait_ready(60.0)  # type: ignore[attr-defined]
    server = Server(config, unit, clock, worker, None)  # type: ignore[arg-type]
    server.open_desk()
    processes.ready()
    if profiler:
        profiler.enable()
    while not stop:
        server.turn()
    if profiler:
        profiler.disable()
        profiler.dump_stats(f"{profile}.{kind}")
    server.close()
    if kind == "worker":
        worker.stop()  # type: ignore[attr-defined]


class Raw:
    """A bare DEALER."""

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]", config: Config) -> None:
        site = Site(Path(config.security.certificates))
        self.socket = transport.connect_dealer(
            context, processes.address(config, "rsu", "rsu", "frames"), site.keys("ego"),
            site.peer("rsu").key,
        )  # fmt: skip
        self._poller = zmq.Poller()
        self._poller.register(self.socket, zmq.POLLIN)
        time.sleep(0.5)

    def ask(self, number: int, payload: bytes) -> None:
        """One round trip."""
        self.socket.send_multipart([b"REQUEST", bytes(120), payload])
        assert self._poller.poll(WAIT_MS)
        self.socket.recv_multipart()


class Vehicle:
    """The vehicle's end as it is deployed."""

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]", config: Config) -> None:
        control, frames = (
            processes.address(config, "rsu", "rsu", name) for name in ("control", "frames")
        )
        site = Site(Path(config.security.certificates))
        where = Addresses(control, frames, site.keys("ego"), site.peer("rsu").key)
        self.link = OffloadLink(context, "ego", "rsu", where)
        self.link.reopen(time.monotonic_ns())
        self._poller = zmq.Poller()
        self._poller.register(self.link.control, zmq.POLLIN)
        while self.link.next_hello_ns() is not None:
            self._poller.poll(20)
            self.link.receive(time.monotonic_ns())
            self.link.greet(time.monotonic_ns())

    def ask(self, number: int, payload: bytes) -> None:
        """One round trip."""
        now_ns = time.monotonic_ns()
        task = Task(number, "ego", "front", number, 0, "objects", now_ns, now_ns + 10**9, 640, 384)
        effect = Send(task, "rsu", number, "large", 10**9, "features")
        assert self.link.send(effect, payload, now_ns)
        while True:
            assert self._poller.poll(WAIT_MS), "no answer"
            for heard in self.link.receive(time.monotonic_ns()):
                if isinstance(heard, Answered) and heard.seq == number:
                    assert heard.report.status == "ok", heard.report
                    return


@dataclass
class Measured:
    """Of one server, per frame."""

    trips_us: list[float]
    vehicle_us: float = 0.0
    unit_us: float = 0.0


def main() -> int:
    """Print the table; as a role, serve."""
    if sys.argv[1:2] == ["serve"]:
        serve(sys.argv[2], Path(sys.argv[3]), sys.argv[4])
        return 0
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=400)
    parser.add_argument("--rate", type=float, default=30.0, help="frames a second of each server")
    parser.add_argument("--profile", default="", help="prefix of cProfile files of the servers")
    parser.add_argument("--json", action="store_true")
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        measured = measure(Path(name), flags.frames, flags.rate, flags.profile)
    show(measured, flags.json)
    return 0


def measure(folder: Path, frames: int, rate: float, profile: str) -> dict[str, Measured]:
    """Ask all servers in turn."""
    write_site(folder / "certificates", processes.site_names(config_of(folder, "echo")))
    started = {}
    measured = {kind: Measured([]) for kind in KINDS}
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context(io_threads=1)
    try:
        for kind in KINDS:
            started[kind] = subprocess.Popen(
                [sys.executable, str(Path(__file__)), "serve", kind, str(folder), profile],
                stdout=subprocess.PIPE, text=True, cwd=ROOT,
                env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'benchmarks'}"},
            )  # fmt: skip
            assert started[kind].stdout.readline() == "ready\n"  # type: ignore[union-attr]
        ends: dict[str, Raw | Vehicle] = {}
        for kind in KINDS:
            end = Raw if kind in ("echo", "answer") else Vehicle
            ends[kind] = end(context, config_of(folder, kind))
        payload = os.urandom(FRAME_BYTES)
        step = 1.0 / rate / len(KINDS)
        due = time.monotonic()
        unit_ns: dict[str, int] = {}
        for number in range(WARM_UP + frames):
            if number == WARM_UP:
                unit_ns = {kind: cpu_ns(started[kind].pid) for kind in KINDS}
            for kind in KINDS:
                due += step
                time.sleep(max(0.0, due - time.monotonic()))
                cpu, begin = time.process_time_ns(), time.monotonic_ns()
                ends[kind].ask(number, payload)
                trip = time.monotonic_ns() - begin
                if number >= WARM_UP:
                    measured[kind].trips_us.append(trip / 1e3)
                    measured[kind].vehicle_us += (time.process_time_ns() - cpu) / 1e3 / frames
        for kind in KINDS:
            measured[kind].unit_us = (cpu_ns(started[kind].pid) - unit_ns[kind]) / 1e3 / frames
    finally:
        for process in started.values():
            process.terminate()
        for process in started.values():
            process.wait(10)
            process.stdout.close()  # type: ignore[union-attr]
        context.destroy(linger=0)
    return measured


def cpu_ns(pid: int) -> int:
    """Time on a core of a process and its children so far, all threads."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
        for child in (task / "children").read_text().split():
            total += cpu_ns(int(child))
    return total


def show(measured: dict[str, Measured], is_json: bool) -> None:
    """Print figures, and ratios to the raw echo."""
    if is_json:
        print(json.dumps({kind: vars(values) for kind, values in measured.items()}))
        return
    print(f"{FRAME_BYTES} B a frame, CURVE; microseconds; protocol version {messages.VERSION}")
    print("           p50      p99  CPU vehicle  CPU unit   both | p50 / echo  CPU / echo")
    base = measured["echo"]
    for kind, values in measured.items():
        p50, both = at(values.trips_us, 0.5), values.vehicle_us + values.unit_us
        print(
            f"{kind:7} {p50:7.0f} {at(values.trips_us, 0.99):8.0f} {values.vehicle_us:12.0f} "
            f"{values.unit_us:9.0f} {both:6.0f} | {p50 / at(base.trips_us, 0.5):10.2f} "
            f"{both / (base.vehicle_us + base.unit_us):11.2f}"
        )


def at(values: list[float], share: float) -> float:
    """The value at or below which this share of them lies."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


if __name__ == "__main__":
    sys.exit(main())
