"""A driver among fakes: clock, worker, encoder, link and outlet, none of which waits."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from scheduler import messages
from scheduler.config import DeadlineRule, Service, Vehicle
from scheduler.dispatcher import Dispatcher
from scheduler.effects import Send
from scheduler.onboard import EncoderSpec, RungSpec
from scheduler.placement import Pipeline, Placement, View
from scheduler.tasks import Task
from vehicle.camera.base import Frame
from vehicle.driver import Driver
from vehicle.expectations import TimedPolicy
from vehicle.offload import Ponged, Welcomed
from vehicle.perception.detections import Detections
from vehicle.perception.worker import Answer
from vehicle.services.base import Advisory
from vehicle.services.registry import ServiceSet

MS = 1_000_000


class FakeClock:
    def __init__(self) -> None:
        self.ns = 1_000_000_000

    def now_ns(self) -> int:
        return self.ns


class FakeWorker:
    def __init__(self) -> None:
        self.is_ready = True
        self.jobs: list[tuple[int, str]] = []
        self.heads: list[tuple[str, ...]] = []
        self.requests: list[bytes] = []

    def detect(self, job_id: int, model: str, frame: np.ndarray, heads: Sequence[str] = ()) -> bool:
        self.heads.append(tuple(heads))
        return self._take(job_id, model)

    def encode(self, job_id: int, model: str, frame: np.ndarray) -> bool:
        return self._take(job_id, f"{model}+split")

    def flow(self, job_id: int, frame: np.ndarray, request: bytes) -> bool:
        self.requests.append(request)
        return self._take(job_id, "flow")

    def _take(self, job_id: int, model: str) -> bool:
        if self.is_ready:
            self.jobs.append((job_id, model))
        return self.is_ready


class FakeEncoder:
    def __init__(self) -> None:
        self.jobs: list[int] = []
        self.sizes: list[tuple[int, int] | None] = []
        self.cancelled: list[int] = []

    def encode(
        self,
        task_id: int,
        image: np.ndarray,
        quality: int,
        size: tuple[int, int] | None = None,
    ) -> None:
        self.sizes.append(size)
        self.jobs.append(task_id)

    def cancel(self, task_id: int) -> None:
        self.cancelled.append(task_id)


class FakeOutlet:
    def __init__(self) -> None:
        self.verdicts: list[messages.Verdict] = []
        self.events: list[str] = []
        self.frames = 0

    def publish(self, message: messages.Verdict, *ids: str) -> None:
        self.verdicts.append(message)

    def event(self, level: str, text: str) -> None:
        self.events.append(text)

    def record_frame(self, frame: Frame) -> None:
        self.frames += 1


class FakeLink:
    def __init__(self) -> None:
        self.sent: list[Send] = []
        self.payloads: list[bytes] = []
        self.reopened = 0

    def send(self, effect: Send, payload: bytes, now_ns: int) -> bool:
        self.sent.append(effect)
        self.payloads.append(payload)
        return True

    def ping(self, number: int) -> bool:
        return True

    def reopen(self, now_ns: int) -> None:
        self.reopened += 1


class Always:
    name = "always"

    def __init__(self, choose: Callable[[View], Placement]) -> None:
        self.choose = choose

    def place(self, task: Task, view: View) -> Placement:
        return self.choose(view)


ONBOARD = Placement("onboard", "small", reason="test")
OFFLOAD = Placement("offload", "large", "rsu1", 60, reason="test")


class Around:
    """What the vehicle knows of its own motion."""

    def __init__(self) -> None:
        self.pose: messages.Pose | None = None
        self.pose_stamp_ns = 0
        self.route: tuple[tuple[float, float], ...] = ()

    def tell(self, speed: float, stamp_ns: int) -> None:
        at, turned = (3.0, 4.0, 0.0), (0.0, 0.0, 0.5)
        self.pose = messages.Pose(1, "ego", 1, 0, 0, at, turned, speed, 0.0, 0.0, False)
        self.pose_stamp_ns = stamp_ns


class Rig:
    """A driver among fakes."""

    def __init__(
        self,
        choose: Callable[[View], Placement],
        services: Sequence[Service] = (Service(name="object_detection"),),
        prior_ms: int = 30,
        pipelines: Sequence[Pipeline] = ("onboard", "offload"),
        has_flow: bool = False,
        deadline_mode: Literal["fixed", "speed"] = "fixed",
        surroundings: "Around | None" = None,
    ) -> None:
        self.clock, self.worker, self.encoder = FakeClock(), FakeWorker(), FakeEncoder()
        self.outlet, self.link = FakeOutlet(), FakeLink()
        self.braked: list[tuple[int, str, Advisory]] = []
        vehicle = Vehicle(
            services=list(services),
            pipelines=list(pipelines),
            deadline=DeadlineRule(mode=deadline_mode),
        )
        self.dispatcher = Dispatcher(
            TimedPolicy(Always(choose), self.clock),
            [RungSpec("small", 0.5, prior_ms * MS)],
            ["rsu1"],
            accuracies={"large": 0.8, "medium+split": 0.7},
            now_ns=self.clock.ns,
            pipelines=pipelines,
            encoders=[EncoderSpec("medium", 10 * MS, 2_000)],
            doubt_above=0.5,
            flow_ns=50 * MS if has_flow else 0,
        )
        self.services = ServiceSet(services, "ego", "front")
        self.driver = Driver(
            vehicle,
            self.dispatcher,
            self.worker,
            self.encoder,
            {"rsu1": self.link},  # type: ignore[dict-item]
            {"front": self.services},
            {"small": 0.5, "large": 0.8},
            self.outlet,
            self.clock,
            brake=lambda tick, service, advisory: self.braked.append((tick, service, advisory)),
            surroundings=surroundings,
        )
        self.tick = 0
        self.driver.watch_worker()

    def frame(self) -> None:
        self.tick += 1
        self.driver.on_frame(
            Frame(
                "ego", "front", self.tick, 0, self.clock.ns,
                np.zeros((96, 160, 3), np.uint8), (80.0, 80.0, 80.0, 48.0), (),
                (1.5, 0.0, 1.5, 0.0, 0.0, 0.0),
            )
        )  # fmt: skip

    def run_until(self, ns: int) -> None:
        while True:
            timer = self.dispatcher.next_timer_ns()
            if timer is None or timer > ns:
                break
            self.clock.ns = max(self.clock.ns, timer)
            self.driver.on_timer()
        self.clock.ns = ns

    def answer(self, after_ms: int, *, index: int = -1) -> None:
        job_id, model = self.worker.jobs[index]
        self.run_until(self.clock.ns + after_ms * MS)
        self.driver.on_answers([Answer(job_id, True, "", car(), model)])

    def done(self, after_ms: int, **fields: Any) -> None:
        """The newest job ends with these fields of an answer."""
        job_id, _ = self.worker.jobs[-1]
        self.run_until(self.clock.ns + after_ms * MS)
        made = {"is_ok": True, "error": "", "detections": None, "model": "small", **fields}
        self.driver.on_answers([Answer(job_id, **made)])

    def link_up(self) -> None:
        for number in range(1, 5):
            self.run_until(self.clock.ns + 20 * MS)
            models, splits = [("large", 10 * MS)], [("medium", 10 * MS)]
            welcome = Welcomed(2, models, splits, {"large": ["light_state"]})
            self.driver.on_heard("rsu1", [welcome, Ponged(number)])
        assert self.dispatcher.uplinks["rsu1"].estimator.state == "up"


def car(x: float = 20.0) -> Detections:
    return Detections(
        np.array([[x, 40, x + 30, 70]], np.float32),
        np.array([0.9], np.float32),
        np.array([0], np.int16),
    )
