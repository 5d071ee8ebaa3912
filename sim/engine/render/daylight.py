"""What the weather does to light: colours and strengths of sun, sky, air and clouds.

No radiometry: colours are 0..255 of the picture at noon, chosen by eye after photographs. The
sun's warmth follows the length of its way through the air (Kasten and Young, Revised optical air
mass tables, 1989), its strength the clouds before it.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.engine.render.kernels import dome
from sim.engine.render.kernels import layout as at
from sim.engine.weather import Weather

Colour = NDArray[np.float64]  # (3,) red, green, blue

NOON_SUN: Colour = np.array([0.912, 0.86, 0.791])
NOON_SKY: Colour = np.array([0.48, 0.5, 0.55])
ZENITH: Colour = np.array([88.0, 138.0, 204.0])
HORIZON: Colour = np.array([212.0, 224.0, 234.0])
AIR: Colour = np.array([196.0, 211.0, 224.0])
NIGHT_ZENITH: Colour = np.array([5.0, 7.0, 15.0])
NIGHT_HORIZON: Colour = np.array([20.0, 21.0, 30.0])
NIGHT_SKY: Colour = np.array([0.030, 0.034, 0.052])
HAZE_PER_M = 0.0009  # on a clear day
LAMPS_BELOW = math.radians(4.0)  # street lamps burn while the sun stands lower
# Optical depth of clear air at the zenith, by colour: blue is lost first.
EXTINCTION: Colour = np.array([0.06, 0.1, 0.2])


@dataclass(frozen=True, slots=True, eq=False)
class Daylight:
    """The light of a weather, as the kernels read it.

    Attributes:
        sun: (3,) float32, unit vector towards the sun, or the moon at night.
        air: (AIR_NUMBERS,) float32, `layout.SUN_LIGHT` and following.
        sky: (SKY_NUMBERS,) float32, `dome.ZENITH` and following.
        has_shadows: the sun casts some.
        is_night: lamps burn.
        glow: strength of the halos round lamps, 0 by day.
    """

    sun: NDArray[np.float32]
    air: NDArray[np.float32]
    sky: NDArray[np.float32]
    has_shadows: bool
    is_night: bool
    glow: float


def daylight(weather: Weather) -> Daylight:
    """The light under a weather."""
    altitude = math.degrees(weather.sun_altitude)
    cloud, rain = weather.cloudiness / 100.0, weather.precipitation / 100.0
    day = _smooth((altitude + 8.0) / 24.0)
    veil = _smooth((cloud - 0.2) / 0.75)  # how much the clouds hide the sun
    direct = (1.0 - 0.97 * veil) * _smooth((altitude + 1.0) / 7.0)
    warmth = np.exp(-EXTINCTION * (_air_mass(altitude) - _air_mass(math.degrees(0.95))))
    is_night = weather.sun_altitude < LAMPS_BELOW
    air = np.zeros(at.AIR_NUMBERS)
    sky = _sky_numbers(weather, day, veil, warmth)
    air[at.SUN_LIGHT : at.SUN_LIGHT + 3] = NOON_SUN * direct * warmth
    if altitude < -1.0:  # the moon
        air[at.SUN_LIGHT : at.SUN_LIGHT + 3] = np.array([0.02, 0.023, 0.03]) * (1.0 - veil)
    grey = 0.35 * veil
    tone = NOON_SKY * (1.0 - grey) + NOON_SKY.mean() * grey
    air[at.SKY_LIGHT : at.SKY_LIGHT + 3] = tone * day * (1.0 + 0.35 * veil - 0.3 * rain) + NIGHT_SKY
    air[at.SKY_UP] = 0.4
    fog = fog_per_m(weather)
    air[at.AIR_COLOUR : at.AIR_COLOUR + 3] = _air_colour(weather, day, sky)
    air[at.HAZE_PER_M] = _haze_per_m(weather)
    air[at.FOG_PER_M] = fog
    air[at.FOG_START] = weather.fog_distance
    low, dark = 1.0 - _smooth(altitude / 18.0), 1.0 - _smooth((altitude + 8.0) / 12.0)
    air[at.GAIN] = 1.0 + 0.4 * low + 0.8 * dark + 0.15 * veil  # what a camera does by itself
    air[at.WET] = wetness(weather)
    deposits = max(weather.precipitation_deposits, 0.4 * weather.precipitation)
    air[at.PUDDLES] = min(deposits, 100.0) / 100.0
    air[at.RAIN], air[at.WIND] = rain, weather.wind_intensity / 100.0
    air[at.NIGHT] = float(is_night)
    air[at.GLINT] = 230.0 * direct
    azimuth, height = weather.sun_azimuth, weather.sun_altitude
    if altitude < -1.0:
        azimuth, height = azimuth + math.pi, 0.8
    return Daylight(
        sun=_direction(azimuth, height).astype(np.float32),
        air=air.astype(np.float32),
        sky=sky.astype(np.float32),
        has_shadows=direct > 0.06,
        is_night=is_night,
        glow=(1.0 - day) * (0.6 if not is_night else 1.0) + min(fog * 12.0, 0.5),
    )


def wetness(weather: Weather) -> float:
    """How wet roads are, 0 to 1."""
    rained = 0.6 * weather.precipitation
    return min(max(weather.wetness, weather.precipitation_deposits, rained), 100.0) / 100.0


def fog_per_m(weather: Weather) -> float:
    """Share of a ray's light that fog takes per metre; full fog leaves 5 % after 60 m."""
    density = max(weather.fog_density - 2.0, 0.0) / 98.0
    return float(0.05 * density**1.5 * min(max(weather.scattering_intensity, 0.2), 3.0) ** 0.25)


