"""Pedestrians of a CARLA server: each walks a stretch of pavement up and down."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WALK_SPEED = (1.0, 1.7)  # m/s, adults in town
REACHED_M = 0.6  # from a point of the path
MIN_LENGTH_M = 8.0  # of a pavement worth walking on


@dataclass(slots=True)
class Stroller:
    """One pedestrian on its way.

    Attributes:
        actor_id: of the walker.
        path: (N, 2) float64, metres; walked to the end and back.
        speed: m/s.
        next: index of the point it walks to.
        step: +1 or -1 along the path.
    """

    actor_id: int
    path: NDArray[np.float64]
    speed: float
    next: int
    step: int = 1

    def heading(self, x: float, y: float) -> tuple[float, float]:
        """Unit vector to walk along from a place; turns round at the ends."""
        dx, dy = (self.path[self.next] - (x, y)).tolist()
        if math.hypot(dx, dy) < REACHED_M:
            if not 0 <= self.next + self.step < len(self.path):
                self.step = -self.step
            self.next += self.step
            dx, dy = (self.path[self.next] - (x, y)).tolist()
        reach = max(math.hypot(dx, dy), 1e-6)
        return dx / reach, dy / reach


def draw_strollers(
    paths: Sequence[NDArray[np.float64]], weights: Sequence[float], choose: random.Random
) -> tuple[NDArray[np.float64], int, float]:
    """A path, the index of the point on it where somebody starts, and a speed in m/s.

    Args:
        paths: each (N, 3) float64, metres.
        weights: how likely each is, in any unit.
        choose: the random source.
    """
    (path,) = choose.choices(paths, weights)
    return path, choose.randrange(len(path) - 1), choose.uniform(*WALK_SPEED)


def long_enough(path: NDArray[np.float64]) -> bool:
    """Whether a path is worth walking up and down."""
    steps = np.linalg.norm(np.diff(path, axis=0), axis=1)
    return len(path) >= 2 and float(steps.sum()) >= MIN_LENGTH_M
