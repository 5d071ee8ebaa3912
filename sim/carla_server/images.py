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
    height, width = picture.bgr.shape[:2]
    pixels = np.empty((height, width, 4), np.uint8)
    pixels[..., :3] = picture.bgr
    pixels[..., 3] = 255
    return pixels


def depth_pixels(picture: Picture, _ids: InstanceIds) -> Pixels:
    """Return planar depth in 24 bits: metres = 1000 (R + 256 G + 65536 B) / (2^24 - 1)."""
    share = np.clip(picture.depth.astype(np.float64) / DEPTH_RANGE, 0.0, 1.0)
    code = np.rint(share * DEPTH_STEPS).astype(np.uint32)
    return _bgra(code >> np.uint32(16), code >> np.uint32(8), code)


def semantic_pixels(picture: Picture, _ids: InstanceIds) -> Pixels:
    """Return the semantic tag in R."""
    zeros = np.zeros_like(picture.semantic)
    return _bgra(zeros, zeros, picture.semantic)


def instance_pixels(picture: Picture, ids: InstanceIds) -> Pixels:
    """Return the semantic tag in R and 16 bits of an id in G (low) and B (high).

    `actor` writes actor ids as 0.9.16 does, and object ids where there is no actor; `engine`
    writes object ids everywhere, as older servers and large maps do.
    """
    instance = picture.instance
    objects = (instance * np.uint32(OBJECT_ID_FACTOR) + np.uint32(OBJECT_ID_OFFSET)) & np.uint32(
        0xFFFF
    )
    if ids == "actor":
        code = np.where(instance < FIRST_LEVEL_ID, instance, objects)
    else:
        code = np.where(instance == 0, np.uint32(0), objects)
    return _bgra(code >> np.uint32(8), code, picture.semantic)


def _bgra(
    blue: NDArray[np.integer], green: NDArray[np.integer], red: NDArray[np.integer]
) -> Pixels:
    """Stack the low bytes of three planes, with alpha."""
    pixels = np.empty((*red.shape, 4), np.uint8)
    for channel, plane in enumerate((blue, green, red)):
        pixels[..., channel] = plane & 0xFF
    pixels[..., 3] = 255
    return pixels


ImageCoder = Callable[["Picture", InstanceIds], Pixels]

IMAGE_CODERS: dict[str, ImageCoder] = {
    "sensor.camera.rgb": rgb_pixels,
    "sensor.camera.depth": depth_pixels,
    "sensor.camera.semantic_segmentation": semantic_pixels,
    "sensor.camera.instance_segmentation": instance_pixels,
}
