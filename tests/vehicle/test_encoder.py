"""The encoding thread: one answer for each picture, also for cancelled and impossible ones."""

import select
import time
from collections.abc import Iterator

import numpy as np
import pytest

from vehicle.codec import encode_jpeg
from vehicle.encoder import Encoded, Encoder
from vehicle.perception.jpeg import decode_jpeg, jpeg_size


@pytest.fixture
def encoder() -> Iterator[Encoder]:
    made = Encoder()
    yield made
    made.close()


def picture() -> np.ndarray:
    ramp = np.linspace(0, 255, 160, dtype=np.uint8)
    return np.repeat(np.repeat(ramp[None, :, None], 96, 0), 3, 2)


def taken(encoder: Encoder, count: int) -> list[Encoded]:
    found: list[Encoded] = []
    end = time.monotonic() + 10
    while len(found) < count and time.monotonic() < end:
        select.select([encoder.fileno()], [], [], 0.1)
        found += encoder.take()
    return found


def test_picture_survives_the_way_there_and_back(encoder: Encoder) -> None:
    encoder.encode(7, picture(), 90)
    (encoded,) = taken(encoder, 1)
    assert encoded.task_id == 7 and encoded.duration_ns > 0
    assert jpeg_size(encoded.jpeg) == (160, 96)
    decoded = decode_jpeg(encoded.jpeg, 160, 96)
    assert np.abs(decoded.astype(int) - picture()).mean() < 3


def test_a_picture_is_written_at_the_size_that_is_asked_for(encoder: Encoder) -> None:
    encoder.encode(1, picture(), 90, (80, 48))
    encoder.encode(2, picture(), 90)
    small, whole = taken(encoder, 2)
    assert [jpeg_size(each.jpeg) for each in (small, whole)] == [(80, 48), (160, 96)]


def test_every_picture_is_answered_once(encoder: Encoder, caplog: pytest.LogCaptureFixture) -> None:
    encoder.encode(1, np.zeros((96, 160, 7), np.uint8), 90)
    encoder.encode(2, picture(), 90)
    encoder.cancel(2)
    encoder.encode(3, picture(), 90)
    encoder.cancel(99)
    first, second, third = taken(encoder, 3)
    assert (first.task_id, first.jpeg) == (1, b"")
    assert second.task_id == 2  # empty or not: it may have begun before the cancel
    assert (third.task_id, bool(third.jpeg)) == (3, True)
    assert taken(encoder, 0) == [] and encoder.take() == []
    assert "not encoded" in caplog.text


def test_scaling_halves_both_sides() -> None:
    assert jpeg_size(encode_jpeg(picture(), 60, (80, 48))) == (80, 48)


def test_better_quality_costs_bytes() -> None:
    noise = np.random.default_rng(1).integers(0, 255, (96, 160, 3), dtype=np.uint8)
    assert len(encode_jpeg(noise, 30)) < len(encode_jpeg(noise, 60)) < len(encode_jpeg(noise, 90))
