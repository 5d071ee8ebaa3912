"""What a vehicle knows of its link to one unit: rate, round trip, backlog, stall (sans-IO).

The estimator of reference network.md 3.4: a Kalman filter over the log of the rate, because its
variance is calibrated (its mean ties with an EWMA), RFC 6298 for the round trip, and the bytes in
flight as the queue detector. Times are integer nanoseconds on the vehicle's clock; probabilities
use Python floats and `math` so that they repeat on any machine.
"""

import math
from collections import deque
from typing import Literal

LinkState = Literal["connecting", "up", "down"]

BITS_PER_BYTE = 8.4  # 8, plus TCP/IP and CURVE headers
MESSAGE_BITS = 3_360.0  # headers and acknowledgements of one message, whatever its size
PROCESS_NOISE = 0.5**2  # nat^2 per second of the log-rate's random walk
MEASUREMENT_NOISE = 0.25**2  # nat^2 of one service-time sample
MAX_VARIANCE = 1.5**2  # nat^2: what is known before anything was measured
FIRST_RATE_BPS = 4e6  # median of urban 802.11p and LTE uplinks (network.md 2.5)
RTT_WINDOW_NS = 10_000_000_000  # of the minimum filter
OVERUSE_NS = 12_500_000.0  # GCC's threshold for queueing that is not ours
OVERUSE_FOR_NS = 100_000_000
QUEUE_DECAY_NS = 1_500_000_000.0  # a unit's report of its queue is old news after this
STALL_NS = 300_000_000  # nothing heard this long with something in flight
REPLIES_TO_TRUST = 3  # pongs in a row that give a link back to the scheduler


def normal_cdf(z: float) -> float:
    """Phi(z)."""
    return 0.5 * (1.0 + math.erf(z / math.sqrt(2.0)))


