"""How old a unit's answers are, and how busy it is, from half to ten times what it can do.

    python benchmarks/freshness.py [--service-ms 33] [--seconds 6] [--lockstep-only]

Every row has the same settings; only frame rates and the number of vehicles change. An answer may
be as old as a round trip, its service and one frame interval. First in virtual time (capture and
encoding are 7 ms more), then over real sockets with CURVE: the roadside unit's process, its worker
process with a model that sleeps, and vehicles' dispatchers and links in this process, without an
encoder. Over sockets the round trip is a ping's, and waking up late is in every figure: `late` is
what one timer and two wake-ups took meanwhile beside it (`lateness.py`, p99). A row that is above
its limit by less than that `is late`: the limit knows no machine. To see what the program adds,
run it before the other processes: `chrt -r 1 python benchmarks/freshness.py`.
"""

import argparse
import heapq
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import zmq
from lateness import Lateness

from scheduler import config_file, processes
from scheduler.config import Config
from scheduler.effects import Emit, Encode, Open, Ping, Reopen, RunLocal, Send
from scheduler.security import Site, write_site
from scheduler.tasks import Task
from sim.channel.trace import Trace
from sim.lockstep import (
    CameraSpec,
    LinkSpec,
    OnboardModel,
    Scenario,
    StageProfile,
    UnitModel,
    UnitSpec,
    VehicleSpec,
    run,
)
from sim.lockstep.vehicle import deployed_dispatcher
from vehicle.offload import Addresses, Answered, Beaconed, OffloadLink, Ponged, Welcomed
from vehicle.perception.detections import Detections

ROOT = Path(__file__).parents[1]
RATES = (15.0, 30.0, 60.0, 150.0, 300.0)  # of one vehicle: 0.5 to 10 times 33 ms of service
CROWDS = (3, 6, 15, 30)  # vehicles at 10 fps: 1 to 10 times
DEADLINE_MS = 100.0
SETTLE_S = 1.0
LOCAL_NS = 30_000_000
FAST = "0,100e6,2,0,100e6,2,0\n1000,100e6,2,0,100e6,2,0\n"
WIDTH, HEIGHT = 640, 384


def vehicle_of(index: int, rate_hz: float, trace: Trace) -> VehicleSpec:
    """A vehicle that offers every frame to the unit."""
    millis = StageProfile.of_ms
    return VehicleSpec(
        f"v{index}",
        links=(LinkSpec("rsu", trace),),
        onboard=(OnboardModel("small", 0.5, millis(30.0, 40.0)),),
        policy="always_offload",
        cameras=(CameraSpec(rate_hz=rate_hz),),
        deadline_ms=DEADLINE_MS,
    )


def cases(service_ms: float) -> list[tuple[int, float, float]]:
    """(vehicles, frames a second of each, load)."""
    rows = [(1, rate, rate * service_ms / 1e3) for rate in RATES]
    return rows + [(count, 10.0, count * 10.0 * service_ms / 1e3) for count in CROWDS]


def line(
    name: str, ages: list[float], limit: float, busy: float, load: float, late: float = 0.0
) -> str:
    """One row of a table; `late`: p99 of the machine's own lateness, ms."""
    if not ages:
        return f"{name} {load:6.2f}   no answer"
    ages = sorted(ages)
    p99 = ages[min(len(ages) - 1, int(0.99 * len(ages)))]
    is_busy = busy >= 0.95 or load <= 1.0
    verdict = "holds" if p99 <= limit else "is late" if p99 <= limit + late else "fails"
    verdict = verdict if is_busy else "idles"
    return (
        f"{name} {load:6.2f} {len(ages):8} {ages[len(ages) // 2]:7.1f} {p99:7.1f} {limit:7.1f} "
        f"{busy:7.1%} {late:6.1f}   {verdict}"
    )


HEAD = "                       load  answers     p50     p99   limit    busy   late"


def in_lockstep(service_ms: float, seconds: float, trace: Trace) -> None:
    """The table in virtual time."""
    print(f"lockstep, ms\n{HEAD}")
    millis = StageProfile.of_ms
    model = UnitModel("large", 0.8, millis(service_ms, service_ms))
    for vehicles, rate, load in cases(service_ms):
        specs = tuple(vehicle_of(index, rate, trace) for index in range(vehicles))
        outcome = run(Scenario(specs, (UnitSpec("rsu", (model,)),), duration_s=seconds))
        until_ns = (seconds - 0.5) * 1e9
        steady = [r for r in outcome.verdicts if 1e9 < r.stamp_ns < until_ns]
        ages = [row.age_ns / 1e6 for row in steady if row.answer == "offloaded"]
        limit = 4.0 + 1.8 + 7.0 + service_ms + 1e3 / rate  # delays, transmission, encoder
        busy = outcome.units["rsu"].busy_ns / (seconds * 1e9)
        print(line(f"{vehicles:3} x {rate:5.0f} fps     ", ages, limit, busy, load), flush=True)


