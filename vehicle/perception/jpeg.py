"""Decodes a JPEG from a stranger: its header is walked and bounded before a decoder sees it.

A picture of 37 kB can claim 30000 x 30000 pixels, and OpenCV then decodes for seconds into 5 GB.
"""

import numpy as np
from numpy.typing import NDArray

from scheduler.errors import WireError

MAX_WIDTH, MAX_HEIGHT = 1920, 1080  # pixels; the largest camera of a config
MIN_SIDE = 16  # pixels
MAX_MARKERS = 64  # a camera writes under 20
START_OF_IMAGE = b"\xff\xd8"
BASELINE = (0xC0, 0xC1)  # SOF0 and SOF1; progressive ones cost many passes
OTHER_FRAMES = (0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF)
START_OF_SCAN = 0xDA


def jpeg_size(jpeg: bytes | memoryview) -> tuple[int, int]:
    """Width and height that a baseline JPEG states, pixels, without decoding it.

    Raises:
        WireError: not a baseline 8-bit JPEG of 1 or 3 components within the bounds above.
    """
    if bytes(jpeg[:2]) != START_OF_IMAGE:
        raise WireError("jpeg: expected a start-of-image marker")
    at = 2
    for _ in range(MAX_MARKERS):
        if at + 4 > len(jpeg) or jpeg[at] != 0xFF:
            break
        marker, length = jpeg[at + 1], jpeg[at + 2] << 8 | jpeg[at + 3]
        if marker in BASELINE:
            return _frame_size(jpeg, at, length)
        if marker in OTHER_FRAMES:
            raise WireError("jpeg: expected a baseline picture, got a progressive or lossless one")
        if marker == START_OF_SCAN or length < 2:
            break
        at += 2 + length
    raise WireError("jpeg: no frame header where one must be")


def _frame_size(jpeg: bytes | memoryview, at: int, length: int) -> tuple[int, int]:
    if at + 10 > len(jpeg) or length < 8:
        raise WireError("jpeg: the frame header is cut off")
    depth, components = jpeg[at + 4], jpeg[at + 9]
    height, width = jpeg[at + 5] << 8 | jpeg[at + 6], jpeg[at + 7] << 8 | jpeg[at + 8]
    if depth != 8 or components not in (1, 3):
        raise WireError(f"jpeg: expected 8 bits and 1 or 3 components, got {depth}, {components}")
    if not (MIN_SIDE <= width <= MAX_WIDTH and MIN_SIDE <= height <= MAX_HEIGHT):
        raise WireError(
            f"jpeg: expected {MIN_SIDE}..{MAX_WIDTH} x {MIN_SIDE}..{MAX_HEIGHT}, "
            f"got {width} x {height}"
        )
    return width, height


def decode_jpeg(jpeg: bytes | memoryview, width: int, height: int) -> NDArray[np.uint8]:
    """The picture (height, width, 3) uint8 BGR.

    Args:
        width: What the message's header promised, pixels.
        height: The same.

    Raises:
        WireError: refused by `jpeg_size`, of another size than promised, or not decodable.
    """
    import cv2

    stated = jpeg_size(jpeg)
    if stated != (width, height):
        raise WireError(f"jpeg: the header promised {width} x {height}, the picture has {stated}")
    picture: NDArray[np.uint8] | None = cv2.imdecode(
        np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    )
    if picture is None or picture.shape != (height, width, 3):
        raise WireError("jpeg: the picture does not decode")
    return picture
