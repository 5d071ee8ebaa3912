"""The weather as numbers: CARLA's parameters, in the engine's axes and units."""

from __future__ import annotations

import math
from dataclasses import dataclass

# From where on a sky bears a name. Data sets draw theirs well inside of these.
RAIN_PERCENT, FOG_PERCENT, CLOUDY_PERCENT = 15.0, 18.0, 35.0
LOW_SUN = math.radians(19.0)


@dataclass(frozen=True, slots=True)
class Weather:
    """What the sky does; the fourteen parameters of CARLA's `WeatherParameters`.

    The default is the clear noon of this world. All are seen in pictures; physics knows none.

    Attributes:
        cloudiness: percent of the sky, 0 to 100.
        precipitation: percent of the heaviest rain.
        precipitation_deposits: percent of the road under puddles.
        wind_intensity: percent; slants the rain, moves nothing.
        sun_azimuth: radians from east, counter-clockwise, of the direction towards the sun.
        sun_altitude: radians above the horizon; below 0 it is night.
        fog_density: percent.
        fog_distance: metres from the camera to where the fog begins.
        fog_falloff: how fast the fog thins with height; 0 fills the sky, along the street it is as
            dense everywhere.
        wetness: percent of how wet surfaces are.
        scattering_intensity: of light in fog, 1 is ordinary.
        mie_scattering_scale: haze by large particles, 0.03 is ordinary.
        rayleigh_scattering_scale: blueness of the sky, 0.0331 is ordinary.
        dust_storm: percent.
    """

    cloudiness: float = 5.0
    precipitation: float = 0.0
    precipitation_deposits: float = 0.0
    wind_intensity: float = 10.0
    sun_azimuth: float = 2.2
    sun_altitude: float = 0.95
    fog_density: float = 2.0
    fog_distance: float = 0.75
    fog_falloff: float = 0.1
    wetness: float = 0.0
    scattering_intensity: float = 1.0
    mie_scattering_scale: float = 0.03
    rayleigh_scattering_scale: float = 0.0331
    dust_storm: float = 0.0

    @property
    def is_night(self) -> bool:
        """The sun is under the horizon."""
        return self.sun_altitude < 0.0

    @property
    def name(self) -> str:
        """What people call it; the worst of what it has."""
        if self.is_night:
            return "night"
        if self.precipitation >= RAIN_PERCENT:
            return "rain"
        if self.fog_density >= FOG_PERCENT:
            return "fog"
        if self.sun_altitude < LOW_SUN:
            return "low sun"
        return "cloudy" if self.cloudiness >= CLOUDY_PERCENT else "clear"
