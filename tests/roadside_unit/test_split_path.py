"""Features and heads over real sockets and CURVE, from one real worker to another.

The codec is a detector of the test's own: what it encodes is what it decodes.
"""

import sys
import time

import numpy as np
import pytest

from scheduler.clock import MonotonicClock
from scheduler.effects import Send
from scheduler.tasks import Task
from vehicle.offload import Answered, Welcomed
from vehicle.perception.abilities import Wanted
from vehicle.perception.detector import DetectorSpec
from vehicle.perception.worker import Worker

from .fakes import JPEG, MS
from .test_offload_path import STEADY, Path

CODEC = '''
import struct
import numpy as np
from scheduler.errors import WireError
from vehicle.perception.detections import Detections

class Codec:
    """Finds one box as wide as the picture is bright; its features are that number and the size."""
    stages_ns = {}
    heads = ("brightness",)
    def __init__(self, spec, threads):
        self.name = spec.name
    def _found(self, value):
        box = np.array([[0, 0, value, 1]], np.float32)
        return Detections(box, np.array([0.5], np.float32), np.array([0], np.int16))
    def detect(self, frame):
        return self._found(int(frame[0, 0, 0]))
    def encode(self, frame):
        return b"FAKE" + struct.pack("<B", frame[0, 0, 0])
    def decode(self, payload):
        if payload[:4] != b"FAKE" or len(payload) != 5:
            raise WireError("expected FAKE features")
        return self._found(payload[4])
    def detect_heads(self, frame, heads):
        class Results:
            detections = self.detect(frame)
            results = {head: bytes([frame[0, 0, 0]]) for head in heads}
        return Results
'''


@pytest.fixture(scope="module")
def workers(tmp_path_factory):
    """The vehicle's and the unit's."""
    folder = tmp_path_factory.mktemp("codec")
    (folder / "fake_codec.py").write_text(CODEC)
    sys.path.insert(0, str(folder))
    spec = DetectorSpec("large", kind="fake_codec:Codec")
    made = [
        Worker(name, [spec], threads=1, max_frame_bytes=600_000, clock=MonotonicClock(), wanted=w)
        for name, w in (
            ("ego", Wanted(encode=True)),
            ("rsu", Wanted(decode=True, heads=("*",))),
        )
    ]
    for worker in made:
        worker.start()
    sys.path.remove(str(folder))
    for worker in made:
        worker.wait_ready(30)
    yield made
    for worker in made:
        worker.stop()


@pytest.fixture
def path(tmp_path, workers):
    made = Path(tmp_path, STEADY, workers[1])
    made.worker = Kept()  # it outlives the path
    yield made
    made.close()


class Kept:
    def close(self):
        pass


def encoded(worker, value):
    frame = np.full((64, 96, 3), value, np.uint8)
    assert worker.encode(1, "large", frame)
    end = time.monotonic() + 10
    while time.monotonic() < end:
        for answer in worker.poll(time.monotonic_ns()):
            assert answer.is_ok, answer.error
            return answer.payload
    raise AssertionError("the encoder gave no answer")


def asked(path, payload, kind, heads=()):
    """The answer to one request, after the welcome that it needs."""
    path.offload.reopen(time.monotonic_ns())
    welcome, is_sent = None, False
    end = time.monotonic() + 10
    while time.monotonic() < end:
        now = time.monotonic_ns()
        path.offload.greet(now)
        path.offload.control.poll(5)
        for heard in path.offload.receive(time.monotonic_ns()):
            if isinstance(heard, Welcomed):
                welcome = heard
            elif isinstance(heard, Answered):
                return welcome, heard
        if welcome is not None and not is_sent:
            task = Task(1, "ego", "front", 1, 0, "object_detection", now, now + 10**9, 96, 64)
            effect = Send(task, "rsu", 1, "large", 800 * MS, kind, heads)
            is_sent = path.offload.send(effect, payload, now)
    raise AssertionError("no answer came")


def test_features_made_on_board_become_boxes_at_the_unit(path, workers):
    welcome, answered = asked(path, encoded(workers[0], 77), "features")
    assert [name for name, _ in welcome.splits] == ["large"]
    assert welcome.heads == {"large": ["brightness"]}
    assert answered.report.status == "ok"
    assert answered.detections.xyxy.tolist() == [[0, 0, 77, 1]]


def test_bad_features_are_answered_as_bad(path):
    _, answered = asked(path, b"rubbish", "features")
    assert answered.report.status == "bad" and "expected FAKE" in answered.report.reason


def test_heads_come_back_beside_the_boxes(path):
    _, answered = asked(path, JPEG, "jpeg", ("brightness",))
    assert answered.report.status == "ok" and len(answered.detections) == 1
    assert set(answered.heads) == {"brightness"} and abs(answered.heads["brightness"][0] - 90) < 3
