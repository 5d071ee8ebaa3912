"""The world's lock: one changes the world, or several look at it while a frame is drawn."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class WorldLock:
    """Exclusive (`with lock:`), or shared by those who only read (`with lock.reading():`).

    The thread that makes a frame holds it exclusively for the physics, then shares it while cameras
    are drawn: who reads need not wait for the pictures, who changes the world waits until they
    are done, so that a picture shows the frame that its header names. Not re-entrant.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.Lock())
        self._is_exclusive = False
        self._readers = 0
        self._writers_waiting = 0
        self._is_drawing = False

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_error: object) -> None:
        self.release()

    def acquire(self) -> None:
        """Wait until nobody else has it, and take it for oneself."""
        with self._changed:
            self._writers_waiting += 1
            while self._is_exclusive or self._readers:
                self._changed.wait()
            self._writers_waiting -= 1
            self._is_exclusive = True

    def release(self) -> None:
        """Give up what `acquire` took."""
        with self._changed:
            self._is_exclusive = False
            self._changed.notify_all()

    def share(self) -> None:
        """Turn the exclusive hold into a shared one, to be ended by `release_drawn`."""
        with self._changed:
            self._is_exclusive = False
            self._is_drawing = True
            self._readers += 1
            self._changed.notify_all()

    def release_drawn(self) -> None:
        """End the shared hold of a frame; any thread may do it."""
        with self._changed:
            self._is_drawing = False
            self._readers -= 1
            self._changed.notify_all()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Hold it shared; readers let a waiting writer go first, but not while that must wait."""
        with self._changed:
            while self._is_exclusive or (self._writers_waiting and not self._is_drawing):
                self._changed.wait()
            self._readers += 1
        try:
            yield
        finally:
            with self._changed:
                self._readers -= 1
                self._changed.notify_all()
