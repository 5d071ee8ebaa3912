import json
from pathlib import Path

import numpy as np
import pytest

from vehicle.perception.boxes import letterbox
from vehicle.perception.classes import CLASSES
from vehicle.perception.detections import Detections
from vehicle.perception.detector import RUNGS, DetectorSpec, load_detector
from vehicle.perception.rungs import WEIGHTS, load_rungs
from vehicle.perception.scores.average_precision import average_precision
from vehicle.perception.scores.matching import MIN_HEIGHT_PX, Truth

STREET = Path(__file__).with_name("street.jpg")  # recorded with held-out town, looks and traffic
LABELS = Path(__file__).with_name("street.json")


def street():
    cv2 = pytest.importorskip("cv2", reason="opencv is not installed")
    frame = cv2.imread(str(STREET))
    rows = json.loads(LABELS.read_text())
    xyxy = np.array([row["xyxy"] for row in rows], np.float32)
    class_id = np.array([CLASSES.index(row["name"]) for row in rows], np.int16)
    visibility = np.array([row["visibility"] for row in rows], np.float32)
    return frame, Truth.seen(xyxy, class_id, visibility)


def found_by(rung: str, frame, **changes) -> Detections:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    return load_detector(DetectorSpec(rung, **changes)).detect(frame)


def test_both_rungs_are_shipped_and_small():
    assert list(RUNGS) == ["small", "large"]
    for rung in RUNGS.values():
        assert rung.onnx.is_file()
        assert rung.safetensors.is_file()
    assert sum(path.stat().st_size for path in WEIGHTS.iterdir()) < 15e6


def test_the_large_rung_is_the_better_and_the_slower_one():
    small, large = RUNGS["small"], RUNGS["large"]
    assert 0.2e6 < small.params < 0.5e6 < 1.2e6 < large.params < 2e6
    assert large.ap50 > small.ap50
    assert large.streaming_f1 > small.streaming_f1
    assert large.latency_ms > 2 * small.latency_ms
    assert set(small.ap50_by_class) <= set(CLASSES)


def test_a_missing_table_means_no_rungs(tmp_path):
    assert load_rungs(tmp_path / "rungs.json") == {}


@pytest.mark.parametrize("rung", ["small", "large"])
def test_a_rung_finds_what_stands_in_a_street(rung):
    frame, truth = street()
    scored = average_precision([(found_by(rung, frame), truth)], min_height_px=MIN_HEIGHT_PX)
    assert scored.ap50_by_class[CLASSES.index("car")] > 0.6


def test_boxes_follow_the_size_of_the_frame():
    cv2 = pytest.importorskip("cv2", reason="opencv is not installed")
    frame, _ = street()
    best = found_by("large", frame).xyxy[0]
    doubled = cv2.resize(frame, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    assert found_by("large", doubled).xyxy[0] == pytest.approx(2 * best, abs=16)


def test_a_compressed_picture_is_still_understood():
    cv2 = pytest.importorskip("cv2", reason="opencv is not installed")
    frame, truth = street()
    _, packed = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 40])
    frame = cv2.imdecode(packed, cv2.IMREAD_COLOR)
    scored = average_precision([(found_by("large", frame), truth)], min_height_px=MIN_HEIGHT_PX)
    assert scored.ap50_by_class[CLASSES.index("car")] > 0.6


@pytest.mark.parametrize("rung", ["small", "large"])
def test_shipped_onnx_and_safetensors_answer_alike(rung):
    pytest.importorskip("torch", reason="torch is not installed")
    frame, _ = street()
    by_onnx = load_detector(DetectorSpec(rung, backend="onnxruntime"))
    by_torch = load_detector(DetectorSpec(rung, backend="torch"))
    picture, _ = letterbox(frame, RUNGS[rung].width, RUNGS[rung].height)
    scores, boxes = by_onnx._infer(picture)
    torch_scores, torch_boxes = by_torch._infer(picture)
    # Two roundings to half precision: before batch norm is folded in, and after.
    assert np.abs(scores - torch_scores).max() < 0.02
    is_answer = scores.max(1) > 0.2
    assert is_answer.any()
    assert np.abs(boxes - torch_boxes)[is_answer].max() < 1.5


@pytest.mark.parametrize("rung", ["small", "large"])
def test_a_shipped_model_names_no_file_of_the_machine_that_wrote_it(rung):
    assert b".py" not in RUNGS[rung].onnx.read_bytes()
