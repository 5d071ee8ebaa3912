"""Baseline: every frame runs on the most accurate onboard rung that meets its deadline."""

from scheduler.placement import Options, Placement, View
from scheduler.plugins import check_options
from scheduler.policies.choices import on_board
from scheduler.tasks import Task


class LocalOnly:
    """Never sends a pixel."""

    name = "local_only"

    def __init__(self, options: Options) -> None:
        check_options(options, {})

    def place(self, task: Task, view: View) -> Placement:
        """The largest rung that fits, else the tracks."""
        return on_board(task, view, "policy keeps all on board")
