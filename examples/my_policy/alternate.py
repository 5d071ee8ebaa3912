"""A placement policy of one's own: offloads every second frame while a link is up.

The YAML beside this file names it as `alternate:Alternate`; nothing has to be installed.
"""

from collections.abc import Mapping

from scheduler.placement import Placement, View
from scheduler.tasks import Task


class Alternate:
    name = "alternate"

    def __init__(self, options: Mapping[str, object]) -> None:
        every = options.get("every", 2)
        if not isinstance(every, int) or every < 1:
            raise ValueError(f"every: expected a whole number from 1, got {every!r}")
        self.every = every

    def place(self, task: Task, view: View) -> Placement:
        links = view.usable_links()
        if links and links[0].models and task.tick % self.every == 0:
            link = links[0]
            best = max(link.models, key=lambda model: model.accuracy)
            quality = view.encodings[-1].quality  # the smallest picture
            return Placement("offload", best.model, link.unit_id, quality, reason="its turn")
        rung = view.fitting_rung(task.deadline_ns, view.now_ns)
        if rung is None:
            return Placement("carry", reason="no rung fits")
        return Placement("onboard", rung.model, reason="not its turn")
