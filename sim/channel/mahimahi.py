"""Reads a pair of mahimahi traces: one line per 1500-byte packet that could leave, in milliseconds.

The format of ravinet/mahimahi's `mm-link`: whole milliseconds from the start, not decreasing; a
trace is as long as its last line says and then begins anew. Such drives hold packets in an outage.
"""

import math
from itertools import pairwise
from pathlib import Path

from scheduler.errors import ConfigError
from sim.channel.base import LinkState
from sim.channel.trace import Trace

PACKET_BITS = 1500 * 8
PAYLOAD_SHARE = 1448 / 1500  # of TCP with time stamps, as links here count
BIN_MS = 100
LEAST_BINS = 2


def opportunities(path: Path) -> list[int]:
    """The milliseconds of a file.

    Raises:
        ConfigError: no such file, no line, or a line that is none.
    """
    try:
        lines = path.read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "expected plain text"
        raise ConfigError(f"mahimahi: {path}: {reason}") from None
    found = []
    for number, line in enumerate(lines, 1):
        if not line.isdigit():
            raise ConfigError(
                f"mahimahi: {path} line {number}: expected milliseconds, got {line!r}"
            )
        found.append(int(line))
    if not found or found[-1] == 0:
        raise ConfigError(f"mahimahi: {path}: expected one time in milliseconds a line")
    for number, (before, after) in enumerate(pairwise(found), 2):
        if after < before:
            raise ConfigError(f"mahimahi: {path} line {number}: times must not decrease")
    return found


def rates_bps(times_ms: list[int], bins: int) -> list[float]:
    """Payload rate in each `BIN_MS`, over so many bins; the trace repeats itself.

    mahimahi's line at T gives a packet at T; one at the trace's very end is its last.
    """
    period = times_ms[-1]
    counts = [0] * bins
    turn = 0
    while turn * period < bins * BIN_MS:
        for at in times_ms:
            index = (turn * period + at - 1) // BIN_MS if at else turn * period // BIN_MS
            if index < bins:
                counts[index] += 1
        turn += 1
    return [count * PACKET_BITS * PAYLOAD_SHARE * 1000.0 / BIN_MS for count in counts]


def read(up: Path, dn: Path, delay_ms: float = 20.0) -> Trace:
    """One link of two traces; the shorter repeats to the length of the longer.

    Args:
        up: From the vehicle.
        dn: To the vehicle.
        delay_ms: One way, which these traces do not hold.

    Raises:
        ConfigError: see `opportunities`.
    """
    both = [opportunities(path) for path in (up, dn)]
    bins = max(LEAST_BINS, math.ceil(max(times[-1] for times in both) / BIN_MS))
    up_bps, dn_bps = (rates_bps(times, bins) for times in both)
    states = [
        LinkState(up_rate, delay_ms, 0.0, dn_rate, delay_ms, 0.0)
        for up_rate, dn_rate in zip(up_bps, dn_bps, strict=True)
    ]
    return Trace.of([index * BIN_MS / 1000.0 for index in range(bins)], states, "hold")
