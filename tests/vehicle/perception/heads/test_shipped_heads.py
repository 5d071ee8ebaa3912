from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
cv2 = pytest.importorskip("cv2", reason="opencv is not installed")

from vehicle.perception.detector import DetectorSpec, load_detector  # noqa: E402
from vehicle.perception.heads import SurfaceMap, load_multi  # noqa: E402
from vehicle.perception.heads.multi import SUFFIX  # noqa: E402
from vehicle.perception.rungs import WEIGHTS  # noqa: E402

SHIPPED = sorted(path.name.removesuffix(SUFFIX) for path in WEIGHTS.glob(f"*{SUFFIX}"))
STREET = Path(__file__).parents[1] / "street.jpg"
AGAIN = "the rung was trained again: train its heads again (docs/perception/heads.md)"


@pytest.mark.parametrize("rung", SHIPPED)
def test_a_rung_with_heads_detects_as_without(rung):
    frame = cv2.imread(str(STREET))
    spec = DetectorSpec(rung, backend="onnxruntime", score_threshold=0.3)
    multi, alone = load_multi(spec), load_detector(spec)
    with_heads = multi.detect_heads(frame, multi.heads)
    without = alone.detect(frame)
    assert len(with_heads.detections) == len(without), AGAIN
    assert np.allclose(with_heads.detections.score, without.score, atol=0.02), AGAIN
    assert np.allclose(with_heads.detections.xyxy, without.xyxy, atol=1.5), AGAIN


@pytest.mark.parametrize("rung", SHIPPED)
def test_the_road_ahead_is_drivable_and_the_sky_is_not(rung):
    multi = load_multi(DetectorSpec(rung))
    frame = cv2.imread(str(STREET))
    surface = SurfaceMap.from_bytes(multi.detect_heads(frame, ("drivable",)).results["drivable"])
    rows, columns = surface.cells.shape
    ahead = surface.cells[rows * 3 // 5 : rows * 4 // 5, columns // 4 : columns // 2]
    assert (ahead > 0).mean() > 0.8
    assert (surface.cells[: rows // 3] > 0).mean() < 0.05


def test_heads_are_shipped():
    assert SHIPPED
