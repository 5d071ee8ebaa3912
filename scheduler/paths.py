"""What a vehicle's links are called: one to each unit, or one by each radio that leads there.

`rsu1` is the only link to the unit of that name; with two radios `rsu1/5g` and `rsu1/11p` are two
links, two paths, to one unit. Policies treat link ids as opaque.
"""

from collections.abc import Sequence

SEPARATOR = "/"


def link_ids(unit_id: str, radios: Sequence[str]) -> list[str]:
    """The links to a unit, by its radios; the unit's own name where there is one radio or none."""
    if len(radios) < 2:
        return [unit_id]
    return [f"{unit_id}{SEPARATOR}{radio}" for radio in radios]


def unit_of(link_id: str) -> str:
    """The unit at the far end of a link."""
    return link_id.partition(SEPARATOR)[0]


def radio_of(link_id: str) -> str:
    """The radio that a link names; empty where it is the only one."""
    return link_id.partition(SEPARATOR)[2]


def file_name(link_id: str) -> str:
    """The link as a part of a file's name."""
    return link_id.replace(SEPARATOR, "-")
