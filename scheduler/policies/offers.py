"""What each way of looking at a frame is worth, computed once per decision and without waste.

An offer is one pipeline over one link; its `utility` is in units of F1, as
`scheduler.policies.deadline` says. What cannot beat staying at home is not even made.
"""

import math

from scheduler.in_flight import bits_of
from scheduler.placement import Encoding, Features, LinkView, RemoteModel, Rung, View
from scheduler.tasks import Task

LEAST_CHANCE = 0.5  # of an answer in time: the unit refuses what its budget (q80) does not cover
STALE_NS = 300_000_000  # since the last result; a rate is worth little after that
OVERDUE_NS = 5_000_000  # beyond its predicted median; raising it sends more into trouble
P20 = -0.84  # standard deviations to the 20th percentile


class Offer:
    """One way to have the frame looked at over a link.

    Attributes:
        place: `offload`, `split` or `escalate`.
        p: That the answer is in time.
        age_ns: Predicted, of that answer.
        utility: Before the price of the link's time.
        worth: Of an answer in time.
        held_ns: How long the uplink is busy with it.
    """

    __slots__ = (
        "age_ns", "encoding", "first", "held_ns", "link", "model", "p", "place", "size_bytes",
        "utility", "worth",
    )  # fmt: skip

    def __init__(
        self, place: str, link: LinkView, model: RemoteModel, size_bytes: int, p: float,
        age_ns: float, worth: float, utility: float, held_ns: float,
        encoding: Encoding | None = None, first: Rung | None = None,
    ) -> None:  # fmt: skip
        self.place = place
        self.link = link
        self.model = model
        self.size_bytes = size_bytes
        self.p = p
        self.age_ns = age_ns
        self.worth = worth
        self.utility = utility
        self.held_ns = held_ns
        self.encoding = encoding
        self.first = first


class Weights:
    """Prices of one decision, in units of F1.

    Attributes:
        decay: Of an answer's worth, per ns of its age.
        byte: Per byte sent.
        joule: Per J of a model on board.
        miss: Per sent frame that is not answered in time.
        switch: For another pipeline or link than the last frame's.
    """

    __slots__ = ("byte", "decay", "joule", "miss", "switch")

    def __init__(self, decay: float, byte: float, joule: float, miss: float, switch: float) -> None:
        self.decay = decay
        self.byte = byte
        self.joule = joule
        self.miss = miss
        self.switch = switch


