"""A recorded run as a camera: its pictures at their pace, with their ticks."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator

import numpy as np
import zmq
from numpy.typing import NDArray

from scheduler.config import Config
from scheduler.errors import ConfigError, SourceError, WireError
from scheduler.replay_start import ReplayStart
from vehicle.camera.base import Frame, Setup, TickGaps
from vehicle.camera.slot import NewestSlot
from vehicle.data.run_file import Image
from vehicle.data.run_reader import images, log_of
from vehicle.perception.jpeg import decode_jpeg

log = logging.getLogger(__name__)

LOOK_S = 0.02  # between looks for the file that tells when a replay begins


class Pace:
    """When what was recorded at an instant is due now.

    Args:
        config: With a `replay` section the recording begins at its origin, at the instant that
            its file will tell; else at its first picture, as soon as `begin` is called.
        first_ns: When the first picture was taken.
    """

    def __init__(self, config: Config, first_ns: int) -> None:
        replay = config.replay
        self._origin_ns = first_ns if replay is None else replay.origin_ns
        self._start = None if replay is None else ReplayStart(config.path(replay.start))
        self._begin_ns: int | None = None

    def begin(self, now_ns: int) -> None:
        """Begin now, unless a file tells when."""
        if self._start is None:
            self._begin_ns = now_ns

    def wait(self, stop: threading.Event) -> bool:
        """Wait until the beginning is known; False when stopped before."""
        while self._start is not None and self._begin_ns is None:
            self._begin_ns = self._start.ns()
            if self._begin_ns is None and stop.wait(LOOK_S):
                return False
        return True

    def due_ns(self, recorded_ns: int) -> int:
        """On this machine's clock, once the beginning is known."""
        assert self._begin_ns is not None
        return self._begin_ns + recorded_ns - self._origin_ns


class ReplayCamera:
    """Frame k is due as long after the start as it was recorded after the first."""

    def __init__(self, setup: Setup) -> None:
        """Finds the camera in the log.

        Raises:
            SourceError: no log, or no picture of a camera of this id in it.
        """
        self.missed = 0
        self.is_finished = False
        self._vehicle_id, self._camera_id = setup.vehicle.id, setup.section.id
        self._path = log_of(setup.config.path(setup.argument), setup.vehicle.id)
        first = next(self._images(), None)
        if first is None:
            raise SourceError(f"{self._path} holds no picture of a camera {self._camera_id!r}")
        self._pace = Pace(setup.config, first[0].stamp_ns)
        self._gaps = TickGaps()
        self._slot: NewestSlot[tuple[Image, NDArray[np.uint8]]] = NewestSlot()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def open(self, now_ns: int) -> None:
        """Start to read; the first picture is due now."""
        self._pace.begin(now_ns)
        self._thread = threading.Thread(target=self._read_log, name=f"replay {self._camera_id}")
        self._thread.daemon = True
        self._thread.start()

    def pollable(self) -> zmq.Socket[bytes] | int:
        """Readable when a frame is due."""
        return self._slot.fileno()

    def read(self, now_ns: int) -> Frame | None:
        """The newest frame that is due."""
        found = self._slot.take()
        if found is None:
            return None
        header, image = found
        self.missed += self._gaps.missed(header.tick)
        return Frame(
            vehicle_id=self._vehicle_id,
            camera_id=self._camera_id,
            tick=header.tick,
            sim_ns=header.sim_ns,
            stamp_ns=self._pace.due_ns(header.stamp_ns),
            image=image,
            intrinsics=header.intrinsics,
            distortion=tuple(header.distortion),
            camera_from_vehicle=header.camera_from_vehicle,
        )

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(1.0)
            self._thread = None
        self._slot.close()

    def _images(self) -> Iterator[tuple[Image, bytes]]:
        return (found for found in images(self._path) if found[0].camera_id == self._camera_id)

    def _read_log(self) -> None:
        try:
            if not self._pace.wait(self._stop):
                return
            for header, jpeg in self._images():
                image = decode_jpeg(jpeg, header.width, header.height)
                due_ns = self._pace.due_ns(header.stamp_ns)
                if self._stop.wait(max(0, due_ns - time.monotonic_ns()) / 1e9):
                    return
                self._slot.put((header, image))
        except (ConfigError, SourceError, WireError) as error:
            log.error("camera %s: %s", self._camera_id, error)
        finally:
            self.is_finished = True
