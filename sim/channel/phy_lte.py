"""The physical layer of LTE: the rate of an SNR, by CQI and truncated Shannon.

TR 36.942 annex A.2 says what a real link makes of an SNR: a share of Shannon's capacity, up to a
ceiling; TS 36.213 table 7.2.3-1 has the steps in which it is taken.
"""

import math
from dataclasses import dataclass

# TS 36.213 table 7.2.3-1: bits a symbol, code rate x 1024, of CQI 1 to 15.
CQI = (
    (2, 78), (2, 120), (2, 193), (2, 308), (2, 449), (2, 602), (4, 378), (4, 490), (4, 616),
    (6, 466), (6, 567), (6, 666), (6, 772), (6, 873), (6, 948),
)  # fmt: skip
LEAST_SNR_DB = -10.0  # TR 36.942 A.2: below it nothing is carried
TARGET_BLER = 0.1  # TS 36.213 7.2.3
SYMBOLS_S = 14_000.0  # a second: fourteen in a subframe of 1 ms
SUBCARRIERS = 12


@dataclass(frozen=True, slots=True)
class Direction:
    """TR 36.942 A.2.

    Attributes:
        attenuation: Share of Shannon's capacity.
        ceiling: Bits a second and hertz.
        overhead: Share of resource elements that carry no payload.
    """

    attenuation: float
    ceiling: float
    overhead: float


# One antenna sends, two receive. Overhead: two of fourteen symbols are pilots; up to three are
# control, and cell reference signals, down.
UP = Direction(0.4, 2.0, 0.15)
DN = Direction(0.6, 4.4, 0.25)


def efficiency(cqi: int) -> float:
    """Information bits a symbol of CQI 1 to 15; 0 of CQI 0, out of range."""
    if cqi == 0:
        return 0.0
    bits, rate = CQI[cqi - 1]
    return bits * rate / 1024.0


def shannon(snr_db: float, direction: Direction) -> float:
    """Truncated Shannon in bits a second and hertz."""
    if snr_db < LEAST_SNR_DB:
        return 0.0
    carried = direction.attenuation * math.log2(1.0 + 10.0 ** (snr_db / 10.0))
    return min(direction.ceiling, carried)


def cqi(snr_db: float, direction: Direction) -> int:
    """The highest step that truncated Shannon carries; 0 = none."""
    most = shannon(snr_db, direction)
    return sum(efficiency(step) <= most for step in range(1, len(CQI) + 1))


def rate_bps(
    snr_db: float, blocks: int, direction: Direction, *, share: float = 1.0, spread: int = 1
) -> float:
    """What a carrier gives a vehicle, after HARQ; 0 out of range.

    Args:
        snr_db: With the power over the whole carrier.
        blocks: Resource blocks (50 in 10 MHz).
        direction: `UP` or `DN`.
        share: Of the cell that is ours.
        spread: Up to how many times narrower the sender may go, in halves; as `phy_nr.adapt`.
    """
    elements = blocks * SUBCARRIERS * SYMBOLS_S * (1.0 - direction.overhead)
    best, narrower = 0.0, 1
    while narrower <= spread:
        step = cqi(snr_db + 10.0 * math.log10(narrower), direction)
        best = max(best, efficiency(step) / narrower)
        narrower *= 2
    return best * elements * share * (1.0 - TARGET_BLER)


def bandwidth_hz(blocks: int) -> float:
    """Of all resource blocks."""
    return blocks * SUBCARRIERS * 15e3


def least_snr_db(spread: int = 1) -> float:
    """The uplink's SNR below which `rate_bps` is 0: CQI 1 in the narrowest part of the carrier."""
    least = 10.0 * math.log10(2.0 ** (efficiency(1) / UP.attenuation) - 1.0)
    return max(least, LEAST_SNR_DB) - 10.0 * math.log10(1 << spread.bit_length() - 1)
