"""Default: risk-aware expected utility with a price on link time (reference network.md 6.2).

For action a: `U(a) = p_a A(a) f(age) + (1 - p_a) (A_fallback f(deadline) - miss)`, where p_a is the
probability that the answer is back in time under the link's log-normal rate, and the fallback is
the onboard rung that still fits when the offload has failed. Holding the uplink for longer than a
frame interval costs what the best other use of those frames would have gained. Energy and data are
kept to their budgets by virtual queues (`scheduler.budgets`), misses by their price.
"""

import math

from msgspec.structs import replace

from scheduler.budgets import VirtualQueue
from scheduler.placement import LinkView, Options, Outcome, Placement, RemoteModel, Rung, View
from scheduler.plugins import check_options
from scheduler.policies.offers import Offer, Weighing, Weights
from scheduler.tasks import Task

BESIDE = 10.0  # times `probe_after`: a link is less urgent to know while another one serves
DEFAULTS = {
    "age_tau": 2.0,  # s; F1 falls as exp(-age/tau); smaller prefers younger answers
    "price_joule": 0.0,  # F1 per J of onboard inference
    "price_megabyte": 0.0,  # F1 per MB sent
    "budget_watts": 0.0,  # of onboard inference, on average; 0 = without bound
    "budget_mbps": 0.0,  # of pictures and features sent, on average; 0 = without bound
    "miss_price": 0.5,  # F1 per sent frame that is not answered in time; more gambles less
    "switch_cost": 0.02,  # F1; more switches less often and reacts later
    "probe_after": 0.1,  # s without a result after which an idle link gets a small copy of a frame
    "probe_most": 2.0,  # s between probes that stay without answer; each one doubles the wait
    "probe_floor": 0.02,  # least chance of a probe to be worth its bytes
    "probe_worth": 0.01,  # F1; of probes whose bytes cost more there are as many fewer
    "hedge_gain": 0.0005,  # F1 that a duplicate over a second link, or a rung beside, must bring
}


AtHome = tuple[Rung, float, float]  # with its chance to be in time, and the age of its answer


