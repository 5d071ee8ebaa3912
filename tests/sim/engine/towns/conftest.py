import pytest

from sim.engine.town import Town, build_town, town_names


@pytest.fixture(scope="session", params=town_names())
def each_town(request: pytest.FixtureRequest) -> Town:
    """Every town in turn."""
    return build_town(request.param)
