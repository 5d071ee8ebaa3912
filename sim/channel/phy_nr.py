"""The physical layer of 5G NR: which MCS an SNR carries, its block error rate, HARQ, the rate.

Only the standard's own parameters are tabled (TS 38.214, 38.306); no curve is fitted to anybody's
simulations. A block decodes when the mutual information of its constellation at the SNR, less an
implementation gap, exceeds its rate; how sharply follows from its length (the normal approximation
of Polyanskiy, Poor and Verdu, Channel coding rate in the finite blocklength regime, 2010).
"""

import math
from bisect import bisect_right
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

# TS 38.214 table 5.1.3.1-1: bits a symbol, code rate x 1024, of MCS 0 to 28.
MCS = (
    (2, 120), (2, 157), (2, 193), (2, 251), (2, 308), (2, 379), (2, 449), (2, 526), (2, 602),
    (2, 679), (4, 340), (4, 378), (4, 434), (4, 490), (4, 553), (4, 616), (4, 658), (6, 438),
    (6, 466), (6, 517), (6, 567), (6, 616), (6, 666), (6, 719), (6, 772), (6, 822), (6, 873),
    (6, 910), (6, 948),
)  # fmt: skip
GAP_DB = 2.0  # a real decoder and channel estimate against capacity: 1 dB each; raising costs range
BLOCK_BITS = 8448  # TS 38.212 5.2.2: the longest code block of base graph 1
TARGET_BLER = 0.1  # of first transmissions: what TS 38.214 5.1 has the vehicle report for
SUBCARRIERS = 12
SYMBOLS = 14  # in a slot
UP_OVERHEAD, DN_OVERHEAD = 0.08, 0.14  # TS 38.306 4.1.2, frequency range 1
NODES = 32  # of Gauss-Hermite quadrature; more changes the third digit of nothing
DIGITS = 9  # kept of the information: beyond them CPUs differ in numpy's exp and log
LOW_DB, HIGH_DB, STEP_DB = -15.0, 35.0, 0.25  # where mutual information is computed


@dataclass(frozen=True, slots=True)
class Carrier:
    """How much of the air there is, and whose.

    Attributes:
        blocks: Resource blocks (TS 38.101-1 table 5.3.2-1: 106 in 40 MHz at 30 kHz).
        numerology: mu; subcarriers are 15 kHz x 2^mu apart.
        overhead: Share of reference signals and control.
        share: Of the time that is this direction's (TDD) and ours.
    """

    blocks: int
    numerology: int
    overhead: float
    share: float

    @property
    def bandwidth_hz(self) -> float:
        """Of all resource blocks."""
        return self.blocks * SUBCARRIERS * 15e3 * 2.0**self.numerology

    def rate_bps(self, mcs: int) -> float:
        """TS 38.306 4.1.2 for one layer: R = Qm R N_PRB 12 / T_s (1 - OH), times the share."""
        bits, rate = MCS[mcs]
        symbol_s = 1e-3 / (SYMBOLS * 2.0**self.numerology)
        peak = bits * rate / 1024.0 * self.blocks * SUBCARRIERS / symbol_s
        return peak * (1.0 - self.overhead) * self.share


@dataclass(frozen=True, slots=True)
class Carried:
    """What the link adaptation makes of an SNR.

    Attributes:
        rate_bps: After HARQ; 0 where even MCS 0 decodes too seldom.
        bler: Of first transmissions.
        mcs: Its index; -1 without a link.
    """

    rate_bps: float
    bler: float
    mcs: int


NOTHING = Carried(0.0, 1.0, -1)


def efficiency(mcs: int) -> float:
    """Information bits a symbol."""
    bits, rate = MCS[mcs]
    return bits * rate / 1024.0


