"""The newest item of a reader thread, and a file descriptor that wakes the main loop for it."""

import os
import threading
from typing import Generic, TypeVar

Item = TypeVar("Item")


class NewestSlot(Generic[Item]):
    """A queue of length one between two threads: a newer item replaces an older one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._item: Item | None = None
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)

    def fileno(self) -> int:
        """Readable while there is something to take."""
        return self._wake_read

    def put(self, item: Item) -> bool:
        """From the reader thread; whether an item that nobody took went for it."""
        with self._lock:
            is_empty = self._item is None
            self._item = item
            if is_empty and self._wake_write >= 0:
                os.write(self._wake_write, b"1")
            return not is_empty

    def take(self) -> Item | None:
        """From the main thread."""
        with self._lock:
            item, self._item = self._item, None
            if item is not None:
                os.read(self._wake_read, 1)
            return item

    def close(self) -> None:
        """Close the descriptors; a later `put` wakes nobody."""
        with self._lock:
            if self._wake_write >= 0:
                os.close(self._wake_read)
                os.close(self._wake_write)
                self._wake_read = self._wake_write = -1
