"""Draws what cameras see after the tick was answered, so that the client need not wait for it."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

logger = logging.getLogger(__name__)

STOP_WAIT_S = 0.5  # a kernel under way is not waited for longer


class Presenter:
    """One thread that does one job after another; it starts with the first."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def submit(self, job: Callable[[], None]) -> None:
        """Let the thread do `job`, which raises nothing that is not its caller's to know."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._main, name="presenter", daemon=True)
            self._thread.start()
        self._jobs.put(job)

    def close(self) -> None:
        """End the thread after the job under way."""
        self._jobs.put(None)
        if self._thread is not None:
            self._thread.join(STOP_WAIT_S)

    def _main(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except Exception:
                # The edge of a thread: the next frame's pictures are drawn all the same.
                logger.exception("a frame's sensors have failed")
