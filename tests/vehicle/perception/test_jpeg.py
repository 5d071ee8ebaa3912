"""The JPEG guard: what a stranger's header may claim."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.errors import WireError
from vehicle.perception.jpeg import decode_jpeg, jpeg_size


def jpeg(width: int = 64, height: int = 48, *options: int) -> bytes:
    picture = np.full((height, width, 3), 90, np.uint8)
    return cv2.imencode(".jpg", picture, list(options))[1].tobytes()


def patched(width: int, height: int) -> bytes:
    """A good picture whose header claims another size."""
    data = bytearray(jpeg())
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return bytes(data)


def test_good_picture_passes() -> None:
    assert jpeg_size(jpeg()) == (64, 48)
    assert decode_jpeg(jpeg(), 64, 48).shape == (48, 64, 3)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "start-of-image"),
        (b"garbage" * 100, "start-of-image"),
        (b"\xff\xd8\xff\xe0", "no frame header"),
        (patched(30_000, 30_000), "expected 16..1920"),
        (patched(8, 48), "expected 16..1920"),
        (jpeg(64, 48, cv2.IMWRITE_JPEG_PROGRESSIVE, 1), "baseline"),
        (b"\xff\xd8" + b"\xff\xe0\x00\x02" * 100 + jpeg()[2:], "no frame header"),
    ],
)
def test_refused(data: bytes, message: str) -> None:
    with pytest.raises(WireError, match=message):
        jpeg_size(data)


def test_size_must_be_the_promised_one() -> None:
    with pytest.raises(WireError, match="promised 64 x 64"):
        decode_jpeg(jpeg(), 64, 64)


def test_header_alone_does_not_decode() -> None:
    with pytest.raises(WireError, match="decode"):
        decode_jpeg(jpeg()[: jpeg().index(b"\xff\xc0") + 20], 64, 48)


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    with pytest.raises(WireError):
        jpeg_size(b"\xff\xd8" + data[:200])
        raise WireError("a header that passes is fine")
