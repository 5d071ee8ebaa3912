"""Policies that tests name: one radio alone, and both at once."""

from collections.abc import Mapping

from scheduler.placement import Placement, View
from scheduler.tasks import Task


class OverRadios:
    """Sends every frame over one link, and a duplicate over another where it is named.

    Options: `only`, a link's id; `copy`, another's or empty.
    """

    name = "over_radios"

    def __init__(self, options: Mapping[str, object]) -> None:
        self._first = str(options["only"])
        self._second = str(options.get("copy", ""))

    def place(self, task: Task, view: View) -> Placement:
        return Placement("offload", "large", self._first, 60, hedge=self._second)
