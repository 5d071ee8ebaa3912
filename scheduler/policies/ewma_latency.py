"""Baseline: the best that fits by the mean latency of late (DeepDecision; OpenVDAP's EdgeOSv).

After Ran et al., DeepDecision, INFOCOM 2018, and Zhang et al., OpenVDAP, ICDCS 2018: what takes too
long on average is left out, and of the rest the most accurate is taken. The mean has no tail.
"""

from scheduler.in_flight import bits_of
from scheduler.placement import Options, Outcome, Placement, View
from scheduler.plugins import check_options
from scheduler.policies.choices import best_model, on_board, open_links, send, usual_ns
from scheduler.tasks import Task

FIRST_RATE = 4e6  # bits a second


class EwmaLatency:
    """Mean rate by link, from what its answers took.

    Options:
        gain: Of the newest sample; more follows the road faster, and its noise.
        explore_after: s without an answer after which an idle link gets the smallest picture.
    """

    name = "ewma_latency"

    def __init__(self, options: Options) -> None:
        self._o = check_options(options, {"gain": 0.3, "explore_after": 1.0})
        self._rates: dict[str, float] = {}
        self._rtts: dict[str, float] = {}
        self._tried_ns: dict[str, int] = {}
        self._ahead: dict[int, int] = {}  # bytes before a frame on its link, by task

    def on_outcome(self, outcome: Outcome) -> None:
        """A sample of the rate; no answer at all halves it."""
        rate = self._rates.get(outcome.unit_id, FIRST_RATE)
        if outcome.latency_ns is None:
            self._rates[outcome.unit_id] = rate / 2.0
            return
        rtt_ns = self._rtts.get(outcome.unit_id, 0.0)
        on_link_ns = max(1e6, outcome.latency_ns - outcome.at_unit_ns - rtt_ns)
        ahead = self._ahead.pop(outcome.task.task_id, 0)
        sample = bits_of(outcome.size_bytes + ahead) * 1e9 / on_link_ns
        self._rates[outcome.unit_id] = rate + self._o["gain"] * (sample - rate)

    def place(self, task: Task, view: View) -> Placement:
        """The most accurate of the rungs on board and what fits over a link on average."""
        best = on_board(task, view, "best by mean latency")
        left_ns = task.deadline_ns - view.margin_ns - view.now_ns
        for link in open_links(view):
            self._rtts[link.unit_id] = link.estimate.srtt_ns
            rate = self._rates.get(link.unit_id, FIRST_RATE)
            for encoding in view.encodings:
                for model in link.models:
                    took_ns = usual_ns(link, model, encoding)
                    took_ns += (
                        bits_of(encoding.size_bytes + link.estimate.bytes_in_flight) * 1e9 / rate
                    )
                    is_better = round(model.accuracy_of(encoding) - best.utility, 6) > 0.0
                    if is_better and took_ns <= left_ns:
                        best = send(link, model, encoding, f"takes {took_ns / 1e6:.0f} ms")
        best = best if best.place == "offload" else self._explored(view, best)
        for link in view.links:
            if link.unit_id == best.unit_id:
                self._ahead[task.task_id] = link.estimate.bytes_in_flight
        if len(self._ahead) > 64:
            del self._ahead[next(iter(self._ahead))]
        return best

    def _explored(self, view: View, best: Placement) -> Placement:
        for link in open_links(view):
            last_ns = max(self._tried_ns.get(link.unit_id, 0), link.estimate.result_ns)
            if view.now_ns - last_ns > self._o["explore_after"] * 1e9:
                self._tried_ns[link.unit_id] = view.now_ns
                return send(link, best_model(link), view.encodings[-1], "explores")
        return best
