"""Default: risk-aware expected utility with a price on link time (reference network.md 6.2).

For action a: `U(a) = p_a (A(a) - loss(q)) f(age) + (1 - p_a) A_fallback f(deadline)`, where p_a is
the probability that the answer is back in time under the link's log-normal rate, and the fallback
is the onboard rung that still fits when the offload has failed. Holding the uplink for longer than
a frame interval costs what the best other use of those frames would have gained.
"""

import math

from scheduler.placement import Encoding, LinkView, Options, Placement, RemoteModel, View
from scheduler.plugins import check_options
from scheduler.tasks import Task

DEFAULTS = {
    "age_tau": 2.0,  # s; F1 falls as exp(-age/tau); smaller prefers younger answers
    "price_joule": 0.0,  # F1 per J of onboard inference
    "price_megabyte": 0.0,  # F1 per MB sent
    "switch_cost": 0.02,  # F1; more switches less often and reacts later
    "probe_after": 0.5,  # s without a result after which an idle link gets one small real frame
    "probe_floor": 0.02,  # least chance of a probe to be worth its bytes
}


class Deadline:
    """Chooses the action of highest expected utility; every reason shows the figures.

    Options: see `DEFAULTS` in this file.
    """

    name = "deadline"

    def __init__(self, options: Options) -> None:
        self._o = check_options(options, DEFAULTS)

    def place(self, task: Task, view: View) -> Placement:
        """The best of carrying, the onboard rungs and every usable link."""
        home = self._at_home(task, view)
        fallback = self._fallback(task, view)
        best = home
        for link in view.usable_links():
            offers = self._offers(task, view, link, fallback)
            if not offers:
                continue
            offer = self._priced(view, link, offers, home.utility)
            if round(offer.utility, 6) > round(best.utility, 6):
                best = offer
        if best.place != "offload":
            return self._probe(task, view, fallback) or best
        return best

    def _freshness(self, age_ns: float) -> float:
        return math.exp(-age_ns / 1e9 / self._o["age_tau"])

    def _at_home(self, task: Task, view: View) -> Placement:
        """The best action without a link."""
        carry = Placement(
            "carry", utility=view.carry_accuracy, reason="no onboard rung fits the deadline"
        )
        best = carry
        for rung in view.rungs:
            available_ns = task.deadline_ns - view.margin_ns - view.busy_until_ns
            p = rung.p_in_time(available_ns)
            if rung.q50_ns > available_ns:
                continue
            age_ns = view.busy_until_ns + rung.q50_ns - task.stamp_ns
            joules = view.watts * rung.q50_ns / 1e9
            utility = p * rung.accuracy * self._freshness(age_ns) + (1.0 - p) * carry.utility
            utility -= self._o["price_joule"] * joules + self._switching(view, "onboard", "")
            if round(utility, 6) > round(best.utility, 6):
                reason = f"best on board: {utility:.2f}, {p:.0%} in time at {age_ns / 1e6:.0f} ms"
                best = Placement("onboard", rung.model, "", 0, p, utility, reason=reason)
        return best

    def _fallback(self, task: Task, view: View) -> float:
        """What the armed fallback is worth when an offload is not back in time."""
        fitting = view.fitting_rung(task.deadline_ns, view.now_ns)
        accuracy = fitting.accuracy if fitting else view.carry_accuracy
        return accuracy * self._freshness(task.deadline_ns - task.stamp_ns)

    def _offers(
        self, task: Task, view: View, link: LinkView, fallback: float
    ) -> list[tuple[Placement, float]]:
        """Every (model, quality) on this link that the unit would take, with its link time."""
        return [
            self._offer(task, view, link, model, encoding, fallback)
            for model in link.models
            for encoding in view.encodings
            if self._is_taken(task, view, link, model, encoding)
        ]

    def _is_taken(
        self, task: Task, view: View, link: LinkView, model: RemoteModel, encoding: Encoding
    ) -> bool:
        """Whether the budget on the wire will cover the model; the unit refuses it otherwise."""
        sent_ns = view.now_ns + encoding.encode_ns
        due_ns = task.deadline_ns - view.emit_margin_ns
        budget_ns = link.estimate.service_budget_ns(encoding.size_bytes, due_ns, sent_ns)
        return budget_ns >= model.service_ns

    def _offer(
        self,
        task: Task,
        view: View,
        link: LinkView,
        model: RemoteModel,
        encoding: Encoding,
        fallback: float,
    ) -> tuple[Placement, float]:
        fixed_ns = encoding.encode_ns + model.service_ns + view.margin_ns
        remaining_ns = task.deadline_ns - view.now_ns - fixed_ns
        p = link.estimate.p_in_time(encoding.size_bytes, remaining_ns, view.now_ns)
        transfer_ns = link.estimate.transfer_ns(encoding.size_bytes)
        overhead_ns = link.estimate.overhead_ns(view.now_ns)
        age_ns = view.now_ns - task.stamp_ns + fixed_ns - view.margin_ns + transfer_ns + overhead_ns
        accuracy = model.accuracy - encoding.accuracy_loss
        utility = p * accuracy * self._freshness(age_ns) + (1.0 - p) * fallback
        utility -= self._o["price_megabyte"] * encoding.size_bytes / 1e6
        utility -= self._switching(view, "offload", link.unit_id)
        placement = Placement(
            "offload",
            model.model,
            link.unit_id,
            encoding.quality,
            p_in_time=p,
            utility=utility,
            reason=f"worth {utility:.2f}, {p:.0%} in time at {age_ns / 1e6:.0f} ms",
        )
        return placement, transfer_ns

    def _priced(
        self,
        view: View,
        link: LinkView,
        offers: list[tuple[Placement, float]],
        home_utility: float,
    ) -> Placement:
        """The best offer after the opportunity cost of holding the uplink (semi-Markov)."""
        frames = [max(1, math.ceil(held / view.frame_interval_ns)) for _, held in offers]
        gain = max(
            0.0,
            max(
                (offer.utility - home_utility) / n
                for (offer, _), n in zip(offers, frames, strict=True)
            ),
        )
        priced = [
            (round(offer.utility - (n - 1) * gain, 6), offer)
            for (offer, _), n in zip(offers, frames, strict=True)
        ]
        return max(priced, key=lambda item: item[0])[1]

    def _probe(self, task: Task, view: View, fallback: float) -> Placement | None:
        """Forced sampling: a link that is up but quiet gets one small real frame."""
        for link in view.usable_links():
            if link.estimate.quiet_ns(view.now_ns) < self._o["probe_after"] * 1e9:
                continue
            if link.estimate.bytes_in_flight or not link.models or not view.encodings:
                continue
            if not view.fitting_rung(task.deadline_ns, view.now_ns):
                continue  # the fallback pays for the probe
            model = max(link.models, key=lambda model: round(model.accuracy, 6))
            offer, _ = self._offer(task, view, link, model, view.encodings[-1], fallback)
            if offer.p_in_time > self._o["probe_floor"]:
                return Placement(
                    "offload",
                    offer.model,
                    offer.unit_id,
                    offer.quality,
                    p_in_time=offer.p_in_time,
                    utility=offer.utility,
                    is_probe=True,
                    reason=f"probe: quiet link, {offer.p_in_time:.0%} in time",
                )
        return None

    def _switching(self, view: View, place: str, unit_id: str) -> float:
        previous = view.previous
        if previous is None or (previous.place == place and previous.unit_id == unit_id):
            return 0.0
        return self._o["switch_cost"]
