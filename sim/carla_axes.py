"""CARLA's axes for its adapter: left-handed, y to the south, degrees, float32 on the wire."""

import math
from dataclasses import asdict, fields
from typing import Any

import numpy as np

from sim.engine.geometry import Pose, Vector, wrap
from sim.engine.weather import Weather


def vector(x: float, y: float, z: float) -> Vector:
    """A location, velocity or extent from CARLA's axes, or the other way round."""
    return (x, -y, z)


def pose(x: float, y: float, z: float, pitch: float, yaw: float, roll: float) -> Pose:
    """A pose from CARLA's metres and degrees."""
    return Pose(x, -y, z, _radians(-yaw), _radians(pitch), _radians(roll))


def _radians(angle_deg: float) -> float:
    angle = math.radians(angle_deg)
    # Lanes that run backwards report a pitch of 360 degrees; wrapping others would round them.
    return angle if -math.pi < angle <= math.pi else wrap(angle)


def degrees(of: Pose) -> tuple[float, float, float]:
    """CARLA's pitch, yaw, roll in degrees."""
    return math.degrees(of.pitch), math.degrees(-of.yaw), math.degrees(of.roll)


def as_on_the_wire(of: Pose) -> Pose:
    """A pose as a CARLA server receives it: rounded to float32 metres and degrees.

    The in-process world does the same, so that the same calls give the same pictures in both.
    """
    numbers = np.array([of.x, -of.y, of.z, *degrees(of)], np.float32).astype(np.float64)
    return pose(*numbers.tolist())


def facing(box: Pose, extent: Vector, heading: float) -> tuple[Pose, Vector]:
    """A box turned by quarters, so that its x axis points most nearly along a heading, radians.

    Boxes of traffic light heads say where they are, not which side the lamps are on.
    """
    quarters = round(wrap(heading - box.yaw) / (math.pi / 2))
    yaw = wrap(box.yaw + quarters * math.pi / 2)
    length, width, height = extent if quarters % 2 == 0 else (extent[1], extent[0], extent[2])
    return Pose(box.x, box.y, box.z, yaw), (length, width, height)


def weather(of: Weather) -> dict[str, float]:
    """The attributes of a `carla.WeatherParameters`: the sun clockwise and in degrees."""
    numbers = asdict(of)
    azimuth, altitude = numbers.pop("sun_azimuth"), numbers.pop("sun_altitude")
    numbers["sun_azimuth_angle"] = -math.degrees(azimuth) % 360.0
    numbers["sun_altitude_angle"] = math.degrees(altitude)
    return numbers


def weather_of(parameters: Any) -> Weather:
    """A `carla.WeatherParameters` in our axes."""
    angles = ("sun_azimuth", "sun_altitude")
    plain = {f.name: float(getattr(parameters, f.name)) for f in fields(Weather)
             if f.name not in angles}  # fmt: skip
    return Weather(
        **plain,
        sun_azimuth=math.radians(-parameters.sun_azimuth_angle % 360.0),
        sun_altitude=math.radians(parameters.sun_altitude_angle),
    )
