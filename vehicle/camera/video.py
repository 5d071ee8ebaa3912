"""A video file as a camera: looped, paced at its rate, decoded ahead in a thread."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import Protocol

import numpy as np
import zmq
from numpy.typing import NDArray

from scheduler.errors import MissingPartError, SourceError
from vehicle.camera import lens
from vehicle.camera.base import Frame, Setup
from vehicle.camera.slot import NewestSlot

log = logging.getLogger(__name__)

DEFAULT_RATE_HZ = 25.0  # of a file that does not say
MOST_UNREADABLE = 50  # pictures in a row: what follows will not be better
NS_PER_S = 1_000_000_000


class Film(Protocol):
    """Pictures by number; asked for in increasing order."""

    rate_hz: float

    def picture(self, index: int) -> NDArray[np.uint8]:
        """Picture `index` of an endless film, (H, W, 3) uint8 BGR."""
        ...

    def close(self) -> None:
        """Give the file back."""
        ...


class VideoFile:
    """A file that OpenCV reads, repeated for ever."""

    def __init__(self, path: Path, width: int, height: int) -> None:
        """Open and read the first picture.

        Raises:
            MissingPartError: OpenCV is not installed.
            SourceError: no such file, or no picture in it.
        """
        try:
            import cv2
        except ImportError:
            raise MissingPartError(
                "a video needs OpenCV: pip install 'vdap[headless]' (or 'vdap[vision]')"
            ) from None
        if not path.is_file():
            raise SourceError(f"expected a video at {path}, there is no such file")
        cv2.setNumThreads(1)  # the processes are the parallelism
        self._cv2 = cv2
        self._path = path
        self._size = (width, height)
        self._capture = cv2.VideoCapture(str(path))
        self.rate_hz = float(self._capture.get(cv2.CAP_PROP_FPS)) or DEFAULT_RATE_HZ
        self._next = 0  # index of the picture that the next grab gives
        is_read, first = self._capture.read() if self._capture.isOpened() else (False, None)
        if not is_read:
            self._capture.release()
            raise SourceError(f"expected a video at {path}, OpenCV finds no picture in it")
        self._first: NDArray[np.uint8] | None = first

    def picture(self, index: int) -> NDArray[np.uint8]:
        """Skips to `index`, starting over at the end of the file.

        Raises:
            SourceError: the file no longer gives pictures.
        """
        if index == 0 and self._first is not None:
            found, self._first, self._next = self._first, None, 1
            return self._fitted(found)
        if self._first is not None:
            self._first, self._next = None, 1
        unreadable = 0
        while unreadable < MOST_UNREADABLE:
            if not self._capture.grab():
                self._rewind()
            self._next += 1
            if self._next > index:
                is_read, image = self._capture.retrieve()
                if is_read:
                    return self._fitted(image)
                unreadable += 1
        raise SourceError(f"{self._path}: {unreadable} pictures in a row do not decode")

    def close(self) -> None:
        """Close the file."""
        self._capture.release()

    def _rewind(self) -> None:
        self._capture.set(self._cv2.CAP_PROP_POS_FRAMES, 0)
        if not self._capture.grab():
            raise SourceError(f"{self._path} gives no more pictures")

    def _fitted(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if (image.shape[1], image.shape[0]) == self._size:
            return image
        resized: NDArray[np.uint8] = self._cv2.resize(
            image, self._size, interpolation=self._cv2.INTER_AREA
        )
        return resized


class VideoCamera:
    """Frame k is due k periods after the start, and its stamp is that instant.

    A reader thread decodes one picture ahead and waits until it is due; what the main loop has
    not fetched by then is replaced and counted as missed.
    """

    def __init__(self, setup: Setup, film: Film | None = None) -> None:
        section = setup.section
        self.missed = 0
        self.is_finished = False
        self._film = film or VideoFile(
            setup.config.path(setup.argument), section.width, section.height
        )
        self._rate_hz = section.rate_hz or self._film.rate_hz
        self._vehicle_id, self._camera_id = setup.vehicle.id, section.id
        file = setup.config.path(section.calibration) if section.calibration else None
        self._intrinsics, self._distortion = lens.intrinsics_of(section, file)
        self._mount = lens.mount_pose(section.camera_from_vehicle)
        self._slot: NewestSlot[tuple[int, NDArray[np.uint8]]] = NewestSlot()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._start_ns = 0
        self._last_tick = -1

    def due_ns(self, tick: int) -> int:
        """When frame `tick` is taken."""
        return self._start_ns + round(tick * NS_PER_S / self._rate_hz)

    def open(self, now_ns: int) -> None:
        """Start to read; frame 0 is due now."""
        self._start_ns = now_ns
        self._thread = threading.Thread(target=self._read_film, name=f"video {self._camera_id}")
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
        tick, image = found
        self.missed += tick - self._last_tick - 1
        self._last_tick = tick
        return Frame(
            vehicle_id=self._vehicle_id,
            camera_id=self._camera_id,
            tick=tick,
            sim_ns=round(tick * NS_PER_S / self._rate_hz),
            stamp_ns=self.due_ns(tick),
            image=image,
            intrinsics=self._intrinsics,
            distortion=self._distortion,
            camera_from_vehicle=self._mount,
        )

    def close(self) -> None:
        """End the thread and close the file."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(1.0)
            self._thread = None
        self._slot.close()
        self._film.close()

    def _read_film(self) -> None:
        tick = 0
        try:
            while not self._stop.is_set():
                image = self._film.picture(int(tick * self._film.rate_hz / self._rate_hz + 1e-6))
                wait_ns = self.due_ns(tick) - time.monotonic_ns()
                if self._stop.wait(max(0, wait_ns) / NS_PER_S):
                    return
                self._slot.put((tick, image))
                # A reader that fell behind skips what is past instead of racing after it.
                behind = int((time.monotonic_ns() - self.due_ns(tick)) * self._rate_hz / NS_PER_S)
                tick += max(1, behind)
        except SourceError as error:
            log.error("camera %s: %s", self._camera_id, error)
        finally:
            self.is_finished = True
