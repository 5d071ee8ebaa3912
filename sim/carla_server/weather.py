"""CARLA's weather parameters as the engine's, and back.

CARLA's documentation leaves the sun's zero azimuth to its editor's sphere; here it is the +x axis,
and the angle grows clockwise from above, as every yaw of CARLA does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, fields
from functools import lru_cache

from sim.carla_server.axes import checked
from sim.carla_server.rpc import RpcFailure
from sim.engine.geometry import wrap
from sim.engine.weather import Weather

PERCENT = (0.0, 100.0)
# `carla.WeatherParameters` in wire order, by the engine's names, with what each may be.
RANGES = {
    "cloudiness": PERCENT,
    "precipitation": PERCENT,
    "precipitation_deposits": PERCENT,
    "wind_intensity": PERCENT,
    "sun_azimuth": (-3600.0, 3600.0),
    "sun_altitude": (-90.0, 90.0),
    "fog_density": PERCENT,
    "fog_distance": (0.0, 1e5),
    "fog_falloff": (0.0, 100.0),
    "wetness": PERCENT,
    "scattering_intensity": (0.0, 100.0),
    "mie_scattering_scale": (0.0, 5.0),
    "rayleigh_scattering_scale": (0.0, 2.0),
    "dust_storm": PERCENT,
}


def weather_from_carla(parameters: Sequence[float]) -> Weather:
    """Return the engine's weather; a number out of its range counts as the nearest in it.

    Raises:
        RpcFailure: too few numbers, or one that is none.
    """
    if len(parameters) < len(RANGES):
        raise RpcFailure(f"expected {len(RANGES)} weather parameters, got {len(parameters)}")
    checked(*parameters)
    named = {
        name: min(max(value, low), high)
        for (name, (low, high)), value in zip(RANGES.items(), parameters, strict=False)
    }
    named["sun_azimuth"] = wrap(-math.radians(named["sun_azimuth"]))
    named["sun_altitude"] = math.radians(named["sun_altitude"])
    return Weather(**named)


@lru_cache(maxsize=8)  # a Traffic Manager asks each tick
def weather_to_carla(weather: Weather) -> list[float]:
    """Return the numbers as `get_weather` answers them; the azimuth from 0 to 360 degrees."""
    names = [field.name for field in fields(weather)]
    named = dict(zip(names, astuple(weather), strict=True))
    named["sun_azimuth"] = -math.degrees(named["sun_azimuth"]) % 360.0
    named["sun_altitude"] = math.degrees(named["sun_altitude"])
    return [named[name] for name in RANGES]
