"""An inertial measurement unit: acceleration with gravity, turn rates, compass, each with noise."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sim.engine.geometry import Pose, Vector
from sim.engine.sensing.attributes import Attributes, number, seed


@dataclass(frozen=True, slots=True)
class InertialSettings:
    """Standard deviations and bias by axis, in m/s^2 and rad/s, and the seed of the noise."""

    accelerometer_noise: Vector
    gyroscope_noise: Vector
    gyroscope_bias: Vector
    seed: int

    @classmethod
    def read(cls, attributes: Attributes) -> InertialSettings:
        """Return what the attributes say.

        Raises:
            SensorError: one is wrong.
        """

        def axes(name: str, low: float = -1e9) -> Vector:
            x, y, z = (number(attributes, f"noise_{name}_{axis}", low) for axis in "xyz")
            return x, y, z

        return cls(
            axes("accel_stddev", 0.0), axes("gyro_stddev", 0.0), axes("gyro_bias"), seed(attributes)
        )


@dataclass(frozen=True, slots=True)
class Inertia:
    """What is felt in the sensor's axes (x forward, y left, z up), without noise.

    Attributes:
        accelerometer: m/s^2, a body at rest feels +gravity upwards.
        gyroscope: rad/s.
        compass: radians clockwise from north, [0, 2 pi).
    """

    accelerometer: Vector
    gyroscope: Vector
    compass: float


def felt(pose: Pose, acceleration: Vector, angular_velocity: Vector, gravity: float) -> Inertia:
    """Return what a sensor at `pose` feels; the vectors are in world axes."""
    sensor_from_world = pose.rotation().T
    x, y, z = (float(v) for v in sensor_from_world @ np.add(acceleration, (0.0, 0.0, gravity)))
    p, q, r = (float(v) for v in sensor_from_world @ np.array(angular_velocity))
    compass = math.fmod(
        math.fmod(math.pi / 2.0 - pose.yaw, 2.0 * math.pi) + 2.0 * math.pi, 2.0 * math.pi
    )
    return Inertia((x, y, z), (p, q, r), compass)


class InertialNoise:
    """Noise and bias of one unit; three axes of each in the order x, y, z of the client's axes."""

    def __init__(self, settings: InertialSettings) -> None:
        self._settings = settings
        self._random = np.random.default_rng(settings.seed)

    def draw(self) -> tuple[Vector, Vector]:
        """Return what to add to accelerometer and gyroscope this time."""
        own = self._settings
        ax, ay, az = (float(v) for v in self._random.normal(0.0, own.accelerometer_noise))
        gx, gy, gz = (
            float(v) for v in self._random.normal(own.gyroscope_bias, own.gyroscope_noise)
        )
        return (ax, ay, az), (gx, gy, gz)
