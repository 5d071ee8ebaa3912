import math
from itertools import pairwise

import numpy as np
import pytest

from sim.engine.towns.curves import Way, joined, rounded
from sim.engine.towns.relief import Relief


@pytest.mark.parametrize(
    ("start", "end", "pieces"),
    [
        (Way(0, 0, 0), Way(20, 0, 0), 1),  # straight on
        (Way(0, 0, 0), Way(10, 10, math.pi / 2), 1),  # a corner of one arc
        (Way(0, 0, 0), Way(25, 10, math.pi / 2), 2),  # a line before the arc
        (Way(0, 0, 0), Way(10, -25, -math.pi / 2), 2),  # a line after it
        (Way(0, 0, 0), Way(60, 4, 0), 2),  # to the side: two arcs
        (Way(0, 0, 0.1), Way(60, -7.5, -0.14), 2),
    ],
)
def test_a_joint_begins_and_ends_as_asked_without_a_kink(start: Way, end: Way, pieces: int) -> None:
    segments = joined(start, end)
    assert len(segments) == pieces
    assert segments[0][:3] == pytest.approx(start, abs=1e-9)
    for piece, after in pairwise(segments):
        assert piece.at(piece.length) == pytest.approx(after[:3], abs=1e-6)
    x, y, heading = segments[-1].at(segments[-1].length)
    assert (x, y) == pytest.approx((end.x, end.y), abs=1e-6)
    assert math.remainder(heading - end.heading, math.tau) == pytest.approx(0.0, abs=1e-6)


def test_corners_shrink_to_their_share_of_the_legs_or_are_refused() -> None:
    points = [(0.0, 0.0), (20.0, 0.0), (20.0, 20.0)]
    with pytest.raises(ValueError, match="no room"):
        rounded([*points, (40.0, 20.0)], 19.0)
    arc = rounded([*points, (40.0, 20.0)], 100.0, share=0.4)[1]
    assert 1 / arc.curvature == pytest.approx(8.0)


def test_hills_are_level_where_they_should_be_and_gentle() -> None:
    hills = Relief(amplitude=9.0, level_below=100.0)
    x = np.linspace(-600, 600, 400)
    assert not hills.heights(x, np.full(400, 99.0)).any()
    z = hills.heights(x, np.full(400, 500.0))
    assert 5.0 < z.max() <= 9.0
    assert np.abs(np.gradient(z, x)).max() < 0.08
