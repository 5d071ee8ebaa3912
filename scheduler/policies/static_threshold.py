"""Baseline: offload while the signal is strong and the round trip short, by fixed limits."""

from scheduler.placement import LinkView, Options, Placement, View
from scheduler.plugins import check_options
from scheduler.policies.best_snr import strength
from scheduler.policies.choices import best_model, nearest, on_board, open_links, send
from scheduler.tasks import Task


class StaticThreshold:
    """What an engineer would set by hand after a test drive.

    Options:
        snr_db: Least signal to noise, where the radio tells it.
        rtt_ms: Longest smoothed round trip.
        quality: JPEG quality.
    """

    name = "static_threshold"

    def __init__(self, options: Options) -> None:
        self._o = check_options(options, {"snr_db": 15.0, "rtt_ms": 40.0, "quality": 60})

    def place(self, task: Task, view: View) -> Placement:
        """The strongest link within the limits."""
        links = [link for link in open_links(view) if self._is_good(link)]
        if not links:
            return on_board(task, view, "no link within the limits")
        link = max(links, key=lambda link: round(strength(link), 6))
        return send(link, best_model(link), nearest(view, int(self._o["quality"])), "within limits")

    def _is_good(self, link: LinkView) -> bool:
        is_strong = link.snr_db is None or link.snr_db > self._o["snr_db"]
        return is_strong and link.estimate.srtt_ns < self._o["rtt_ms"] * 1e6
