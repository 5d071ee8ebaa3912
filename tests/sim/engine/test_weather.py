import math

import numpy as np
import pytest

from sim.dataset import sky
from sim.engine.weather import Weather


@pytest.mark.parametrize(
    ("weather", "name"),
    [
        (Weather(), "clear"),
        (Weather(cloudiness=60.0), "cloudy"),
        (Weather(sun_altitude=math.radians(10.0)), "low sun"),
        (Weather(fog_density=30.0), "fog"),
        (Weather(fog_density=30.0, precipitation=40.0), "rain"),
        (Weather(sun_altitude=-0.1, precipitation=80.0), "night"),
    ],
)
def test_a_sky_has_the_name_of_the_worst_of_it(weather, name):
    assert weather.name == name


def test_skies_of_data_sets_are_named_the_same():
    random = np.random.default_rng(3)
    for _ in range(200):
        drawn = sky.draw_sky(random)
        assert drawn.weather.name == drawn.name
