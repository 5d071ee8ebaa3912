"""How the benchmark counts, by hand-made boxes."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from sim.ground_truth import CLASSES, TruthBox
from vehicle.perception.detections import Detections

BENCHMARK = Path(__file__).parents[3] / "benchmarks/strangers_eye.py"
pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("numba") is None, reason="needs the extra `engine`"
)


@pytest.fixture(scope="module")
def eye():
    spec = importlib.util.spec_from_file_location("strangers_eye", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    sys.modules["strangers_eye"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["strangers_eye"]


def truth(actor_id, name, xyxy):
    return TruthBox(actor_id, CLASSES.index(name), xyxy, 0.6, 10.0, (0, 0, 0), (0, 0, 0))


def found(*rows):
    boxes = np.array([row[1] for row in rows], np.float32).reshape(-1, 4)
    classes = np.array([CLASSES.index(row[0]) for row in rows], np.int16)
    return Detections(boxes, np.full(len(rows), 0.5, np.float32), classes)


def test_hits_misses_and_false_ones_are_counted_by_group(eye):
    truths = [
        truth(1, "car", (100, 100, 200, 160)),
        truth(2, "pedestrian", (300, 100, 330, 180)),
        truth(3, "bicycle", (400, 100, 460, 180)),
        truth(4, "car", (500, 100, 540, 130)),  # 30 px high: not counted
    ]
    names = {1: "a", 2: "b", 3: "c", 4: "d"}
    seen = found(
        ("truck", (102, 100, 200, 160)),  # of the car's group
        ("car", (300, 100, 330, 180)),  # no class of people
        ("pedestrian", (402, 100, 458, 170)),  # the rider
        ("car", (10, 300, 90, 360)),  # nobody there
    )
    result = eye.Result()
    recalled = result.score(truths, [1.0, 0.9, 0.6, 1.0], names, seen, "portraits")
    assert recalled == [True, False, True, False]
    four, two, people = (result.groups[g] for g in (eye.FOUR_WHEELS, eye.TWO_WHEELS, eye.PEOPLE))
    assert (four.truths, four.hits, four.detections, four.false) == (1, 1, 3, 1)
    assert (people.truths, people.hits, people.false) == (1, 0, 0)
    assert (two.truths, two.hits) == (1, 1)
    assert result.blueprints["b"].recall == 0.0


def test_a_parked_car_is_no_false_detection(eye):
    parked = np.zeros((384, 640), bool)
    parked[300:360, 10:60] = True
    boxes = found(("car", (10, 300, 90, 360)), ("car", (300, 300, 380, 360)))
    result = eye.Result()
    result.score([], [], {}, boxes, "drives", parked)
    assert (result.groups[eye.FOUR_WHEELS].detections, result.groups[eye.FOUR_WHEELS].false) == (
        2,
        1,
    )


def test_one_detection_recalls_one_road_user(eye):
    box = (100, 100, 200, 160)
    result = eye.Result()
    pair = [truth(1, "car", box), truth(2, "car", box)]
    assert sum(result.score(pair, [1.0, 1.0], {1: "a", 2: "b"}, found(("car", box)), "x")) == 1


def test_the_hidden_the_cut_and_the_small_are_not_counted(eye):
    whole = truth(1, "car", (100, 100, 200, 160))
    assert eye.is_counted(whole, 0.5)
    assert not eye.is_counted(whole, 0.49)
    assert not eye.is_counted(truth(1, "car", (0, 100, 200, 160)), 1.0)
    assert not eye.is_counted(truth(1, "car", (100, 100, 200, 139)), 1.0)


def test_without_a_model_it_says_so(eye, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["strangers_eye.py", "--model", "no such file.onnx"])
    assert eye.main() == 0
    assert "skipped, no model at no such file.onnx" in capsys.readouterr().out
