"""Default: risk-aware expected utility with a price on link time (reference network.md 6.2).

For action a: `U(a) = p_a (A(a) - loss(q)) f(age) + (1 - p_a) A_fallback f(deadline)`, where p_a is
the probability that the answer is back in time under the link's log-normal rate, and the fallback
is the onboard rung that still fits when the offload has failed. Holding the uplink for longer than
a frame interval costs what the best other use of those frames would have gained.

A split holds the onboard detector for its first half, so its fallback starts after that. Escalation
sends the share e of frames that are unsure, in which the share g of the accuracy to be gained lies:
`U = A_rung ((1 - e) f(age of the look) + e (p f(age) + (1 - p) f(deadline))) + p g gain f(age)`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from scheduler.placement import (
    Encoding,
    Features,
    LinkView,
    Options,
    Placement,
    RemoteModel,
    Rung,
    View,
)
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


@dataclass(frozen=True, slots=True)
class _Trip:
    """One way over a link: what is sent to which model, and how long until it leaves."""

    link: LinkView
    model: RemoteModel
    size_bytes: int
    before_ns: int


@dataclass(frozen=True, slots=True)
class _Offer:
    """A placement and how long it would hold the uplink."""

    placement: Placement
    held_ns: float


def _splits(view: View, link: LinkView) -> Iterator[tuple[_Trip, Features]]:
    """The models that run in two halves over this link."""
    waits_ns = max(0, view.busy_until_ns - view.now_ns)
    for features in view.features:
        for model in link.splits:
            if model.model == features.model:
                yield _Trip(link, model, features.size_bytes, waits_ns + features.q50_ns), features


def _is_taken(task: Task, view: View, trip: _Trip) -> bool:
    """Whether the budget on the wire will cover the model; the unit refuses it otherwise."""
    sent_ns = view.now_ns + trip.before_ns
    due_ns = task.deadline_ns - view.emit_margin_ns
    budget_ns = trip.link.estimate.service_budget_ns(trip.size_bytes, due_ns, sent_ns)
    return budget_ns >= trip.model.service_ns


def _chance(task: Task, view: View, trip: _Trip) -> tuple[float, float]:
    """Probability that the answer is back in time, and its predicted age in ns."""
    estimate = trip.link.estimate
    fixed_ns = trip.before_ns + trip.model.service_ns
    remaining_ns = task.deadline_ns - view.now_ns - fixed_ns - view.margin_ns
    p = estimate.p_in_time(trip.size_bytes, remaining_ns, view.now_ns)
    on_link_ns = estimate.transfer_ns(trip.size_bytes) + estimate.overhead_ns(view.now_ns)
    return p, view.now_ns - task.stamp_ns + fixed_ns + on_link_ns


def _reason(utility: float, p: float, age_ns: float, trip: _Trip) -> str:
    size_kb = trip.size_bytes / 1e3
    return f"worth {utility:.2f}, {p:.0%} in time at {age_ns / 1e6:.0f} ms, {size_kb:.1f} kB"


class Deadline:
    """Chooses the action of highest expected utility; every reason shows the figures.

    Options: see `DEFAULTS` in this file.
    """

    name = "deadline"

    def __init__(self, options: Options) -> None:
        self._o = check_options(options, DEFAULTS)

    def place(self, task: Task, view: View) -> Placement:
        """The best of carrying, the onboard rungs and every pipeline over a usable link."""
        home = self._at_home(task, view)
        best = home
        for link in view.usable_links():
            offers = self._offers(task, view, link)
            if not offers:
                continue
            offer = self._priced(view, offers, home.utility)
            if round(offer.utility, 6) > round(best.utility, 6):
                best = offer
        if best.place in ("onboard", "carry"):
            return self._probe(task, view) or best
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

    def _fallback(self, task: Task, view: View, not_before_ns: int) -> float:
        """What the armed fallback is worth when an offload is not back in time."""
        fitting = view.fitting_rung(task.deadline_ns, not_before_ns)
        accuracy = fitting.accuracy if fitting else view.carry_accuracy
        return accuracy * self._freshness(task.deadline_ns - task.stamp_ns)

    def _offers(self, task: Task, view: View, link: LinkView) -> list[_Offer]:
        """What this link could do for the frame, where the unit would take it."""
        offers: list[_Offer] = []
        if "offload" in view.pipelines:
            fallback = self._fallback(task, view, view.now_ns)
            trips = [
                (_Trip(link, model, e.size_bytes, e.encode_ns), e)
                for model in link.models
                for e in view.encodings
            ]
            offers += [
                self._offload(task, view, trip, e, fallback)
                for trip, e in trips
                if _is_taken(task, view, trip)
            ]
        for trip, features in _splits(view, link):
            if _is_taken(task, view, trip):
                offers.append(self._split(task, view, trip, features))
        if view.escalation is not None:
            offers += self._escalations(task, view, link)
        return offers

    def _offload(
        self, task: Task, view: View, trip: _Trip, encoding: Encoding, fallback: float
    ) -> _Offer:
        accuracy = trip.model.accuracy - encoding.accuracy_loss
        utility, p, age_ns = self._worth(task, view, trip, accuracy, fallback)
        placement = Placement(
            "offload",
            trip.model.model,
            trip.link.unit_id,
            encoding.quality,
            p_in_time=p,
            utility=utility - self._switching(view, "offload", trip.link.unit_id),
            reason=_reason(utility, p, age_ns, trip),
        )
        return _Offer(placement, trip.link.estimate.transfer_ns(trip.size_bytes))

    def _split(self, task: Task, view: View, trip: _Trip, features: Features) -> _Offer:
        done_ns = max(view.now_ns, view.busy_until_ns) + features.q99_ns
        fallback = self._fallback(task, view, done_ns)
        utility, p, age_ns = self._worth(task, view, trip, trip.model.accuracy, fallback)
        utility -= self._o["price_joule"] * view.watts * features.q50_ns / 1e9
        placement = Placement(
            "split",
            trip.model.model,
            trip.link.unit_id,
            p_in_time=p,
            utility=utility - self._switching(view, "split", trip.link.unit_id),
            reason=_reason(utility, p, age_ns, trip),
        )
        return _Offer(placement, trip.link.estimate.transfer_ns(trip.size_bytes))

    def _worth(
        self, task: Task, view: View, trip: _Trip, accuracy: float, fallback: float
    ) -> tuple[float, float, float]:
        """Utility of an answer over the link, its chance to be in time, and its age in ns."""
        p, age_ns = _chance(task, view, trip)
        utility = p * accuracy * self._freshness(age_ns) + (1.0 - p) * fallback
        return utility - self._o["price_megabyte"] * trip.size_bytes / 1e6, p, age_ns

    def _escalations(self, task: Task, view: View, link: LinkView) -> list[_Offer]:
        """A first look by the rung that would be best alone, then this link's models."""
        available_ns = task.deadline_ns - view.margin_ns - view.busy_until_ns
        rungs = [rung for rung in view.rungs if rung.q50_ns <= available_ns]
        offers: list[_Offer] = []
        for rung in rungs:
            looked_ns = max(view.now_ns, view.busy_until_ns) + rung.q50_ns - view.now_ns
            for model in link.models:
                for encoding in view.encodings:
                    before_ns = looked_ns + encoding.encode_ns
                    trip = _Trip(link, model, encoding.size_bytes, before_ns)
                    is_better = model.accuracy - encoding.accuracy_loss > rung.accuracy
                    if is_better and _is_taken(task, view, trip):
                        offers.append(self._escalation(task, view, trip, encoding, rung))
        return offers

    def _escalation(
        self, task: Task, view: View, trip: _Trip, encoding: Encoding, rung: Rung
    ) -> _Offer:
        assert view.escalation is not None
        share, gained = view.escalation.share, view.escalation.gain
        looked_ns = view.busy_until_ns + rung.q50_ns
        p_look = rung.p_in_time(task.deadline_ns - view.margin_ns - view.busy_until_ns)
        p, age_ns = _chance(task, view, trip)
        fresh, late = self._freshness(age_ns), self._freshness(task.deadline_ns - task.stamp_ns)
        sure = (1.0 - share) * self._freshness(looked_ns - task.stamp_ns)
        more = trip.model.accuracy - encoding.accuracy_loss - rung.accuracy
        utility = rung.accuracy * (sure + share * (p * fresh + (1.0 - p) * late))
        utility = p_look * (utility + p * gained * more * fresh)
        utility += (1.0 - p_look) * view.carry_accuracy
        utility -= self._o["price_megabyte"] * share * trip.size_bytes / 1e6
        utility -= self._o["price_joule"] * view.watts * rung.q50_ns / 1e9
        placement = Placement(
            "escalate",
            trip.model.model,
            trip.link.unit_id,
            encoding.quality,
            p_in_time=p,
            utility=utility - self._switching(view, "escalate", trip.link.unit_id),
            reason=f"worth {utility:.2f}, {share:.0%} of frames are unsure, {p:.0%} in time",
            first=rung.model,
        )
        return _Offer(placement, share * trip.link.estimate.transfer_ns(trip.size_bytes))

    def _priced(self, view: View, offers: list[_Offer], home_utility: float) -> Placement:
        """The best offer after the opportunity cost of holding the uplink (semi-Markov)."""
        frames = [max(1, math.ceil(offer.held_ns / view.frame_interval_ns)) for offer in offers]
        gain = max(
            0.0,
            max(
                (offer.placement.utility - home_utility) / n
                for offer, n in zip(offers, frames, strict=True)
            ),
        )
        priced = [
            (round(offer.placement.utility - (n - 1) * gain, 6), offer.placement)
            for offer, n in zip(offers, frames, strict=True)
        ]
        return max(priced, key=lambda item: item[0])[1]

    def _probe(self, task: Task, view: View) -> Placement | None:
        """Forced sampling: a link that is up but quiet gets one small real frame."""
        for link in view.usable_links():
            if link.estimate.quiet_ns(view.now_ns) < self._o["probe_after"] * 1e9:
                continue
            if link.estimate.bytes_in_flight or not view.fitting_rung(
                task.deadline_ns, view.now_ns
            ):
                continue  # the fallback pays for the probe
            offer = self._smallest(task, view, link)
            if offer is not None and offer.p_in_time > self._o["probe_floor"]:
                reason = f"probe: quiet link, {offer.p_in_time:.0%} in time"
                return replace(offer, is_probe=True, reason=reason)
        return None

    def _smallest(self, task: Task, view: View, link: LinkView) -> Placement | None:
        """The frame at its smallest: the worst JPEG, or features where no pixel may leave."""
        if link.models and view.encodings and "offload" in view.pipelines:
            model = max(link.models, key=lambda model: round(model.accuracy, 6))
            worst = view.encodings[-1]
            trip = _Trip(link, model, worst.size_bytes, worst.encode_ns)
            fallback = self._fallback(task, view, view.now_ns)
            return self._offload(task, view, trip, worst, fallback).placement
        for trip, features in _splits(view, link):
            return self._split(task, view, trip, features).placement
        return None

    def _switching(self, view: View, place: str, unit_id: str) -> float:
        previous = view.previous
        if previous is None or (previous.place == place and previous.unit_id == unit_id):
            return 0.0
        return self._o["switch_cost"]
