"""One town for all tests of the engine: towns do not change but for their lights."""

import pytest

from sim.engine.simulation import Engine
from sim.engine.town import Town, build_town
from sim.engine.towns.network import Network
from sim.engine.towns.small import small_town


@pytest.fixture(scope="session")
def town() -> Town:
    return build_town()


@pytest.fixture
def engine(town: Town) -> Engine:
    return Engine(town, seed=1)


@pytest.fixture(scope="session")
def network() -> Network:
    """The roads of the small town as they were written."""
    return small_town().network