class Weighing:
    """One decision: what holds for all its offers.

    Attributes:
        home: What the best action without a link is worth.
        is_looking: A rung on board is that best action.
        late: What an answer of the age of the deadline keeps of its worth.
    """

    def __init__(self, task: Task, view: View, weights: Weights) -> None:
        self.view = view
        self.weights = weights
        self.home = view.carry_accuracy
        self.is_looking = False
        self.now_ns = view.now_ns
        self.age_ns = view.now_ns - task.stamp_ns
        self.due_ns = task.deadline_ns - view.emit_margin_ns
        self.remaining_ns = task.deadline_ns - view.now_ns - view.margin_ns
        self.allowed_ns = task.deadline_ns - task.stamp_ns
        self.late = math.exp(-self.allowed_ns * weights.decay)
        self.by_ns = task.deadline_ns - view.margin_ns
        self._known: tuple[float, bool] | None = None  # `fallback` from now on, and `has_time`

    def fallback(self, not_before_ns: int) -> float:
        """What the armed fallback is worth when an offload is not back in time.

        It starts as late as its cheapest rung allows, so it is that rung.
        """
        view = self.view
        if view.rungs:
            rung = min(view.rungs, key=_median) if len(view.rungs) > 1 else view.rungs[0]
            start_ns = max(view.busy_until_ns, not_before_ns)
            if start_ns + rung.q50_ns <= self.by_ns:
                return max(view.carry_accuracy, rung.accuracy * self.late)
        return view.carry_accuracy

    def from_now(self) -> tuple[float, bool]:
        """`fallback` of what is sent now, and `has_time`; worked out once."""
        if self._known is None:
            self._known = self.fallback(self.now_ns), self.has_time()
        return self._known

    def has_time(self) -> bool:
        """Whether some rung could look at the frame in time."""
        start_ns = self.view.busy_until_ns
        return any(start_ns + rung.q50_ns <= self.by_ns for rung in self.view.rungs)

    def switching(self, place: str, unit_id: str) -> float:
        """What it costs not to do as with the frame before."""
        previous = self.view.previous
        if previous is None or (previous.place == place and previous.unit_id == unit_id):
            return 0.0
        return self.weights.switch

    def offers(self, link: LinkView) -> list[Offer]:
        """What this link could do for the frame better than staying at home."""
        found: list[Offer] = []
        if "offload" in self.view.pipelines:
            self._offloads(link, found)
        if self.view.features:
            self._splits(link, found)
        if self.view.escalation is not None:
            self._escalations(link, found)
        return found

    def _offloads(self, link: LinkView, found: list[Offer]) -> None:
        view, weights, estimate = self.view, self.weights, link.estimate
        if not link.models or not view.encodings or self.is_doubtful(link):
            return
        now_ns, decay, home = self.now_ns, weights.decay, self.home
        fallback, has_time = self.from_now()
        # Where nothing changes, what is known stays true: an answer that fails costs nothing.
        is_still = not self.is_looking and has_time
        miss = fallback - (0.0 if is_still else weights.miss)
        switch = self.switching("offload", link.unit_id)
        ns_per_bit = 1e9 / estimate.rate_bps
        overhead_ns = estimate.overhead_ns(now_ns)
        backlog_ns = (estimate.transfer_ns(0) - bits_of(0) * ns_per_bit) if link.in_flight else 0.0
        p20_bits = self._window_bits(link) if link.in_flight else math.inf
        p_in_time = estimate.p_in_time
        # Nothing can beat an offer that holds the link for one frame but one of more utility, so
        # what could not have more if it were surely in time is left out unweighed.
        bar = home
        for encoding in view.encodings:
            size_bytes = encoding.size_bytes
            bits = bits_of(size_bytes)
            if bits * link.in_flight >= p20_bits:
                continue
            held_ns = bits * ns_per_bit
            cost = weights.byte * size_bytes + switch
            least = bar if miss - cost <= bar else home
            size, loss = (encoding.width, encoding.height), encoding.accuracy_loss
            for model in link.models:
                accuracy = model.accuracy_at.get(size, model.accuracy) - loss  # as `accuracy_of`
                if accuracy - cost <= least:
                    continue
                fixed_ns = encoding.encode_ns + model.service_ns
                age_ns = self.age_ns + fixed_ns + backlog_ns + held_ns + overhead_ns
                if age_ns > self.allowed_ns:
                    continue
                worth = accuracy * math.exp(-age_ns * decay)
                if worth - cost <= least:
                    continue
                p = p_in_time(size_bytes, self.remaining_ns - fixed_ns, now_ns, encoding.encode_ns)
                utility = p * worth + (1.0 - p) * miss - cost
                if p < LEAST_CHANCE or utility <= home:
                    continue
                found.append(
                    Offer("offload", link, model, size_bytes, p, age_ns, worth, utility,
                          held_ns, encoding)
                )  # fmt: skip
                if held_ns <= view.frame_interval_ns and utility > bar:
                    bar = utility
                    least = bar if miss - cost <= bar else home

    def is_doubtful(self, link: LinkView) -> bool:
        """Whether what is known of a link is out of date, or it is in trouble just now.

        Where a rung looks at the frame anyway, a copy of it tells at no risk how a link is of which
        nothing came of late. An answer that is overdue says that the link or the
        unit has become slower than predicted.
        """
        now_ns = self.now_ns
        if link.estimate.overdue_ns(now_ns) > OVERDUE_NS:
            return True
        stale_ns = max(STALE_NS, 3 * self.view.frame_interval_ns)
        return link.estimate.quiet_ns(now_ns) > stale_ns and self.is_looking

    def _window_bits(self, link: LinkView) -> float:
        """W x bits of a frame may be in flight: what gets through within the deadline.

        `W = clamp(ceil(rate_p20 (rtt_min + deadline) / bits), 1, credits)`. Reference network.md
        3.2 has the frame interval in the deadline's place, which leaves a tenth of the gain on the
        road (docs/scheduling/placement.md); the predicted probability counts the backlog anyway.
        """
        estimate = link.estimate
        bdp_ns = estimate.rtt_min_ns + self.allowed_ns
        return estimate.rate_quantile_bps(P20) * bdp_ns / 1e9

    def _is_taken(
        self, link: LinkView, size_bytes: int, before_ns: int, model: RemoteModel
    ) -> bool:
        """Whether the budget on the wire will cover the model; the unit refuses it otherwise."""
        sent_ns = self.now_ns + before_ns
        budget_ns = link.estimate.service_budget_ns(size_bytes, self.due_ns, sent_ns)
        return budget_ns >= model.service_ns

    def chance(
        self, link: LinkView, model: RemoteModel, size_bytes: int, before_ns: int
    ) -> tuple[float, float, float]:
        """Of one way over the link: in time, its age, and how long it holds the uplink."""
        estimate = link.estimate
        fixed_ns = before_ns + model.service_ns
        p = estimate.p_in_time(size_bytes, self.remaining_ns - fixed_ns, self.now_ns, before_ns)
        held_ns = bits_of(size_bytes) * 1e9 / estimate.rate_bps
        on_link_ns = estimate.transfer_ns(size_bytes) + estimate.overhead_ns(self.now_ns)
        return p, min(self.allowed_ns, self.age_ns + fixed_ns + on_link_ns), held_ns

    def offload(self, link: LinkView, model: RemoteModel, encoding: Encoding) -> Offer:
        """The picture, whatever comes of it."""
        size_bytes = encoding.size_bytes
        p, age_ns, held_ns = self.chance(link, model, size_bytes, encoding.encode_ns)
        worth = model.accuracy_of(encoding) * math.exp(-age_ns * self.weights.decay)
        utility = p * worth + (1.0 - p) * self.from_now()[0]
        return Offer(
            "offload", link, model, size_bytes, p, age_ns, worth, utility, held_ns, encoding
        )

    def _splits(self, link: LinkView, found: list[Offer]) -> None:
        """A split holds the onboard detector for its first half; its fallback starts after that."""
        for features in self.view.features:
            for model in link.splits:
                if model.model == features.model:
                    offer = self.split(link, model, features)
                    before_ns = self._features_ns(features)
                    if offer.utility > self.home and self._is_taken(
                        link, features.size_bytes, before_ns, model
                    ):
                        found.append(offer)

    def _features_ns(self, features: Features) -> int:
        return max(0, self.view.busy_until_ns - self.now_ns) + features.q50_ns

    def split(self, link: LinkView, model: RemoteModel, features: Features) -> Offer:
        """A model's first half here and its second there."""
        view, weights = self.view, self.weights
        done_ns = max(self.now_ns, view.busy_until_ns) + features.q99_ns
        size_bytes = features.size_bytes
        p, age_ns, held_ns = self.chance(link, model, size_bytes, self._features_ns(features))
        worth = model.accuracy * math.exp(-age_ns * weights.decay)
        utility = p * worth + (1.0 - p) * (self.fallback(done_ns) - weights.miss)
        utility -= weights.joule * view.watts * features.q50_ns / 1e9
        utility -= weights.byte * size_bytes + self.switching("split", link.unit_id)
        return Offer("split", link, model, size_bytes, p, age_ns, worth, utility, held_ns)

    def _escalations(self, link: LinkView, found: list[Offer]) -> None:
        """A first look by a rung, then this link's models where it is unsure.

        It sends the share e of frames that are unsure, in which the share g of the accuracy to be
        gained lies: `U = A_rung ((1 - e) f(age of the look) + e (p f(age) + (1 - p) f(deadline)))
        + p g gain f(age)`.
        """
        view = self.view
        start_ns = max(self.now_ns, view.busy_until_ns)
        for rung in view.rungs:
            if start_ns + rung.q50_ns > self.by_ns:
                continue
            looked_ns = start_ns + rung.q50_ns - self.now_ns
            for model in link.models:
                for encoding in view.encodings:
                    more = model.accuracy_of(encoding) - rung.accuracy
                    before_ns = looked_ns + encoding.encode_ns
                    if more > 0.0 and self._is_taken(link, encoding.size_bytes, before_ns, model):
                        offer = self._escalation(link, model, encoding, rung, more)
                        if offer.utility > self.home:
                            found.append(offer)

    def _escalation(
        self, link: LinkView, model: RemoteModel, encoding: Encoding, rung: Rung, more: float
    ) -> Offer:
        view, weights = self.view, self.weights
        assert view.escalation is not None
        share, gained = view.escalation.share, view.escalation.gain
        start_ns = max(self.now_ns, view.busy_until_ns)
        p_look = rung.p_in_time(self.by_ns - start_ns)
        look_age_ns = self.age_ns + start_ns + rung.q50_ns - self.now_ns
        before_ns = start_ns + rung.q50_ns - self.now_ns + encoding.encode_ns
        size_bytes = encoding.size_bytes
        p, age_ns, held_ns = self.chance(link, model, size_bytes, before_ns)
        fresh = math.exp(-age_ns * weights.decay)
        sure = (1.0 - share) * math.exp(-look_age_ns * weights.decay)
        utility = rung.accuracy * (sure + share * (p * fresh + (1.0 - p) * self.late))
        utility = p_look * (utility + p * gained * more * fresh)
        utility += (1.0 - p_look) * view.carry_accuracy - share * (1.0 - p) * weights.miss
        utility -= weights.byte * share * size_bytes + self.switching("escalate", link.unit_id)
        utility -= weights.joule * view.watts * rung.q50_ns / 1e9
        worth = model.accuracy_of(encoding) * fresh
        return Offer("escalate", link, model, size_bytes, p, age_ns, worth, utility,
                     share * held_ns, encoding, rung)  # fmt: skip


def _median(rung: Rung) -> int:
    return rung.q50_ns
