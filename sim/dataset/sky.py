"""Skies that a data set is recorded under: what a windscreen camera meets in a year."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from sim.engine.weather import Weather


@dataclass(frozen=True, slots=True)
class Sky:
    """A weather and what people call it."""

    name: str
    weather: Weather


def _clear(u: Callable[[float, float], float]) -> Weather:
    return Weather(cloudiness=u(0, 30), sun_altitude=math.radians(u(30, 75)), fog_density=u(0, 5))


def _cloudy(u: Callable[[float, float], float]) -> Weather:
    return Weather(
        cloudiness=u(40, 100), sun_altitude=math.radians(u(20, 70)), fog_density=u(0, 10)
    )


def _low_sun(u: Callable[[float, float], float]) -> Weather:
    return Weather(cloudiness=u(0, 60), sun_altitude=math.radians(u(4, 18)), fog_density=u(0, 8))


def _rain(u: Callable[[float, float], float]) -> Weather:
    return Weather(
        cloudiness=u(70, 100),
        precipitation=u(20, 90),
        precipitation_deposits=u(20, 90),
        wetness=u(40, 100),
        wind_intensity=u(0, 80),
        sun_altitude=math.radians(u(15, 60)),
        fog_density=u(0, 15),
    )


def _fog(u: Callable[[float, float], float]) -> Weather:
    return Weather(
        cloudiness=u(50, 100),
        fog_density=u(20, 60),
        fog_distance=u(0, 20),
        sun_altitude=math.radians(u(10, 60)),
        wetness=u(0, 40),
    )


def _night(u: Callable[[float, float], float]) -> Weather:
    return Weather(cloudiness=u(0, 80), sun_altitude=math.radians(u(-60, -3)), wetness=u(0, 60))


_Draw = Callable[[Callable[[float, float], float]], Weather]
SKIES: dict[str, tuple[float, _Draw]] = {
    "clear": (0.32, _clear),
    "cloudy": (0.26, _cloudy),
    "low sun": (0.14, _low_sun),
    "rain": (0.12, _rain),
    "fog": (0.08, _fog),
    "night": (0.08, _night),
}


def draw_sky(random: np.random.Generator, which: str = "all") -> Sky:
    """One sky, by the shares of `SKIES`; the sun's azimuth is anything.

    Args:
        random: The source.
        which: "all", "clear" for the clear noon of every drive, or the one kind to draw.
    """
    if which == "clear":
        return Sky("clear", Weather())

    def u(low: float, high: float) -> float:
        return float(random.uniform(low, high))

    names = list(SKIES)
    name = names[int(random.choice(len(names), p=[SKIES[each][0] for each in names]))]
    name = which if which in SKIES else name
    weather = SKIES[name][1](u)
    azimuth = u(-math.pi, math.pi)
    return Sky(name, replace(weather, sun_azimuth=azimuth))
