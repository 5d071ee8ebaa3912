"""Writes JPEGs for the link in a thread: a stage with a duration of its own.

The compute profile does not slow it down: the boards that it stands for have a JPEG block beside
their cores.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vehicle.codec import encode_jpeg

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """What became of a frame; `jpeg` is empty when it was cancelled or could not be written."""

    task_id: int
    jpeg: bytes
    duration_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    task_id: int
    image: NDArray[np.uint8]
    quality: int
    size: tuple[int, int] | None


class Encoder:
    """One thread; every `encode` is answered by exactly one `Encoded`.

    The credits of the links bound what waits here.
    """

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Encoded] = queue.SimpleQueue()
        self._pending: set[int] = set()
        self._cancelled: set[int] = set()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        self._thread = threading.Thread(target=self._run, name="encoder", daemon=True)
        self._thread.start()

    def fileno(self) -> int:
        """Readable when `take` has something."""
        return self._wake_read

    def encode(
        self,
        task_id: int,
        image: NDArray[np.uint8],
        quality: int,
        size: tuple[int, int] | None = None,
    ) -> None:
        """Begin with (H, W, 3) uint8 BGR; `size`: width and height to be written, None = as is."""
        self._pending.add(task_id)
        self._jobs.put(_Job(task_id, image, quality, size))

    def cancel(self, task_id: int) -> None:
        """It is wanted no more; its answer still comes, empty if it did not begin yet."""
        if task_id in self._pending:
            self._cancelled.add(task_id)

    def take(self) -> list[Encoded]:
        """What is done."""
        found: list[Encoded] = []
        while True:
            try:
                found.append(self._done.get_nowait())
            except queue.Empty:
                break
            os.read(self._wake_read, 1)
            self._pending.discard(found[-1].task_id)
            self._cancelled.discard(found[-1].task_id)
        return found

    def close(self) -> None:
        """End the thread."""
        self._jobs.put(None)
        self._thread.join(1.0)
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            start_ns = time.monotonic_ns()
            jpeg = b""
            if job.task_id not in self._cancelled:
                try:
                    jpeg = encode_jpeg(job.image, job.quality, job.size)
                except Exception:  # a picture that does not encode costs its offload, not the drive
                    log.exception("a frame was not encoded")
            # The byte goes first: whoever sees the answer can always take its byte.
            os.write(self._wake_write, b"1")
            self._done.put(Encoded(job.task_id, jpeg, time.monotonic_ns() - start_ns))
