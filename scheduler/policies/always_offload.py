"""Baseline: every frame goes to the link with the highest estimated rate."""

from scheduler.placement import Options, Placement, View
from scheduler.plugins import check_options
from scheduler.tasks import Task


class AlwaysOffload:
    """Ignores the deadline; the dispatcher's fallback still answers when the link does not.

    Options:
        quality: JPEG quality; a higher one costs bytes and gains little accuracy.
    """

    name = "always_offload"

    def __init__(self, options: Options) -> None:
        self._quality = int(check_options(options, {"quality": 80})["quality"])

    def place(self, task: Task, view: View) -> Placement:
        """The best model on the fastest link, whatever its state."""
        links = [link for link in view.links if link.state == "up" and link.models]
        if not links:
            rung = view.fitting_rung(task.deadline_ns, view.now_ns)
            if rung is None:
                return Placement("carry", reason="no link is up and no rung fits")
            return Placement("onboard", rung.model, reason="no link is up")
        best = max(links, key=lambda link: round(link.estimate.rate_bps, -3))
        model = max(best.models, key=lambda model: round(model.accuracy, 6))
        return Placement(
            "offload",
            model.model,
            best.unit_id,
            self._quality,
            utility=model.accuracy,
            reason="policy sends all",
        )
