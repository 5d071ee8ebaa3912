"""A radar: random rays in a cone, with the speed at which what they meet comes or goes.

The model is CARLA's: the radius of a ray in the cone is drawn evenly, so that rays crowd in the
middle; a moving actor's echo has the speed of its body, without its turning.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from sim.engine.geometry import Pose, Vector
from sim.engine.sensing.attributes import Attributes, number, seed, whole

if TYPE_CHECKING:
    from sim.engine.sensing.ray_scene import RayScene

MOST_POINTS_PER_S: Final = 5e6
LONGEST_RANGE_M: Final = 2000.0
WIDEST_DEG: Final = 179.0  # a cone has no tangent beyond


@dataclass(frozen=True, slots=True)
class RadarSettings:
    """Angles in radians, the range in metres."""

    width: float
    height: float
    reach: float
    points_per_s: int
    seed: int

    @classmethod
    def read(cls, attributes: Attributes) -> RadarSettings:
        """Return what the attributes say.

        Raises:
            SensorError: one is wrong.
        """
        return cls(
            width=math.radians(number(attributes, "horizontal_fov", 0.0, WIDEST_DEG)),
            height=math.radians(number(attributes, "vertical_fov", 0.0, WIDEST_DEG)),
            reach=number(attributes, "range", 0.01, LONGEST_RANGE_M),
            points_per_s=whole(attributes, "points_per_second", 0, MOST_POINTS_PER_S),
            seed=seed(attributes),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Echoes:
    """One message of a radar, N detections.

    Attributes:
        velocity: (N,) float32, m/s along the ray, above 0 for what goes away.
        azimuth: (N,) float32, radians, left positive.
        altitude: (N,) float32, radians, up positive.
        depth: (N,) float32, metres along the ray.
    """

    velocity: NDArray[np.float32]
    azimuth: NDArray[np.float32]
    altitude: NDArray[np.float32]
    depth: NDArray[np.float32]


class Radar:
    """One radar with its random numbers."""

    def __init__(self, settings: RadarSettings) -> None:
        self.settings = settings
        self._random = np.random.default_rng(settings.seed)

    def scan(
        self,
        pose: Pose,
        velocity: Vector,
        delta_s: float,
        rays: RayScene,
        velocities: Mapping[int, Vector],
    ) -> Echoes:
        """Return the detections of one tick.

        Args:
            pose: of the radar.
            velocity: of the radar, m/s, world axes.
            delta_s: length of the tick, which gives the number of rays.
            rays: the world.
            velocities: m/s, world axes, by instance id; what is not in it stands still.
        """
        beams = self._beams(int(self.settings.points_per_s * delta_s))
        directions = beams @ pose.rotation().T
        origin = np.array([pose.x, pose.y, pose.z])
        hits = rays.cast(origin, directions.astype(np.float32), self.settings.reach, bundle=1)
        back = np.flatnonzero(hits.is_hit)
        moving = np.zeros((len(back), 3))
        ids = hits.instance_id[back]
        for instance_id in np.unique(ids).tolist():
            if instance_id in velocities:
                moving[ids == instance_id] = velocities[instance_id]
        relative = ((moving - np.array(velocity)) * directions[back]).sum(1)
        seen = beams[back]
        return Echoes(
            velocity=relative.astype(np.float32),
            azimuth=np.arctan2(seen[:, 1], seen[:, 0]).astype(np.float32),
            altitude=np.arcsin(np.clip(seen[:, 2], -1.0, 1.0)).astype(np.float32),
            depth=hits.distance[back],
        )

    def _beams(self, count: int) -> NDArray[np.float64]:
        """Return unit rays (count, 3) in the radar's axes."""
        radius = self._random.random(count)
        turn = self._random.random(count) * 2.0 * math.pi
        beams = np.empty((count, 3))
        beams[:, 0] = 1.0
        beams[:, 1] = math.tan(self.settings.width / 2.0) * radius * np.cos(turn)
        beams[:, 2] = math.tan(self.settings.height / 2.0) * radius * np.sin(turn)
        return np.asarray(beams / np.linalg.norm(beams, axis=1, keepdims=True))
