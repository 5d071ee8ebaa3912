"""Baseline: every frame runs on the most accurate onboard rung that meets its deadline."""

from scheduler.placement import Options, Placement, View
from scheduler.plugins import check_options
from scheduler.tasks import Task


class LocalOnly:
    """Never sends a pixel."""

    name = "local_only"

    def __init__(self, options: Options) -> None:
        check_options(options, {})

    def place(self, task: Task, view: View) -> Placement:
        """The largest rung that fits, else the tracks."""
        rung = view.fitting_rung(task.deadline_ns, view.now_ns)
        if rung is None:
            return Placement("carry", reason="no onboard rung fits the deadline")
        return Placement(
            "onboard", rung.model, utility=rung.accuracy, reason="policy keeps all on board"
        )
