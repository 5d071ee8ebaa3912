"""A worker without a process, and a site with a unit and two vehicles."""

import socket

import cv2
import numpy as np

from scheduler import config_file, wire
from scheduler.messages import VERSION
from scheduler.offload_messages import Hello, Request
from vehicle.perception.detections import Detections
from vehicle.perception.worker import Answer
from vehicle.perception.worker_process import Loaded

cv2.setNumThreads(1)
MS = 1_000_000
JPEG = cv2.imencode(".jpg", np.full((64, 96, 3), 90, np.uint8))[1].tobytes()
FOUND = Detections(
    np.array([[1, 2, 30, 40]], np.float32), np.array([0.9], np.float32), np.array([0], np.int16)
)


class FakeWorker:
    """Takes one job at a time and answers when it is told to, or at once."""

    def __init__(self, answers_at_once=False):
        self.is_ready = True
        self.typical_ns = {"large": 20 * MS}
        self.loaded = Loaded("", self.typical_ns)
        self.generation = 1
        self.restarts = 0
        self.jobs = []
        self.heads = []  # asked for with each job that was ever given; "decode" for a second half
        self._answers_at_once = answers_at_once
        self._ours, self._theirs = socket.socketpair()

    def fileno(self):
        return self._ours.fileno()

    def detect_jpeg(self, job_id, model, jpeg, width, height, heads=()):
        self.jobs.append((job_id, model, jpeg, width, height))
        self.heads.append(tuple(heads))
        return self._taken()

    def decode(self, job_id, model, features, width, height):
        self.jobs.append((job_id, model, features, width, height))
        self.heads.append("decode")
        return self._taken()

    def _taken(self):
        if self._answers_at_once:
            self._theirs.send(b"!")
        return True

    def poll(self, now_ns):
        if not self._answers_at_once:
            return []
        if self.jobs:
            self._ours.recv(64)
        return [self.done() for _ in range(len(self.jobs))]

    def done(self, error="", heads=None):
        job_id, model, *_ = self.jobs.pop(0)
        if error:
            return Answer(job_id, False, error, None, model)
        results = heads or {}
        return Answer(job_id, True, "", FOUND, model, MS, 2 * MS, 20 * MS, 23 * MS, heads=results)

    def close(self):
        self._ours.close()
        self._theirs.close()


def request(seq=1, vehicle="ego", session=7, jpeg=JPEG, **changes):
    fields = {
        "version": VERSION, "vehicle_id": vehicle, "session": session, "seq": seq,
        "camera_id": "front", "tick": seq, "sim_ns": 0, "service": "object_detection",
        "model": "large", "age_us": 0, "budget_us": 80_000, "width": 96, "height": 64,
        "scale": 1.0, "size": len(jpeg), "crc32": wire.crc32(jpeg),
    }  # fmt: skip
    return wire.pack(Request(**(fields | changes)), jpeg)


def hello(channel, vehicle="ego", session=7):
    return wire.pack(Hello(VERSION, vehicle, session, channel))


def config_of(tmp_path, port, **security):
    (tmp_path / "ipc").mkdir(mode=0o700, exist_ok=True)
    tree = {
        "vehicles": [
            {"id": name, "cameras": [{"source": "video:none.mp4"}]} for name in ("ego", "other")
        ],
        "roadside_units": [{"id": "rsu", "at": [0, 0, 5], "bind": {"port": port}}],
        "link": {"trace": "none.csv"},
        "security": {"certificates": str(tmp_path / "certificates"), **security},
        "ipc_folder": str(tmp_path / "ipc"),
    }
    return config_file.decode(tree, "test")


def free_port():
    """The first of three free ports in a row."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        try:
            for step in (1, 2):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port + step))
        except (OSError, OverflowError):
            continue
        return port
