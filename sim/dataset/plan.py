"""What a data set holds: how many pictures, of which towns, looks, skies and cameras."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sim.calibration import Intrinsics
from sim.dataset.sky import Sky, draw_sky
from sim.engine.geometry import Pose
from sim.world import CameraMount


@dataclass(frozen=True, slots=True)
class Split:
    """Towns and looks of one side of the fixed split, which never meet those of the other.

    Attributes:
        per_segment: Pictures of one segment; few give more skies and cameras for the same number.
    """

    towns: tuple[str, ...]
    asset_seeds: tuple[int, ...]
    per_segment: int


# Whole towns and whole sets of looks are held out, so that a score says what a detector makes of a
# place and of road users that it never saw. A drive shows VdapTown01 and looks 1 unless told so.
SPLITS = {
    "train": Split(
        (
            *(f"VdapTown02-{seed}" for seed in range(2, 10)),
            *(f"VdapTown03-{seed}" for seed in range(2, 6)),
        ),
        tuple(range(2, 61)),
        per_segment=120,
    ),
    "val": Split(
        ("VdapTown01", "VdapTown04", "VdapTown01-101", "VdapTown04-101"),
        (1, 101, 102),
        per_segment=30,
    ),
}


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
        weather: "all" draws a sky for each segment, "clear" keeps the clear noon.
        per_segment: Pictures of one segment.
        egos: Driven at once in one segment.
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
        egos: Spawn index, speed in m/s and camera of each ego.
    """

    index: int
    pictures: int
    town: str
    asset_seed: int
    traffic_seed: int
    vehicles: int
    pedestrians: int
    sky: Sky
    egos: tuple[tuple[int, float, CameraMount], ...]


def segment_of(plan: Plan, index: int) -> Segment:
    """Draws one segment; the same for the same plan."""
    random = np.random.default_rng((plan.seed, index))
    town = plan.towns[index % len(plan.towns)]
    asset = plan.asset_seeds[index % len(plan.asset_seeds)]
    egos = tuple(
        (
            int(random.integers(0, 1000)),
            float(random.uniform(6.0, 11.0)),
            _mount(plan, random),
        )
        for _ in range(plan.egos)
    )
    return Segment(
        index,
        plan.pictures_of(index),
        town,
        asset,
        int(random.integers(1, 1 << 30)),
        int(random.integers(50, 100)),
        int(random.integers(60, 140)),
        draw_sky(np.random.default_rng((plan.seed, index, 1)), plan.weather),
        egos,
    )


def _mount(plan: Plan, random: np.random.Generator) -> CameraMount:
    """A windscreen or roof camera, most often looking ahead."""
    is_ahead = random.random() < 0.7
    pose = Pose(
        float(random.uniform(0.6, 1.8)),
        float(random.uniform(-0.4, 0.4)),
        float(random.uniform(1.2, 1.9)),
        float(random.normal(0.0, 0.03) if is_ahead else random.uniform(-0.9, 0.9)),
        float(random.normal(-0.02, 0.03)),
        float(random.normal(0.0, 0.01)),
    )
    fov_deg = float(random.choice([90.0, random.uniform(65.0, 100.0)]))
    intrinsics = Intrinsics.from_fov(plan.width, plan.height, fov_deg)
    return CameraMount(pose, intrinsics)
