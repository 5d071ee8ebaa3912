import numpy as np
import pytest

from scheduler.errors import WireError
from vehicle.perception.detections import Detections
from vehicle.perception.heads.results import LightStates
from vehicle.services.base import Setup
from vehicle.services.object_detection import ObjectDetection

MS = 1_000_000
LEFT, RIGHT, CAR = [100, 20, 112, 50], [300, 22, 312, 52], [200, 200, 300, 260]


def service(**options):
    return ObjectDetection(Setup("ego", "front", options))


def detections(*boxes):
    class_id = [0 if box is CAR else 6 for box in boxes]
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.full(len(boxes), 0.9, np.float32),
        np.array(class_id, np.int16),
    )


def answer(made, stamp_ms, boxes, states, scores=None):
    made.on_answer(detections(*boxes), stamp_ms * MS, 0.9)
    lights = np.array([b for b in boxes if b is not CAR], np.float32).reshape(-1, 4)
    scores = np.array(scores or [0.9] * len(states), np.float32)
    found = LightStates(lights, scores, np.array(states, np.uint8))
    made.on_heads({"light_state": found.to_bytes()}, stamp_ms * MS)


def shown(made, now_ms):
    return {
        ("car" if box.class_id == 0 else "left" if box.xyxy[0] < 200 else "right"): box.state
        for box in made.boxes(now_ms * MS)
    }


def test_states_are_asked_for_only_on_request():
    assert service().heads == ()
    assert service(light_states=True).heads == ("light_state",)
    with pytest.raises(ValueError, match="light_states: expected true or false"):
        service(light_states="yes")


def test_each_light_shows_its_own_state_and_a_car_none():
    made = service(light_states=True)
    answer(made, 0, [LEFT, RIGHT, CAR], [0, 2])
    assert shown(made, 10) == {"left": "red", "right": "green", "car": ""}


def test_a_late_answer_does_not_bring_an_old_state_back():
    made = service(light_states=True)
    answer(made, 0, [LEFT], [0])
    answer(made, 200, [LEFT], [2])
    answer(made, 100, [LEFT], [0])
    assert shown(made, 210) == {"left": "green"}


def test_an_unsure_state_is_no_news_and_an_old_one_is_forgotten():
    made = service(light_states=True)
    answer(made, 0, [LEFT], [0])
    answer(made, 100, [LEFT], [2], [0.3])
    assert shown(made, 110) == {"left": "red"}
    for stamp_ms in range(200, 1300, 100):
        made.on_answer(detections(LEFT), stamp_ms * MS, 0.9)
    assert shown(made, 1210) == {"left": ""}


def test_a_light_elsewhere_gives_no_state():
    made = service(light_states=True)
    made.on_answer(detections(LEFT), 0, 0.9)
    stray = LightStates(
        np.array([RIGHT], np.float32), np.ones(1, np.float32), np.zeros(1, np.uint8)
    )
    made.on_heads({"light_state": stray.to_bytes()}, 0)
    assert shown(made, 10) == {"left": ""}


def test_nonsense_from_a_unit_is_refused():
    with pytest.raises(WireError):
        service(light_states=True).on_heads({"light_state": b"\0"}, 0)