def _smooth(x: float) -> float:
    """From 0 below 0 to 1 above 1, without corners."""
    x = min(max(x, 0.0), 1.0)
    return x * x * (3.0 - 2.0 * x)


def _air_mass(altitude_deg: float) -> float:
    """Length of the sun's way through the air, 1 at the zenith."""
    above = max(altitude_deg, 0.0)
    return float(1.0 / (math.sin(math.radians(above)) + 0.50572 * (above + 6.07995) ** -1.6364))


def _direction(azimuth: float, altitude: float) -> NDArray[np.float64]:
    level = math.cos(altitude)
    return np.array([level * math.cos(azimuth), level * math.sin(azimuth), math.sin(altitude)])


def _haze_per_m(weather: Weather) -> float:
    clear = HAZE_PER_M * weather.mie_scattering_scale / 0.03
    dust = weather.dust_storm / 100.0
    return float(clear + 0.0045 * weather.precipitation / 100.0 + 0.03 * dust * dust)


def _air_colour(weather: Weather, day: float, sky: NDArray[np.float64]) -> Colour:
    """Of what hangs between things and the eye: haze like the horizon, dust brown."""
    colour: Colour = AIR * day + NIGHT_HORIZON * (1.0 - day)
    horizon = sky[dome.HORIZON : dome.HORIZON + 3]
    colour = 0.5 * colour + 0.5 * np.minimum(horizon * 0.93, 235.0)
    dust = min(weather.dust_storm / 60.0, 1.0)
    sand: Colour = np.array([196.0, 150.0, 98.0]) * (0.1 + 0.9 * day)
    return colour * (1.0 - dust) + sand * dust


def _sky_numbers(
    weather: Weather, day: float, veil: float, warmth: NDArray[np.float64]
) -> NDArray[np.float64]:
    """`dome.ZENITH` and following."""
    altitude = math.degrees(weather.sun_altitude)
    cloud, rain = weather.cloudiness / 100.0, weather.precipitation / 100.0
    blue = min(weather.rayleigh_scattering_scale / 0.0331, 2.5) ** 0.35
    low = math.exp(-(((altitude - 1.0) / 7.0) ** 2))  # the sun is near the horizon
    zenith = ZENITH * np.array([1.0, 1.0, 1.0 / blue]) ** (blue - 1.0) * day + NIGHT_ZENITH
    horizon = HORIZON * day + NIGHT_HORIZON
    horizon += (np.array([238.0, 158.0, 96.0]) * (0.25 + 0.75 * day) - horizon) * 0.75 * low
    white = np.array([196.0, 196.0, 199.0]) * (1.0 - 0.3 * veil - 0.22 * rain)
    white = white * (1.0 - 0.55 * low) + np.array([236.0, 150.0, 104.0]) * 0.55 * low * (1 - veil)
    numbers = np.zeros(dome.SKY_NUMBERS)
    numbers[dome.ZENITH : dome.ZENITH + 3] = zenith
    numbers[dome.HORIZON : dome.HORIZON + 3] = horizon
    numbers[dome.CLOUD_LIGHT : dome.CLOUD_LIGHT + 3] = white * (0.06 + 0.94 * day)
    glare = np.array([90.0, 90.0, 72.0]) + np.array([130.0, 50.0, -20.0]) * low
    numbers[dome.GLARE : dome.GLARE + 3] = (
        glare * _smooth((altitude + 6.0) / 8.0) * (1 - 0.8 * veil)
    )
    numbers[dome.GLARE_WIDTH] = 0.9 - 0.45 * low
    numbers[dome.COVER] = 0.45 * min(cloud / 0.05, 1.0) + 0.8 * cloud
    numbers[dome.FOG : dome.FOG + 3] = _air_colour(weather, day, numbers)
    column = 60.0 / max(weather.fog_falloff, 0.02)  # metres of fog overhead
    dust = (weather.dust_storm / 100.0) ** 2
    numbers[dome.FOG_DEPTH] = fog_per_m(weather) * min(column, 3000.0) + 4.0 * dust
    numbers[dome.STARS] = (1.0 - min(3.0 * day, 1.0)) * (1.0 - veil)
    street = 0.06 + 0.94 * day * (1.0 - 0.25 * veil)
    numbers[dome.STREET : dome.STREET + 3] = street
    return numbers
