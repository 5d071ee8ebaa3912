import json
from pathlib import Path

import numpy as np
import pytest

from scheduler.errors import ConfigError
from vehicle.perception.boxes import letterbox
from vehicle.perception.classes import CLASSES
from vehicle.perception.detections import Detections
from vehicle.perception.detector import RUNGS, DetectorSpec, load_detector
from vehicle.perception.rungs import INPUT_SIZES, WEIGHTS, Cell, Rung, load_rungs
from vehicle.perception.scores.average_precision import average_precision
from vehicle.perception.scores.matching import MIN_HEIGHT_PX, Truth

STREET = Path(__file__).with_name("street.jpg")  # recorded with held-out town, looks and traffic
LABELS = Path(__file__).with_name("street.json")


NAMES = ("nano", "small", "medium", "large")


def fitting() -> list[str]:
    """Rungs of one file for all input sizes; others wait for their training to end."""
    return [name for name, rung in RUNGS.items() if set(rung.cells) == set(INPUT_SIZES)]


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


def test_every_rung_is_shipped_and_all_are_small():
    assert set(RUNGS) <= set(NAMES)
    assert list(RUNGS) == sorted(RUNGS, key=lambda name: RUNGS[name].params)
    for rung in RUNGS.values():
        assert rung.onnx.is_file()
        assert rung.safetensors.is_file()
        shipped = {precision for cells in rung.cells.values() for precision in cells}
        assert all(rung.model(precision).is_file() for precision in shipped)
    assert sum(path.stat().st_size for path in WEIGHTS.iterdir()) < 40e6


def test_every_rung_has_a_card():
    for name in fitting():
        card = (WEIGHTS / f"{name}.md").read_text()
        assert f"{RUNGS[name].params:,} parameters" in card
        assert f"{RUNGS[name].cell().ap50:.3f}" in card
        for section in ("Measured", "Data", "Training", "Limits", "Licence"):
            assert f"## {section}" in card


def test_a_larger_rung_or_picture_costs_more():
    smallest, largest = (list(RUNGS.values())[at] for at in (0, -1))
    assert largest.cell().ap50 > smallest.cell().ap50
    assert largest.cell().latency_ms > 2 * smallest.cell().latency_ms
    for name in fitting():
        rung = RUNGS[name]
        assert rung.cell((640, 384)).latency_ms > 2 * rung.cell((320, 192)).latency_ms


def test_a_size_that_was_not_measured_has_the_figures_of_the_nearest():
    cells = {size: {"fp32": cell(ap50)} for size, ap50 in (((640, 384), 0.8), ((320, 192), 0.5))}
    rung = Rung("a", 1, cells)
    assert rung.cell().ap50 == rung.cell((640, 384)).ap50 == 0.8
    assert rung.cell((384, 224)).ap50 == 0.5
    assert rung.cell((960, 544)).ap50 == 0.8
    with pytest.raises(ConfigError, match="no precision 'int8', it ships in fp32"):
        rung.cell((640, 384), "int8")


def cell(ap50: float) -> Cell:
    return Cell(ap50, ap50 / 2, {"car": ap50}, ap50, 0.5, 1.0)


def test_a_missing_table_means_no_rungs(tmp_path):
    assert load_rungs(tmp_path / "rungs.json") == {}


@pytest.mark.parametrize("rung", list(RUNGS)[1:])
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


@pytest.mark.parametrize("size", INPUT_SIZES)
@pytest.mark.parametrize("rung", fitting())
def test_shipped_onnx_and_safetensors_answer_alike(rung, size):
    pytest.importorskip("torch", reason="torch is not installed")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    frame, _ = street()
    by_onnx = load_detector(DetectorSpec(rung, backend="onnxruntime", input_size=size))
    by_torch = load_detector(DetectorSpec(rung, backend="torch", input_size=size))
    picture, _ = letterbox(frame, *size)
    scores, boxes = by_onnx.infer(picture)
    torch_scores, torch_boxes = by_torch.infer(picture)
    # Two roundings to half precision: before batch norm is folded in, and after.
    assert np.abs(scores - torch_scores).max() < 0.02
    is_answer = scores.max(1) > 0.2
    assert is_answer.any()
    assert np.abs(boxes - torch_boxes)[is_answer].max() < 1.5


@pytest.mark.parametrize("rung", list(RUNGS))
def test_a_shipped_model_names_no_file_of_the_machine_that_wrote_it(rung):
    for path in WEIGHTS.glob(f"{rung}*.onnx"):
        assert b".py" not in path.read_bytes()
