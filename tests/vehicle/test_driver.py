"""The driver with a fake clock, worker, encoder and link: one verdict a frame, whatever fails."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from scheduler import messages
from scheduler.config import Service, Vehicle
from scheduler.dispatcher import Dispatcher
from scheduler.effects import Send, UnitReport
from scheduler.onboard import RungSpec
from scheduler.placement import Placement, View
from scheduler.tasks import Task
from vehicle.camera.base import Frame
from vehicle.driver import Driver
from vehicle.encoder import Encoded
from vehicle.expectations import TimedPolicy
from vehicle.offload import Answered, Ponged, Welcomed
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
        self.cancelled: list[int] = []

    def encode(self, task_id: int, image: np.ndarray, quality: int) -> None:
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
        self.reopened = 0

    def send(self, effect: Send, jpeg: bytes, now_ns: int) -> bool:
        self.sent.append(effect)
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


class Rig:
    """A driver among fakes."""

    def __init__(
        self,
        choose: Callable[[View], Placement],
        services: Sequence[Service] = (Service(name="object_detection"),),
        prior_ms: int = 30,
    ) -> None:
        self.clock, self.worker, self.encoder = FakeClock(), FakeWorker(), FakeEncoder()
        self.outlet, self.link = FakeOutlet(), FakeLink()
        self.braked: list[tuple[int, str, Advisory]] = []
        vehicle = Vehicle(services=list(services))
        self.dispatcher = Dispatcher(
            TimedPolicy(Always(choose), self.clock),
            [RungSpec("small", 0.5, prior_ms * MS)],
            ["rsu1"],
            accuracies={"large": 0.8},
            now_ns=self.clock.ns,
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

    def link_up(self) -> None:
        for number in range(1, 5):
            self.run_until(self.clock.ns + 20 * MS)
            self.driver.on_heard("rsu1", [Welcomed(2, [("large", 10 * MS)]), Ponged(number)])
        assert self.dispatcher.uplinks["rsu1"].estimator.state == "up"


def car(x: float = 20.0) -> Detections:
    return Detections(
        np.array([[x, 40, x + 30, 70]], np.float32),
        np.array([0.9], np.float32),
        np.array([0], np.int16),
    )


def test_onboard_frame_gets_one_verdict_with_its_boxes_and_stages() -> None:
    rig = Rig(lambda view: ONBOARD)
    rig.frame()
    assert rig.worker.jobs == [(1, "small")] and rig.outlet.verdicts == []
    rig.answer(after_ms=25)
    (verdict,) = rig.outlet.verdicts
    assert (verdict.answer, verdict.model, verdict.placed) == ("onboard", "small", "onboard/small")
    assert verdict.age_ms == 25.0 and verdict.answer_age_ms == 25.0 and not verdict.is_late
    assert verdict.stages_ms == {"local": 25.0}
    assert [box.class_id for box in verdict.boxes] == [0]
    rig.run_until(rig.clock.ns + 500 * MS)
    assert len(rig.outlet.verdicts) == 1
    assert rig.outlet.frames == 1


def test_dead_worker_means_carried_tracks_and_no_gap() -> None:
    rig = Rig(lambda view: ONBOARD if view.rungs else Placement("carry", reason="none"))
    rig.frame()
    rig.answer(after_ms=25)
    rig.run_until(rig.clock.ns + 75 * MS)
    rig.frame()
    rig.worker.is_ready = False
    rig.driver.on_answers([Answer(2, False, "worker died", None, "small")])
    rig.run_until(rig.clock.ns + 100 * MS)
    rig.frame()
    kinds = [(v.tick, v.answer) for v in rig.outlet.verdicts]
    assert kinds == [(1, "onboard"), (2, "carried"), (3, "carried")]
    assert rig.outlet.verdicts[1].reason == "worker died"
    assert len(rig.outlet.verdicts[1].boxes) == 1, "the track of tick 1 is carried"
    assert rig.outlet.verdicts[2].answer_age_ms == 200.0
    rig.worker.is_ready = True
    rig.driver.watch_worker()
    rig.run_until(rig.clock.ns + 100 * MS)
    rig.frame()
    rig.answer(after_ms=25)
    assert rig.outlet.verdicts[-1].answer == "onboard"
    assert rig.dispatcher.counters.verdicts == rig.driver.tally.captured == 4


def test_refusing_worker_is_not_asked_for_ever() -> None:
    rig = Rig(lambda view: ONBOARD)
    rig.worker.detect = lambda *_: False  # type: ignore[method-assign]
    rig.frame()
    rig.run_until(rig.clock.ns + 200 * MS)
    (verdict,) = rig.outlet.verdicts
    assert verdict.answer == "carried" and verdict.reason == "worker busy or away"


def test_offloaded_frame_is_encoded_sent_and_answered() -> None:
    rig = Rig(lambda view: OFFLOAD)
    rig.link_up()
    rig.frame()
    assert rig.encoder.jobs == [1]
    rig.driver.on_encoded([Encoded(1, b"jpeg", 3 * MS)])
    (sent,) = rig.link.sent
    assert (sent.model, sent.unit_id) == ("large", "rsu1")
    rig.run_until(rig.clock.ns + 30 * MS)
    report = UnitReport("ok", 1 * MS, 2 * MS, 10 * MS, 2)
    rig.driver.on_heard("rsu1", [Answered(sent.seq, report, car())])
    (verdict,) = rig.outlet.verdicts
    assert (verdict.answer, verdict.unit_id, verdict.model) == ("offloaded", "rsu1", "large")
    assert verdict.size_bytes == 4 and verdict.stages_ms["infer"] == 10.0
    counts = rig.driver.tally.units["rsu1"]
    assert (counts.sent, counts.ok, counts.late, counts.rejected) == (1, 1, 0, 0)


def test_rejected_frame_goes_on_board() -> None:
    rig = Rig(lambda view: OFFLOAD)
    rig.link_up()
    rig.frame()
    rig.driver.on_encoded([Encoded(1, b"jpeg", 3 * MS)])
    rig.run_until(rig.clock.ns + 10 * MS)
    report = UnitReport("reject", 0, 0, 0, 2, reason="full")
    rig.driver.on_heard("rsu1", [Answered(rig.link.sent[0].seq, report, None)])
    assert rig.worker.jobs == [(1, "small")]
    rig.answer(after_ms=20)
    (verdict,) = rig.outlet.verdicts
    assert verdict.answer == "onboard" and "reject full" in verdict.reason
    assert rig.driver.tally.units["rsu1"].rejected == 1


def test_stalled_link_is_reopened_and_its_frame_is_answered_in_time() -> None:
    rig = Rig(lambda view: OFFLOAD)
    rig.link_up()
    rig.frame()
    rig.driver.on_encoded([Encoded(1, b"jpeg", 3 * MS)])
    rig.run_until(rig.clock.ns + 65 * MS)
    assert rig.worker.jobs == [(1, "small")], "the fallback starts by itself"
    rig.answer(after_ms=25)
    rig.run_until(rig.clock.ns + 1000 * MS)
    (verdict,) = rig.outlet.verdicts
    assert verdict.answer == "onboard" and not verdict.is_late
    assert rig.link.reopened >= 1 and rig.driver.tally.units["rsu1"].reopened >= 1
    assert rig.dispatcher.counters.offload.lost == 1


def test_result_after_the_verdict_corrects_the_tracks() -> None:
    rig = Rig(lambda view: OFFLOAD)
    rig.link_up()
    rig.worker.is_ready = False
    rig.driver.watch_worker()
    rig.frame()
    rig.driver.on_encoded([Encoded(1, b"jpeg", 3 * MS)])
    rig.run_until(rig.clock.ns + 120 * MS)
    assert [v.answer for v in rig.outlet.verdicts] == ["carried"]
    report = UnitReport("ok", 0, 0, 0, 2)
    rig.driver.on_heard("rsu1", [Answered(rig.link.sent[0].seq, report, car())])
    assert len(rig.outlet.verdicts) == 1, "a verdict is never changed"
    assert len(rig.services.every_frame["object_detection"].boxes(rig.clock.ns)) == 1
    assert rig.driver.tally.units["rsu1"].late == 1


def test_slow_policy_is_counted_and_its_frame_stays_on_board() -> None:
    rig = Rig(lambda view: OFFLOAD)
    rig.link_up()

    def slowly(view: View) -> Placement:
        rig.clock.ns += 11 * MS
        return OFFLOAD

    rig.dispatcher.placer.policy._policy.choose = slowly  # type: ignore[attr-defined]
    rig.frame()
    assert rig.worker.jobs == [(1, "small")] and rig.encoder.jobs == []
    assert rig.dispatcher.counters.policy_faults == 1


def test_raising_policy_is_counted_and_its_frame_stays_on_board() -> None:
    def raising(view: View) -> Placement:
        raise ZeroDivisionError("oh")

    rig = Rig(raising)
    rig.frame()
    rig.answer(after_ms=20)
    (verdict,) = rig.outlet.verdicts
    assert verdict.answer == "onboard" and "ZeroDivisionError" in verdict.placed_reason


class Broken:
    """A follower that raises, or is slow."""

    def __init__(self, setup: Any) -> None:
        self.name, self.trigger = "broken", "after:object_detection"
        self.calls = 0

    def on_verdict(self, verdict: messages.Verdict, scene: Any) -> list[Advisory]:
        self.calls += 1
        raise RuntimeError("broken")


def test_raising_service_is_counted_and_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig(lambda view: ONBOARD)
    broken = Broken(None)
    rig.services._followers["object_detection"] = [broken]
    for _ in range(3):
        rig.frame()
        rig.answer(after_ms=20)
        rig.run_until(rig.clock.ns + 80 * MS)
    assert len(rig.outlet.verdicts) == 3 and broken.calls == 3
    assert rig.driver.tally.faults["service broken"] == 3
    assert sum("raised" in record.message for record in caplog.records) == 1


def test_too_slow_a_detector_still_feeds_the_tracks() -> None:
    rig = Rig(lambda view: Placement("carry", reason="none fits"), prior_ms=150)
    rig.frame()
    assert [v.answer for v in rig.outlet.verdicts] == ["carried"]
    assert rig.worker.jobs == [(1, "small")], "it runs for the tracks alone"
    rig.answer(after_ms=140)
    rig.frame()
    assert [v.answer for v in rig.outlet.verdicts] == ["carried", "carried"]
    assert len(rig.outlet.verdicts[1].boxes) == 1
    assert rig.outlet.verdicts[1].answer_age_ms == 140.0


def test_shutdown_closes_every_open_task() -> None:
    rig = Rig(lambda view: OFFLOAD)
    rig.link_up()
    rig.frame()
    rig.driver.on_encoded([Encoded(1, b"jpeg", 3 * MS)])
    rig.driver.shutdown()
    (verdict,) = rig.outlet.verdicts
    assert verdict.answer == "carried" and verdict.reason == "shutdown"
    assert rig.dispatcher.counters.offload.lost == 1 and rig.dispatcher.open_tasks == 0


def test_two_services_owe_two_verdicts_a_frame() -> None:
    rig = Rig(lambda view: Placement("carry", reason="test"))
    second = ServiceSet([Service(name="object_detection")], "ego", "front")
    rig.services.every_frame["second"] = second.every_frame["object_detection"]
    rig.frame()
    assert [v.service for v in rig.outlet.verdicts] == ["object_detection", "second"]
    assert rig.dispatcher.counters.verdicts == 2 * rig.driver.tally.captured
