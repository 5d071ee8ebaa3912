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
BASE_WINDOW = 40  # samples, some two seconds: their median is the round trip without an outage
LEAST_OUTAGE_S = 0.05


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
    start = found[0].t_s
    return [sample._replace(t_s=sample.t_s - start) for sample in found]


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
    return Sample(sent_ms / 1000.0, rtt_ms, *rest)


def read(path: Path, *, rate_mbps: float = 20.0, outage_ms: float = 100.0) -> Trace:
    """A link that gives these round trips to small packets.

    Args:
        path: See `samples`.
        rate_mbps: Both ways: round trips of small packets do not tell it.
        outage_ms: A round trip so far above the usual is an outage; a lower one is delay. Less
            makes more, shorter outages.

    Raises:
        ConfigError: see `samples`.
    """
    drive = samples(path)
    bases = [_base_ms(drive, index) for index in range(len(drive))]
    outages = _outages(drive, bases, outage_ms)
    end_s = drive[-1].t_s + STEP_S
    times = sorted(
        {round(index * STEP_S, 3) for index in range(math.ceil(end_s / STEP_S))}
        | {round(edge, 3) for span in outages for edge in span if 0.0 <= edge < end_s}
    )
    starts = [start for start, _ in outages]
    states = []
    for at, rtt_ms in zip(times, _usual_ms(drive, bases, outage_ms, times), strict=True):
        span = bisect_right(starts, at) - 1
        is_out = span >= 0 and at < outages[span][1]
        bps = 0.0 if is_out else rate_mbps * 1e6
        states.append(LinkState(bps, rtt_ms / 2, 0.0, bps, rtt_ms / 2, 0.0))
    return Trace.of(times, states, "hold")


def _usual_ms(
    drive: list[Sample], bases: list[float], outage_ms: float, times: list[float]
) -> list[float]:
    """The round trip of each row without outages: the median of its samples, else as before."""
    here: list[list[float]] = [[] for _ in times]
    for sample, base in zip(drive, bases, strict=True):
        if sample.rtt_ms <= base + outage_ms:
            here[bisect_right(times, sample.t_s) - 1].append(sample.rtt_ms)
    usual = bases[0]
    found = []
    for rtts in here:
        usual = median(rtts) if rtts else usual
        found.append(usual)
    return found


def _base_ms(drive: list[Sample], index: int) -> float:
    around = drive[max(0, index - BASE_WINDOW) : index + BASE_WINDOW + 1]
    return median(sample.rtt_ms for sample in around)


def _outages(
    drive: list[Sample], bases: list[float], outage_ms: float
) -> list[tuple[float, float]]:
    """From when to when nothing got through: from sending to arrival, less the usual way."""
    found: list[tuple[float, float]] = []
    for sample, base in zip(drive, bases, strict=True):
        if sample.rtt_ms <= base + outage_ms:
            continue
        start, end = sample.t_s, sample.t_s + (sample.rtt_ms - base) / 1000.0
        if end - start < LEAST_OUTAGE_S:
            continue
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((round(start, 3), round(end, 3)))
    return found
