import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from scheduler import config
from scheduler.errors import ConfigError
from vehicle.perception.classes import CLASS_ID
from vehicle.perception.detections import Detections
from vehicle.perception.detector import RUNGS, Detector, DetectorSpec, load_detector
from vehicle.perception.expected import accuracy_of
from vehicle.perception.picture_detector import select_boxes
from vehicle.perception.yolox import COCO_CLASSES, decode, grid

DATA = Path(__file__).parents[4] / "shared" / "data"
needs_data = pytest.mark.skipif(
    not (DATA / "yolox_nano.onnx").exists(), reason=f"no yolox_nano.onnx in {DATA}"
)


class OneCar:
    """A detector of the user's own: one car in the middle, whatever it is shown."""

    def __init__(self, spec: DetectorSpec, threads: int) -> None:
        self.name = spec.name
        self.score = float(str(spec.options.get("score", 0.5)))

    @property
    def stages_ns(self):
        return {"pre": 0, "infer": 1, "post": 0}

    def detect(self, frame):
        height, width = frame.shape[:2]
        box = np.array([[width / 4, height / 4, width * 3 / 4, height * 3 / 4]], np.float32)
        return Detections(box, np.array([self.score], np.float32), np.zeros(1, np.int16))


class NoDetector:
    def __init__(self, spec: DetectorSpec, threads: int) -> None:
        pass


def test_a_detector_of_the_users_own_is_found_by_module_and_class():
    spec = DetectorSpec("mine", kind=f"{__name__}:OneCar", options={"score": 0.7})
    sys.modules[__name__] = sys.modules.get(__name__) or sys.modules[OneCar.__module__]
    detector = load_detector(spec)
    assert isinstance(detector, Detector)
    found = detector.detect(np.zeros((100, 200, 3), np.uint8))
    assert found.xyxy.tolist() == [[50, 25, 150, 75]]
    assert found.score[0] == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        (DetectorSpec("a", kind="nosuch"), "unknown kind 'nosuch'; known: vdap, yolox, yolov8"),
        (DetectorSpec("a", kind="no_such_module:Class"), "cannot import 'no_such_module'"),
        (DetectorSpec("a", kind="json:NoClass"), "'json' has no class 'NoClass'"),
        (DetectorSpec("a", weights="nosuch"), "neither a file nor a rung"),
        (DetectorSpec("a", weights="nosuch.onnx"), "no file nosuch.onnx"),
        (DetectorSpec("a", weights="x.onnx", backend="abacus"), "backend 'abacus'"),
        (DetectorSpec("a", kind="yolox"), "needs weights"),
        (DetectorSpec("a", kind="yolox", weights="nosuch.onnx"), "no file nosuch.onnx"),
    ],
)
def test_a_detector_that_cannot_be_made_says_why_in_one_line(spec, says):
    with pytest.raises(ConfigError, match=says) as caught:
        load_detector(spec)
    assert "\n" not in str(caught.value)


def test_what_is_no_detector_is_refused():
    sys.modules[__name__] = sys.modules.get(__name__) or sys.modules[NoDetector.__module__]
    with pytest.raises(ConfigError, match="lacks name, detect or stages_ns"):
        load_detector(DetectorSpec("a", kind=f"{__name__}:NoDetector"))


def test_a_file_that_is_no_model_is_refused(tmp_path):
    (tmp_path / "bad.onnx").write_bytes(b"not a model")
    with pytest.raises(ConfigError, match=r"bad\.onnx is not a readable model"):
        load_detector(DetectorSpec("a", weights=str(tmp_path / "bad.onnx")))


def test_a_spec_follows_from_its_section_of_the_configuration():
    section = config.Detector(
        id="nano",
        kind="yolox",
        weights="models/nano.onnx",
        score_threshold=0.3,
        options={"input_size": [416, 416], "class_map": ["person=pedestrian"], "mood": "good"},
    )
    spec = DetectorSpec.of(section, lambda name: Path("/site") / name)
    assert spec == DetectorSpec(
        "nano",
        kind="yolox",
        weights=str(Path("/site/models/nano.onnx")),
        input_size=(416, 416),
        score_threshold=0.3,
        class_map={"person": "pedestrian"},
        options={"mood": "good"},
    )
    assert DetectorSpec.of(config.Detector(id="mine", kind="yolox")).score_threshold == 0.35
    assert DetectorSpec.of(config.Detector(id="a", weights="b.onnx")).score_threshold == 0.35


