"""The names of the embedded towns, and how a name holds the seed of what stands in one."""

from __future__ import annotations

import re
from typing import NamedTuple

TOWNS = {
    "VdapTown01": "small: two signalled crossroads and four streets",
    "VdapTown02": "dense: sixteen blocks, an avenue, one-way streets, parked cars",
    "VdapTown03": "motorway with two interchanges, country roads, hills, a village",
    "VdapTown04": "mixed: centre, suburb, dual carriageway, roundabout",
}
FOLDER = "Carla/Maps/"  # as CARLA shows maps


class UnknownTown(KeyError):  # noqa: N818 - named for what happened
    """There is no town of that name; its message lists what there is."""

    def __str__(self) -> str:
        return str(self.args[0])


class TownName(NamedTuple):
    """Which roads, and the seed of buildings, trees and furniture."""

    plan: str
    seed: int

    def __str__(self) -> str:
        return self.plan if self.seed == 1 else f"{self.plan}-{self.seed}"


def town_names() -> list[str]:
    """The towns there are, each with seed 1; `NAME-17` is one of them with seed 17."""
    return list(TOWNS)


def parse_town(name: str) -> TownName:
    """What `VdapTown02`, `VdapTown02-17` or `Carla/Maps/VdapTown02-17` means.

    Raises:
        UnknownTown: there is no such town.
    """
    match = re.fullmatch(r"(?:/Game/)?(?:Carla/Maps/)?(\w+?)(?:-(\d{1,9}))?", name)
    if match is None or match[1] not in TOWNS:
        raise UnknownTown(
            f"expected a town of the embedded world ({', '.join(TOWNS)}; with a seed, for example "
            f"VdapTown01-17), got {name!r}"
        )
    return TownName(match[1], int(match[2] or 1))


def seeded_name(seed: int) -> str:
    """The town of a drive that names none: the small one with the drive's seed."""
    return str(TownName("VdapTown01", seed))
