"""Services by name, and what is said when one is wrong."""

from pathlib import Path

import numpy as np
import pytest

from scheduler.config import Service
from scheduler.errors import ConfigError
from vehicle.perception.detections import Detections
from vehicle.services.base import Setup
from vehicle.services.object_detection import ObjectDetection
from vehicle.services.registry import ServiceSet

OWN = '''
class Counter:
    """A follower of one's own."""
    def __init__(self, setup):
        self.name, self.trigger = "counter", setup.options.get("trigger", "after:object_detection")
    def on_verdict(self, verdict, scene):
        return []

class Nothing:
    def __init__(self, setup):
        pass
'''


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_service.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))


def test_services_are_found_by_short_name_and_by_class(own: None) -> None:
    sections = [
        Service(name="own_service:Counter"),
        Service(name="object_detection", options={"keep_ms": 200}),
        Service(name="collision_warning"),
    ]
    services = ServiceSet(sections, "ego", "front")
    assert list(services.every_frame) == ["object_detection"]
    followers = services.followers("object_detection")
    assert [f.name for f in followers] == ["counter", "collision_warning"]
    assert services.followers("nobody") == []


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ([Service(name="lane_keeping")], "unknown service 'lane_keeping'.*collision_warning"),
        ([Service(name="no.such.module:X")], "no.such.module"),
        ([Service(name="own_service:Nothing")], "expected name, trigger every_frame"),
        ([Service(name="object_detection", options={"kep_ms": 1})], "kep_ms"),
        ([Service(name="object_detection", options={"keep_ms": "x"})], "expected a number"),
        ([Service(name="collision_warning")], "follows 'object_detection'"),
        ([Service(name="object_detection")] * 2, "listed twice"),
    ],
)
def test_wrong_services_are_one_clear_line(
    own: None, sections: list[Service], message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        ServiceSet(sections, "ego", "front")
    assert "\n" not in str(caught.value)


def test_object_detection_moves_its_boxes_to_now() -> None:
    service = ObjectDetection(Setup("ego", "front", {}))
    assert service.boxes(0) == []
    for frame in range(6):
        x = 100.0 + 10.0 * frame
        found = Detections(
            np.array([[x, 50, x + 40, 90]], np.float32),
            np.array([0.8], np.float32),
            np.array([5], np.int16),
        )
        service.on_answer(found, frame * 100_000_000, 0.5)
    (box,) = service.boxes(600_000_000)
    assert box.class_id == 5 and box.score == pytest.approx(0.8)
    assert box.xyxy[0] == pytest.approx(160.0, abs=6.0)
    assert box.velocity[0] == pytest.approx(100.0, abs=30.0)
    assert service.boxes(600_000_000)[0].track_id == box.track_id
