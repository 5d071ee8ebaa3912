"""The rate of one link as a log-normal belief: a Kalman filter over its logarithm (sans-IO).

The filter is chosen for its variance; its mean ties with an EWMA (reference network.md 3.4).
"""

import math

FIRST_RATE_BPS = 4e6  # median of urban 802.11p and LTE uplinks (network.md 2.5)
MAX_VARIANCE = 1.5**2  # nat^2: what is known before anything was measured
RETURN_S = 10.0  # what was measured last counts e times less after this: links recover unseen
USUAL_RATE = 0.01  # of the mean that it returns to, per sample
MOST_UNUSUAL = 1.5  # nat of one sample's weight in that mean
PROCESS_NOISE = 1.0  # nat^2 per second of the log-rate's random walk
MEASUREMENT_NOISE = 0.25**2  # nat^2 of one service-time sample
SURPRISE = 3.0  # deviations of a sample after which the old rate is believed less
SURPRISE_VARIANCE = 0.5**2  # nat^2 added then
FIRST_RESIDUAL = 0.35  # nat; of one-step predictions, until they were seen
LEAST_RESIDUAL = 0.05  # nat; no channel is known better than this one frame ahead
MOST_NEWS = 4.0  # nat below the usual that losses alone can talk the rate down to
RESIDUAL_RATE = 0.05  # of its mean; raising it follows a rougher channel sooner, and its noise


class LogRate:
    """ln R ~ N(mean, spread^2), R in bits a second."""

    def __init__(self, now_ns: int) -> None:
        self.mean = self.usual = math.log(FIRST_RATE_BPS)
        self.variance = MAX_VARIANCE
        self.residual = FIRST_RESIDUAL  # running mean of |innovation|, as a standard deviation
        self._explained = 0.0  # running mean of the filter's own share of the innovation's variance
        self._stamp_ns = now_ns

    def mean_at(self, now_ns: int) -> float:
        """The mean, on its way back to what is usual for this link since the last measure."""
        elapsed = (now_ns - self._stamp_ns) / 1e9
        if elapsed <= 0.0:
            elapsed = 0.0
        return self.usual + (self.mean - self.usual) * math.exp(-elapsed / RETURN_S)

    def spread(self, now_ns: int) -> float:
        """Standard deviation of what the next frame will see.

        The residual holds the filter's own variance of the past already; only what that has grown
        by since is added.
        """
        grown = self._variance_at(now_ns) - self._explained
        if grown < 0.0:
            grown = 0.0
        return math.sqrt(self.residual * self.residual + grown)

    def measure(self, log_rate: float, noise: float, now_ns: int) -> None:
        """A frame saw this rate.

        Args:
            log_rate: ln(bits a second).
            noise: Variance of the sample beyond the filter's own measurement noise, nat^2.
        """
        self._drift(now_ns)
        innovation = log_rate - self.mean
        total = self.variance + MEASUREMENT_NOISE + noise
        gain = self.variance / total
        is_surprise = abs(innovation) > SURPRISE * math.sqrt(total)
        self.mean += gain * innovation
        unusual = min(MOST_UNUSUAL, max(-MOST_UNUSUAL, log_rate - self.usual))
        self.usual += USUAL_RATE * unusual
        # A first sample corrects the prior, which says nothing of the channel.
        size = min(1.25 * abs(innovation), 3.0 * max(self.residual, FIRST_RESIDUAL))
        self.residual += RESIDUAL_RATE * (size - self.residual)
        self.residual = max(LEAST_RESIDUAL, self.residual)
        self.variance *= 1.0 - gain
        self._explained += RESIDUAL_RATE * (self.variance - self._explained)
        if is_surprise:
            self.variance = min(MAX_VARIANCE, self.variance + SURPRISE_VARIANCE)

    def lean(self, log_rate: float, variance: float, now_ns: int) -> None:
        """What somebody else knows of the rate, weighed by its variance (nat^2)."""
        self._drift(now_ns)
        gain = self.variance / (self.variance + variance)
        self.mean += gain * (log_rate - self.mean)
        self.variance *= 1.0 - gain

    def shift(self, by: float, doubt: float, now_ns: int) -> None:
        """Bad or good news without a measure: the mean moves, the variance grows by `doubt`."""
        self._drift(now_ns)
        self.mean = max(self.mean + by, min(self.mean, self.usual - MOST_NEWS))
        self.variance = min(MAX_VARIANCE, self.variance + doubt)

    def _variance_at(self, now_ns: int) -> float:
        elapsed_ns = now_ns - self._stamp_ns
        if elapsed_ns <= 0:
            return self.variance if self.variance < MAX_VARIANCE else MAX_VARIANCE
        variance = self.variance + PROCESS_NOISE * (elapsed_ns / 1e9)
        return variance if variance < MAX_VARIANCE else MAX_VARIANCE

    def _drift(self, now_ns: int) -> None:
        self.mean = self.mean_at(now_ns)
        self.variance = self._variance_at(now_ns)
        if now_ns > self._stamp_ns:
            self._stamp_ns = now_ns
