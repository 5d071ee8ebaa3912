"""What a data set holds: how many pictures, of which towns, looks, skies and cameras."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sim.dataset.rig import MOUNTED, draw_mount, with_further
from sim.dataset.sky import Sky, draw_sky


@dataclass(frozen=True, slots=True)
class Plan:
    """What the command was told.

    Attributes:
        images: Pictures in all.
        towns: Names of those to drive through, in turn.
        asset_seeds: Looks of cars, people and houses, in turn.
        seed: Of traffic, places and cameras.
        width: Of a picture, pixels.
        height: Of a picture, pixels.
        weather: "all" draws a sky for each segment, "clear" keeps the clear noon, any other name
            of `sim.dataset.sky.SKIES` draws skies of that kind.
        per_segment: Pictures of one segment.
        egos: Driven at once in one segment.
        cameras: Of each ego; the first is drawn, the others look elsewhere from the same place.
        rig: The cameras of every ego instead, with their ids.
        every_ticks: Of 0.1 s between two pictures of one camera.
        quality: Of the JPEGs.
        min_height: Pixels; smaller boxes are left out.
        world: "embedded", or "carla" for a server of that protocol.
    """

    images: int
    towns: tuple[str, ...]
    asset_seeds: tuple[int, ...]
    seed: int
    width: int = 640
    height: int = 384
    weather: str = "all"
    per_segment: int = 120
    egos: int = 6
    cameras: int = 1
    rig: MOUNTED = ()
    every_ticks: int = 6
    quality: int = 95
    min_height: float = 5.0
    world: str = "embedded"

    @property
    def segments(self) -> int:
        """How many it takes."""
        return math.ceil(self.images / self.per_segment)

    def pictures_of(self, segment: int) -> int:
        """Pictures of one segment; the last may have fewer."""
        return min(self.per_segment, self.images - segment * self.per_segment)


@dataclass(frozen=True, slots=True)
class Segment:
    """One drive: what the world looks like, who is in it and how the cameras look.

    Attributes:
        index: Number of the segment.
        pictures: To take.
        town: Its name.
        asset_seed: Of the looks.
        traffic_seed: Of who drives and walks where.
        vehicles: Other vehicles asked for.
        pedestrians: Asked for.
        sky: Weather and its name.
        egos: Spawn index, speed in m/s and cameras of each ego.
        every_ticks: Between two pictures of one camera.
    """

    index: int
    pictures: int
    town: str
    asset_seed: int
    traffic_seed: int
    vehicles: int
    pedestrians: int
    sky: Sky
    egos: tuple[tuple[int, float, MOUNTED], ...]
    every_ticks: int = 6


def segment_of(plan: Plan, index: int) -> Segment:
    """Draws one segment; the same for the same plan."""
    random = np.random.default_rng((plan.seed, index))
    town = plan.towns[index % len(plan.towns)]
    asset = plan.asset_seeds[index % len(plan.asset_seeds)]
    egos = tuple(
        (
            int(random.integers(0, 1000)),
            float(random.uniform(6.0, 11.0)),
            _mounts(plan, random),
        )
        for _ in range(plan.egos)
    )
    return Segment(
        index,
        plan.pictures_of(index),
        town,
        asset,
        int(random.integers(1, 1 << 30)),
        int(random.integers(40, 150)),
        int(random.integers(60, 260)),
        draw_sky(np.random.default_rng((plan.seed, index, 1)), plan.weather),
        egos,
        plan.every_ticks,
    )


def _mounts(plan: Plan, random: np.random.Generator) -> MOUNTED:
    drawn = draw_mount(plan.width, plan.height, random)  # also for a rig: the draws stay the same
    return plan.rig or with_further(drawn, plan.cameras)
