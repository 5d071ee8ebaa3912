"""Camera payloads: BGRA bytes from one rendered picture, coded as CARLA codes each camera."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sim.engine.render.renderer import Picture

InstanceIds = Literal["actor", "engine"]

DEPTH_RANGE = 1000.0  # m at which CARLA's depth camera saturates
DEPTH_STEPS = (1 << 24) - 1
FIRST_LEVEL_ID = 1 << 24  # the engine numbers what is no actor from here
OBJECT_ID_FACTOR = 40503  # odd, so that ids stay distinct modulo 65536 (Knuth, TAOCP 3, 6.4)
OBJECT_ID_OFFSET = 9173

Pixels = NDArray[np.uint8]


def rgb_pixels(picture: Picture, _ids: InstanceIds) -> Pixels:
    """Return (H, W, 4) BGRA of the colour picture."""
    return _bgra(picture.bgr[..., 0], picture.bgr[..., 1], picture.bgr[..., 2])


def depth_pixels(picture: Picture, _ids: InstanceIds) -> Pixels:
    """Return planar depth in 24 bits: metres = 1000 (R + 256 G + 65536 B) / (2^24 - 1)."""
    steps = picture.depth * np.float32(DEPTH_STEPS / DEPTH_RANGE)
    low, middle, high = _bytes(np.clip(np.rint(steps), 0, DEPTH_STEPS))
    return _bgra(high, middle, low)


def semantic_pixels(picture: Picture, _ids: InstanceIds) -> Pixels:
    """Return the semantic tag in R."""
    return _bgra(0, 0, picture.semantic)


def instance_pixels(picture: Picture, ids: InstanceIds) -> Pixels:
    """Return the semantic tag in R and 16 bits of an id in G (low) and B (high).

    `actor` writes actor ids as 0.9.16 does, and object ids where there is no actor; `engine`
    writes object ids everywhere, as older servers and large maps do. The ground has no id: 0.
    """
    instance = picture.instance
    objects = instance * np.uint32(OBJECT_ID_FACTOR) + np.uint32(OBJECT_ID_OFFSET)
    has_own_id = instance < FIRST_LEVEL_ID if ids == "actor" else instance == 0
    low, high, _ = _bytes(np.where(has_own_id, instance, objects))
    return _bgra(high, low, picture.semantic)


def normal_pixels(normals: NDArray[np.float32]) -> Pixels:
    """Return where surfaces face in CARLA's world axes: red x, green y, blue z; 0 is -1, 255 is 1.

    `normals` (H, W, 3) are unit vectors in the engine's axes, zeros for the sky: grey here.
    """
    code = np.clip(np.rint(normals * np.float32(127.5) + np.float32(127.5)), 0, 255)
    red, green, blue = np.moveaxis(code.astype(np.uint8), -1, 0)
    return _bgra(blue, np.uint8(255) - green, red)


def _bytes(code: NDArray[np.uint32] | NDArray[np.float32]) -> tuple[Pixels, Pixels, Pixels]:
    """Return the three low bytes of whole numbers, lowest first."""
    planes = code.astype("<u4").view(np.uint8).reshape(*code.shape, 4)
    return planes[..., 0], planes[..., 1], planes[..., 2]


def _bgra(blue: Pixels | int, green: Pixels | int, red: Pixels) -> Pixels:
    """Stack planes; one at a time is four times as fast as all at once."""
    pixels = np.empty((*red.shape, 4), np.uint8)
    for channel, plane in enumerate((blue, green, red, 255)):
        pixels[..., channel] = plane
    return pixels


ImageCoder = Callable[["Picture", InstanceIds], Pixels]

IMAGE_CODERS: dict[str, ImageCoder] = {
    "sensor.camera.rgb": rgb_pixels,
    "sensor.camera.depth": depth_pixels,
    "sensor.camera.semantic_segmentation": semantic_pixels,
    "sensor.camera.instance_segmentation": instance_pixels,
}