class LinkEstimator:
    """State of one link. Every method that takes `now_ns` may be called in time order only."""

    def __init__(self, now_ns: int) -> None:
        self.state: LinkState = "connecting"
        self.log_rate = math.log(FIRST_RATE_BPS)
        self.variance = MAX_VARIANCE
        self.residual = 0.35  # running mean of |innovation|, as a standard deviation
        self.srtt_ns = 20e6
        self.rttvar_ns = 10e6
        self.queue_ns = 5e6
        self._queue_stamp_ns = now_ns
        self._drift_ns = now_ns
        self._rtts: deque[tuple[int, int]] = deque()
        self._has_rtt = False
        self._in_flight: dict[int, tuple[int, int]] = {}  # seq -> (send instant, bytes)
        self._pings: dict[int, int] = {}
        self._last_done_ns = 0
        self._replies = 0
        self._cross_ns = 0.0
        self._overuse_since_ns: int | None = None
        self.opened_ns = now_ns
        self.heard_ns = now_ns
        self.result_ns = now_ns

    @property
    def rtt_min_ns(self) -> int:
        """Least round trip of the last ten seconds."""
        return min((rtt for _, rtt in self._rtts), default=int(self.srtt_ns))

    @property
    def bytes_in_flight(self) -> int:
        """Sent and not yet answered: the backlog that we ourselves made."""
        return sum(size for _, size in self._in_flight.values())

    @property
    def rate_bps(self) -> float:
        """Median of the estimated rate."""
        return math.exp(self.log_rate)

    @property
    def spread(self) -> float:
        """Standard deviation of the log rate one frame ahead."""
        return math.sqrt(self.variance + max(0.15, self.residual) ** 2)

    def rate_quantile_bps(self, z: float) -> float:
        """The rate `z` standard deviations from its median (z = -0.84 is p20)."""
        return math.exp(self.log_rate + z * self.spread)

    def on_open(self, now_ns: int) -> None:
        """New sockets: everything in flight is gone, the rate is less certain."""
        self.state = "connecting"
        self._in_flight.clear()
        self._pings.clear()
        self._replies = 0
        self.variance = min(MAX_VARIANCE, self.variance + 1.0)
        self.opened_ns = self.heard_ns = now_ns
        self._overuse_since_ns = None

    def on_ping(self, number: int, now_ns: int) -> None:
        """A ping left."""
        self._pings[number] = now_ns
        if len(self._pings) > 64:
            del self._pings[min(self._pings)]

    def on_pong(self, number: int, now_ns: int, *, is_admitted: bool = True) -> None:
        """A ping came back; the link goes up after some in a row once the unit admitted us."""
        sent_ns = self._pings.pop(number, None)
        if sent_ns is None:
            return
        self._heard(now_ns)
        self._sample_rtt(now_ns - sent_ns, now_ns)
        self._pings = {n: t for n, t in self._pings.items() if t > sent_ns}
        self._replies += 1
        if is_admitted and self._replies >= REPLIES_TO_TRUST and self.state == "connecting":
            self.state = "up"

    def on_sent(self, seq: int, size_bytes: int, now_ns: int) -> None:
        """A request left."""
        self._in_flight[seq] = (now_ns, size_bytes)

    def on_answer(self, seq: int, at_unit_ns: int, queue_ns: int, now_ns: int) -> int:
        """A request was answered.

        Args:
            at_unit_ns: From complete receipt to the answer, as the unit measured it.
            queue_ns: The waiting part of it.

        Returns:
            Time on the link, both directions (0 when the request is not known).
        """
        sent = self._in_flight.pop(seq, None)
        if sent is None:
            return 0
        sent_ns, size = sent
        self._heard(now_ns)
        self.result_ns = now_ns
        self.queue_ns, self._queue_stamp_ns = float(queue_ns), now_ns
        on_link_ns = max(0, now_ns - sent_ns - at_unit_ns)
        arrived_ns = now_ns - at_unit_ns
        start_ns = max(sent_ns, self._last_done_ns - self.rtt_min_ns)
        service_ns = max(1_000_000, arrived_ns - self.rtt_min_ns - start_ns)
        self._last_done_ns = arrived_ns
        self._measure((size * BITS_PER_BYTE + MESSAGE_BITS) * 1e9 / service_ns, now_ns)
        self._watch_cross_traffic(on_link_ns - service_ns - self.rtt_min_ns, now_ns)
        return on_link_ns

    def on_expired(self, seq: int, now_ns: int) -> None:
        """A lease ran out: the request is lost, the link is worse than thought."""
        if self._in_flight.pop(seq, None) is not None:
            self._drift(now_ns)
            self.log_rate -= 1.0
            self.variance = min(MAX_VARIANCE, self.variance + 0.25)

    def is_stalled(self, now_ns: int) -> bool:
        """Whether sockets must be reopened: something is owed and nothing was heard."""
        return now_ns >= self.stall_ns()

    def stall_ns(self) -> int:
        """The instant at which the link counts as stalled, if nothing is heard before."""
        owed = [sent for sent, _ in self._in_flight.values()] + list(self._pings.values())
        if not owed:
            return 2**62
        patience = STALL_NS
        if self._has_rtt:
            patience = max(patience, int(4 * self.srtt_ns + 4 * self.rttvar_ns))
        if self.state == "connecting":
            patience = max(patience, 1_000_000_000)  # a handshake takes six round trips
        return max(self.heard_ns, min(owed)) + patience

    def quiet_ns(self, now_ns: int) -> int:
        """Time since the last result."""
        return now_ns - self.result_ns

    def overhead_ns(self, now_ns: int) -> float:
        """Round trip with its spread, and what is left of the unit's reported queue."""
        age = max(0, now_ns - self._queue_stamp_ns)
        queue = self.queue_ns * math.exp(-age / QUEUE_DECAY_NS)
        return self.rtt_min_ns + 2.0 * self.rttvar_ns + queue

    def transfer_ns(self, size_bytes: int, z: float = 0.0) -> float:
        """Time for the backlog and `size_bytes`, at the rate `z` deviations *below* its median."""
        bits = (self.bytes_in_flight + size_bytes) * BITS_PER_BYTE + MESSAGE_BITS
        return bits / self.rate_quantile_bps(-z) * 1e9

    def p_in_time(self, size_bytes: int, remaining_ns: float, now_ns: int) -> float:
        """Probability that a frame of this size crosses within `remaining_ns`.

        `remaining_ns` is the time to the deadline less encoding, service and margin; the round
        trip and the unit's queue are taken off here. ln R is normal with mean `log_rate` and the
        one-step-ahead variance (network.md 6.2).
        """
        available = remaining_ns - self.overhead_ns(now_ns)
        if self.state != "up" or available <= 0.0:
            return 0.0
        elapsed = max(0, now_ns - self._drift_ns) / 1e9
        variance = min(MAX_VARIANCE, self.variance + PROCESS_NOISE * elapsed)
        spread = math.sqrt(variance + max(0.15, self.residual) ** 2)
        bits = (self.bytes_in_flight + size_bytes) * BITS_PER_BYTE + MESSAGE_BITS
        needed = math.log(bits / (available / 1e9))
        return normal_cdf((self.log_rate - needed) / spread)

    def service_budget_ns(self, size_bytes: int, due_ns: int, sent_ns: int) -> int:
        """What the unit may take: the time left, less predicted uplink (q80) and downlink."""
        uplink_ns = int(self.transfer_ns(size_bytes, z=0.84))
        downlink_ns = self.rtt_min_ns // 2 + int(self.rttvar_ns)
        return max(0, due_ns - sent_ns - uplink_ns - downlink_ns)

    def _heard(self, now_ns: int) -> None:
        self.heard_ns = now_ns

    def _sample_rtt(self, rtt_ns: int, now_ns: int) -> None:
        self._rtts.append((now_ns, rtt_ns))
        while self._rtts and now_ns - self._rtts[0][0] > RTT_WINDOW_NS:
            self._rtts.popleft()
        if not self._has_rtt:
            self.srtt_ns, self.rttvar_ns, self._has_rtt = float(rtt_ns), rtt_ns / 2.0, True
            return
        self.rttvar_ns += 0.25 * (abs(self.srtt_ns - rtt_ns) - self.rttvar_ns)  # RFC 6298
        self.srtt_ns += 0.125 * (rtt_ns - self.srtt_ns)

    def _drift(self, now_ns: int) -> None:
        elapsed = max(0, now_ns - self._drift_ns) / 1e9
        self.variance = min(MAX_VARIANCE, self.variance + PROCESS_NOISE * elapsed)
        self._drift_ns = now_ns

    def _measure(self, rate_bps: float, now_ns: int) -> None:
        self._drift(now_ns)
        innovation = math.log(max(rate_bps, 1.0)) - self.log_rate
        is_surprise = abs(innovation) > 3.0 * math.sqrt(self.variance + MEASUREMENT_NOISE)
        gain = self.variance / (self.variance + MEASUREMENT_NOISE)
        self.log_rate += gain * innovation
        self.variance *= 1.0 - gain
        self.residual += 0.05 * (1.25 * abs(innovation) - self.residual)
        if is_surprise:
            self.variance = min(MAX_VARIANCE, self.variance + 0.25)

    def _watch_cross_traffic(self, excess_ns: float, now_ns: int) -> None:
        self._cross_ns += 0.1 * (excess_ns - self._cross_ns)
        if self._cross_ns <= OVERUSE_NS:
            self._overuse_since_ns = None
        elif self._overuse_since_ns is None:
            self._overuse_since_ns = now_ns
        elif now_ns - self._overuse_since_ns >= OVERUSE_FOR_NS:
            self.log_rate -= math.log(1.0 / 0.85)
            self._overuse_since_ns = now_ns
