"""The seam of frame sources, and the frame that every source gives (public seam)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import zmq
from numpy.typing import NDArray

from scheduler.config import Camera as CameraSection
from scheduler.config import Config, Vehicle

Intrinsics = tuple[float, float, float, float]  # fx, fy, cx, cy in pixels
MountPose = tuple[float, float, float, float, float, float]  # x, y, z m; roll, pitch, yaw rad


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of one camera.

    Attributes:
        tick: Of the source; joins with truth and feedback.
        sim_ns: The source's own time since its start.
        stamp_ns: When the picture was taken, on this vehicle's monotonic clock.
        image: (H, W, 3) uint8 BGR; nobody writes to it.
        intrinsics: fx, fy, cx, cy in pixels.
        distortion: OpenCV's k1, k2, p1, p2, k3; empty for a pinhole.
        camera_from_vehicle: Where the camera sits in the vehicle frame (x forward, y left, z up):
            x, y, z in metres, then roll, pitch, yaw in radians.
    """

    vehicle_id: str
    camera_id: str
    tick: int
    sim_ns: int
    stamp_ns: int
    image: NDArray[np.uint8]
    intrinsics: Intrinsics
    distortion: tuple[float, ...]
    camera_from_vehicle: MountPose

    @property
    def width(self) -> int:
        """Pixels."""
        return int(self.image.shape[1])

    @property
    def height(self) -> int:
        """Pixels."""
        return int(self.image.shape[0])


class Camera(Protocol):
    """A source of frames. The main thread polls it, so no method takes over a millisecond.

    Attributes:
        missed: Frames of the source that never became a `Frame`, by the gaps in its ticks.
        is_finished: The source has ended and gives no more.
    """

    missed: int
    is_finished: bool

    def open(self, now_ns: int) -> None:
        """Begin. `now_ns` is the instant that a source with its own pace starts from.

        Raises:
            SourceError: no such source, or it gives no frames.
        """
        ...

    def pollable(self) -> zmq.Socket[bytes] | int:
        """What becomes readable when `read` has something: a socket or a file descriptor."""
        ...

    def read(self, now_ns: int) -> Frame | None:
        """The newest frame that was not read yet; older ones are missed. None = nothing new."""
        ...

    def close(self) -> None:
        """Give everything back; a second call does nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Setup:
    """What a camera is made from.

    Attributes:
        argument: Of the source: what follows the colon in `video:PATH`.
        context: For sources that come by socket.
    """

    config: Config
    vehicle: Vehicle
    section: CameraSection
    argument: str
    context: zmq.Context[zmq.Socket[bytes]]


class TickGaps:
    """Counts frames that are missing from a source's ticks.

    A camera may run at a part of its source's rate, so the step between ticks is learned: it is
    the smallest seen. A tick that goes back is a source that started over.
    """

    def __init__(self) -> None:
        self._last: int | None = None
        self._step: int | None = None

    def missed(self, tick: int) -> int:
        """Frames missing between the last tick and this one."""
        last, self._last = self._last, tick
        if last is None or tick <= last:
            return 0
        gap = tick - last
        self._step = gap if self._step is None else min(self._step, gap)
        return gap // self._step - 1
