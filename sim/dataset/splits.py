"""The fixed split: whole towns and whole sets of looks are held out, in our world and in CARLA's.

So a score says what a detector makes of a place and of road users that it never saw. A drive shows
VdapTown01 and looks 1 unless told so, and these are held out too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scheduler.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Split:
    """Towns and looks of one side of the fixed split, which never meet those of the other.

    Attributes:
        per_segment: Pictures of one segment; few give more skies and cameras for the same number.
    """

    towns: tuple[str, ...]
    asset_seeds: tuple[int, ...]
    per_segment: int


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
HELD_OUT = ("VdapTown01", "VdapTown04", "Town02", "Town05", "Town07")  # of any CARLA server's towns
LARGE_MAPS = ("Town11", "Town12", "Town13", "Town15")  # they load in tiles around one ego only


def plan_of(town: str) -> str:
    """The roads that a town's name means: without folder, seed, and `_Opt` of layered maps."""
    return town.rpartition("/")[2].partition("-")[0].removesuffix("_Opt")


def towns_of_server(names: Sequence[str], split: str) -> tuple[str, ...]:
    """A CARLA server's towns on one side of the split, without large maps, each once.

    Args:
        names: Maps as the server lists them, such as `/Game/Carla/Maps/Town01_Opt`.
        split: "train" or "val".

    Raises:
        ConfigError: It has none on this side.
    """
    towns: dict[str, str] = {}
    for name in sorted(names, key=lambda name: (len(name), name)):
        towns.setdefault(plan_of(name), name.rpartition("/")[2])
    wanted = split == "val"
    found = tuple(
        town
        for plan, town in sorted(towns.items())
        if (plan in HELD_OUT) is wanted and plan not in LARGE_MAPS
    )
    if not found:
        raise ConfigError(
            f"the server's towns ({', '.join(sorted(towns))}) are all on the other side of the "
            f"split than {split!r}: name some with --towns"
        )
    return found
