"""What the place where a vehicle is says of one link, by a radio map that earns trust (sans-IO)."""

import math

from scheduler.radio_map import Pose, RadioMap
from scheduler.rate import LogRate

STUCK_NS = 100_000_000  # beyond what the rate explains: the place is bad
MAP_VARIANCE = 0.8**2 * 10.0  # nat^2 of a pseudo-measurement from the radio map
LEAN_EVERY_NS = 100_000_000
RTT_WEIGHT = 1.2  # of ln(round trip / RTT_PIVOT_NS) beside the map's log-odds (network.md 3.7)
RTT_PIVOT_NS = 40e6
FIRST_ONSET = 0.02  # share of requests on a fine link that get lost or stuck
LEAST_ONSET = 0.002
ONSET_RATE = 0.02  # of its mean; raising it follows worse roads sooner, and its noise
LEAST_P, MOST_P = 0.02, 0.98  # of the map, before the round trip is weighed in


class Place:
    """The pose of now, and the map that it is looked up in; without a map it knows nothing.

    Attributes:
        pose: Where the vehicle is; None where nobody needs to know.
        is_fine: The last fate that is known was a good one.
        onset: How often a link that is fine breaks with the next request, anywhere.
    """

    def __init__(self, radio_map: RadioMap | None) -> None:
        self.radio_map = radio_map
        self.pose: Pose | None = None
        self.is_fine = True
        self.onset = FIRST_ONSET
        self._pose_ns = 0
        self._leaned_ns = 0

    def move(self, pose: Pose, rate: LogRate, now_ns: int) -> None:
        """The vehicle is here now: the rate leans to what was measured at this place."""
        if self.radio_map is None:
            return
        self.pose, self._pose_ns = pose, now_ns
        if now_ns - self._leaned_ns < LEAN_EVERY_NS or not self.radio_map.rate_errors.is_better:
            return
        self._leaned_ns = now_ns
        known = self.radio_map.at(pose.ahead(0.1))
        if known.rate_weight >= 1.0:
            rate.lean(known.log_rate, MAP_VARIANCE, now_ns)

    def p_bad(self, seconds: float, trip_ns: float, now_ns: int) -> float:
        """Probability that the link breaks on the way ahead; 0 where no trusted map says so.

        Place and round trip together, in log-odds (network.md 3.7).

        Args:
            trip_ns: The round trip, or the age of what is owed where that is more.
        """
        if self.radio_map is None or self.pose is None or not self.radio_map.is_trusted:
            return 0.0
        pose = self.pose.ahead(max(0, now_ns - self._pose_ns) / 1e9)
        p_map = min(MOST_P, max(LEAST_P, self.radio_map.within(pose, seconds)))
        log_odds = math.log(p_map / (1.0 - p_map))
        log_odds += RTT_WEIGHT * math.log(max(trip_ns, 1e6) / RTT_PIVOT_NS)
        return 1.0 / (1.0 + math.exp(-log_odds))

    def learn_fate(self, pose: Pose | None, is_bad: bool, was_fine: bool) -> None:
        """What became of something that was sent there; see `RadioMap.learn_fate`."""
        self.is_fine = not is_bad
        if was_fine:
            self.onset = max(LEAST_ONSET, self.onset + ONSET_RATE * (is_bad - self.onset))
        if self.radio_map is not None and pose is not None:
            self.radio_map.learn_fate(pose, is_bad, was_fine)

    def learn_rate(self, pose: Pose | None, log_rate: float) -> None:
        """ln(bits a second) that was measured there."""
        if self.radio_map is not None and pose is not None:
            self.radio_map.learn_rate(pose, log_rate)