class Sleeper:
    """A model that takes its time without a core."""

    def __init__(self, spec, threads):  # type: ignore[no-untyped-def]
        self.name, self.stages_ns = spec.name, {}
        self._seconds = spec.options["seconds"]

    def detect(self, frame):  # type: ignore[no-untyped-def]
        """No boxes, after a while."""
        time.sleep(self._seconds)
        return Detections.empty()


class Vehicle:
    """A deployed dispatcher and link; what is slow on board is a timer."""

    def __init__(self, context, config: Config, spec: VehicleSpec, index: int, jpeg: bytes) -> None:  # type: ignore[no-untyped-def]
        model = UnitModel("large", 0.8, StageProfile.of_ms(30.0, 30.0))
        now_ns = time.monotonic_ns()
        self.spec, self.jpeg = spec, jpeg
        self.dispatcher = deployed_dispatcher(spec, [model], now_ns)
        control, frames = (
            processes.address(config, "rsu", "rsu", name) for name in ("control", "frames")
        )
        site = Site(Path(config.security.certificates))
        where = Addresses(control, frames, site.keys(spec.id), site.peer("rsu").key)
        self.link = OffloadLink(context, spec.id, "rsu", where)
        self.period_ns = round(1e9 / spec.cameras[0].rate_hz)
        self.due_ns = now_ns + int(SETTLE_S * 1e9) + index * self.period_ns // 7
        self.local: list[tuple[int, int, str]] = []  # due, task, model
        self.ages: list[tuple[int, float]] = []  # stamp, ms
        self.service_ms: list[float] = []  # as the unit's beacons tell it, and the next
        self.busy: list[float] = []
        self.pings: dict[int, int] = {}
        self.trips_ms: list[float] = []
        self.tick = 0
        self.link.reopen(now_ns)
        self.act(self.dispatcher.on_worker(True, now_ns))

    def turn(self, until_ns: int) -> int:
        """Do what is due; when to come again."""
        now_ns = time.monotonic_ns()
        self.link.greet(now_ns)
        for heard in self.link.receive(now_ns):
            self.hear(heard, time.monotonic_ns())
        while self.local and self.local[0][0] <= now_ns:
            _, task_id, model = heapq.heappop(self.local)
            self.act(self.dispatcher.on_local_done(task_id, model, None, LOCAL_NS, now_ns, 0.0))
        timer_ns = self.dispatcher.next_timer_ns()
        if timer_ns is not None and timer_ns <= now_ns:
            self.act(self.dispatcher.on_timer(now_ns, timer_ns))
        if self.due_ns <= now_ns < until_ns:
            self.tick, stamp_ns = self.tick + 1, self.due_ns
            self.due_ns += self.period_ns
            task = Task(self.tick, self.spec.id, "front", self.tick, 0, "object_detection",
                        stamp_ns, stamp_ns + int(DEADLINE_MS * 1e6), WIDTH, HEIGHT)  # fmt: skip
            self.act(self.dispatcher.on_frame(task, now_ns))
        due = [self.due_ns if self.due_ns < until_ns else now_ns + 10**8]
        due += [self.local[0][0]] if self.local else []
        for at in (self.dispatcher.next_timer_ns(), self.link.next_hello_ns()):
            due += [at] if at is not None else []
        return min(due)

    def hear(self, heard: object, now_ns: int) -> None:
        """One thing that the unit said."""
        if isinstance(heard, Welcomed):
            self.act(self.dispatcher.on_welcome("rsu", heard.credits, heard.models, now_ns))
        elif isinstance(heard, Ponged):
            self.trips_ms.append((now_ns - self.pings.pop(heard.number, now_ns)) / 1e6)
            self.act(self.dispatcher.on_pong("rsu", heard.number, now_ns))
        elif isinstance(heard, Beaconed):
            self.service_ms.append(heard.load.models.get("large", 0) / 1e6)
            self.busy.append(heard.load.busy_share)
            self.act(self.dispatcher.on_beacon("rsu", heard.load, now_ns))
        elif isinstance(heard, Answered):
            report, seq = heard.report, heard.seq
            if report.status == "ok":
                self.act(self.dispatcher.on_result("rsu", seq, report, heard.detections, now_ns))
            else:
                self.act(self.dispatcher.on_reject("rsu", seq, report, now_ns))

    def act(self, effects) -> None:  # type: ignore[no-untyped-def]
        """Carry out; the list grows while it is walked through."""
        for effect in effects:
            now_ns = time.monotonic_ns()
            if isinstance(effect, Encode):
                more = self.dispatcher.on_encoded(
                    effect.task.task_id, len(self.jpeg), 1_000_000, now_ns
                )
                effects.extend(more)
            elif isinstance(effect, Send):
                is_sent = self.link.send(effect, self.jpeg, now_ns)
                effects.extend(self.dispatcher.on_sent(effect, is_sent, now_ns))
            elif isinstance(effect, RunLocal):
                due = (now_ns + LOCAL_NS, effect.task.task_id, effect.model)
                heapq.heappush(self.local, due)
            elif isinstance(effect, Emit) and effect.kind == "offloaded":
                age_ms = (now_ns - effect.task.stamp_ns) / 1e6
                self.ages.append((effect.task.stamp_ns, age_ms))
            elif isinstance(effect, Ping):
                self.pings[effect.number] = now_ns
                self.link.ping(effect.number)
            elif isinstance(effect, (Reopen, Open)):
                self.link.reopen(now_ns)