class Deadline:
    """Chooses the action of highest expected utility; every reason shows the figures.

    Options: see `DEFAULTS` in this file.
    """

    name = "deadline"

    def __init__(self, options: Options) -> None:
        self._o = check_options(options, DEFAULTS)
        self._decay = 1.0 / (self._o["age_tau"] * 1e9)
        self._energy = VirtualQueue(self._o["budget_watts"])
        self._data = VirtualQueue(self._o["budget_mbps"] * 1e6 / 8.0)
        self._probes: dict[str, tuple[int, int]] = {}  # link -> when next, how long to wait then

    def place(self, task: Task, view: View) -> Placement:
        """The best of carrying, the onboard rungs and every pipeline over a usable link."""
        weighing = Weighing(task, view, self._weights(view))
        chosen = self._at_home(weighing)
        best: Offer | None = None
        best_score = _rounded(weighing.home)
        for link in view.links:
            if link.state != "up" or link.credits_free <= 0:
                continue
            offers = weighing.offers(link)
            if not offers:
                continue
            offer, score = self._priced(view, offers, weighing.home)
            if score > best_score:
                best, best_score = offer, score
        if best is None:
            return self._probe(weighing, self._home(weighing, chosen))
        return self._hedged(weighing, best)

    def on_outcome(self, outcome: Outcome) -> None:
        """An answered link is soon probed again when it falls silent; a dead one ever later."""
        if outcome.latency_ns is not None:
            self._probes.pop(outcome.unit_id, None)

    def _weights(self, view: View) -> Weights:
        o, interval_ns = self._o, view.frame_interval_ns
        self._energy.update(view.spent_joules, view.now_ns)
        self._data.update(view.sent_bytes, view.now_ns)
        return Weights(
            self._decay,
            o["price_megabyte"] / 1e6 + self._data.price(interval_ns),
            o["price_joule"] + self._energy.price(interval_ns),
            o["miss_price"],
            o["switch_cost"],
        )

    def _at_home(self, weighing: Weighing) -> AtHome | None:
        """The best rung, None to carry; `weighing.home` becomes what that is worth."""
        view, weights = weighing.view, weighing.weights
        carried = view.carry_accuracy
        best, best_score = carried, _rounded(carried)
        chosen: AtHome | None = None
        for rung in view.rungs:
            start_ns = view.busy_until_ns
            if start_ns + rung.q50_ns > weighing.by_ns:
                continue
            p = rung.p_in_time(weighing.by_ns - start_ns)
            age_ns = weighing.age_ns + start_ns + rung.q50_ns - view.now_ns
            utility = p * rung.accuracy * math.exp(-age_ns * weights.decay) + (1.0 - p) * carried
            utility -= weights.joule * view.watts * rung.q50_ns / 1e9
            utility -= weighing.switching("onboard", "")
            if (score := _rounded(utility)) > best_score:
                best, best_score, chosen = utility, score, (rung, p, age_ns)
        weighing.home, weighing.is_looking = best, chosen is not None
        return chosen

    def _home(self, weighing: Weighing, chosen: AtHome | None) -> Placement:
        """What `_at_home` found, as a placement."""
        best = weighing.home
        if chosen is None:
            why = "nothing has changed" if weighing.has_time() else "no onboard rung fits"
            return Placement("carry", utility=best, reason=f"{why}: worth {best:.2f}")
        rung, p, age_ns = chosen
        reason = f"best on board: {best:.2f}, {p:.0%} in time at {age_ns / 1e6:.0f} ms"
        return Placement("onboard", rung.model, "", 0, p, best, reason=reason)

    def _priced(self, view: View, offers: list[Offer], home: float) -> tuple[Offer, int]:
        """The best offer after the opportunity cost of holding the uplink (semi-Markov)."""
        interval_ns, gain = view.frame_interval_ns, 0.0
        frames: list[int] = []
        for offer in offers:
            n = 1 if offer.held_ns <= interval_ns else math.ceil(offer.held_ns / interval_ns)
            frames.append(n)
            gained = (offer.utility - home) / n
            if gained > gain:
                gain = gained
        best, best_score = offers[0], -(1 << 62)
        for offer, n in zip(offers, frames, strict=True):
            score = _rounded(offer.utility - (n - 1) * gain)
            if score > best_score:
                best, best_score = offer, score
        return best, best_score

    def _hedged(self, weighing: Weighing, best: Offer) -> Placement:
        """The best offer, with a duplicate over a second link or a rung beside it.

        A duplicate where the deadline is at risk, by what it adds to the chance of an answer; and,
        as a probe, over a link that nothing is known of: it may be better than this one.
        """
        placed = self._placement(weighing, best)
        if best.place != "offload":
            return placed
        weights, view, encoding = weighing.weights, weighing.view, best.encoding
        assert encoding is not None
        lost = best.worth - weighing.from_now()[0] + weights.miss
        most, hedged = self._o["hedge_gain"], placed
        for link in view.usable_links():
            if link is best.link or not link.models:
                continue
            model = max(link.models, key=_accuracy)
            if self._is_probe_due(weighing, link, best.size_bytes, BESIDE):
                self._probed(link.unit_id, view.now_ns)
                reason = f"{placed.reason}; probes {link.unit_id}"
                return _duplicated(placed, link.unit_id, model.model, best.p, reason)
            if best.p > 1.0 - most or weighing.is_doubtful(link):
                continue
            p, _, _ = weighing.chance(link, model, best.size_bytes, encoding.encode_ns)
            gain = (1.0 - best.p) * p * lost - weights.byte * best.size_bytes
            if gain > most:
                most, p = gain, 1.0 - (1.0 - best.p) * (1.0 - p)
                reason = f"{placed.reason}; with {link.unit_id} {p:.0%}"
                hedged = _duplicated(placed, link.unit_id, model.model, p, reason)
        return hedged if hedged is not placed else self._beside(weighing, best, placed)

    def _beside(self, weighing: Weighing, best: Offer, placed: Placement) -> Placement:
        """A rung at once, where the fallback at the last moment could only be a poorer one."""
        view = weighing.view
        rung = view.fitting_rung(weighing.by_ns + view.margin_ns, view.now_ns)
        if rung is None or view.busy_until_ns > view.now_ns:
            return placed
        more = rung.accuracy * weighing.late - weighing.from_now()[0]
        joules = view.watts * rung.q50_ns / 1e9
        gain = (1.0 - best.p) * more - weighing.weights.joule * joules * best.p
        if gain <= self._o["hedge_gain"]:
            return placed
        return replace(placed, hedge="local", reason=f"{placed.reason}; {rung.model} beside it")

    def _placement(self, weighing: Weighing, offer: Offer) -> Placement:
        utility, p, encoding, first = offer.utility, offer.p, offer.encoding, offer.first
        if first is not None and weighing.view.escalation is not None:
            share = weighing.view.escalation.share
            reason = f"worth {utility:.2f}, {share:.0%} of frames are unsure, {p:.0%} in time"
        else:
            age_ms, size_kb = offer.age_ns / 1e6, offer.size_bytes / 1e3
            reason = f"worth {utility:.2f}, {p:.0%} in time at {age_ms:.0f} ms, {size_kb:.1f} kB"
        return Placement(
            offer.place,  # type: ignore[arg-type]
            offer.model.model,
            offer.link.unit_id,
            encoding.quality if encoding is not None else 0,
            p,
            utility,
            reason=reason,
            first=first.model if first is not None else "",
            width=encoding.width if encoding is not None else 0,
            height=encoding.height if encoding is not None else 0,
        )

    def _probe(self, weighing: Weighing, home: Placement) -> Placement:
        """Forced sampling: a copy of a frame tells of a link that is up but quiet.

        The frame is answered on board as without it. Where nothing on board is in time, the frame
        itself is sent; where nothing has changed, nobody needs to know.
        """
        view = weighing.view
        if home.place == "carry" and weighing.has_time():
            return home
        for link in view.usable_links():
            offer = self._smallest(weighing, link)
            if offer is None or not self._is_probe_due(weighing, link, offer.size_bytes):
                continue
            if offer.p <= self._o["probe_floor"]:
                continue
            self._probed(link.unit_id, view.now_ns)
            reason = f"probe: quiet link, {offer.p:.0%} in time"
            placed = replace(self._placement(weighing, offer), is_probe=True, reason=reason)
            if home.place == "carry" or placed.place == "split":
                return placed
            return replace(home, probe=placed, is_probe=True, reason=f"{home.reason}; {reason}")
        return home

    def _is_probe_due(
        self, weighing: Weighing, link: LinkView, size_bytes: int, patience: float = 1.0
    ) -> bool:
        cost = weighing.weights.byte * size_bytes
        after_ns = patience * self._o["probe_after"] * 1e9
        after_ns *= max(1.0, cost / self._o["probe_worth"])
        if link.in_flight or link.estimate.quiet_ns(weighing.now_ns) < after_ns:
            return False
        known = self._probes.get(link.unit_id)
        return known is None or weighing.now_ns >= known[0]

    def _probed(self, unit_id: str, now_ns: int) -> None:
        """The next probe, if this one stays without answer, waits twice as long."""
        _, wait_ns = self._probes.get(unit_id, (0, round(self._o["probe_after"] * 1e9)))
        longest_ns = round(self._o["probe_most"] * 1e9)
        self._probes[unit_id] = now_ns + wait_ns, min(2 * wait_ns, longest_ns)

    def _smallest(self, weighing: Weighing, link: LinkView) -> Offer | None:
        """The frame at its smallest: the worst JPEG, or features where no pixel may leave."""
        view = weighing.view
        if link.models and view.encodings and "offload" in view.pipelines:
            model = max(link.models, key=_accuracy)
            return weighing.offload(link, model, view.encodings[-1])
        for features in view.features:
            for model in link.splits:
                if model.model == features.model:
                    return weighing.split(link, model, features)
        return None


def _accuracy(model: RemoteModel) -> int:
    return _rounded(model.accuracy)


def _duplicated(placed: Placement, unit_id: str, model: str, p: float, reason: str) -> Placement:
    other = "" if model == placed.model else model
    return replace(placed, hedge=unit_id, hedge_model=other, p_in_time=p, reason=reason)


def _rounded(score: float) -> int:
    """In millionths of F1: what differs by less is the same, and the first declared is taken."""
    return math.floor(score * 1e6 + 0.5)
