"""Other people's layouts: tiny files with known answers, class maps, and what is refused."""

import numpy as np
import pytest

from scheduler.errors import ConfigError
from vehicle.perception.class_map import class_columns
from vehicle.perception.classes import CLASS_ID, CLASSES
from vehicle.perception.detector import DetectorSpec, load_detector
from vehicle.perception.yolov8 import class_names
from vehicle.perception.yolox import COCO_CLASSES

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pytest.importorskip("onnx", reason="onnx is not installed")

from . import tiny_models

BACKENDS = ("onnxruntime", "openvino")
FRAME = np.zeros((64, 64, 3), np.uint8)


def load(path, kind="vdap", **changes):
    if changes.get("backend") == "openvino":
        pytest.importorskip("openvino", reason="openvino is not installed")
    return load_detector(DetectorSpec("mine", kind=kind, weights=str(path), **changes))


@pytest.mark.parametrize("backend", BACKENDS)
def test_our_layout(tmp_path, backend):
    found = load(tiny_models.ours(tmp_path / "m.onnx"), backend=backend).detect(FRAME)
    assert found.xyxy.tolist() == [[8, 8, 40, 24]]
    assert found.score[0] == pytest.approx(0.9)
    assert CLASSES[found.class_id[0]] == "bus"


@pytest.mark.parametrize("backend", BACKENDS)
def test_yolov8_layout_with_the_names_that_the_file_notes(tmp_path, backend):
    path = tiny_models.yolov8(tmp_path / "m.onnx", "{0: 'tree', 1: 'person', 2: 'truck'}")
    found = load(path, "yolov8", backend=backend).detect(FRAME)
    assert found.xyxy.tolist() == [[16, 24, 24, 36]]
    assert found.score[0] == pytest.approx(0.8)
    assert CLASSES[found.class_id[0]] == "truck"


def test_yolov8_of_any_size_runs_at_the_size_asked_for(tmp_path):
    names = "{0: 'car', 1: 'bus', 2: 'truck'}"
    path = tiny_models.yolov8(tmp_path / "m.onnx", names, side="any", cells=1260)
    detector = load(path, "yolov8", input_size=(320, 192))
    assert (detector.width, detector.height) == (320, 192)
    doubled = detector.detect(np.zeros((384, 640, 3), np.uint8))
    assert doubled.xyxy.tolist() == [[32, 48, 48, 72]]  # in pixels of the frame


@pytest.mark.parametrize("backend", BACKENDS)
def test_yolox_layout_with_the_classes_of_coco(tmp_path, backend):
    path = tiny_models.yolox(tmp_path / "m.onnx", 80, COCO_CLASSES.index("person"))
    detector = load(path, "yolox", backend=backend, score_threshold=0.3)
    found = detector.detect(FRAME)
    # Centre ((0.5 + 1) x 8, (3 + 0) x 8) = (12, 24), 16 wide and 32 high.
    assert found.xyxy[0].tolist() == pytest.approx([4, 8, 20, 40], abs=1e-4)
    assert found.score[0] == pytest.approx(0.45)
    assert CLASSES[found.class_id[0]] == "pedestrian"


def test_yolox_of_other_classes_takes_a_class_map_by_numbers(tmp_path):
    path = tiny_models.yolox(tmp_path / "m.onnx", 3, best=1)
    found = load(path, "yolox", class_map={"1": "bus"}).detect(FRAME)
    assert [CLASSES[i] for i in found.class_id] == ["bus"]
    with pytest.raises(ConfigError, match="it knows 0, 1, 2; say what they are"):
        load(path, "yolox")


@pytest.mark.parametrize("layout", ["ours", "yolov8"])
def test_torchscript_of_our_layout_and_of_yolov8(tmp_path, layout):
    torch = pytest.importorskip("torch", reason="torch is not installed")

    class Ours(torch.nn.Module):
        def forward(self, picture):
            scores, boxes = torch.zeros(84, 7), torch.zeros(84, 4)
            scores[2, 5] = 0.9
            boxes[2] = torch.tensor([8.0, 8.0, 40.0, 24.0])
            return scores + picture.float().mean() * 0, boxes

    class Yolo(torch.nn.Module):
        def forward(self, picture):
            answer = torch.zeros(1, 6, 84)
            answer[0, :4, 5] = torch.tensor([24.0, 16.0, 32.0, 16.0])
            answer[0, 5, 5] = 0.9
            return answer + picture.mean() * 0

    module = Ours() if layout == "ours" else Yolo()
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        script = torch.jit.script(module)
        notes = '{"names": {"0": "car", "1": "person"}, "imgsz": [64, 64]}'
        torch.jit.save(script, str(tmp_path / "m.torchscript"), {"config.txt": notes})
    kind = {"ours": "vdap", "yolov8": "yolov8"}[layout]
    size = (64, 64) if layout == "ours" else None
    detector = load(tmp_path / "m.torchscript", kind, input_size=size)
    assert (detector.width, detector.height) == (64, 64)
    assert detector.backend.startswith("torch")
    found = detector.detect(FRAME)
    assert found.xyxy.tolist() == [[8, 8, 40, 24]]
    assert [CLASSES[i] for i in found.class_id] == ["pedestrian"]


