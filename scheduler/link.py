"""What a vehicle knows of its link to one unit: rate, round trip, backlog, stall (sans-IO).

The estimator of reference network.md 3.4: a Kalman filter over the log of the rate, the round trip
of pings, and the bytes in flight as the queue detector. What it promises is compared with what
came, and corrected (`calibration`); a radio map, where one is given, warns of places. Times are
integer nanoseconds on the vehicle's clock; probabilities use Python floats and `math` so that they
repeat on any machine.
"""

import math
from typing import Literal

from scheduler.calibration import IsotonicMap, Reliability
from scheduler.in_flight import BITS_PER_BYTE, MESSAGE_BITS, InFlight, Sent, bits_of
from scheduler.place import STUCK_NS, Place
from scheduler.radio_map import Pose, RadioMap
from scheduler.rate import FIRST_RATE_BPS, LogRate
from scheduler.round_trip import RoundTrip
from scheduler.unit_time import UnitTime

LinkState = Literal["connecting", "up", "down"]

PING_BITS = 1_600.0  # of a ping with its headers
LEAST_SERVICE_NS = 1_000_000
STALL_NS = 300_000_000  # nothing heard this long with something in flight
CONNECT_NS = 1_000_000_000  # the same while connecting: a handshake takes six round trips
LONG_CONNECT_NS = 3_000_000_000  # of each third attempt, which a round trip of 0.4 s ends in
REPLIES_TO_TRUST = 3  # pongs in a row that give a link back to the scheduler
PATIENCE = 4.0  # deviations for which an owed answer does not yet speak against the link
# Deviations of the uplink below its median for which a unit's budget allows. Lower, and units
# refuse what would have come in time (docs/scheduling/estimation.md); higher, and they work for
# more frames that are late anyway.
BUDGET_Z = 2.0
FLIGHT_S = 0.2  # a frame sent now is on the air within that


def normal_cdf(z: float) -> float:
    """Phi(z)."""
    return 0.5 * (1.0 + math.erf(z / math.sqrt(2.0)))


