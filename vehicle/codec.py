"""JPEG of a frame, for the link and for the log."""

import numpy as np
from numpy.typing import NDArray

from scheduler.errors import MissingPartError


def encode_jpeg(
    image: NDArray[np.uint8], quality: int, size: tuple[int, int] | None = None
) -> bytes:
    """A baseline JPEG.

    Args:
        image: (H, W, 3) uint8 BGR.
        quality: 5..95; raising it costs bytes on the link (perception reference, section 3).
        size: Width and height of the picture to be written; None = as the frame is.

    Raises:
        MissingPartError: OpenCV is not installed.
    """
    try:
        import cv2
    except ImportError:
        raise MissingPartError(
            "encoding needs OpenCV: pip install 'vdap[headless]' (or 'vdap[vision]')"
        ) from None
    if size is not None:
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    is_written, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not is_written:
        raise ValueError(f"OpenCV cannot write a picture of shape {image.shape} as JPEG")
    jpeg: bytes = encoded.tobytes()
    return jpeg
