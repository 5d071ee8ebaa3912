"""The inference worker: answers, refusals, death, hanging, slowdown and memory bounds."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from scheduler.clock import MonotonicClock
from scheduler.errors import ConfigError
from vehicle.perception import profile
from vehicle.perception.abilities import Wanted
from vehicle.perception.detector import RUNGS, DetectorSpec
from vehicle.perception.profile import Cell
from vehicle.perception.rungs import INPUT_SIZES
from vehicle.perception.worker import Answer, Worker

FAKE = '''
import time
import numpy as np
from vehicle.perception.detections import Detections

class Fake:
    """Answers one box as wide as the frame is bright; a frame of 255 raises, of 254 hangs."""
    stages_ns = {}
    def __init__(self, spec, threads):
        self.name = spec.name
        self.burn_ns = spec.options.get("burn_ms", 0) * 1_000_000
    def detect(self, frame):
        value = int(frame[0, 0, 0])
        if value == 255:
            raise RuntimeError("too bright")
        if value == 254:
            time.sleep(60)
        until = time.process_time_ns() + self.burn_ns
        while time.process_time_ns() < until:
            pass
        height, width = frame.shape[:2]
        box = np.array([[0, 0, value, 1]], np.float32)
        return Detections(box, np.array([0.5], np.float32), np.array([0], np.int16))

class Able(Fake):
    """Has both halves of a split and two heads; a payload that does not start with F is bad."""
    heads = ("state", "area")
    def encode(self, frame):
        self.detect(frame)  # takes as long
        return b"F" + bytes([int(frame[0, 0, 0])])
    def decode(self, payload):
        if payload[:1] != b"F":
            from scheduler.errors import WireError
            raise WireError("expected F")
        return self.detect(np.full((48, 64, 3), payload[1], np.uint8))
    def detect_heads(self, frame, heads):
        class Results:
            detections = self.detect(frame)
            results = {head: head.upper().encode() for head in heads}
        return Results
'''


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "fake_detector.py").write_text(FAKE)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "fake_detector:Fake"


@pytest.fixture
def worker(fake: str) -> Iterator[Worker]:
    made = make(fake)
    made.start()
    made.wait_ready(30)
    yield made
    made.stop()


NONE = Wanted()
ALL = Wanted(encode=True, decode=True, heads=["*"])


def make(kind: str, slowdown: float = 1.0, wanted: Wanted = NONE, **options: object) -> Worker:
    spec = DetectorSpec("fake", kind=kind, options=options)
    return Worker(
        "test",
        [spec],
        threads=1,
        slowdown=slowdown,
        max_frame_bytes=64 * 48 * 3,
        clock=MonotonicClock(),
        wanted=wanted,
    )


@pytest.fixture(scope="module")
def able(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    folder = tmp_path_factory.mktemp("able")
    (folder / "fake_detector.py").write_text(FAKE)
    sys.path.insert(0, str(folder))
    made = make("fake_detector:Able", wanted=ALL)
    made.start()
    sys.path.remove(str(folder))
    made.wait_ready(30)
    yield made
    made.stop()


def picture(value: int) -> np.ndarray:
    return np.full((48, 64, 3), value, np.uint8)


def answers(worker: Worker, count: int, timeout_s: float = 10.0) -> list[Answer]:
    found: list[Answer] = []
    end = time.monotonic() + timeout_s
    while len(found) < count and time.monotonic() < end:
        if worker.fileno() >= 0:
            import select

            select.select([worker.fileno()], [], [], 0.05)
        found += worker.poll(time.monotonic_ns())
    return found


def test_answers_in_order_with_durations(worker: Worker) -> None:
    assert all(worker.detect(n, "fake", picture(10 * n)) for n in (1, 2, 3))
    assert not worker.detect(4, "fake", picture(40)), "every slot is taken"
    found = answers(worker, 3)
    assert [a.job_id for a in found] == [1, 2, 3]
    assert [a.detections.xyxy[0, 2] for a in found if a.detections] == [10, 20, 30]
    assert all(a.total_ns >= a.infer_ns > 0 for a in found)
    assert all(a.queue_ns >= 0 for a in found)


def test_jpeg_is_decoded_and_must_have_the_promised_size(worker: Worker) -> None:
    import cv2

    _, encoded = cv2.imencode(".jpg", picture(100))
    jpeg = encoded.tobytes()
    assert worker.detect_jpeg(1, "fake", jpeg, 64, 48)
    assert worker.detect_jpeg(2, "fake", jpeg, 64, 64)
    assert worker.detect_jpeg(3, "fake", b"nonsense", 64, 48)
    good, other, nonsense = answers(worker, 3)
    assert good.is_ok and good.detections is not None and good.decode_ns > 0
    assert abs(good.detections.xyxy[0, 2] - 100) <= 1
    assert not other.is_ok and "promised 64 x 64" in other.error
    assert not nonsense.is_ok and "start-of-image" in nonsense.error


def test_a_model_that_raises_is_an_answer_and_the_worker_lives(worker: Worker) -> None:
    pid = worker.pid
    worker.detect(1, "fake", picture(255))
    worker.detect(2, "nobody", picture(1))
    worker.detect(3, "fake", picture(7))
    first, second, third = answers(worker, 3)
    assert not first.is_ok and "too bright" in first.error
    assert not second.is_ok and "nobody" in second.error
    assert third.is_ok and worker.pid == pid and worker.restarts == 0


def test_too_large_a_frame_is_not_taken(worker: Worker) -> None:
    assert not worker.detect(1, "fake", np.zeros((480, 640, 3), np.uint8))


def test_killed_worker_answers_for_its_jobs_and_is_replaced(worker: Worker) -> None:
    pid, generation = worker.pid, worker.generation
    worker.detect(1, "fake", picture(254))
    worker.detect(2, "fake", picture(5))
    os.kill(pid, signal.SIGKILL)
    lost = answers(worker, 2)
    assert [(a.job_id, a.is_ok, a.error) for a in lost] == [
        (1, False, "worker died"),
        (2, False, "worker died"),
    ]
    worker.wait_ready(30)
    assert worker.pid != pid and worker.restarts == 1 and worker.generation > generation
    assert worker.detect(3, "fake", picture(9))
    assert answers(worker, 1)[0].is_ok


def test_hung_job_is_killed_by_the_watchdog(worker: Worker) -> None:
    pid = worker.pid
    worker.detect(1, "fake", picture(254))
    assert worker.poll(time.monotonic_ns()) == []
    lost = worker.poll(time.monotonic_ns() + 2_500_000_000)
    assert [a.error for a in lost] == ["worker died"]
    assert worker.pid != pid


def test_slow_model_is_given_its_time(worker: Worker) -> None:
    pid = worker.pid
    worker.typical_ns = {"fake": 1_000_000_000}  # as on a board many times slower
    worker.detect(1, "fake", picture(254))
    assert worker.poll(time.monotonic_ns() + 3_500_000_000) == [] and worker.pid == pid
    lost = worker.poll(time.monotonic_ns() + 4_500_000_000)
    assert [a.error for a in lost] == ["worker died"]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere threads share one priority")
def test_replaced_worker_has_the_priority_of_the_first(fake: str) -> None:
    """Main raises its own priority once the worker runs; a new worker must not inherit that."""
    mine = os.getpriority(os.PRIO_PROCESS, 0)

    def priority_of_a_replaced_one() -> int | None:
        worker = make(fake)
        os.nice(1)  # of this thread; the worker shall get what it had before
        try:
            os.setpriority(os.PRIO_PROCESS, 0, mine)
        except PermissionError:
            return None
        os.nice(1)
        worker.start()
        found = os.getpriority(os.PRIO_PROCESS, worker.pid)
        worker.stop()
        return found

    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(priority_of_a_replaced_one).result()
    if found is None:
        pytest.skip("this user may not raise a priority")
    assert found == mine


def test_slowdown_holds_the_answer_without_burning(fake: str) -> None:
    worker = make(fake, slowdown=5.0, burn_ms=10)
    worker.start()
    worker.wait_ready(30)
    worker.detect(1, "fake", picture(3))
    (answer,) = answers(worker, 1)
    worker.stop()
    assert answer.infer_ns >= 50_000_000
    assert answer.total_ns >= answer.infer_ns
    assert worker.typical_ns["fake"] >= 50_000_000


def test_missing_model_is_one_clear_line() -> None:
    worker = make("no_such_module:Class")
    worker.start()
    with pytest.raises(ConfigError, match="no_such_module"):
        worker.wait_ready(30)
    worker.stop()
    assert worker.pid == 0 and worker.fileno() == -1


def test_stop_ends_the_process_and_may_be_called_twice(worker: Worker) -> None:
    pid = worker.pid
    worker.stop()
    worker.stop()
    assert not worker.is_ready and not worker.detect(1, "fake", picture(1))
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_picture_for_the_encoder_comes_back_as_bytes_and_these_as_boxes(able: Worker) -> None:
    assert able.encode(1, "fake", picture(33))
    (encoded,) = answers(able, 1)
    assert encoded.is_ok and encoded.task == "encode" and encoded.detections is None
    assert encoded.payload == b"F" + bytes([33]) and encoded.infer_ns > 0
    assert able.decode(2, "fake", encoded.payload, 64, 48)
    (decoded,) = answers(able, 1)
    assert decoded.task == "decode" and decoded.detections is not None
    assert decoded.detections.xyxy[0, 2] == 33
    assert set(able.loaded.encode_ns) == set(able.loaded.decode_ns) == {"fake"}


def test_asked_heads_come_beside_the_boxes_and_unknown_ones_are_left_out(able: Worker) -> None:
    assert able.loaded.heads == {"fake": ["state", "area"]}
    able.detect(1, "fake", picture(5), heads=["area", "plates"])
    able.detect(2, "fake", picture(5))
    some, none = answers(able, 2)
    assert some.heads == {"area": b"AREA"} and some.detections is not None
    assert none.heads == {} and none.is_ok


def test_a_task_that_a_worker_cannot_do_costs_that_job_alone(worker: Worker) -> None:
    worker.encode(1, "fake", picture(5))
    worker.decode(2, "fake", b"Fx", 64, 48)
    worker.detect(3, "fake", picture(5), heads=["state"])
    first, second, third = answers(worker, 3)
    assert not first.is_ok and "no encoder" in first.error
    assert not second.is_ok and "no decoder" in second.error
    assert third.is_ok and third.heads == {}


def test_bad_features_are_an_error_of_that_job(able: Worker) -> None:
    able.decode(1, "fake", b"nonsense", 64, 48)
    able.decode(2, "fake", b"F!", 64, 48)
    bad, good = answers(able, 2)
    assert not bad.is_ok and "expected F" in bad.error and good.is_ok


def test_a_wanted_ability_that_a_model_lacks_is_told_with_its_reason(fake: str) -> None:
    made = make(fake, wanted=ALL)
    made.start()
    try:
        made.wait_ready(30)
        assert not made.loaded.encode_ns and not made.loaded.heads
        assert made.loaded.why_not["fake: encode"] == "Fake has no method encode"
    finally:
        made.stop()


def test_the_encoder_is_held_to_the_slowdown(fake: str) -> None:
    made = make("fake_detector:Able", slowdown=4.0, wanted=ALL, burn_ms=4)
    made.start()
    try:
        made.wait_ready(30)
        made.encode(1, "fake", picture(1))
        (answer,) = answers(made, 1)
        assert answer.total_ns >= 16_000_000 and answer.infer_ns >= 16_000_000
        assert made.loaded.encode_ns["fake"] >= 16_000_000
    finally:
        made.stop()


def test_motion_of_boxes_comes_back_in_its_own_layout(able: Worker) -> None:
    from vehicle.perception.motion import MotionRequest

    boxes = np.array([[8, 8, 40, 40]], np.float32)
    request = MotionRequest(0, 5, boxes).to_bytes()
    assert able.flow(1, picture(9), request) and able.flow(2, picture(9), b"nonsense")
    good, bad = answers(able, 2)
    assert good.is_ok and good.task == "flow" and good.payload and good.detections is None
    assert not bad.is_ok


def test_until_it_is_ready_this_machine_s_profile_says_what_a_rung_takes(monkeypatch, tmp_path):
    rung = next(iter(RUNGS.values()))
    times = {"onnxruntime": 30.0, "torch": 80.0}
    cells = [
        Cell(rung.name, INPUT_SIZES[0], "fp32", name, 1, rung.params, ms, ms, ms, 0.0, 1.0)
        for name, ms in times.items()
    ]
    profile.write(profile.Profile(profile.this_machine(), cells), tmp_path / "profile.json")
    monkeypatch.setenv("VDAP_PROFILE", str(tmp_path / "profile.json"))
    specs = [DetectorSpec(rung.name), DetectorSpec("user", kind="fake_detector:Fake")]
    clock = MonotonicClock()
    made = Worker("test", specs, threads=1, slowdown=4.0, max_frame_bytes=64, clock=clock)
    assert made.typical_ns == {rung.name: 120_000_000}
    made.stop()
