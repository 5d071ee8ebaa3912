"""The physical layer of IEEE 802.11p at 10 MHz: packet error rate, air time and goodput.

Nothing is tabled from measurements: the error rate is the union bound of NIST (G. Pei and
T. Henderson, Validation of OFDM error rate model in ns-3, 2010), its coefficients are counted
from the convolutional code of IEEE 802.11-2016 17.3.5.6, and the air times follow 17.4.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

SYMBOL_S = 8e-6  # an OFDM symbol at 10 MHz
PREAMBLE_S = 40e-6  # training, SIGNAL field
SLOT_S = 13e-6
SIFS_S = 32e-6
AIFSN = 2  # slots, of the voice class
CW_MIN = 15
ACK_BYTES = 14
PAYLOAD_BYTES = 1400
HEADER_BYTES = 84  # MAC 36, LLC/SNAP 8, IP 20, TCP 20
PACKET_BYTES = 1500  # for which error rates are computed

GENERATORS = (0o133, 0o171)  # constraint length 7
MEMORY = 6
# Which of the two coded bits of each input bit are sent (17.3.5.7).
PUNCTURING = {
    "1/2": ((1, 1),),
    "2/3": ((1, 1), (1, 0)),
    "3/4": ((1, 1), (1, 0), (0, 1)),
}
FREE_DISTANCE = {"1/2": 10, "2/3": 6, "3/4": 5}
TERMS = 10  # of the union bound; the rest is below 1 % where the bound is below 1


Counts = NDArray[np.float64]  # whole numbers, exact below 2^53; floats for the sake of BLAS


@dataclass(frozen=True, slots=True)
class Mcs:
    """One modulation and coding scheme."""

    modulation: str
    code_rate: str
    bits_per_symbol: int  # N_DBPS

    @property
    def rate_bps(self) -> float:
        """On the air, without any overhead."""
        return self.bits_per_symbol / SYMBOL_S


SCHEMES = (
    Mcs("BPSK", "1/2", 24),
    Mcs("BPSK", "3/4", 36),
    Mcs("QPSK", "1/2", 48),
    Mcs("QPSK", "3/4", 72),
    Mcs("16QAM", "1/2", 96),
    Mcs("16QAM", "3/4", 144),
    Mcs("64QAM", "2/3", 192),
    Mcs("64QAM", "3/4", 216),
)


@cache
def distance_spectrum(code_rate: str) -> tuple[tuple[int, int], ...]:
    """(Hamming distance, information bits in error) of the code's error events.

    Counted on the trellis: every path that leaves the zero state, in any phase of the puncturing
    pattern, until it is back at the end of a period; `TERMS` distances that have any.
    """
    pattern = PUNCTURING[code_rate]
    spacing = 2 if code_rate == "1/2" else 1  # its distances are all even
    most = FREE_DISTANCE[code_rate] + spacing * (TERMS - 1)
    steps = [_transitions(kept) for kept in pattern]
    total = np.zeros(most + 1)
    for phase in range(len(pattern)):
        total += _error_events(steps, phase, most)
    found = [(distance, int(bits)) for distance, bits in enumerate(total) if bits]
    return tuple(found[:TERMS])


def _transitions(kept: tuple[int, int]) -> Counts:
    """(input bit, sent weight, next state, state) of 0 and 1: the edges of one trellis step."""
    edges = np.zeros((2, 3, 1 << MEMORY, 1 << MEMORY))
    for state in range(1 << MEMORY):
        for bit in (0, 1):
            register = bit << MEMORY | state
            weight = sum(
                (register & generator).bit_count() % 2
                for generator, is_kept in zip(GENERATORS, kept, strict=True)
                if is_kept
            )
            edges[bit, weight, register >> 1, state] = 1
    return edges


def _error_events(steps: list[Counts], phase: int, most: int) -> Counts:
    """(most + 1,) information bits in error by distance, of the events that start in a phase."""
    states = 1 << MEMORY
    paths = np.zeros((states, most + 1))  # how many, by state and weight so far
    bits = np.zeros_like(paths)  # their information bits that are 1
    found = np.zeros(most + 1)
    paths[0, 0] = 1
    is_first = True
    while paths.any():
        next_paths, next_bits = np.zeros_like(paths), np.zeros_like(bits)
        edges = steps[phase % len(steps)]
        for bit in (1,) if is_first else (0, 1):
            for weight in range(3):
                kept = slice(0, most + 1 - weight)
                shifted = slice(weight, most + 1)
                arrived = edges[bit, weight] @ paths[:, kept]
                next_paths[:, shifted] += arrived
                next_bits[:, shifted] += edges[bit, weight] @ bits[:, kept] + bit * arrived
        paths, bits, phase, is_first = next_paths, next_bits, phase + 1, False
        if phase % len(steps) == 0:
            found += bits[0]
            paths[0] = bits[0] = 0
    return found


def bit_error_rate(modulation: str, snr: float) -> float:
    """Of the uncoded bits; `snr` is linear, per symbol."""
    if modulation == "BPSK":
        return 0.5 * math.erfc(math.sqrt(snr))
    if modulation == "QPSK":
        return 0.5 * math.erfc(math.sqrt(snr / 2))
    if modulation == "16QAM":
        return 3 / 8 * math.erfc(math.sqrt(snr / 10))
    return 7 / 24 * math.erfc(math.sqrt(snr / 42))


def packet_error_rate(mcs: int, snr_db: float, size_bytes: int = PACKET_BYTES) -> float:
    """Share of packets of this size that are lost at this SNR (AWGN)."""
    scheme = SCHEMES[mcs]
    error = bit_error_rate(scheme.modulation, 10 ** (snr_db / 10))
    bound = math.sqrt(4 * error * (1 - error))
    per_period = len(PUNCTURING[scheme.code_rate])
    union = sum(bits * bound**distance for distance, bits in distance_spectrum(scheme.code_rate))
    decoded = min(1.0, union / (2 * per_period))
    return -math.expm1(8 * size_bytes * math.log1p(-decoded)) if decoded < 1.0 else 1.0


def air_time_s(mcs: int, size_bytes: int) -> float:
    """Of one PSDU: 16 service and 6 tail bits, whole symbols."""
    bits = 16 + 8 * size_bytes + 6
    return PREAMBLE_S + math.ceil(bits / SCHEMES[mcs].bits_per_symbol) * SYMBOL_S


def goodput_bps(mcs: int, loss: float = 0.0) -> float:
    """TCP payload a second of one sender: unicast, acknowledged, mean back-off."""
    return PAYLOAD_BYTES * 8 * (1 - loss) / _exchange_s(mcs)


@cache
def _exchange_s(mcs: int) -> float:
    """From one packet to the next: back-off, packet, acknowledgement."""
    return (
        SIFS_S
        + (AIFSN + CW_MIN / 2) * SLOT_S
        + air_time_s(mcs, PAYLOAD_BYTES + HEADER_BYTES)
        + SIFS_S
        + air_time_s(min(mcs, 2), ACK_BYTES)
    )


def best(snr_db: float) -> tuple[float, float]:
    """(goodput in bits a second, packet error rate) of the scheme that carries most."""
    found = (0.0, 1.0)
    for mcs in reversed(range(len(SCHEMES))):
        if goodput_bps(mcs) < found[0]:
            break  # slower ones are slower still
        loss = packet_error_rate(mcs, snr_db)
        carried = goodput_bps(mcs, loss)
        if carried >= found[0]:
            found = (carried, loss)
    return found
