"""What the driver needs of the parts around it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import zmq
from numpy.typing import NDArray

from scheduler import messages
from vehicle.camera.base import Frame


class Speaker(Protocol):
    """Where verdicts, events and pictures go; see `Outlet`."""

    def publish(self, message: messages.Verdict, *ids: str) -> None:
        """To watchers and into the log."""
        ...

    def event(self, level: str, text: str) -> None:
        """Something that a watcher wants to read."""
        ...

    def record_frame(self, frame: Frame) -> None:
        """A picture into the log."""
        ...


class JpegWriter(Protocol):
    """The encoder, as far as the driver needs it."""

    def encode(
        self,
        task_id: int,
        image: NDArray[np.uint8],
        quality: int,
        size: tuple[int, int] | None = None,
    ) -> None:
        """Begin; `size`: width and height to be written, None = as the picture is."""
        ...

    def cancel(self, task_id: int) -> None:
        """It is wanted no more."""
        ...


class Surroundings(Protocol):
    """What the vehicle knows of its own motion."""

    pose: messages.Pose | None
    pose_stamp_ns: int
    route: tuple[tuple[float, float], ...]


class Feed(Surroundings, Protocol):
    """Where poses and route come from."""

    malformed: int

    def pollable(self) -> zmq.Socket[bytes] | int:
        """Readable when there is something new."""
        ...

    def read(self, now_ns: int) -> Sequence[tuple[str, messages.Pose | messages.Site]]:
        """Everything new, oldest first, with its topic."""
        ...