@pytest.mark.parametrize("rung", list(RUNGS))
def test_a_shipped_rung_s_threshold_and_accuracy_are_those_of_its_cell(rung):
    for (width, height), row in RUNGS[rung].cells.items():
        for precision, cell in row.items():
            options = {"input_size": [width, height], "precision": precision}
            section = config.Detector(id="any", weights=rung, options=options)
            assert DetectorSpec.of(section).score_threshold == cell.score_threshold
            assert accuracy_of(section) == cell.f1
    declared = config.Detector(id=rung, score_threshold=0.2, accuracy=0.9)
    assert DetectorSpec.of(declared).score_threshold == 0.2
    assert accuracy_of(declared) == 0.9
    assert accuracy_of(config.Detector(id="x", kind="yolox")) == 0.5


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"input_size": 416}, "input_size 416, expected .width, height. in pixels"),
        ({"input_size": [0, 4]}, "multiples of 32"),
        ({"input_size": [640, 360]}, "multiples of 32"),
        ({"class_map": "car"}, "expected a list of THEIRS=OURS"),
        ({"nms_threshold": "x"}, "'x', expected a number above 0"),
        ({"max_detections": True}, "True, expected a number above 0"),
        ({"backend": "abacus"}, "'abacus', expected one of auto, cuda, onnxruntime, openvino"),
        ({"precision": "int4"}, "'int4', expected one of fp32, int8"),
        ({"backends": "auto"}, "unknown 'backends', expected input_size, precision, backend"),
    ],
)
def test_a_wrong_option_in_the_configuration_is_refused_in_one_line(options, says):
    with pytest.raises(ConfigError, match=f"detector 'small': options: .*{says}") as caught:
        DetectorSpec.of(config.Detector(id="small", options=options))
    assert "\n" not in str(caught.value)


def test_importing_the_seam_imports_no_heavy_library():
    code = (
        "import sys, vehicle.perception.detector, vehicle.perception.tracker,"
        "vehicle.perception.scores.streaming;"
        "print([m for m in ('torch','cv2','onnxruntime','numba','carla') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


def test_select_boxes_takes_the_best_class_above_the_threshold():
    scores = np.array([[0.1, 0.8], [0.7, 0.2], [0.05, 0.04], [0.1, 0.79]], np.float32)
    xyxy = np.array([[0, 0, 9, 9], [50, 0, 59, 9], [9, 9, 20, 20], [0, 0, 9, 10]], np.float32)
    found = select_boxes(scores, xyxy, 0.3, 0.5, 10)
    assert found.class_id.tolist() == [1, 0]
    assert found.score.tolist() == pytest.approx([0.8, 0.7])
    assert len(select_boxes(scores, xyxy, 0.9, 0.5, 10)) == 0


def test_select_boxes_bounds_the_candidates():
    random = np.random.default_rng(1)
    corner = random.uniform(0, 600, (2000, 2))
    xyxy = np.concatenate([corner, corner + 5], 1).astype(np.float32)
    found = select_boxes(random.random((2000, 7), np.float32), xyxy, 0.0, 0.6, 50)
    assert len(found) == 50
    assert (np.diff(found.score) <= 0).all()


def test_yolox_rows_decode_as_the_format_says():
    cells, strides = grid(416, 416)
    assert cells.shape == (3549, 2)
    assert cells[1].tolist() == [1, 0]  # x runs first
    assert strides[[0, 52 * 52, -1], 0].tolist() == [8, 16, 32]
    rows = np.zeros((3549, 85), np.float32)
    rows[1, :4] = (0.5, 0.25, np.log(2), np.log(4))
    box = decode(rows, cells, strides)[1]
    assert box.tolist() == pytest.approx([12 - 8, 2 - 16, 12 + 8, 2 + 16], abs=1e-4)
    assert len(COCO_CLASSES) == 80


@needs_data
def test_yolox_finds_the_cars_of_a_real_road():
    cv2 = pytest.importorskip("cv2")
    film = cv2.VideoCapture(str(DATA / "dashcam_clip.mp4"))
    is_read, frame = film.read()
    film.release()
    assert is_read
    weights = str(DATA / "yolox_nano.onnx")
    spec = DetectorSpec("nano", kind="yolox", weights=weights, score_threshold=0.35)
    detector = load_detector(spec)
    found = detector.detect(frame)
    cars = found.select(found.class_id == CLASS_ID["car"])
    assert len(cars) >= 2
    assert (cars.xyxy[:, 0] > frame.shape[1] * 0.5).all()  # they drive on the right half
    assert set(detector.stages_ns) == {"pre", "infer", "post"}
    only_people = DetectorSpec(
        "p", kind="yolox", weights=weights, class_map={"person": "pedestrian"}
    )
    people = load_detector(only_people).detect(frame)
    assert set(people.class_id.tolist()) <= {CLASS_ID["pedestrian"]}


@needs_data
def test_a_yolox_file_given_as_ours_says_what_to_write():
    spec = DetectorSpec("nano", weights=str(DATA / "yolox_nano.onnx"))
    with pytest.raises(ConfigError, match="kind: yolox"):
        load_detector(spec)


@needs_data
def test_a_wrong_class_map_is_refused():
    weights = str(DATA / "yolox_nano.onnx")
    spec = DetectorSpec("nano", kind="yolox", weights=weights, class_map={"person": "robot"})
    with pytest.raises(ConfigError, match="class_map 'person': 'robot'"):
        load_detector(spec)
