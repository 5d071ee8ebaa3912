"""Reads a drive's round trips, laid out as in the data set CICV5G, and makes a link trace of them.

CICV5G (Tongji University, 2025, CC BY 4.0, github.com/zxr805/CICV5G): a text file a run, a line
each 55 ms: `pub_time(ms) sub_time(ms) delay(ms) utmX(m) utmY(m) heading(rad) velocity(m/s)
cellid(db) sinr(db) rsrp(db)`, by blanks or commas. A round trip far above the others is read as an
outage that held the packet until it ended: a link that holds, replayed, gives the same round trips.
"""

import math
import re
from bisect import bisect_right
from pathlib import Path
from statistics import median
from typing import NamedTuple

from scheduler.errors import ConfigError
from sim.channel.base import LinkState
from sim.channel.trace import Trace

NEEDED = ("pub_time", "delay")
OPTIONAL = ("utmx", "utmy", "heading", "velocity", "sinr", "rsrp")
STEP_S = 0.1  # between rows that no outage begins or ends
USUAL_SHARE = 0.25  # of a run's round trips are below its usual one, even where half are outages


class Sample(NamedTuple):
    """One round trip and where it was made; what the file does not hold is NaN.

    Attributes:
        t_s: When it was sent, from the first on.
        rtt_ms: How long it took.
        x: Metres east (UTM).
        y: Metres north.
        heading: Radians.
        speed: m/s.
        sinr_db: Of the cell.
        rsrp_dbm: Of the cell.
    """

    t_s: float
    rtt_ms: float
    x: float
    y: float
    heading: float
    speed: float
    sinr_db: float
    rsrp_dbm: float


def samples(path: Path) -> list[Sample]:
    """The round trips of a run, in the order of sending.

    Raises:
        ConfigError: no such file, no header with the columns, or a line that does not fit it.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "expected plain text (of .xlsx, save as CSV)"
        raise ConfigError(f"rtt drive: {path}: {reason}") from None
    header = [name.split("(")[0].lower() for name in _split(lines[0])] if lines else []
    if any(name not in header for name in NEEDED):
        raise ConfigError(
            f"rtt drive: {path}: expected a header with pub_time(ms) and delay(ms), "
            f"got {lines[0][:60]!r}"
            if lines
            else f"rtt drive: {path}: it is empty"
        )
    found = []
    for number, line in enumerate(lines[1:], 2):
        if line.strip():
            found.append(_sample(dict(zip(header, _split(line), strict=False)), path, number))
    if not found:
        raise ConfigError(f"rtt drive: {path}: expected a line a round trip, got none")
    found.sort()
    start_ms = found[0].t_s
    return [sample._replace(t_s=(sample.t_s - start_ms) / 1000.0) for sample in found]


def _split(line: str) -> list[str]:
    return [word for word in re.split(r"[,\s]+", line.strip()) if word]


def _sample(row: dict[str, str], path: Path, number: int) -> Sample:
    where = f"rtt drive: {path} line {number}"
    try:
        sent_ms, rtt_ms = (float(row[name]) for name in NEEDED)
        rest = [float(row.get(name, "nan")) for name in OPTIONAL]
    except (KeyError, ValueError):
        values = " ".join(row.values())[:60]
        raise ConfigError(f"{where}: expected numbers, got {values!r}") from None
    if not math.isfinite(sent_ms) or not 0.0 <= rtt_ms < math.inf:
        raise ConfigError(f"{where}: expected a round trip of at least 0 ms")
    return Sample(sent_ms, rtt_ms, *rest)  # the caller counts from the run's start


def read(path: Path, *, rate_mbps: float = 20.0, outage_ms: float = 100.0) -> Trace:
    """A link that gives these round trips to small packets.

    Args:
        path: See `samples`.
        rate_mbps: Both ways: round trips of small packets do not tell it.
        outage_ms: A round trip so far above the run's usual one is an outage; a lower one is
            delay. Less makes more, shorter outages.

    Raises:
        ConfigError: see `samples`.
    """
    drive = samples(path)
    ordered = sorted(sample.rtt_ms for sample in drive)
    usual_ms = ordered[int(USUAL_SHARE * len(ordered))]
    outages = _outages(drive, usual_ms, outage_ms)
    end_s = drive[-1].t_s + STEP_S
    times = sorted(
        {round(index * STEP_S, 3) for index in range(math.ceil(end_s / STEP_S))}
        | {round(edge, 3) for span in outages for edge in span if 0.0 <= edge < end_s}
    )
    starts = [start for start, _ in outages]
    states = []
    for at, rtt_ms in zip(times, _delays_ms(drive, usual_ms, outages, times), strict=True):
        span = bisect_right(starts, at) - 1
        is_out = span >= 0 and at < outages[span][1]
        bps = 0.0 if is_out else rate_mbps * 1e6
        states.append(LinkState(bps, rtt_ms / 2, 0.0, bps, rtt_ms / 2, 0.0))
    return Trace.of(times, states, "hold")


def _outages(drive: list[Sample], usual_ms: float, outage_ms: float) -> list[tuple[float, float]]:
    """From when to when nothing got through: from sending to arrival, less the usual way."""
    found: list[tuple[float, float]] = []
    for sample in drive:
        if sample.rtt_ms <= usual_ms + outage_ms:
            continue
        start, end = sample.t_s, sample.t_s + (sample.rtt_ms - usual_ms) / 1000.0
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], round(end, 3)))
        else:
            found.append((round(start, 3), round(end, 3)))
    return found


def _delays_ms(
    drive: list[Sample],
    usual_ms: float,
    outages: list[tuple[float, float]],
    times: list[float],
) -> list[float]:
    """The round trip of each row outside of outages: the median of its samples, else as before."""
    starts = [start for start, _ in outages]
    here: list[list[float]] = [[] for _ in times]
    for sample in drive:
        span = bisect_right(starts, sample.t_s) - 1
        if span < 0 or sample.t_s >= outages[span][1]:
            here[bisect_right(times, sample.t_s) - 1].append(sample.rtt_ms)
    found = []
    for rtts in here:
        usual_ms = median(rtts) if rtts else usual_ms
        found.append(usual_ms)
    return found
