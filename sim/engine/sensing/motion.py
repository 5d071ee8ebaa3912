"""How a sensor's mount moves, found from where it was: what inertial sensors and radars feel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.engine.geometry import Pose, Vector


class Mount:
    """Follows a sensor from tick to tick; lever arms come in by themselves.

    Velocity and acceleration are differences of positions, as CARLA's sensors form them: two and
    three ticks are needed, and an actor that is put elsewhere by its client feels it.
    """

    def __init__(self) -> None:
        self._last: NDArray[np.float64] | None = None
        self._velocity: NDArray[np.float64] | None = None
        self._delta_s = 0.0
        self.velocity: Vector = (0.0, 0.0, 0.0)
        self.acceleration: Vector = (0.0, 0.0, 0.0)

    def follow(self, pose: Pose, delta_s: float, velocity: Vector) -> None:
        """Take over where the sensor is after a tick of `delta_s` seconds.

        Args:
            pose: of the sensor, world axes.
            delta_s: seconds since the last call.
            velocity: m/s of the body that it is fixed to, which serves for the first tick.
        """
        here = np.array([pose.x, pose.y, pose.z])
        if self._last is None:
            self.velocity = velocity
        else:
            now = (here - self._last) / delta_s
            if self._velocity is not None:
                # The second derivative of the parabola through three positions.
                change = (now - self._velocity) / ((delta_s + self._delta_s) / 2.0)
                self.acceleration = _vector(change)
            self._velocity = now
            self.velocity = _vector(now)
        self._last, self._delta_s = here, delta_s


def _vector(array: NDArray[np.float64]) -> Vector:
    return float(array[0]), float(array[1]), float(array[2])
