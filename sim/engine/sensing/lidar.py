"""A lidar with rotating lasers: its rays, what comes back, and how the echo is lost or noisy.

The model is CARLA's: one ray per laser and step, an echo of exp(-attenuation x distance), random
loss before and after the ray, noise along it. All points of a message show one instant.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from sim.engine.geometry import Pose
from sim.engine.sensing.attributes import Attributes, number, seed, whole

if TYPE_CHECKING:
    from sim.engine.sensing.ray_scene import Hits, RayScene

MOST_CHANNELS: Final = 512
MOST_POINTS_PER_S: Final = 20e6
LONGEST_RANGE_M: Final = 2000.0
MOST_IN_BUNDLE: Final = 16  # rays that share a search; quickest, where they span at most the arc
BUNDLE_ARC: Final = math.radians(16.0)
MOST_RAYS: Final = 4_000_000  # of one message, whatever its time step


@dataclass(frozen=True, slots=True)
class LidarSettings:
    """Angles in radians, distances in metres; `echo` is None for a semantic lidar."""

    channels: int
    reach: float
    points_per_s: int
    turns_per_s: float
    upper: float
    lower: float
    width: float
    echo: Echo | None

    @classmethod
    def read(cls, attributes: Attributes, *, has_echo: bool) -> LidarSettings:
        """Return what the attributes say.

        Raises:
            SensorError: one is wrong.
        """
        return cls(
            channels=whole(attributes, "channels", 1, MOST_CHANNELS),
            reach=number(attributes, "range", 0.01, LONGEST_RANGE_M),
            points_per_s=whole(attributes, "points_per_second", 0, MOST_POINTS_PER_S),
            turns_per_s=number(attributes, "rotation_frequency", 0.0, 1000.0),
            upper=math.radians(number(attributes, "upper_fov", -90.0, 90.0)),
            lower=math.radians(number(attributes, "lower_fov", -90.0, 90.0)),
            width=math.radians(number(attributes, "horizontal_fov", 0.1, 360.0)),
            echo=Echo.read(attributes) if has_echo else None,
        )


@dataclass(frozen=True, slots=True)
class Echo:
    """How strong an echo is and how often it is lost.

    Attributes:
        attenuation: per metre.
        lost_anyway: share of rays that are never sent.
        sure_above: intensity from which on no echo is lost.
        lost_at_zero: share lost of echoes without any intensity.
        noise: metres, standard deviation along the ray.
        seed: of all that is random.
    """

    attenuation: float
    lost_anyway: float
    sure_above: float
    lost_at_zero: float
    noise: float
    seed: int

    @classmethod
    def read(cls, attributes: Attributes) -> Echo:
        """Return what the attributes say."""
        return cls(
            attenuation=number(attributes, "atmosphere_attenuation_rate", 0.0),
            lost_anyway=number(attributes, "dropoff_general_rate", 0.0, 1.0),
            sure_above=number(attributes, "dropoff_intensity_limit", 0.0, 1.0),
            lost_at_zero=number(attributes, "dropoff_zero_intensity", 0.0, 1.0),
            noise=number(attributes, "noise_stddev", 0.0),
            seed=seed(attributes),
        )

    def kept(
        self, intensity: NDArray[np.float32], chance: NDArray[np.float32]
    ) -> NDArray[np.bool_]:
        """Return which echoes come back, `chance` being evenly drawn from [0, 1)."""
        slope = self.lost_at_zero / self.sure_above if self.sure_above > 0.0 else 0.0
        odds = slope * intensity + (1.0 - self.lost_at_zero)
        return np.asarray((intensity > self.sure_above) | (chance < odds))


@dataclass(frozen=True, slots=True, eq=False)
class Cloud:
    """One message of a lidar.

    Attributes:
        angle: radians, where the sweep ended, from 0 at the left edge of the field of view.
        counts: (channels,) points of each laser, from the highest to the lowest.
        points: (N, 3) float32, metres, the sensor's axes (x forward, y left, z up), laser by laser.
        intensity: (N,) float32, 0..1.
        cosine: (N,) float32, of the angle of incidence; zeros unless semantic.
        instance_id: (N,) uint32, as a picture's instance ids.
        semantic_tag: (N,) uint8.
    """

    angle: float
    counts: NDArray[np.int64]
    points: NDArray[np.float32]
    intensity: NDArray[np.float32]
    cosine: NDArray[np.float32]
    instance_id: NDArray[np.uint32]
    semantic_tag: NDArray[np.uint8]


class Lidar:
    """One lidar between two messages: how far it has turned, and its random numbers."""

    def __init__(self, settings: LidarSettings) -> None:
        self.settings = settings
        self._angle = 0.0
        self._random = np.random.default_rng(settings.echo.seed if settings.echo else 0)

    def sweep(self, pose: Pose, delta_s: float, rays: RayScene) -> Cloud:
        """Turn on by `delta_s` seconds and return what was seen from `pose` meanwhile."""
        own, echo = self.settings, self.settings.echo
        steps = int(own.points_per_s * delta_s / own.channels + 0.5)
        steps = min(steps, MOST_RAYS // own.channels)
        arc = own.turns_per_s * own.width * delta_s
        beams = self._beams(steps, arc)
        channel = np.repeat(np.arange(own.channels), steps)
        if echo is not None and echo.lost_anyway > 0.0:
            is_sent = self._random.random(len(beams), np.float32) >= echo.lost_anyway
            beams, channel = beams[is_sent], channel[is_sent]
        origin = np.array([pose.x, pose.y, pose.z])
        apart = arc / max(1.0, len(beams) / own.channels)  # of neighbours that are sent
        bundle = int(min(MOST_IN_BUNDLE, max(1.0, BUNDLE_ARC / max(apart, 1e-9))))
        hits = rays.cast(
            origin, beams, own.reach, rotation=pose.rotation(), bundle=bundle,
            with_cosine=echo is None,
        )  # fmt: skip
        return self._returned(beams, channel, hits)

    def _beams(self, steps: int, arc: float) -> NDArray[np.float32]:
        """Return the rays (channels x steps, 3) in the sensor's axes, laser by laser, and turn on.

        The head turns clockwise seen from above, from the left edge of its field of view.
        """
        own = self.settings
        turned = np.fmod(self._angle + arc / max(steps, 1) * np.arange(steps), own.width)
        self._angle = math.fmod(self._angle + arc, own.width)
        clockwise = turned - own.width / 2.0
        up = np.linspace(own.upper, own.lower, own.channels)
        level = np.cos(up)[:, None]
        beams = np.empty((own.channels, steps, 3), np.float32)
        beams[..., 0] = level * np.cos(clockwise)
        beams[..., 1] = -level * np.sin(clockwise)
        beams[..., 2] = np.sin(up)[:, None]
        return beams.reshape(-1, 3)

    def _returned(
        self, beams: NDArray[np.float32], channel: NDArray[np.int64], hits: Hits
    ) -> Cloud:
        echo = self.settings.echo
        back = np.flatnonzero(hits.is_hit)
        distance = hits.distance[back]
        intensity = np.ones(len(back), np.float32)
        if echo is not None:
            intensity = np.exp(np.float32(-echo.attenuation) * distance)
            if echo.noise > 0.0:
                noise = self._random.standard_normal(len(back), np.float32)
                distance = distance + np.float32(echo.noise) * noise
            is_kept = echo.kept(intensity, self._random.random(len(back), np.float32))
            back, distance, intensity = back[is_kept], distance[is_kept], intensity[is_kept]
        return Cloud(
            angle=self._angle,
            counts=np.bincount(channel[back], minlength=self.settings.channels),
            points=beams[back] * distance[:, None],
            intensity=intensity,
            cosine=hits.cosine[back],
            instance_id=hits.instance_id[back],
            semantic_tag=hits.semantic_tag[back],
        )
