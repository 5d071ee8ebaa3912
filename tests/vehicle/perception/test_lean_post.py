"""The lean forms of suppression, threshold and letterbox answer as the plain ones do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vehicle.perception.boxes import iou, letterbox, nms
from vehicle.perception.picture_detector import select_cells


def plain_nms(xyxy, score, class_id, threshold):
    """Box by box, as the definition says."""
    kept = []
    for index in np.argsort(-score, kind="stable"):
        rivals = [k for k in kept if class_id[k] == class_id[index]]
        overlap = iou(xyxy[[index]], xyxy[rivals])[0] if rivals else np.zeros(0)
        if not (overlap > threshold).any():
            kept.append(int(index))
    return kept


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.3, 0.5, 0.65]), st.integers(0, 60))
def test_suppression_is_what_its_definition_says(seed, threshold, count):
    random = np.random.default_rng(seed)
    corner = random.uniform(0, 60, (count, 2))
    sides = random.uniform(-3, 40, (count, 2))  # some are turned inside out
    xyxy = np.concatenate([corner, corner + sides], 1).astype(np.float32)
    score = random.choice(np.linspace(0, 1, 20), count).astype(np.float32)  # with ties
    class_id = random.integers(0, 3, count).astype(np.int16)
    shared = iou(xyxy, xyxy)
    if (np.abs(shared - threshold) < 1e-4).any():
        return  # on the edge rounding decides
    assert nms(xyxy, score, class_id, threshold).tolist() == plain_nms(
        xyxy, score, class_id, threshold
    )


@given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.floats(0, 1), st.booleans())
def test_the_cells_above_a_threshold_are_found_in_either_memory_order(
    seed, columns, threshold, is_transposed
):
    random = np.random.default_rng(seed)
    scores = random.random((40, columns), np.float32)
    if is_transposed:
        scores = np.ascontiguousarray(scores.T).T
    asked = []

    def boxes(cells):
        asked.append(cells.tolist())
        return np.stack([cells, cells, cells + 0.5, cells + 0.5], 1).astype(np.float32) * 10

    class_id = np.arange(columns, dtype=np.int16)
    found = select_cells(scores, class_id, boxes, threshold, 0.6, 1000)
    expected = np.flatnonzero((scores >= threshold).any(axis=1))
    assert asked == [expected.tolist()]
    by_score = expected[np.argsort(-scores[expected].max(axis=1), kind="stable")]
    assert found.score.tolist() == scores[by_score].max(axis=1).tolist()
    assert found.class_id.tolist() == scores[by_score].argmax(axis=1).tolist()


@pytest.mark.parametrize(
    "size", [(960, 540), (1280, 720), (1920, 1080), (1601, 901), (320, 192), (640, 360)]
)
def test_a_picture_is_as_if_each_pixel_were_the_mean_of_its_area(size):
    cv2 = pytest.importorskip("cv2", reason="opencv is not installed")
    width, height = size
    y, x = np.mgrid[:height, :width]
    wave = 127 + 100 * np.sin(x * 40 / width) * np.cos(y * 25 / height)
    frame = np.repeat(wave[..., None], 3, axis=2).astype(np.uint8)
    picture, fit = letterbox(frame, 640, 384)
    interpolation = cv2.INTER_AREA if width > 640 else cv2.INTER_LINEAR
    expected = cv2.resize(frame, (fit.width, fit.height), interpolation=interpolation)
    seen = picture[: fit.height, : fit.width].astype(np.int16)
    assert np.abs(seen - expected).max() <= 2
    assert (picture[fit.height :] == 114).all()
    assert (picture[:, fit.width :] == 114).all()


def test_a_narrow_picture_is_padded_on_the_right():
    picture, fit = letterbox(np.full((600, 300, 3), 9, np.uint8), 320, 192)
    assert (fit.width, fit.height) == (96, 192)
    assert (picture[:, :96] == 9).all()
    assert (picture[:, 96:] == 114).all()
