import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.errors import WireError
from vehicle.perception.classes import CLASSES
from vehicle.perception.detections import MAX_DETECTIONS, RECORD, Detections


def some(count: int) -> Detections:
    random = np.random.default_rng(count)
    return Detections(
        random.uniform(0, 640, (count, 4)).astype(np.float32),
        random.uniform(0, 1, count).astype(np.float32),
        random.integers(0, len(CLASSES), count).astype(np.int16),
    )


@pytest.mark.parametrize("count", [0, 1, 17])
def test_bytes_come_back_as_they_went(count):
    before = some(count)
    packed = before.to_bytes()
    assert len(packed) == 21 * count
    after = Detections.from_bytes(memoryview(packed))
    assert np.array_equal(before.xyxy, after.xyxy)
    assert np.array_equal(before.score, after.score)
    assert np.array_equal(before.class_id, after.class_id)
    assert (after.xyxy.dtype, after.score.dtype, after.class_id.dtype) == (
        np.float32,
        np.float32,
        np.int16,
    )


def test_empty_has_no_boxes_and_full_shapes():
    empty = Detections.empty()
    assert len(empty) == 0
    assert empty.xyxy.shape == (0, 4)


def test_select_keeps_the_named_boxes_in_order():
    found = some(5)
    assert np.array_equal(found.select(np.array([3, 1])).score, found.score[[3, 1]])
    assert len(found.select(found.score > 2)) == 0


def broken(**fields) -> bytes:
    record = np.zeros(1, RECORD)
    for name, value in fields.items():
        record[name] = value
    return record.tobytes()


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (b"x" * 20, "multiple of 21"),
        (b"\0" * 21 * (MAX_DETECTIONS + 1), "at most"),
        (broken(score=np.nan), "finite"),
        (broken(xyxy=np.inf), "finite"),
        (broken(score=1.5), "0..1"),
        (broken(score=-0.1), "0..1"),
        (broken(class_id=len(CLASSES)), "class id 7"),
    ],
)
def test_a_malformed_payload_is_refused_with_its_reason(payload, says):
    with pytest.raises(WireError, match=says):
        Detections.from_bytes(payload)


@given(st.binary(max_size=21 * 4))
def test_any_bytes_are_either_read_or_refused(payload):
    try:
        found = Detections.from_bytes(payload)
    except WireError:
        return
    assert len(found) * 21 == len(payload)
    assert np.isfinite(found.xyxy).all()
