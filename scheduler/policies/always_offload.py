"""Baseline: every frame goes to the link with the highest estimated rate.

As a picture, or as features where the vehicle's pipelines allow `split` and not `offload`.
"""

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
        is_split = "offload" not in view.pipelines
        own = {features.model for features in view.features}
        offered = {
            link.unit_id: [m for m in link.splits if m.model in own] if is_split else link.models
            for link in view.links
        }
        links = [link for link in view.links if link.state == "up" and offered[link.unit_id]]
        if not links:
            rung = view.fitting_rung(task.deadline_ns, view.now_ns)
            if rung is None:
                return Placement("carry", reason="no link is up and no rung fits")
            why = "no link is up" if not is_split else "no link is up that takes features"
            return Placement("onboard", rung.model, reason=why)
        best = max(links, key=lambda link: round(link.estimate.rate_bps, -3))
        model = max(offered[best.unit_id], key=lambda model: round(model.accuracy, 6))
        return Placement(
            "split" if is_split else "offload",
            model.model,
            best.unit_id,
            0 if is_split else self._quality,
            utility=model.accuracy,
            reason="policy sends all",
        )
