import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vehicle.perception.boxes import Letterbox, iou, letterbox, nms


def boxes(*rows):
    return np.array(rows, np.float32).reshape(-1, 4)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((0, 0, 10, 10), (0, 0, 10, 10), 1.0),
        ((0, 0, 10, 10), (5, 0, 15, 10), 50 / 150),
        ((0, 0, 10, 10), (10, 0, 20, 10), 0.0),
        ((0, 0, 10, 10), (2, 2, 4, 4), 4 / 100),
        ((5, 5, 5, 5), (5, 5, 5, 5), 0.0),
        ((8, 8, 2, 2), (0, 0, 10, 10), 0.0),
    ],
)
def test_iou_by_hand(a, b, expected):
    assert iou(boxes(a), boxes(b))[0, 0] == pytest.approx(expected)


def test_iou_of_nothing_has_the_right_shape():
    assert iou(boxes(), boxes((0, 0, 1, 1))).shape == (0, 1)


coordinate = st.floats(-500, 500, width=32)
some_boxes = st.lists(st.tuples(coordinate, coordinate, coordinate, coordinate), max_size=6)


@given(some_boxes, some_boxes)
def test_iou_is_symmetric_and_within_bounds(a, b):
    there, back = iou(boxes(*a), boxes(*b)), iou(boxes(*b), boxes(*a))
    assert np.array_equal(there, back.T)
    assert ((there >= 0) & (there <= 1 + 1e-6)).all()


def test_nms_keeps_the_best_of_overlapping_boxes_of_one_class():
    xyxy = boxes((0, 0, 10, 10), (1, 0, 11, 10), (50, 50, 60, 60), (0, 0, 10, 10))
    score = np.array([0.5, 0.9, 0.3, 0.8], np.float32)
    class_id = np.array([0, 0, 0, 5], np.int16)
    assert nms(xyxy, score, class_id, 0.5).tolist() == [1, 3, 2]


def test_a_suppressed_box_suppresses_no_other():
    xyxy = boxes((0, 0, 10, 10), (4, 0, 14, 10), (8, 0, 18, 10))
    score = np.array([0.9, 0.8, 0.7], np.float32)
    kept = nms(xyxy, score, np.zeros(3, np.int16), 0.3)
    assert kept.tolist() == [0, 2]


def test_nms_keeps_at_most_the_asked_number():
    xyxy = boxes(*[(i * 20, 0, i * 20 + 10, 10) for i in range(8)])
    score = np.linspace(0.1, 0.8, 8).astype(np.float32)
    assert nms(xyxy, score, np.zeros(8, np.int16), 0.5, 3).tolist() == [7, 6, 5]


def test_letterbox_scales_evenly_and_pads_below_and_right():
    frame = np.full((540, 960, 3), 200, np.uint8)
    picture, fit = letterbox(frame, 416, 416)
    assert picture.shape == (416, 416, 3)
    assert (fit.width, fit.height) == (416, 234)
    assert (picture[:234] == 200).all()
    assert (picture[234:] == 114).all()


def test_a_frame_of_the_input_size_is_passed_on_uncopied():
    frame = np.zeros((384, 640, 3), np.uint8)
    picture, fit = letterbox(frame, 640, 384)
    assert picture is frame
    assert fit == Letterbox(1.0, 640, 384)


@given(
    st.integers(16, 1920),
    st.integers(16, 1080),
    st.lists(st.floats(0, 1, width=32), min_size=4, max_size=4),
)
def test_boxes_come_back_from_the_letterbox(width, height, share):
    fit = Letterbox.fit(width, height, 416, 416)
    frame_box = np.array([share], np.float32) * np.array([width, height] * 2, np.float32)
    factor = np.array([fit.width / width, fit.height / height] * 2, np.float32)
    back = fit.to_frame(frame_box * factor, width, height)
    assert np.allclose(back, frame_box, atol=1e-3 * max(width, height))


def test_boxes_are_clipped_to_the_frame():
    fit = Letterbox.fit(640, 384, 640, 384)
    assert fit.to_frame(boxes((-9, -9, 700, 400)), 640, 384).tolist() == [[0, 0, 640, 384]]
