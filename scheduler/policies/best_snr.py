"""Baseline: every frame goes over the strongest link, as a phone picks its cell."""

from scheduler.placement import LinkView, Options, Placement, View
from scheduler.plugins import check_options
from scheduler.policies.choices import best_model, nearest, on_board, open_links, send
from scheduler.tasks import Task


def strength(link: LinkView) -> float:
    """Signal to noise in dB where the radio tells; else the less, the longer the round trip."""
    return link.snr_db if link.snr_db is not None else -link.estimate.srtt_ns / 1e6


class BestSnr:
    """Knows no deadline; the dispatcher's fallback still answers.

    Options:
        quality: JPEG quality; a higher one costs bytes and gains little accuracy.
    """

    name = "best_snr"

    def __init__(self, options: Options) -> None:
        self._quality = int(check_options(options, {"quality": 80})["quality"])

    def place(self, task: Task, view: View) -> Placement:
        """The strongest link that is up."""
        links = open_links(view)
        if not links:
            return on_board(task, view, "no link is up")
        link = max(links, key=lambda link: round(strength(link), 6))
        encoding = nearest(view, self._quality)
        return send(link, best_model(link), encoding, f"strongest link, {strength(link):.0f} dB")