class LinkEstimator:
    """State of one link. Every method that takes `now_ns` may be called in time order only."""

    def __init__(self, now_ns: int, radio_map: RadioMap | None = None) -> None:
        self.state: LinkState = "connecting"
        self.rate = LogRate(now_ns)
        self.round_trip = RoundTrip()
        self.raw = Reliability()  # of the log-normal prediction at sending
        self.promised = Reliability()  # of what placements said
        self.correction = IsotonicMap()
        self.place = Place(radio_map)
        self.unit = UnitTime(now_ns)
        self.heard_ns = self.result_ns = now_ns
        self._in_flight = InFlight()
        self._last_done_ns = 0.0
        self._replies = 0
        self._opened = 0  # times since the link was last up
        # What holds for every size, computed once for an instant; see `_look`.
        self._looked_ns = now_ns
        self._is_stale = True
        self._log_rate = self.rate.mean
        self._ns_per_bit = 1e9 / FIRST_RATE_BPS
        self._backlog_ns = 0.0
        self._spread = 1.0
        self._overhead_ns = 0.0
        self._variance = 2.0
        self._noise_ns = 0.0
        self._ahead: list[tuple[int, float]] = []  # (sent, bits from there on), oldest first
        self._log_cap = math.inf
        self._p_clear = 1.0

    @property
    def bytes_in_flight(self) -> int:
        """Sent and not yet answered."""
        return self._in_flight.bytes

    @property
    def rate_bps(self) -> float:
        """Median of the estimated rate."""
        return math.exp(self.rate.mean)

    @property
    def spread(self) -> float:
        """Standard deviation of the log rate one frame ahead, as of the last look or measure."""
        return self.rate.spread(self._looked_ns)

    @property
    def rtt_min_ns(self) -> int:
        """Least round trip of the last ten seconds."""
        return self.round_trip.least_ns

    @property
    def srtt_ns(self) -> float:
        """Smoothed round trip of RFC 6298."""
        return self.round_trip.srtt_ns

    @property
    def rttvar_ns(self) -> float:
        """Its mean deviation."""
        return self.round_trip.rttvar_ns

    @property
    def queue_ns(self) -> float:
        """How long a request would wait at the unit, as last told."""
        return self.unit.queue_ns

    def rate_quantile_bps(self, z: float) -> float:
        """The rate `z` standard deviations from its median (z = -0.84 is p20)."""
        return math.exp(self.rate.mean + z * self.spread)

    # --- events ----------------------------------------------------------------------------

    def on_open(self, now_ns: int) -> None:
        """New sockets: everything in flight is gone, the rate is less certain."""
        lost = self._in_flight.clear()
        for sent in lost:
            self._fail(sent)
        if self.round_trip.clear() and not lost:
            self.place.learn_fate(self.place.pose, True, self.state == "up" and self.place.is_fine)
        self.state = "connecting"
        self._replies = 0
        self._opened += 1
        self.rate.shift(0.0, 1.0, now_ns)
        self.heard_ns = now_ns
        self._is_stale = True

    def on_pose(self, x: float, y: float, heading: float, speed: float, now_ns: int) -> None:
        """Where the vehicle is (world, metres, radians, m/s); only a radio map listens."""
        self.place.move(Pose(x, y, heading, speed), self.rate, now_ns)
        self._is_stale = True

    def on_ping(self, number: int, now_ns: int) -> None:
        """A ping left."""
        self.round_trip.on_ping(number, not self._in_flight, now_ns)
        self._is_stale = True

    def on_pong(self, number: int, now_ns: int, *, is_admitted: bool = True) -> int | None:
        """A ping came back: its round trip; None when it is not known.

        The link goes up after some in a row, once the unit admitted us.
        """
        is_clean = not self._in_flight
        rtt_ns = self.round_trip.on_pong(number, now_ns, is_settled=self.state == "up")
        if rtt_ns is None:
            return None
        self.heard_ns = now_ns
        self._is_stale = True
        if is_clean:
            is_bad = rtt_ns > self.round_trip.typical_ns + STUCK_NS
            self.place.learn_fate(self.place.pose, is_bad, self.place.is_fine)
        if self.round_trip.is_overused(now_ns):
            self.rate.shift(math.log(0.85), 0.0, now_ns)  # GCC's beta
        self._replies += 1
        if is_admitted and self._replies >= REPLIES_TO_TRUST and self.state == "connecting":
            self.state = "up"
            self._opened = 0
        return rtt_ns

    def on_sent(
        self,
        seq: int,
        size_bytes: int,
        now_ns: int,
        due_ns: int = 0,
        service_ns: int = 0,
        p_placed: float = -1.0,
    ) -> None:
        """A request left.

        Args:
            due_ns: When its answer must be here; 0 = nobody compares the promise with what comes.
            service_ns: What the unit is expected to take for it, without the queue.
            p_placed: What the placement promised; below 0: nothing.
        """
        sent = Sent(now_ns, size_bytes, due_ns, service_ns, p_placed)
        if due_ns:
            sent.p_raw = self._p_raw(size_bytes, due_ns - now_ns - service_ns, now_ns, 0)
        sent.expected_ns = self.transfer_ns(size_bytes) + self.round_trip.typical_ns
        sent.pose, sent.was_fine = self.place.pose, self.place.is_fine
        self._in_flight.add(seq, sent)
        self._is_stale = True

    def on_answer(
        self, seq: int, at_unit_ns: int, queue_ns: int, now_ns: int, *, is_ok: bool = True
    ) -> int:
        """A request was answered.

        Args:
            at_unit_ns: From complete receipt to the answer, as the unit measured it.
            queue_ns: The waiting part of it.
            is_ok: It brought detections; else the unit refused it.

        Returns:
            Time on the link, both directions (0 when the request is not known).
        """
        sent = self._in_flight.unanswered(seq)
        if sent is None:
            return 0
        self.heard_ns = self.result_ns = now_ns
        self._is_stale = True
        if is_ok and sent.unit_ns:
            self.unit.on_answer(at_unit_ns, sent.unit_ns, now_ns)
        self.unit.on_load(float(queue_ns), now_ns)
        on_link_ns = max(0, now_ns - sent.at_ns - at_unit_ns)
        self._in_flight.answer(sent, on_link_ns)
        self._judge(sent, is_ok and now_ns <= sent.due_ns)
        is_stuck = on_link_ns > sent.expected_ns + STUCK_NS
        self.place.learn_fate(sent.pose, is_stuck, sent.was_fine)
        self._measure_answered(now_ns)
        return on_link_ns

    def on_expired(self, seq: int, now_ns: int) -> None:
        """A lease ran out: the request is lost, the link is worse than thought."""
        sent = self._in_flight.drop(seq)
        if sent is None:
            return
        self._fail(sent)
        self.rate.shift(-1.0, 0.25, now_ns)
        self._is_stale = True
        self._measure_answered(now_ns)

    def on_load(self, queue_ns: float, now_ns: int) -> None:
        """A beacon told how long a request would wait at the unit."""
        self.unit.on_load(queue_ns, now_ns)
        self._is_stale = True

    def is_stalled(self, now_ns: int) -> bool:
        """Whether sockets must be reopened: something is owed and nothing was heard."""
        return now_ns - self.heard_ns >= STALL_NS and now_ns >= self.stall_ns()

    def stall_ns(self) -> int:
        """The instant at which the link counts as stalled, if nothing is heard before."""
        owed_ns = self.round_trip.owed_since_ns()
        oldest = self._in_flight.oldest() if self._in_flight.bytes else None
        if oldest is not None and (owed_ns is None or oldest.at_ns < owed_ns):
            owed_ns = oldest.at_ns
        if owed_ns is None:
            return 2**62
        patience = max(STALL_NS, self.round_trip.patience_ns)
        if self.state == "connecting":
            is_long = self._opened % 3 == 2  # two quick attempts, then one over a long way
            patience = max(patience, LONG_CONNECT_NS if is_long else CONNECT_NS)
        return max(self.heard_ns, owed_ns) + patience

    def quiet_ns(self, now_ns: int) -> int:
        """Time since the last result."""
        return now_ns - self.result_ns

    # --- predictions -----------------------------------------------------------------------

    def overhead_ns(self, now_ns: int) -> float:
        """The round trip and what is left of the unit's reported queue."""
        if self._is_stale or now_ns != self._looked_ns:
            self._look(now_ns)
        return self._overhead_ns

    def transfer_ns(self, size_bytes: int, z: float = 0.0) -> float:
        """Time for the backlog and `size_bytes`, at the rate `z` deviations *below* its median."""
        if self._is_stale:
            self._look(self._looked_ns)
        way_ns = self._backlog_ns + bits_of(size_bytes) * self._ns_per_bit
        return way_ns * math.exp(z * self._spread) if z else way_ns

    def p_in_time(
        self, size_bytes: int, remaining_ns: float, now_ns: int, before_ns: int = 0
    ) -> float:
        """Probability that a frame of this size is answered within `remaining_ns`.

        As such predictions have come true on this link (`correction`).

        Args:
            remaining_ns: The time to the deadline less encoding, service and margin; the round
                trip and the unit's queue are taken off here.
            before_ns: Time until the frame leaves: what is ahead of it goes on meanwhile.
        """
        p = self._p_raw(size_bytes, remaining_ns, now_ns, before_ns)
        return self.correction(p) if self.correction.values else p

    def service_budget_ns(self, size_bytes: int, due_ns: int, sent_ns: int) -> int:
        """What the unit may take: the time left, less a quick uplink (`BUDGET_Z`) and the downlink.

        The unit does not know how long the uplink took, and refuses what it cannot do in time.
        """
        way_ns = self.transfer_ns(size_bytes, z=-BUDGET_Z) + self.round_trip.typical_ns
        return max(0, due_ns - sent_ns - int(way_ns))

    def overdue_ns(self, now_ns: int) -> float:
        """How long ago the oldest request should have been answered, by its predicted median."""
        oldest = self._in_flight.oldest()
        if oldest is None:
            return -math.inf
        return now_ns - oldest.at_ns - oldest.expected_ns - oldest.unit_ns

    def bad_within(self, seconds: float, now_ns: int) -> float:
        """Probability that the link breaks on the way ahead; 0 where no trusted map says so."""
        return self.place.p_bad(seconds, self._trip_or_owed_ns(now_ns), now_ns)

    # --- inside ----------------------------------------------------------------------------

    def _p_raw(self, size_bytes: int, remaining_ns: float, now_ns: int, before_ns: int) -> float:
        """P(in time) of a log-normal rate that may break, given what is owed and has not come yet.

        With the requests ahead sent at s_k, the frame is through in time at a constant rate R iff
        R >= max over k of (bits from k on) / (limit - s_k): the backlog at its true size.
        """
        if self._is_stale or now_ns != self._looked_ns:
            self._look(now_ns)
        available_ns = remaining_ns - self._overhead_ns
        if available_ns <= 0.0 or self._p_clear == 0.0:
            return 0.0
        bits = size_bytes * BITS_PER_BYTE + MESSAGE_BITS
        expected_ns = bits * self._ns_per_bit
        for sent_ns, ahead in self._ahead:
            share = available_ns / (available_ns + before_ns + now_ns - sent_ns)
            expected_ns = max(expected_ns, (ahead + bits) * share * self._ns_per_bit)
        longer_ns = available_ns if available_ns > expected_ns else expected_ns
        noise = self._noise_ns / longer_ns
        spread = math.sqrt(self._variance + noise * noise)  # both hold the factor 2 of erfc
        late = 0.5 * math.erfc(math.log(available_ns / expected_ns) / spread)
        if self._log_cap == math.inf:
            return (1.0 - late) * self._p_clear
        # What is owed has not come: the rate is below the cap, or the link is out.
        below = 0.5 * math.erfc((self._log_rate - self._log_cap) / spread)
        if below <= late:
            return 0.0
        return (
            (below - late) / (below * (1.0 - self.place.onset) + self.place.onset) * self._p_clear
        )

    def _look(self, now_ns: int) -> None:
        """Compute what does not depend on the size of the frame."""
        self._looked_ns, self._is_stale = now_ns, False
        self._log_rate = self.rate.mean_at(now_ns)
        self._spread = self.rate.spread(now_ns)
        self._variance = 2.0 * self._spread * self._spread
        queue_ns = self.unit.queue_at(now_ns)
        trip = self.round_trip
        self._overhead_ns = trip.typical_ns + queue_ns
        self._noise_ns = math.sqrt(2.0) * math.hypot(trip.jitter_ns, self.unit.deviation_ns)
        self._ns_per_bit = 1e9 / math.exp(self._log_rate)
        self._log_cap = math.inf
        hold_ns = trip.typical_ns + PATIENCE * trip.jitter_ns
        owed_ns = trip.owed_since_ns()
        if owed_ns is not None and self.heard_ns <= owed_ns:
            self._cap(PING_BITS + self._in_flight.bits, now_ns - owed_ns - hold_ns)
        self._ahead, self._backlog_ns = [], 0.0
        if self._in_flight.bytes:
            self._look_at_queue(hold_ns, queue_ns, now_ns)
        self._p_clear = 1.0 - self.place.onset if self.state == "up" else 0.0
        if self.place.radio_map is not None:
            p_bad = self.place.p_bad(FLIGHT_S, self._trip_or_owed_ns(now_ns), now_ns)
            self._p_clear *= 1.0 - p_bad

    def _look_at_queue(self, hold_ns: float, queue_ns: float, now_ns: int) -> None:
        """What a new request waits behind, and what it says that this has not been answered yet."""
        self._ahead = self._in_flight.ahead()
        done = [sent_ns + bits * self._ns_per_bit for sent_ns, bits in self._ahead]
        self._backlog_ns = max(0.0, max(done) - now_ns) if done else 0.0
        oldest = self._in_flight.oldest()
        if oldest is not None and self._ahead and self._ahead[0][0] == oldest.at_ns:
            unit_ns = oldest.unit_ns + queue_ns + PATIENCE * self.unit.deviation_ns
            self._cap(oldest.bits, now_ns - oldest.at_ns - hold_ns - unit_ns)

    def _cap(self, bits: float, within_ns: float) -> None:
        """So many bits are not through after so long: the rate is below that."""
        if within_ns > 0.0:
            self._log_cap = min(self._log_cap, math.log(bits / within_ns * 1e9))

    def _trip_or_owed_ns(self, now_ns: int) -> float:
        """The usual round trip, or the age of the ping that waits, where that is more."""
        owed_ns = self.round_trip.owed_since_ns()
        waits_ns = now_ns - owed_ns if owed_ns is not None and self.heard_ns <= owed_ns else 0
        return max(self.round_trip.typical_ns, waits_ns)

    def _measure_answered(self, now_ns: int) -> None:
        """Take the rate from what was answered, in the order in which it was sent."""
        while (sent := self._in_flight.take_answered()) is not None:
            trip_ns = self.round_trip.typical_ns
            done_ns = sent.at_ns + sent.took_ns - trip_ns  # when its last bit had left
            start_ns = max(float(sent.at_ns), self._last_done_ns)
            self._last_done_ns = max(self._last_done_ns, done_ns)
            service_ns = max(LEAST_SERVICE_NS, done_ns - start_ns)
            noise = (self.round_trip.jitter_ns / service_ns) ** 2
            log_rate = math.log(sent.bits * 1e9 / service_ns)
            self.rate.measure(log_rate, noise, now_ns)
            self.place.learn_rate(sent.pose, log_rate)

    def _fail(self, sent: Sent) -> None:
        self._judge(sent, False)
        self.place.learn_fate(sent.pose, True, sent.was_fine)

    def _judge(self, sent: Sent, is_in_time: bool) -> None:
        """Compare a promise with what came of it."""
        if not sent.due_ns:
            return
        self.raw.add(sent.p_raw, is_in_time)
        self.correction.add(sent.p_raw, is_in_time)
        if sent.p_placed >= 0.0:
            self.promised.add(sent.p_placed, is_in_time)
