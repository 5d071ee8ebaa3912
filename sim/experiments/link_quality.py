"""Links by how good they are, for studies of what a link's quality does: seeded traces in memory.

The rate wanders (first-order, lognormal) round its median; outages come and go as a two-state
chain. They stand for no place: `good` is a unit in sight, `fair` one at the end of the street,
`poor` one behind houses, `dead` none.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from sim.channel.base import LinkState
from sim.channel.trace import Trace

STEP_S = 0.1
WANDER = 0.9  # of ln(rate) from row to row


@dataclass(frozen=True, slots=True)
class Quality:
    """How good a link is.

    Attributes:
        rate_mbps: Median; 0 = there is none.
        spread: Standard deviation of ln(rate).
        delay_ms: One way, without queues.
        outage_share: Of the time.
        outage_s: Mean length of an outage.
        loss: Share of packets.
    """

    rate_mbps: float
    spread: float = 0.0
    delay_ms: float = 5.0
    outage_share: float = 0.0
    outage_s: float = 0.5
    loss: float = 0.0


QUALITIES: Mapping[str, Quality] = {
    "good": Quality(20.0, 0.15, 5.0),
    "fair": Quality(6.0, 0.35, 12.0, 0.05, 0.5, 0.01),
    "poor": Quality(2.0, 0.6, 25.0, 0.25, 0.8, 0.03),
    "dead": Quality(0.0),
}


def trace(quality: Quality, seed: str, length_s: float) -> Trace:
    """A trace of a link of this quality."""
    random = Random(f"{seed}/link")
    times, states = [], []
    level = random.gauss(0.0, 1.0)
    is_out = random.random() < quality.outage_share
    end_out = STEP_S / quality.outage_s
    share = quality.outage_share
    begin_out = end_out * share / (1.0 - share) if share < 1.0 else 1.0
    for step in range(math.ceil(length_s / STEP_S)):
        level = WANDER * level + math.sqrt(1.0 - WANDER**2) * random.gauss(0.0, 1.0)
        is_out = random.random() >= end_out if is_out else random.random() < begin_out
        rate = 0.0 if is_out else quality.rate_mbps * 1e6 * math.exp(quality.spread * level)
        times.append(round(step * STEP_S, 3))
        delay = quality.delay_ms
        states.append(LinkState(rate, delay, quality.loss, rate, delay, quality.loss))
    return Trace.of(times, states, "drop")
