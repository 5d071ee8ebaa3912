"""Pictures and models that cost nothing, for measuring the rest in real time without a world.

The camera gives the same few pictures in turn, each unlike the one before, at exact instants. The
detector computes for as long as a draw of its declared times says and finds one box. Both are named
as `sim.experiments.canned:CannedCamera` and `sim.experiments.canned:CannedDetector`.
"""

from __future__ import annotations

import math
import os
import random
import threading
import time
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from scheduler.errors import ConfigError
from scheduler.replay_start import ReplayStart
from sim.lockstep.stages import Stage, StageProfile
from vehicle.perception.detections import Detections
from vehicle.perception.detector import DetectorSpec
from vehicle.services.base import Frame

PICTURES = 8
LEAD_S = 1.0  # from the beginning of the link's trace to the first frame
LOOK_S = 0.02  # between looks for the file that tells the beginning


def pictures(width: int, height: int) -> list[NDArray[np.uint8]]:
    """(H, W, 3) uint8 BGR pictures of blots; any two differ nearly everywhere."""
    import cv2

    dice = np.random.default_rng(7)
    found = []
    for _ in range(PICTURES):
        blots = dice.integers(0, 256, (12, 20, 3), dtype=np.uint8)
        large = cv2.resize(blots, (width, height), interpolation=cv2.INTER_CUBIC)
        noise = dice.integers(-9, 10, large.shape)
        found.append(np.clip(large.astype(np.int16) + noise, 0, 255).astype(np.uint8))
    return found


class CannedCamera:
    """Made by the vehicle from its section; waits for the beginning that the launcher tells."""

    def __init__(self, setup: object) -> None:
        """Raises ConfigError: the drive is no replay."""
        config = setup.config  # type: ignore[attr-defined]
        self._vehicle_id: str = setup.vehicle.id  # type: ignore[attr-defined]
        self._section = setup.section  # type: ignore[attr-defined]
        if config.replay is None or self._section.rate_hz is None:
            raise ConfigError("a canned camera needs a rate and a `replay` section")
        self.missed = 0
        self.is_finished = False
        self._start = ReplayStart(config.path(config.replay.start))
        self._count = round(config.duration_s * self._section.rate_hz)
        self._pictures = pictures(self._section.width, self._section.height)
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        self._newest: tuple[int, int] | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="canned camera", daemon=True)

    def open(self, now_ns: int) -> None:
        """Begin to wait."""
        self._thread.start()

    def pollable(self) -> int:
        """Readable when a frame is due."""
        return self._wake_read

    def read(self, now_ns: int) -> Frame | None:
        """The newest frame that is due; its stamp is the instant that it was due."""
        try:
            os.read(self._wake_read, 4096)
        except BlockingIOError:
            return None
        newest, self._newest = self._newest, None
        if newest is None:
            return None
        tick, stamp_ns = newest
        width, height = self._section.width, self._section.height
        return Frame(
            vehicle_id=self._vehicle_id,
            camera_id=self._section.id,
            tick=tick,
            sim_ns=stamp_ns,
            stamp_ns=stamp_ns,
            image=self._pictures[tick % PICTURES],
            intrinsics=(width / 2.0, width / 2.0, width / 2.0, height / 2.0),
            distortion=(),
            camera_from_vehicle=(1.5, 0.0, 1.5, 0.0, 0.0, 0.0),
        )

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(1.0)
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _run(self) -> None:
        while (begin_ns := self._start.ns()) is None:
            if self._stop.wait(LOOK_S):
                return
        for tick in range(1, self._count + 1):
            due_ns = begin_ns + frame_ns(tick, self._section.rate_hz)
            while (left_ns := due_ns - time.monotonic_ns()) > 0:
                if self._stop.wait(left_ns / 1e9):
                    return
            if self._newest is not None:
                self.missed += 1
            self._newest = tick, due_ns
            os.write(self._wake_write, b"1")
        self._stop.wait(1.0)
        self.is_finished = True


def frame_ns(tick: int, rate_hz: float) -> int:
    """When a frame is taken after the beginning; ticks count from 1."""
    return round((LEAD_S + (tick - 1) / rate_hz) * 1e9)


class CannedDetector:
    """Computes for a while; options `ms` and `p99_ms`, of CPU time before the slowdown."""

    def __init__(self, spec: DetectorSpec, threads: int) -> None:
        self.name = spec.name
        self.stages_ns: Mapping[str, int] = {}
        p50, p99 = (float(str(spec.options.get(key, 10.0))) for key in ("ms", "p99_ms"))
        if not 0.0 < p50 <= p99 or not math.isfinite(p99):
            raise ConfigError(f"detector {spec.name!r}: expected 0 < ms <= p99_ms")
        seed = f"{spec.name}/{os.getpid()}/{random.random()}"
        self._stage = Stage(StageProfile.of_ms(p50, p99), seed)

    def detect(self, frame: NDArray[np.uint8]) -> Detections:
        """One box, after a while."""
        took_ns = self._stage.draw()
        # The worker counts CPU time: what others take of this machine is not the model's.
        end_ns = time.thread_time_ns() + took_ns
        while time.thread_time_ns() < end_ns:
            pass
        self.stages_ns = {"infer": took_ns}
        height, width = frame.shape[:2]
        box = np.array([[0, 0, width / 2, height / 2]], np.float32)
        return Detections(box, np.array([0.9], np.float32), np.array([0], np.int16))