@cache
def _information(bits: int) -> NDArray[np.float64]:
    """Mutual information of Gray-mapped QAM over AWGN in bits a symbol, each `STEP_DB`.

    Bit-interleaved coded modulation (Caire, Taricco and Biglieri, 1998): each half of the bits
    sits in one amplitude of a PAM; its demapper sees one bit at a time.
    """
    half = bits // 2
    levels = np.arange(-(2**half) + 1, 2**half, 2, dtype=np.float64)
    levels /= math.sqrt(2.0 * float(np.mean(levels**2)))  # half of the symbol's energy each
    gray = np.arange(2**half) ^ (np.arange(2**half) >> 1)
    points, weights = np.polynomial.hermite.hermgauss(NODES)
    found = []
    for snr_db in np.arange(LOW_DB, HIGH_DB + STEP_DB, STEP_DB):
        sigma = math.sqrt(0.5 / 10.0 ** (snr_db / 10.0))
        received = levels[:, None] + math.sqrt(2.0) * sigma * points[None, :]
        away = (received[:, :, None] - levels[None, None, :]) / sigma
        likely = np.exp(-0.5 * away**2)  # (sent, noise, candidate)
        total = likely.sum(axis=2)
        lost = 0.0
        for bit in range(half):
            is_one = (gray >> bit & 1).astype(bool)
            same = np.where(
                is_one[:, None], likely[:, :, is_one].sum(2), likely[:, :, ~is_one].sum(2)
            )
            lost += float(np.mean(np.log2(total / same) @ weights)) / math.sqrt(math.pi)
        found.append(round(2.0 * (half - lost), DIGITS))
    return np.array(found)


def information(bits: int, snr_db: float) -> float:
    """Bits a symbol that a constellation of `bits` can carry at this SNR, interpolated."""
    place = (min(max(snr_db, LOW_DB), HIGH_DB) - LOW_DB) / STEP_DB
    table = _information(bits)
    index = min(int(place), len(table) - 2)
    rest = place - index
    return float(table[index] * (1.0 - rest) + table[index + 1] * rest)


def block_error_rate(mcs: int, snr_db: float) -> float:
    """Share of blocks whose first transmission does not decode at this SNR (AWGN)."""
    bits, _ = MCS[mcs]
    rate = efficiency(mcs)
    effective_db = snr_db - GAP_DB
    snr = 10.0 ** (effective_db / 10.0)
    dispersion = snr * (snr + 2.0) / (snr + 1.0) ** 2 / math.log(2.0) ** 2
    spread = math.sqrt(dispersion * rate / BLOCK_BITS)  # of the information over a whole block
    above = information(bits, effective_db) - rate
    return 0.5 * math.erfc(above / spread / math.sqrt(2.0))


@cache
def threshold_db(mcs: int, bler: float = TARGET_BLER) -> float:
    """The SNR at which this share of first transmissions fails."""
    low, high = LOW_DB, HIGH_DB
    while high - low > 1e-4:
        middle = 0.5 * (low + high)
        if block_error_rate(mcs, middle) > bler:
            low = middle
        else:
            high = middle
    return high


@cache
def _thresholds_db() -> tuple[float, ...]:
    return tuple(threshold_db(mcs) for mcs in range(len(MCS)))  # they rise with the MCS


def adapt(snr_db: float, carrier: Carrier, spread: int = 1) -> Carried:
    """The fastest MCS whose first transmissions fail at most as often as the target.

    Args:
        snr_db: With the power over the whole carrier.
        carrier: Of this direction.
        spread: Up to how many times narrower the sender may go, in halves, to put its power into
            fewer blocks: what a cell's scheduler does with a vehicle at its edge.
    """
    best, narrower = NOTHING, 1
    while narrower <= spread:
        here_db = snr_db + 10.0 * math.log10(narrower)
        mcs = bisect_right(_thresholds_db(), here_db) - 1
        if mcs >= 0:
            bler = block_error_rate(mcs, here_db)
            rate = carrier.rate_bps(mcs) / narrower * (1.0 - bler)
            if rate > best.rate_bps:
                best = Carried(rate, bler, mcs)
        narrower *= 2
    return best


def least_snr_db(spread: int = 1) -> float:
    """Below it `adapt` carries nothing: MCS 0 in the narrowest part of the carrier."""
    return threshold_db(0) - 10.0 * math.log10(1 << spread.bit_length() - 1)
