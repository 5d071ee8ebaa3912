from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(find_spec("numba") is None, reason="needs the extra `engine`")
SHEET = Path(__file__).parents[3] / "docs/world/road_users.jpg"


def test_the_sheet_in_the_docs_is_small():
    assert SHEET.stat().st_size < 500_000


def test_the_studio_fills_a_tile_with_whoever_stands_in_it():
    from sim.engine.catalogue import all_blueprints
    from sim.engine.contact_sheet import VIEWS, Studio, actor_of

    studio, blueprints = Studio(), all_blueprints()
    for number, name in enumerate(("vehicle.ford.crown", "walker.pedestrian.0004"), 1):
        tile = studio.view(actor_of(number, blueprints[name]), (84, 60), VIEWS[0]).astype(int)
        assert tile.shape == (60, 84, 3)
        middle = tile[20:45, 30:54].reshape(-1, 3)
        assert abs(middle - tile[52:58, 2:8].reshape(-1, 3).mean(0)).max() > 40  # not bare ground
