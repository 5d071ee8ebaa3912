import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from vehicle.perception.detections import Detections

BENCHMARK = Path(__file__).parents[4] / "benchmarks" / "real_roads.py"


@pytest.fixture(scope="module")
def benchmark_module():
    spec = importlib.util.spec_from_file_location("real_roads", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    sys.modules["real_roads"] = module  # its dataclasses look themselves up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["real_roads"]


def found(*rows):
    table = np.array(rows, np.float32).reshape(-1, 6)
    return Detections(table[:, :4], table[:, 4], table[:, 5].astype(np.int16))


THEIRS = found(
    (0, 0, 60, 40, 0.8, 0),  # a sure car
    (100, 0, 160, 40, 0.8, 0),  # another
    (200, 0, 260, 40, 0.3, 0),  # perhaps a car
    (300, 0, 330, 20, 0.9, 0),  # sure but low
    (400, 0, 460, 40, 0.9, 1),  # a truck
    (500, 0, 520, 40, 0.9, 5),  # a pedestrian: of no interest
)


def test_only_sure_and_high_cars_are_wanted(benchmark_module):
    truth = benchmark_module.truth_of(THEIRS)
    assert truth.is_ignored.tolist() == [False, False, True, True, True]


def test_agreement_by_hand(benchmark_module):
    truth = benchmark_module.truth_of(THEIRS)
    frame = benchmark_module.Frame(0, np.zeros((60, 600, 3), np.uint8), truth)
    ours = found(
        (0, 0, 60, 40, 0.9, 1),  # the first car, called a truck
        (0, 0, 42, 40, 0.8, 0),  # the same one again: a second box
        (200, 0, 260, 40, 0.7, 0),  # on what counts neither way
        (540, 0, 599, 50, 0.6, 2),  # elsewhere
        (100, 0, 160, 40, 0.2, 0),  # the second car, below the score in use
    )
    highway, clip, both, as_car, second, elsewhere, score, there = benchmark_module.agreement(
        [frame], [ours], 0.5
    )
    assert (highway, clip, both) == ("50.0", "-", "50.0")
    assert as_car == "50.0"  # the second box is a car too, and IoU 0.7 is enough
    assert (second, elsewhere) == ("33.3", "33.3")
    assert (score, there) == ("0.90", "50.0")


def test_a_mirrored_look_finds_the_same_places(benchmark_module):
    picture = np.zeros((40, 100, 3), np.uint8)
    picture[10:20, 70:90] = 255

    def bright(seen):
        rows, columns = np.nonzero(seen[..., 0] > 200)
        box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        return found((*box, 0.9, 0))

    expected = [[70, 10, 90, 20]]
    assert benchmark_module.mirrored(bright)(picture).xyxy.tolist() == expected
    assert benchmark_module.smaller(bright)(picture).xyxy.tolist() == expected


def test_missing_clips_are_a_clear_reason(tmp_path):
    done = subprocess.run(
        [sys.executable, BENCHMARK, "--data", tmp_path], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0
    assert done.stdout.startswith("skipped: no dashcam_highway.mp4, dashcam_clip.mp4")