def test_our_weights_in_torch_say_that_they_run_fp32_alone(tmp_path):
    path = tiny_models.ours(tmp_path / "m.int8.onnx")
    with pytest.raises(ConfigError, match="torch runs fp32 alone"):
        load(path, precision="int8", backend="torch")
    assert load(path, precision="int8").backend.startswith("ONNX Runtime")


@pytest.mark.parametrize(
    ("kind", "make", "says"),
    [
        ("yolov8", lambda p: tiny_models.yolox(p, 80, 0), r"output \(1, 84, 85\), expected \(1, 4"),
        ("yolox", lambda p: tiny_models.yolov8(p, None), r"output \(1, 7, 84\), expected \(1, 84"),
        ("yolox", lambda p: tiny_models.ours(p), r"of uint8, expected \(1, 3, H, W\) of float32"),
        ("vdap", lambda p: tiny_models.yolov8(p, None), "say kind: yolox or yolov8"),
        ("vdap", lambda p: tiny_models.ours(p, classes=9), r"scores \(84, 9\) .* expected \(N, 7"),
        ("yolov8", lambda p: p.write_bytes(b"no"), "not a readable model"),
    ],
)
def test_a_file_of_another_layout_says_what_was_expected_in_one_line(tmp_path, kind, make, says):
    make(tmp_path / "m.onnx")
    with pytest.raises(ConfigError, match=says) as caught:
        load(tmp_path / "m.onnx", kind)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["yolox", "yolov8"])
def test_a_file_of_another_suffix_is_refused(tmp_path, kind):
    (tmp_path / "m.tflite").write_bytes(b"no")
    with pytest.raises(ConfigError, match=r"m\.tflite, expected a file \.onnx or \.torchscript"):
        load(tmp_path / "m.tflite", kind)


def test_a_pickled_checkpoint_is_not_a_torchscript_file(tmp_path):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    torch.save({"model": 1}, tmp_path / "m.pt")
    with pytest.raises(ConfigError, match="not a TorchScript file"):
        load(tmp_path / "m.pt", "yolov8")


# --- class maps --------------------------------------------------------------------------------


def test_usual_names_are_known_and_others_are_left_out():
    found = class_columns("m", ("tree", "person", "car", "motorbike"), None)
    known = {
        int(column): CLASSES[i] for column, i in zip(found.columns, found.class_id, strict=True)
    }
    assert known == {1: "pedestrian", 2: "car", 3: "motorcycle"}


def test_several_of_theirs_may_be_one_of_ours():
    found = class_columns("m", ("van", "pickup"), {"van": "truck", "pickup": "truck"})
    assert found.class_id.tolist() == [CLASS_ID["truck"]] * 2
    assert found.columns == slice(None)


def test_two_names_for_one_thing_do_not_make_two_boxes(tmp_path):
    from vehicle.perception.picture_detector import select_cells

    scores = np.array([[0.9, 0.1], [0.2, 0.8]], np.float32)
    xyxy = np.array([[0, 0, 10, 10], [0, 0, 10, 11]], np.float32)
    trucks = np.array([1, 1], np.int16)
    assert len(select_cells(scores, trucks, lambda at: xyxy[at], 0.3, 0.6, 10)) == 1
    differ = np.array([1, 2], np.int16)
    assert len(select_cells(scores, differ, lambda at: xyxy[at], 0.3, 0.6, 10)) == 2


@pytest.mark.parametrize(
    ("class_map", "says"),
    [
        ({"robot": "car"}, "the model has no class 'robot'; it knows van, pickup"),
        ({"van": "robot"}, "class_map 'van': 'robot', expected one of car, truck"),
        (None, r"it knows van, pickup; say what they are to us with class_map"),
    ],
)
def test_an_unknown_name_lists_what_there_is(class_map, says):
    with pytest.raises(ConfigError, match=says):
        class_columns("m", ("van", "pickup"), class_map)


def test_a_class_map_holds_for_our_own_models_too(tmp_path):
    path = tiny_models.ours(tmp_path / "m.onnx")
    found = load(path, class_map={"bus": "truck", "car": "car"}).detect(FRAME)
    assert [CLASSES[i] for i in found.class_id] == ["truck"]
    assert len(load(path, class_map={"car": "car"}).detect(FRAME)) == 0


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ("{0: 'a', 1: 'b'}", ("a", "b")),
        ('{"0": "a", "1": "b"}', ("a", "b")),
        ("['a', 'b']", ("a", "b")),
        ("{0: 'a'}", ("0", "1")),  # too few
        ("__import__('os')", ("0", "1")),  # read, never run
        ("", ("0", "1")),
    ],
)
def test_the_names_that_an_exporter_noted(said, names):
    assert class_names({"names": said}, 2) == names
    assert class_names({}, 80) == COCO_CLASSES
