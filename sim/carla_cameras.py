"""A camera of a CARLA server and its twin, which tells whose pixels are whose.

It takes the client's pictures and imports nothing: `sim.carla_world` is the only user of `carla`.
"""

import contextlib
import queue
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.carla_level import pose_of
from sim.lens import Lens
from sim.world import CameraMount, Picture

KINDS = ("sensor.camera.rgb", "sensor.camera.instance_segmentation")
PICTURE_S = 2.0  # that a picture may come after its tick


class TwinCameras:
    """An rgb and an instance segmentation camera in one place.

    Attributes:
        mount: where they sit and how often they are looked at.
        drawn: the pinhole that the server is to draw; a lens bends its picture.
        queues: where the client's threads put the pictures of each of `KINDS`. `forget` empties
            them before every tick, so that they hold one tick's at most.
    """

    def __init__(self, mount: CameraMount) -> None:
        self.mount = mount
        self._lens = None if mount.intrinsics.is_plain else Lens(mount.intrinsics)
        self.drawn = mount.intrinsics if self._lens is None else self._lens.pinhole
        self.queues: list[queue.Queue[Any]] = [queue.Queue() for _ in KINDS]

    def forget(self) -> None:
        """Drop the pictures of the last tick that nobody asked for."""
        for images in self.queues:
            with contextlib.suppress(queue.Empty):
                while True:
                    images.get_nowait()

    def picture(self, frame: int) -> Picture | None:
        """The pictures of a frame, joined by its number; None where one did not come."""
        rgb, ids = (_take(images, frame) for images in self.queues)
        if rgb is None or ids is None:
            return None
        bgr = _bgr(_pixels(rgb))
        coded = _pixels(ids)
        # R is the tag; G the low and B the high byte of an id.
        semantic = np.ascontiguousarray(coded[..., 2])
        instance = coded.view(">u2")[..., 0].astype(np.uint16)
        if self._lens is not None:
            bgr = self._lens.bend(bgr)
            instance, semantic = self._lens.bend_ids(instance), self._lens.bend_ids(semantic)
        return Picture(bgr, instance, semantic, pose_of(rgb.transform).matrix())


def _take(images: "queue.Queue[Any]", frame: int) -> Any:
    until = time.monotonic() + PICTURE_S
    while True:
        try:
            image = images.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            return None
        if image.frame == frame:
            return image
        if image.frame > frame:
            return None


def _pixels(image: Any) -> NDArray[np.uint8]:
    """(H, W, 4) BGRA, a view of the client's bytes."""
    flat = np.frombuffer(image.raw_data, np.uint8)
    return flat.reshape(image.height, image.width, 4)


def _bgr(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 3); plane by plane takes a fifth of the time of all three at once."""
    bgr = np.empty((*pixels.shape[:2], 3), np.uint8)
    for channel in range(3):
        bgr[..., channel] = pixels[..., channel]
    return bgr
