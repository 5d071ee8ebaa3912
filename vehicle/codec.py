"""JPEG of a frame, for the link and for the log."""

import numpy as np
from numpy.typing import NDArray

from scheduler.errors import MissingPartError


def encode_jpeg(image: NDArray[np.uint8], quality: int, scale: float = 1.0) -> bytes:
    """A baseline JPEG.

    Args:
        image: (H, W, 3) uint8 BGR.
        quality: 5..95; raising it costs bytes on the link (perception reference, section 3).
        scale: Frame pixels per encoded pixel; 2 halves both sides.

    Raises:
        MissingPartError: OpenCV is not installed.
    """
    try:
        import cv2
    except ImportError:
        raise MissingPartError(
            "encoding needs OpenCV: pip install 'vdap[headless]' (or 'vdap[vision]')"
        ) from None
    if scale != 1.0:
        size = (max(16, round(image.shape[1] / scale)), max(16, round(image.shape[0] / scale)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    is_written, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not is_written:
        raise ValueError(f"OpenCV cannot write a picture of shape {image.shape} as JPEG")
    jpeg: bytes = encoded.tobytes()
    return jpeg
