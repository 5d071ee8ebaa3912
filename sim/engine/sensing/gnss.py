"""A satellite receiver: the map's geoReference, projected back to latitude and longitude."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

import numpy as np

from sim.engine.sensing.attributes import Attributes, number, seed

EARTH_RADIUS: Final = 6378137.0  # m, WGS 84 at the equator; a sphere, as in CARLA's LibCarla
SCALE: Final = 0.9996  # of CARLA 0.9.16's transverse Mercator projection, whatever +k says
DEFAULT: Final = (42.0, 2.0)  # degrees, of a map without a geoReference that CARLA reads
# What CARLA reads of the PROJ string: these two, and nothing of one alone.
PLACE: Final = re.compile(r"\+(lat_0|lon_0)=([-+]?[\d.]+(?:[eE][-+]?\d+)?)")


@dataclass(frozen=True, slots=True)
class GeoReference:
    """Where a map's origin lies, degrees."""

    latitude: float = DEFAULT[0]
    longitude: float = DEFAULT[1]

    @classmethod
    def of_map(cls, opendrive: str) -> GeoReference:
        """Return the one of an OpenDRIVE text, or CARLA's default."""
        found = re.search(r"<geoReference>(.*?)</geoReference>", opendrive[:100_000], re.DOTALL)
        if found is None:
            return cls()
        values = {name: float(value) for name, value in PLACE.findall(found.group(1))}
        if values.keys() != {"lat_0", "lon_0"}:
            return cls()
        return cls(values["lat_0"], values["lon_0"])

    def transverse_mercator(self, x: float, y: float) -> tuple[float, float]:
        """Return (latitude, longitude) in degrees of a point, metres (Snyder, 1987, page 60)."""
        east = x / (SCALE * EARTH_RADIUS)
        north = y / (SCALE * EARTH_RADIUS) + math.radians(self.latitude)
        latitude = math.asin(math.sin(north) / math.cosh(east))
        longitude = math.atan2(math.sinh(east), math.cos(north))
        return math.degrees(latitude), self.longitude + math.degrees(longitude)

    def mercator(self, x: float, y: float) -> tuple[float, float]:
        """Return the same by a Mercator projection, true at the origin (Snyder, 1987, page 41)."""
        radius = EARTH_RADIUS * math.cos(math.radians(self.latitude))
        start = math.log(math.tan(math.radians(90.0 + self.latitude) / 2.0))
        latitude = 2.0 * math.degrees(math.atan(math.exp(start + y / radius))) - 90.0
        return latitude, self.longitude + math.degrees(x / radius)


@dataclass(frozen=True, slots=True)
class GnssSettings:
    """Standard deviation and bias of (latitude, longitude, altitude): degrees, degrees, metres."""

    noise: tuple[float, float, float]
    bias: tuple[float, float, float]
    seed: int

    @classmethod
    def read(cls, attributes: Attributes) -> GnssSettings:
        """Return what the attributes say.

        Raises:
            SensorError: one is wrong.
        """

        def axes(name: str, low: float = -1e9) -> tuple[float, float, float]:
            a, b, c = (
                number(attributes, f"noise_{axis}_{name}", low) for axis in ("lat", "lon", "alt")
            )
            return a, b, c

        return cls(axes("stddev", 0.0), axes("bias"), seed(attributes))


class GnssNoise:
    """Noise and bias of one receiver."""

    def __init__(self, settings: GnssSettings) -> None:
        self._settings = settings
        self._random = np.random.default_rng(settings.seed)

    def draw(self) -> tuple[float, float, float]:
        """Return what to add to latitude, longitude and altitude this time."""
        a, b, c = self._random.normal(self._settings.bias, self._settings.noise)
        return float(a), float(b), float(c)
