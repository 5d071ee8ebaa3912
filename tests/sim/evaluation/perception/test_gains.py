import msgspec
import pytest

from sim.evaluation.perception.gains import gains
from sim.evaluation.perception.slices import Figures, Result


def result(rung, size, small, large):
    heights = {"12-18": Figures(20, small), "18-25": Figures(20, large), "25-35": Figures(3)}
    return Result(
        f"{rung} {size}", 1, 1, (small + large) / 2, None, None, None, None, 0.5, 0.0, 1.0,
        {}, heights, {}, {}, {}, {}, [], rung, size,
    )  # fmt: skip


WIDE, NARROW = (640, 384), (320, 192)
RESULTS = [
    result("small", WIDE, 0.4, 0.8), result("small", NARROW, 0.1, 0.7),
    result("large", WIDE, 0.6, 0.9), result("large", NARROW, 0.3, 0.8),
]  # fmt: skip


def test_gains_of_size_and_of_rung_by_height():
    heights, rows = gains(RESULTS)
    assert heights == ["12-18", "18-25", "25-35"]
    made = dict(rows)
    assert made["small: 640x384 over 320x192"] == pytest.approx([0.3, 0.1, None, 0.2])
    assert made["large over small at 320x192"] == pytest.approx([0.2, 0.1, None, 0.15])
    assert len(rows) == 4


def test_the_smallest_and_the_largest_of_three_rungs_are_compared_too():
    middle = msgspec.structs.replace(RESULTS[0], rung="medium", ap50=0.7)
    # In whatever order they are asked: the better one stands over the other.
    names = [name for name, _ in gains([RESULTS[2], RESULTS[0], middle])[1]]
    assert names == [
        "medium over small at 640x384", "large over medium at 640x384",
        "large over small at 640x384",
    ]  # fmt: skip


def test_one_detector_gains_nothing():
    assert gains([])[1] == gains(RESULTS[:1])[1] == []
    assert gains([msgspec.structs.replace(RESULTS[0], rung="", size=None)])[1] == []