def config_of(folder: Path, service_ms: float, vehicles: int) -> Config:
    """One unit with the sleeping model."""
    options = {"seconds": service_ms / 1e3}
    detector = {
        "id": "large", "kind": "freshness:Sleeper", "accuracy": 0.8, "options": options,
    }  # fmt: skip
    tree = {
        "vehicles": [
            {"id": f"v{index}", "cameras": [{"source": "video:none"}]} for index in range(vehicles)
        ],
        "roadside_units": [{"id": "rsu", "bind": {"port": 19_100}, "detectors": [detector]}],
        "link": {},
        "security": {"certificates": str(folder / "certificates")},
        "ipc_folder": str(folder / "ipc"),
        "source_folder": str(ROOT / "benchmarks"),
    }
    (folder / "ipc").mkdir(mode=0o700, exist_ok=True)
    return config_file.decode(tree, "benchmark")


def over_sockets(service_ms: float, seconds: float, trace: Trace, folder: Path) -> None:
    """The table over real sockets."""
    import cv2

    noise = np.random.default_rng(1).integers(0, 255, (HEIGHT // 24, WIDTH // 24, 3), np.uint8)
    picture = cv2.resize(noise, (WIDTH, HEIGHT))
    jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 60])[1].tobytes()
    config = config_of(folder, service_ms, max(CROWDS))
    write_site(folder / "certificates", processes.site_names(config))
    (folder / "unit.yaml").write_text(config_file.dump(config))
    lateness = Lateness(folder)
    unit = subprocess.Popen(
        [sys.executable, "-m", "roadside_unit", str(folder / "unit.yaml"), "--id", "rsu"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'benchmarks'}"},
    )  # fmt: skip
    try:
        assert unit.stdout is not None
        assert unit.stdout.readline() == "ready\n"
        print(f"\nsockets, ms; {len(jpeg):,} B a frame\n{HEAD}")
        for count, rate, load in cases(service_ms):
            case = count, rate, load
            print(measured(config, case, seconds, trace, jpeg, lateness), flush=True)
    finally:
        unit.terminate()
        unit.wait(10)
        lateness.close()
        if unit.stdout is not None:
            unit.stdout.close()


def measured(
    config: Config,
    case: tuple[int, float, float],
    seconds: float,
    trace: Trace,
    jpeg: bytes,
    lateness: Lateness,
) -> str:
    """One row over sockets."""
    count, rate, load = case
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context(io_threads=1)
    fleet = [
        Vehicle(context, config, vehicle_of(index, rate, trace), index, jpeg)
        for index in range(count)
    ]
    poller = zmq.Poller()
    for vehicle in fleet:
        poller.register(vehicle.link.control, zmq.POLLIN)
    begin_ns = time.monotonic_ns() + int(3 * SETTLE_S * 1e9)
    until_ns = begin_ns + int(seconds * 1e9)
    while (now_ns := time.monotonic_ns()) < until_ns:
        due_ns = min(vehicle.turn(until_ns) for vehicle in fleet)
        wait_ms = max(0.0, (due_ns - time.monotonic_ns()) / 1e6)
        poller.poll(min(wait_ms, 50.0))
        if now_ns < begin_ns:
            for vehicle in fleet:
                vehicle.service_ms.clear()
                vehicle.busy.clear()
    steady = [each for each in fleet if each.ages]
    ages = [age for each in steady for stamp, age in each.ages if stamp > begin_ns]
    services = sorted(ms for each in fleet for ms in each.service_ms)
    trips = sorted(ms for each in fleet for ms in each.trips_ms) or [0.0]
    told = [share for each in fleet for share in each.busy]
    busy = sum(told) / max(1, len(told))
    service = services[len(services) // 2] if services else 0.0
    limit = trips[len(trips) // 2] + service + 1e3 / rate
    for vehicle in fleet:
        vehicle.link.leave()
    context.destroy(linger=100)
    late = lateness.between(begin_ns, until_ns) or [0.0]
    late_p99 = late[int(0.99 * len(late))]
    return line(f"{count:3} x {rate:5.0f} fps     ", ages, limit, busy, load, late_p99)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--service-ms", type=float, default=33.0)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each row")
    parser.add_argument("--lockstep-only", action="store_true")
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "fast.csv").write_text(FAST)
        trace = Trace(folder / "fast.csv")
        in_lockstep(flags.service_ms, flags.seconds + 2.0, trace)
        if not flags.lockstep_only:
            over_sockets(flags.service_ms, flags.seconds, trace, folder)


if __name__ == "__main__":
    main()
